"""Consents: what a person agreed to, in which words, from where, and until when.

Owns the table consents. Emits nothing: whoever needs a consent asks ``service.may`` at the moment of need, so what is
withdrawn has its effect at once.
"""
