"""Benches: what this costs and how fast it is. Never shipped."""
