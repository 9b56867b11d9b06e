"""Asking a carrier hub where pushes stopped: ever less often, never more often than it allows, never after the end."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound, ShopError
from chalicelib.logistics import domain, hubs, losing, phones, quota_store, store, subscribing, tracking, watching
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.watch import Watch
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork


def wake(shipment_id: str) -> None:
    """Handle the timeout of a shipment's watch: subscribe again, ask the hub, or stop. A stale call is a no-op.

    The row is claimed before the hub hears from us, so two deliveries of one deadline ask once.
    """
    shipment = store.load(shipment_id)
    now = clock.now()
    if shipment.due_at is None or shipment.due_at > now:
        return
    hub = hubs.hub(hubs.of(shipment))
    claimed = phones.added(watching.timed_out(shipment, now=now, limits=hub.limits))
    try:
        with UnitOfWork() as work:
            store.save(work, claimed)
    except ConcurrentUpdate:
        return  # Somebody else is at it, or news came: either sets a deadline of its own.
    claimed = replace(claimed, version=claimed.version + 1)
    if claimed.watch is Watch.WAITING:
        subscribing.subscribe(claimed)
    elif claimed.asked_at != shipment.asked_at and _speaks(claimed):
        _ask(claimed)


def _speaks(shipment: Shipment) -> bool:
    """Say whether this shipment asks for all that travel under its number: a hub counts questions by number."""
    for other in tracking.sharing(shipment):
        if other == shipment.shipment_id:
            return True
        try:
            found = store.load(other)
        except NotFound:
            continue
        if found.watch in (Watch.WATCHED, Watch.POLLED) and not found.detached and not domain.has_ended(found):
            return False
    return True


def _ask(shipment: Shipment) -> None:
    name = hubs.of(shipment)
    hub = hubs.hub(name)
    if not quota_store.take(name, limit=hub.limits.questions_a_day, now=clock.now()):
        log.warning("carrier hub takes no more questions today", shipment_id=shipment.shipment_id, hub=name)
        metrics.count("tracking_questions_spent")
        return
    try:
        snapshot = hub.query(subscribing.parcel(shipment))
    except ShopError as error:
        log.warning("carrier hub did not answer", shipment_id=shipment.shipment_id, hub=name, code=error.code)

        def noted(found: Shipment) -> Shipment:
            return watching.unanswered(found, now=clock.now(), limits=hub.limits)

        tracking.change(shipment.shipment_id, noted, first=shipment)
        return
    metrics.count("tracking_asked")
    if shipment.missed:
        shipment = tracking.change(shipment.shipment_id, watching.answered, first=shipment)
    if snapshot is not None:
        tracking.track(shipment.shipment_id, snapshot, told_by=name)
        tracking.tell_all(shipment, snapshot, told_by=name)
        for each in tracking.sharing(shipment) if losing.is_silent(shipment, now=clock.now()) else ():
            _lose(each)


def _lose(shipment_id: str) -> None:
    """Take a parcel for lost of which its hub, just asked, knew nothing new."""

    def lose(found: Shipment) -> Shipment:
        return losing.lost(found) if losing.is_silent(found, now=clock.now()) else found

    if tracking.change(shipment_id, lose).status is domain.Status.LOST:
        log.warning("parcel taken for lost", shipment_id=shipment_id)
        metrics.count("parcels_lost")
