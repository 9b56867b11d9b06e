"""How a hub's snapshots move a parcel: what is new, what is late, and whose journey it was. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.logistics.domain import (
    CLOCK_AHEAD,
    CLOCK_SKEW,
    MAX_SCANS,
    NEWS_OF,
    PARCEL,
    RANK,
    Report,
    Scan,
    Shipment,
    Snapshot,
    Status,
    has_ended,
)


def plausible(shipment: Shipment, snapshot: Snapshot, *, now: datetime) -> list[Scan]:
    """Return the scans of a snapshot that can be this shipment's: since its order was paid, and not of the future."""
    return [scan for scan in snapshot.scans if shipment.counts_from <= scan.at <= now + CLOCK_AHEAD]


def moved(shipment: Shipment, snapshot: Snapshot, *, now: datetime) -> Shipment:
    """Return the shipment where a snapshot says its parcel is; equal to the one given if it tells nothing new.

    The state follows the snapshot only if its newest scan is newer than ours, or as new and the state further along:
    an old snapshot, however genuine, adds scans that were missing and moves nothing. What happened before the order was
    paid happened to another parcel. A parcel that turned back is never delivered: who signs for it is its sender.
    """
    told = plausible(shipment, snapshot, now=now)
    after = _corrected(shipment, snapshot)
    if not told:
        return after
    newest = max(scan.at for scan in told)
    rewritten = snapshot.report is Report.REWRITTEN and (after.news_at is None or newest >= after.news_at)
    scans = _merged(() if rewritten else after.scans, told)
    status = snapshot.status if newest == max(scan.at for scan in snapshot.scans) else told[0].status
    left = None if rewritten else after
    if status is Status.DELIVERED and turned_back(scans, before=newest, left=left):
        status = Status.RETURNED
    if _is_news(after, newest, status) and status is not None and PARCEL.takes(after.status, NEWS_OF[status]):
        after = replace(after, status=PARCEL.next(after.status, NEWS_OF[status]))
        if status is Status.DELIVERED:
            after = replace(after, delivered_at=after.delivered_at or _signed_at(after, told, newest, now))
    return _came_back_after_all(replace(after, scans=scans))


def _is_news(shipment: Shipment, newest: datetime, status: Status | None) -> bool:
    if status is None or status not in NEWS_OF or status is shipment.status:
        return False
    if shipment.news_at is None or newest > shipment.news_at:
        return True
    return newest == shipment.news_at and RANK[status] > RANK[shipment.status]


def turned_back(scans: Sequence[Scan], *, before: datetime, left: Shipment | None = None) -> bool:
    """Say whether the parcel was on its way back to its sender before that moment; ``left`` is how it stood so far.

    A refused one is, unless it was carried out or laid ready again afterwards; one that is returning stays so.
    """
    earlier = sorted((scan for scan in scans if scan.at < before), key=lambda scan: scan.at)
    if left is not None and left.status is Status.RETURNING:
        return True
    since = left.news_at if left is not None and left.status is Status.REFUSED else None
    back = since is not None
    for scan in earlier:
        if scan.status is Status.RETURNING:
            return True
        if scan.status is Status.REFUSED:
            back = True
        elif scan.status in (Status.OUT_FOR_DELIVERY, Status.READY_FOR_PICKUP) and (since is None or scan.at > since):
            back = False
    return back


def _signed_at(shipment: Shipment, told: Sequence[Scan], newest: datetime, now: datetime) -> datetime:
    """Return when it was signed for: by the carrier's word, but not before it was shipped, and not in the future."""
    signed = [scan.at for scan in told if scan.status is Status.DELIVERED]
    return min(now + CLOCK_SKEW, max(shipment.shipped_at, min(signed) if signed else newest))


def _came_back_after_all(shipment: Shipment) -> Shipment:
    """Mend what an overtaken push left: a signature that, as its earlier scans now show, was the sender's."""
    if not has_ended(shipment):
        return shipment
    signed = [scan.at for scan in shipment.scans if scan.status is Status.DELIVERED]
    if not signed or not turned_back(shipment.scans, before=min(signed)):
        return shipment
    return replace(shipment, status=Status.RETURNED, delivered_at=None)


def _merged(known: Sequence[Scan], told: Sequence[Scan]) -> tuple[Scan, ...]:
    """Return both without repeats, newest first; scans of the same time keep the teller's order."""
    merged: dict[tuple[datetime, str], Scan] = {}
    for scan in (*told, *known):
        before = merged.get(scan.identity)
        merged[scan.identity] = scan if before is None else before.finer(scan)
    return tuple(sorted(merged.values(), key=lambda scan: scan.at, reverse=True)[:MAX_SCANS])


def _corrected(shipment: Shipment, snapshot: Snapshot) -> Shipment:
    """Take the carrier the hub found. The merchant's word in an older push takes nothing back."""
    wanted = snapshot.corrected_carrier
    if not wanted and snapshot.carrier != shipment.carrier_given:
        wanted = snapshot.carrier
    if not wanted or wanted == shipment.carrier or shipment.carrier is None:
        return shipment
    return replace(shipment, carrier=wanted, carrier_given=shipment.carrier_given or shipment.carrier)
