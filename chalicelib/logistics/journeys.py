"""Which journey of a number is this order's: numbers that were in use before the order was paid. Pure.

A carrier's history of a number may begin with a parcel of somebody else. Where that parcel was still on its way when
the order was paid, the signature that follows is its signature and not this order's; only a parcel that the carrier
collected anew, after the earlier one had arrived, can be the one that was sent. What a person knows better, a person
settles: the merchant corrects the number, or the buyer confirms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.logistics.domain import FORGET_AFTER, Scan, Shipment, Snapshot, Status

_ENDS: Final = (Status.DELIVERED, Status.RETURNED)


def had_others(shipment: Shipment, snapshot: Snapshot) -> bool:
    """Say whether a parcel moved under the number not long before the order was paid.

    A label that was printed moves nothing, and a journey of which nothing was heard for so long is over.
    """
    if shipment.paid_at is None:
        return False
    since = shipment.counts_from
    return any(since - FORGET_AFTER <= scan.at < since for scan in _moves(snapshot.scans))


def last_before(shipment: Shipment, snapshot: Snapshot) -> datetime | None:
    """Return when a parcel last moved under the number before the order was paid; None if none did."""
    if shipment.paid_at is None:
        return None
    return max((scan.at for scan in _moves(snapshot.scans) if scan.at < shipment.counts_from), default=None)


def own(shipment: Shipment, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without the journeys of other parcels; all of it where there are none."""
    if not had_others(shipment, snapshot):
        return snapshot
    begins = _begins(_moves(snapshot.scans), since=shipment.counts_from)
    return replace(snapshot, scans=tuple(scan for scan in snapshot.scans if begins is not None and scan.at >= begins))


def _begins(moves: Sequence[Scan], *, since: datetime) -> datetime | None:
    """Return when the journey began that is ours.

    Where the one before it had arrived by the payment, that is the first scan which is no other end of that one;
    where it was still on its way, a later collection once it has arrived.
    """
    arrived = arrived_in_time = False
    for scan in moves:
        if scan.at >= since and arrived and _sets_out(scan, collected=not arrived_in_time):
            return scan.at
        if scan.status is Status.COLLECTED:
            arrived = False
        elif scan.status in _ENDS:
            arrived = True
        if scan.at < since:
            arrived_in_time = arrived
    return None


def _sets_out(scan: Scan, *, collected: bool) -> bool:
    if collected:
        return scan.status is Status.COLLECTED
    return scan.status is not None and scan.status not in _ENDS


def _moves(scans: Sequence[Scan]) -> list[Scan]:
    """Return what happened to a parcel, oldest first."""
    return sorted((scan for scan in reversed(scans) if scan.status is not Status.CREATED), key=lambda scan: scan.at)
