"""A provider that says nothing when a purchase's time is over: somebody must know, and hear when it is over.

Stock stays held while nobody knows whether it was paid. The purchase's own expiry asks first; what is still unclear a
minute later, when the attempt's own deadline asks, raises the alarm and becomes an operator's case.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.payments import events
from chalicelib.payments.domain import polling
from chalicelib.payments.domain.payment import Payment
from chalicelib.runtime import log, metrics


def begin(
    payment: Payment, polled: Payment, *, now: datetime, known: bool
) -> tuple[Payment, tuple[events.PaymentEvent, ...]]:
    """Return a polled attempt with its silence noted, and the fact that this makes: once, until it has answered."""
    if known or payment.silent_since is not None or now < payment.expires_at + polling.AFTER_EXPIRY:
        return polled, ()
    log.error(
        "provider has not answered since before the payment expired",
        payment_id=payment.payment_id,
        provider=payment.provider,
    )
    metrics.count("providers_silent_at_expiry")
    fact = events.PaymentUnclear(payment_id=payment.payment_id, provider=payment.provider)
    return replace(polled, silent_since=now), (fact,)


def end(payment: Payment) -> tuple[events.PaymentEvent, ...]:
    """Return the fact that the silence about an attempt is over, if there was one."""
    if payment.silent_since is None:
        return ()
    return (events.PaymentClear(payment_id=payment.payment_id, provider=payment.provider),)
