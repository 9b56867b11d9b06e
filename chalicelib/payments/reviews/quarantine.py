"""What does not fit our record is kept for an operator: genuine notices as they were said, refunds held up."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.payments import events
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.payment_records import Quarantined
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork


def put_aside(payment: Payment, why: str, *, about: str = "", **said: str) -> Quarantined:
    """Keep what was said, once however often it is said, and raise the alarm.

    ``about``: the one thing it is about, where not everybody says as much of it.
    """
    quarantined = _of(payment, why, said)
    if about:
        same = "qua_" + ids.digest(payment.payment_id, why, f"about={about}")
        quarantined = replace(quarantined, quarantine_id=same)
    try:
        with UnitOfWork() as work:
            _add(work, quarantined)
    except AlreadyExists:
        return store.load_quarantined(payment.purchase_id, quarantined.quarantine_id) or quarantined
    return replace(quarantined, version=1)


def put_aside_with(work: UnitOfWork, payment: Payment, why: str, **said: str) -> None:
    """Keep something for an operator in the caller's own work; refused with ``AlreadyExists`` if it was before."""
    _add(work, _of(payment, why, said))


def _of(payment: Payment, why: str, said: dict[str, str]) -> Quarantined:
    return Quarantined(
        quarantine_id="qua_" + ids.digest(payment.payment_id, why, *(f"{k}={v}" for k, v in sorted(said.items()))),
        purchase_id=payment.purchase_id,
        payment_id=payment.payment_id,
        why=why,
        at=clock.now(),
        said=said,
    )


def _add(work: UnitOfWork, quarantined: Quarantined) -> None:
    payment_id, why = quarantined.payment_id, quarantined.why
    fact = events.PaymentQuarantined(payment_id=payment_id, why=why, quarantine_id=quarantined.quarantine_id)
    store.save_quarantined(work, quarantined, [fact])

    def alarm() -> None:
        log.error("payment quarantined for review", payment_id=payment_id, why=why)
        metrics.count("payments_quarantined")

    work.after_commit(alarm)
