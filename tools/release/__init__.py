"""Packaging, keys and deployment of a stage. Never shipped."""
