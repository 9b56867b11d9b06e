"""Ledger: every movement of money as an immutable, balanced entry, written with the change that moved it.

Owns the tables ``ledger`` and ``balances``. Others post into it inside their own unit of work. Each minute the balances
by account and day count what was written since, every entry once. Emits and consumes ``ledger.posted`` for entries of a
release before this one, which do not say when they were written.
"""
