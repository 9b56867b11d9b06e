"""Holding tracking numbers in the work that ships, corrects or follows: nothing is written about a parcel of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from chalicelib.kernel.errors import Busy, ConcurrentUpdate, NotFound
from chalicelib.logistics import domain, number_store, numbers, store
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.numbers import Claim, NumberHeld
from chalicelib.orders import service as orders
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

T = TypeVar("T")


def racing_for_number(attempt: Callable[[Claim | None], T], *, otherwise: Callable[[], Exception] = Busy) -> T:
    """Repeat a load-decide-commit that lost a race. Nobody reads a claim before it is met: most numbers are new.

    Raises:
        TrackingNumberUsed: if the number is another's.
        what is to be raised ``otherwise``, if it lost every time.
    """
    met: list[Claim] = []

    def once() -> T:
        try:
            return attempt(met.pop() if met else None)
        except NumberHeld as held:
            met.append(held.claim)
            raise ConcurrentUpdate from held

    return racing(once, otherwise=otherwise)


def take(work: UnitOfWork, shipment: Shipment, buyer_id: str, met: Claim | None) -> Shipment:
    """Hold the shipment's number for it in the same work; returns the shipment to save, which knows if it shares it.

    ``met`` is the claim that refused an earlier attempt.

    Raises (here or from the commit):
        TrackingNumberUsed: if it is another's parcel.
        NumberHeld: if there is a claim that nobody looked at yet.
    """
    if domain.tracked(shipment) is None:
        return shipment
    if met is None:
        number_store.save(work, numbers.first(shipment, buyer_id))
        return replace(shipment, shared=False)
    beside = _first_holder(met)
    number_store.save(work, numbers.joined(met, shipment, buyer_id, beside))
    shares = beside is not None and beside.shipment_id != shipment.shipment_id
    if beside is not None and shares and not beside.shared:
        store.save(work, replace(beside, shared=True))
    return replace(shipment, shared=shares)


def _first_holder(claim: Claim) -> Shipment | None:
    if not claim.shipments:
        return None
    try:
        return store.load(claim.shipments[0])
    except NotFound:
        return None


def move(work: UnitOfWork, before: Shipment, after: Shipment, met: Claim | None) -> Shipment:
    """Hold the number that the shipment now has, and free the one it had; returns the shipment to save.

    Rows of earlier days hold no number yet: the first news of such a parcel claims it.

    Raises:
        TrackingNumberUsed, NumberHeld: as :func:`take`.
    """
    had, has = domain.tracked(before), domain.tracked(after)
    if has is None or after.detached or (had == has and (before.claimed or domain.has_ended(after))):
        return after
    after = take(work, after, orders.load_order(after.order_id).buyer_id, met)
    if had is not None and had != has and before.claimed:
        give_up(work, before)
    return replace(after, claimed=True)


def give_up(work: UnitOfWork, shipment: Shipment) -> None:
    """Free the shipment's number in the same work, or leave it to those who share it."""
    carrier, number = domain.tracked(shipment) or ("", "")
    claim = number_store.find(carrier, number)
    if claim is not None and shipment.shipment_id in claim.shipments:
        number_store.save(work, numbers.left(claim, shipment.shipment_id))
