"""Ledger: every movement of money as an immutable, balanced entry, written with the change that moved it.

Owns the table ``ledger``. Emits and consumes nothing: others post into it inside their own unit of work.
"""
