"""Payments: attempts to pay a purchase, their providers' notices, refunds, and money that nobody waits for.

Owns the table ``payments`` (attempts, refunds and quarantined notices of a purchase). Emits ``payment.started``,
``payment.captured``, ``payment.closed``, ``payment.quarantined``, ``refund.requested``, ``refund.succeeded`` and
``refund.failed``. Consumes ``payment.noticed`` (put on its queue by the webhook), ``refund.requested`` and the
deadlines of attempts and refunds.
"""
