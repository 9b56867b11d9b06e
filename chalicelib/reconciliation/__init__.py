"""Reconciliation: each provider's bill of each day against our own records, line by line; what does not fit, a case.

Owns the table ``reconciliations`` (runs, their lines, operators' cases) and the bucket's prefix ``reconciliation/``.
Emits ``reconciliation.advanced``, ``case.opened`` and ``case.closed``. Consumes ``reconciliation.advanced``, refunds
that got stuck, are owed or went through after all, deadlines that were parked, and the deadlines of runs (ask again,
go on) and cases (escalate).
"""
