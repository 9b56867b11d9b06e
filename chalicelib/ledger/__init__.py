"""Ledger: every movement of money as an immutable, balanced entry, written with the change that moved it.

Owns the tables ``ledger`` and ``balances``. Others post into it inside their own unit of work. Emits ``ledger.posted``
(worked out from each new entry) and consumes it: balances by account and day count every entry once.
"""
