"""Parcels that went missing, and what people say of where a parcel is, where the carrier is silent. Pure.

The risk of the way is the merchant's. A parcel is lost when its hub, asked, has told nothing new for so long, or when
its merchant or an operator says so. Whoever has it may say so as well: a buyer's own word is as good as a signature.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.kernel.errors import Conflict
from chalicelib.logistics.domain import NEWS_OF, PARCEL, Shipment, Status, Word

SILENT_FOR: Final = timedelta(days=15)
"""Longer than a domestic parcel takes as a whole."""
TO_CARRY: Final = timedelta(days=3)
"""Before that nobody can say that a parcel is lost."""


class TooSoonToBeLost(Conflict):
    """A parcel of which something was heard a moment ago is not lost."""

    code = "too_soon_to_be_lost"
    en = "Something was heard of this parcel within three days; wait before you call it lost."
    zh = "该包裹三天内仍有物流动态，暂不能认定为丢失。"


def last_seen_at(shipment: Shipment) -> datetime:
    """Return when the parcel was last heard of, or else shipped."""
    return max(shipment.shipped_at, shipment.news_at or shipment.shipped_at)


def is_silent(shipment: Shipment, *, now: datetime) -> bool:
    """Say whether nothing was heard of a parcel for so long that it counts as lost; its hub must have been asked."""
    if shipment.is_digital or shipment.detached or not PARCEL.takes(shipment.status, NEWS_OF[Status.LOST]):
        return False
    seen_at = last_seen_at(shipment)
    return shipment.asked_at is not None and shipment.asked_at > seen_at and now - seen_at > SILENT_FOR


def lost(shipment: Shipment) -> Shipment:
    """Return the shipment as lost. It is watched on: it may be found.

    Raises:
        IllegalTransition: if it arrived, here or back at its sender, or is lost already.
    """
    return replace(shipment, status=PARCEL.next(shipment.status, NEWS_OF[Status.LOST]))


def said(shipment: Shipment, word: Word, *, now: datetime) -> Shipment:
    """Return the shipment as a person says that it is: lost, delivered or returned.

    Raises:
        IllegalTransition: if its state does not lead there.
        TooSoonToBeLost: if something was heard of it within three days.
    """
    moved = replace(shipment, status=PARCEL.next(shipment.status, NEWS_OF[word.status]), word=word)
    if word.status is Status.LOST and now - last_seen_at(shipment) < TO_CARRY:
        raise TooSoonToBeLost
    if word.status is Status.DELIVERED:
        return replace(moved, delivered_at=shipment.delivered_at or max(shipment.shipped_at, word.at))
    return moved
