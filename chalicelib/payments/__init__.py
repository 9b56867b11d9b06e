"""Payments: attempts to pay a purchase, their providers' notices, refunds, disputes, and money that nobody waits for.

Owns the table ``payments`` (a purchase's attempts, refunds, approvals, disputes and quarantined notices). Emits
``payment.started``, ``payment.captured``, ``payment.closed``, ``payment.quarantined``, ``payment.disputed``,
``payment.stray``, ``payment.stray_settled``, ``payment.unclear``, ``payment.clear``,
``refund.requested``, ``refund.succeeded``, ``refund.bounced``, ``refund.failed`` and ``refund.owed``. Consumes
``payment.noticed`` (put on its queue by the webhook), ``refund.requested`` and the deadlines of attempts, refunds and
approvals.
"""
