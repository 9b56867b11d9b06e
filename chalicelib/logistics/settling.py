"""What people say of a parcel where its carrier is silent: its buyer, its merchant, an operator with proof."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.logistics import domain, losing, store, tracking
from chalicelib.logistics.domain import Shipment, Status, Word
from chalicelib.orders import service as orders
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Named:
    """A parcel as a path names it."""

    order_id: str
    shipment_id: str


def received(parcel: Named, *, buyer_id: str, intent: Intent) -> tuple[Shipment, bool]:
    """Take a buyer's word that a parcel is there, whatever its carrier says. Says whether the same intent said it.

    Raises:
        NotFound: if it is not a parcel of the buyer's.
        IllegalTransition: if it arrived before, or is back at its sender.
        Busy: if it kept changing.
    """
    if orders.load_order(parcel.order_id).buyer_id != buyer_id:
        raise NotFound(what="order")
    return _say(parcel, Status.DELIVERED, by=buyer_id, reason="", intent=intent)


def lost(parcel: Named, *, merchant_id: str, by: str, reason: str, intent: Intent) -> tuple[Shipment, bool]:
    """Take a merchant's word that a parcel went missing: it is theirs to send again or to pay back.

    Raises:
        NotFound: if it is not a parcel of the merchant's.
        IllegalTransition: if it arrived, or is lost already.
        TooSoonToBeLost: if something was heard of it within three days.
        Busy: if it kept changing.
    """
    if orders.load_order(parcel.order_id).merchant_id != merchant_id:
        raise NotFound(what="order")
    return _say(parcel, Status.LOST, by=by, reason=reason, intent=intent)


def settle(parcel: Named, status: Status, *, by: str, reason: str, intent: Intent) -> tuple[Shipment, bool]:
    """Say as an operator, who saw proof, that a parcel arrived, is back at its sender, or is lost.

    Raises:
        NotFound: if there is no such parcel.
        IllegalTransition: if its state does not lead there.
        TooSoonToBeLost: if something was heard of it within three days.
        Busy: if it kept changing.
    """
    return _say(parcel, status, by=by, reason=reason, intent=intent)


def _say(parcel: Named, status: Status, *, by: str, reason: str, intent: Intent) -> tuple[Shipment, bool]:
    def attempt() -> tuple[Shipment, bool]:
        before = store.load(parcel.shipment_id)
        if before.is_digital:
            raise NotFound(what="shipment")
        if before.word is not None and before.word.intent == intent.token:
            intent.check(before.word.fingerprint)
            return before, True
        now = clock.now()
        word = Word(status, by, now, reason, intent.token, intent.fingerprint)
        after = losing.said(before, word, now=now)
        with UnitOfWork(f"say#{parcel.shipment_id}#{intent.token}") as work:
            store.save(work, after, tracking.told(before, after))
        log.info("somebody said where a parcel is", shipment_id=parcel.shipment_id, status=status.value)
        return after, False

    if domain.order_of(parcel.shipment_id) != parcel.order_id:
        raise NotFound(what="shipment")
    return racing(attempt, otherwise=Busy)
