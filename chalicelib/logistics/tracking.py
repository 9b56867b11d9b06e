"""What is told of a parcel moves its shipment, once however often it is told, and tells others what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound
from chalicelib.kernel.events import Event
from chalicelib.logistics import (
    claims,
    domain,
    hubs,
    journeys,
    losing,
    number_store,
    phones,
    returning,
    store,
    watching,
)
from chalicelib.logistics.domain import Shipment, Snapshot
from chalicelib.logistics.events import (
    ShipmentDelivered,
    ShipmentLost,
    ShipmentProgressed,
    ShipmentReturned,
    ShipmentTurnedBack,
)
from chalicelib.logistics.numbers import Claim
from chalicelib.logistics.refusals import TrackingNumberUsed
from chalicelib.orders import service as orders
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import starting_from
from chalicelib.runtime.db.work import UnitOfWork


def track(shipment_id: str, snapshot: Snapshot, *, told_by: str = "") -> Shipment:
    """Apply one snapshot, pushed or asked for; no write where it tells nothing new.

    What a hub says (``told_by``) counts where the parcel is watched there; the hubs word one scan differently.

    Raises:
        NotFound: if there is no such shipment.
    """
    shipment = store.load(shipment_id)
    if shipment.is_digital or shipment.detached or not domain.is_about(shipment, snapshot.number):
        log.warning("tracking update is about another number", shipment_id=shipment_id)
        metrics.count("tracking_foreign_numbers")
        return shipment
    if told_by and shipment.hub not in ("", told_by):
        log.warning("tracking update is from a hub that does not watch it", shipment_id=shipment_id, hub=told_by)
        metrics.count("tracking_foreign_hubs")
        return shipment
    if snapshot.report is domain.Report.ABORTED:
        log.warning("carrier hub stopped tracking the parcel", shipment_id=shipment_id, why=snapshot.why)
        metrics.count("tracking_aborted")
    return change(shipment_id, lambda found: _follow(_since_paid(found), snapshot), first=shipment)


def tell_all(shipment: Shipment, snapshot: Snapshot, *, told_by: str) -> None:
    """Apply what was told of a parcel to the other orders that travel in it: the hub tells it once."""
    for other in sharing(shipment):
        if other != shipment.shipment_id:
            try:
                track(other, snapshot, told_by=told_by)
            except NotFound:
                log.warning("a tracking number is held for a shipment that is not there", shipment_id=other)


def sharing(shipment: Shipment) -> tuple[str, ...]:
    """Return the shipments that travel under this one's number; it alone, unless it is said to share."""
    known = domain.tracked(shipment)
    if not shipment.shared or known is None:
        return (shipment.shipment_id,)
    claim = number_store.find(*known)
    mine = claim is not None and shipment.shipment_id in claim.shipments
    return claim.shipments if claim is not None and mine else (shipment.shipment_id,)


def _follow(shipment: Shipment, snapshot: Snapshot) -> Shipment:
    if journeys.had_others(shipment, snapshot):
        log.warning("tracking number was used by another parcel before", shipment_id=shipment.shipment_id)
        metrics.count("tracking_numbers_in_use_before")
    before = journeys.last_before(shipment, snapshot)
    if before is not None and (shipment.seen_before is None or before > shipment.seen_before):
        shipment = replace(shipment, seen_before=before)
    limits = hubs.hub(hubs.of(shipment)).limits
    return watching.follow(shipment, journeys.own(shipment, snapshot), now=clock.now(), limits=limits)


def _since_paid(shipment: Shipment) -> Shipment:
    """Return the shipment with the time its order was paid, which rows of earlier days lack."""
    if shipment.paid_at is not None or shipment.is_digital:
        return shipment
    return replace(shipment, paid_at=orders.load_order(shipment.order_id).paid_at)


def change(shipment_id: str, alter: Callable[[Shipment], Shipment], *, first: Shipment | None = None) -> Shipment:
    """Load, change, save; again after a lost race. A number that turns out to be another's is followed no longer.

    Raises:
        NotFound: if there is no such shipment.
        ConcurrentUpdate: if it kept changing.
    """
    load = starting_from(first, lambda: store.load(shipment_id))

    def apply(met: Claim | None) -> Shipment:
        before = load()
        after = phones.added(alter(before))
        if replace(after, paid_at=before.paid_at) == before:
            return before
        try:
            with UnitOfWork() as work:
                after = claims.move(work, before, after, met)
                store.save(work, after, told(before, after))
        except TrackingNumberUsed:
            log.warning("tracking number belongs to another parcel", shipment_id=shipment_id)
            metrics.count("tracking_numbers_contested")
            after = domain.without_number(before)
            with UnitOfWork() as work:
                store.save(work, after)
        return after

    return claims.racing_for_number(apply, otherwise=ConcurrentUpdate)


def delivered(shipment: Shipment) -> list[Event]:
    """Return the fact that the buyer has it; none if they do not."""
    if shipment.delivered_at is None:
        return []
    fact = ShipmentDelivered(
        order_id=shipment.order_id, shipment_id=shipment.shipment_id, delivered_at=shipment.delivered_at
    )
    return [fact]


def told(before: Shipment, after: Shipment) -> list[Event]:
    """Return what others must hear of a parcel that moved."""
    if after.about:
        return returning.told(before, after)
    found: list[Event] = []
    if after.status is not before.status:
        progressed = ShipmentProgressed(
            order_id=after.order_id,
            shipment_id=after.shipment_id,
            status=after.status.value,
            at=after.news_at or clock.now(),
        )
        found.append(progressed)
        if after.status is domain.Status.RETURNED:
            found.append(ShipmentReturned(order_id=after.order_id, shipment_id=after.shipment_id))
        if after.status in domain.TURNED and before.status not in domain.TURNED:
            found.append(ShipmentTurnedBack(order_id=after.order_id, shipment_id=after.shipment_id, at=progressed.at))
        if after.status is domain.Status.LOST:
            seen_at = losing.last_seen_at(after)
            found.append(ShipmentLost(order_id=after.order_id, shipment_id=after.shipment_id, last_seen_at=seen_at))
    return found if before.delivered_at is not None else found + delivered(after)
