"""Genuine notices that do not fit our record are kept as they were said, for an operator."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.payments import events, store
from chalicelib.payments.domain import Payment, Quarantined
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork


def put_aside(payment: Payment, why: str, **said: str) -> Quarantined:
    """Keep what was said, once however often it is said, and raise the alarm."""
    return keep(payment, why, said)[0]


def keep(payment: Payment, why: str, said: dict[str, str]) -> tuple[Quarantined, bool]:
    """As :func:`put_aside`; says also whether it had been said before."""
    quarantined = Quarantined(
        quarantine_id="qua_" + ids.digest(payment.payment_id, why, *(f"{k}={v}" for k, v in sorted(said.items()))),
        purchase_id=payment.purchase_id,
        payment_id=payment.payment_id,
        why=why,
        at=clock.now(),
        said=said,
    )
    fact = events.PaymentQuarantined(payment_id=payment.payment_id, why=why, quarantine_id=quarantined.quarantine_id)
    try:
        with UnitOfWork() as work:
            store.save_quarantined(work, quarantined, [fact])
    except AlreadyExists:
        return store.load_quarantined(payment.purchase_id, quarantined.quarantine_id) or quarantined, True
    log.error("payment quarantined", payment_id=payment.payment_id, why=why)
    metrics.count("payments_quarantined")
    return replace(quarantined, version=1), False
