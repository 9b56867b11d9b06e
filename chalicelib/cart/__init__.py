"""Carts: what a buyer or a guest collects. Quantities only, no prices; a checkout takes its lines out again.

Owns the ``carts`` table. Emits nothing, consumes nothing.
"""
