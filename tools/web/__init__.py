"""Faces: what is built from ``web/`` with Node, and how it reaches browsers."""
