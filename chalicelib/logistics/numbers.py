"""Whose parcel a tracking number is: one shipment's, or several of one buyer that travel together. Pure.

A number is held per carrier, however it is written. Several orders of one buyer may share a parcel of one merchant, as
long as each was paid before the carrier first saw it: nothing gets into a parcel that is on its way. A number that a
carrier gives out again after years stays refused until an operator, who looked, releases it and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from chalicelib.kernel.errors import Conflict
from chalicelib.logistics.domain import Shipment, has_ended, tracked
from chalicelib.logistics.refusals import TrackingNumberUsed

SHARED_BY: Final = 20
"""Shipments of one parcel at most: they are released together, in one transaction."""
RELEASES_KEPT: Final = 20


class NothingToRelease(Conflict):
    """Nobody holds the number."""

    code = "nothing_to_release"
    en, zh = "No shipment holds this tracking number.", "没有发货单占用该运单号。"


@dataclass(frozen=True, slots=True)
class Release:
    """Who freed the number, and why. ``intent`` and ``fingerprint`` remember the request."""

    by: str
    at: datetime
    reason: str
    shipments: tuple[str, ...]
    intent: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The holders of one number of one carrier. Without any, the number is free."""

    carrier: str
    number: str
    merchant_id: str = ""
    buyer_id: str = ""
    shipments: tuple[str, ...] = ()
    releases: tuple[Release, ...] = ()
    version: int = 0


class NumberHeld(Exception):
    """Met while writing: there is a claim already. Not told to anybody; whoever claims decides anew."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(claim.carrier)
        self.claim = claim


def first(shipment: Shipment, buyer_id: str) -> Claim:
    """Return the claim of a number that nobody is known to hold."""
    carrier, number = tracked(shipment) or ("", "")
    return Claim(carrier, number, shipment.merchant_id, buyer_id, (shipment.shipment_id,))


def joined(claim: Claim, shipment: Shipment, buyer_id: str, beside: Shipment | None) -> Claim:
    """Return the claim with one more shipment. ``beside`` is one that holds the number.

    Raises:
        TrackingNumberUsed: if it is somebody else's parcel, one that had set out before the order was paid, or full.
    """
    if not claim.shipments:
        return replace(claim, merchant_id=shipment.merchant_id, buyer_id=buyer_id, shipments=(shipment.shipment_id,))
    if shipment.shipment_id in claim.shipments:
        return claim
    same_people = (claim.merchant_id, claim.buyer_id) == (shipment.merchant_id, buyer_id)
    if beside is None or not same_people or len(claim.shipments) >= SHARED_BY or not _still_open(beside, shipment):
        raise TrackingNumberUsed
    return replace(claim, shipments=(*claim.shipments, shipment.shipment_id))


def _still_open(parcel: Shipment, late: Shipment) -> bool:
    if has_ended(parcel) or parcel.detached:
        return False
    seen = [scan.at for scan in parcel.scans]
    return not seen or (late.paid_at is not None and late.paid_at < min(seen))


def left(claim: Claim, shipment_id: str) -> Claim:
    """Return the claim without this shipment."""
    return replace(claim, shipments=tuple(one for one in claim.shipments if one != shipment_id))


def released(claim: Claim, release: Release) -> Claim:
    """Return the claim with the number free again, and who freed it.

    Raises:
        NothingToRelease: if nobody holds it.
    """
    if not claim.shipments:
        raise NothingToRelease
    noted: Sequence[Release] = (*claim.releases, replace(release, shipments=claim.shipments))
    return replace(claim, shipments=(), releases=tuple(noted[-RELEASES_KEPT:]))
