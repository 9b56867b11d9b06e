"""Subscribing a parcel at a carrier hub: tried again while the hub is busy, and elsewhere where it will not."""

from __future__ import annotations

from chalicelib.kernel import clock
from chalicelib.logistics import hubs, recognising, store, tracking, watching
from chalicelib.logistics.domain import Shipment, Snapshot
from chalicelib.logistics.ports import Parcel, Subscribed, Subscription
from chalicelib.logistics.watch import Watch
from chalicelib.runtime import log, metrics

_NO = (Subscribed.REFUSED, Subscribed.UNSERVED)


def begin(shipment_id: str) -> None:
    """Subscribe a new shipment at its hub; once, however often it is told of."""
    shipment = store.load(shipment_id)
    if shipment.watch is Watch.WAITING and shipment.tries == 0 and not shipment.detached:
        subscribe(shipment)


def subscribe(shipment: Shipment) -> None:
    """Ask the shipment's hub to push, and those after it where it will not; note what came of it.

    Raises:
        ConcurrentUpdate: if the shipment kept changing.
    """
    asked, answer = _taker(shipment)
    if answer.outcome is Subscribed.UNSERVED and (corrected := _recognised(shipment)) is not None:
        shipment = corrected
        asked, answer = _taker(shipment)
    other = hubs.after(shipment, asked)
    limits = hubs.hub(asked).limits

    def noted(found: Shipment) -> Shipment:
        if found.watch is not Watch.WAITING:
            return found
        if answer.outcome is Subscribed.YES:
            return watching.subscribed(found, now=clock.now(), hub=asked)
        for_good = answer.outcome in _NO
        return watching.not_subscribed(
            found, for_good=for_good, now=clock.now(), limits=limits, hub=asked, other="" if for_good else other
        )

    tracking.change(shipment.shipment_id, noted, first=shipment)


def _taker(shipment: Shipment) -> tuple[str, Subscription]:
    """Return the first hub that does not refuse, and its answer; the shipment's own hub where all do."""
    first = asked = hubs.of(shipment)
    while True:
        answer = hubs.hub(asked).subscribe(parcel(shipment))
        _tell(shipment, asked, answer)
        if answer.outcome not in _NO:
            return asked, answer
        asked = hubs.after(shipment, asked)
        if not asked:
            return first, answer


def _recognised(shipment: Shipment) -> Shipment | None:
    """Return the shipment under the one carrier its number can be of, where that is another than its merchant said."""
    if shipment.carrier_given is not None or shipment.number is None:
        return None  # It was corrected before: once is enough.
    found = recognising.recognise(shipment.number, asker=shipment.merchant_id).carriers
    if len(found) != 1 or found[0] == shipment.carrier:
        return None
    after = tracking.track(shipment.shipment_id, Snapshot(shipment.number, corrected_carrier=found[0]))
    return after if after.watch is Watch.WAITING and not after.detached else None


def parcel(shipment: Shipment) -> Parcel:
    """Return what a hub must know of a shipment."""
    return Parcel(shipment.shipment_id, shipment.carrier or "", shipment.number or "", shipment.phone_tail)


def _tell(shipment: Shipment, asked: str, answer: Subscription) -> None:
    if answer.outcome is Subscribed.YES:
        log.info("parcel subscribed at the carrier hub", shipment_id=shipment.shipment_id, hub=asked, code=answer.code)
        return
    log.warning(
        "parcel could not be subscribed at the carrier hub",
        shipment_id=shipment.shipment_id,
        hub=asked,
        code=answer.code,
        outcome=answer.outcome.value,
    )
    metrics.count(f"tracking_subscription_{answer.outcome.value}")  # The stack alarms on "refused".
