"""Signs that a shipment is not what its merchant says: a score that people see, and that decides nothing. Pure.

Each sign has an innocent reason, too: a carrier gives numbers out again, a scan names a hub in another town. So a score
is shown to whoever looks into a case, with what it is made of, and no rule reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.kernel.texts import Texts
from chalicelib.logistics.domain import FORGET_AFTER, Scan, Shipment, Status

COLLECTED_WITHIN: Final = timedelta(hours=48)
TOO_FAST: Final = timedelta(hours=2)
MOST: Final = 100
_ENDINGS: Final = ("特别行政区", "自治区", "自治州", "省", "市", "区", "县", "州")
_THERE: Final = (Status.DELIVERED, Status.OUT_FOR_DELIVERY, Status.READY_FOR_PICKUP)


class Sign(StrEnum):
    """What speaks against a shipment."""

    SCANNED_BEFORE = "scanned_before"
    USED_BEFORE = "used_before"
    GIVEN_OUT_AGAIN = "given_out_again"
    NEVER_COLLECTED = "never_collected"
    ELSEWHERE = "elsewhere"
    TOO_FAST = "too_fast"


WEIGHTS: Final[dict[Sign, int]] = {
    Sign.SCANNED_BEFORE: 40,
    Sign.USED_BEFORE: 15,
    Sign.GIVEN_OUT_AGAIN: 20,
    Sign.NEVER_COLLECTED: 25,
    Sign.ELSEWHERE: 35,
    Sign.TOO_FAST: 15,
}
TEXTS: Final[dict[Sign, Texts]] = {
    Sign.SCANNED_BEFORE: (
        "A parcel was moving under this number shortly before the order was paid",
        "付款前不久该运单号已有物流轨迹",
    ),
    Sign.USED_BEFORE: ("The number was used for another parcel long ago", "该运单号曾用于其他包裹"),
    Sign.GIVEN_OUT_AGAIN: ("An operator released the number from another shipment", "该运单号曾由平台从其他发货单释放"),
    Sign.NEVER_COLLECTED: ("Nobody collected it within 48 hours", "发货后 48 小时内无揽收记录"),
    Sign.ELSEWHERE: (
        "It was carried out or signed for in a place that is not in the address",
        "派送或签收地点与收货地址不符",
    ),
    Sign.TOO_FAST: ("It was signed for within two hours of being shipped", "发货后两小时内即签收"),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """How much speaks against a shipment, from 0 to 100, and what."""

    score: int
    signs: tuple[Sign, ...]


def of(shipment: Shipment, places: Sequence[str], *, released: bool, now: datetime) -> Doubt:
    """Weigh a shipment. ``places``: province, city and district of its address; ``released``: from another shipment."""
    if shipment.is_digital:
        return Doubt(0, ())
    signs = tuple(_signs(shipment, places, released=released, now=now))
    return Doubt(min(MOST, sum(WEIGHTS[sign] for sign in signs)), signs)


def _signs(shipment: Shipment, places: Sequence[str], *, released: bool, now: datetime) -> Iterator[Sign]:
    before = shipment.seen_before
    if before is not None:
        yield Sign.SCANNED_BEFORE if shipment.counts_from - before <= FORGET_AFTER else Sign.USED_BEFORE
    if released:
        yield Sign.GIVEN_OUT_AGAIN
    moved = [scan.at for scan in shipment.scans if scan.status not in (None, Status.CREATED)]
    if min(moved, default=now) - shipment.shipped_at > COLLECTED_WITHIN:
        yield Sign.NEVER_COLLECTED
    if any(_is_elsewhere(scan, places) for scan in shipment.scans if scan.status in _THERE):
        yield Sign.ELSEWHERE
    signed = [scan.at for scan in shipment.scans if scan.status is Status.DELIVERED]
    if signed and min(signed) - shipment.shipped_at < TOO_FAST:
        yield Sign.TOO_FAST


def _is_elsewhere(scan: Scan, places: Sequence[str]) -> bool:
    """Say whether a scan names a place, and none that is in the address. One that names none says nothing."""
    named = [_short(place) for place in places if place]
    told = scan.place or _bracketed(scan.text)
    return bool(told and named) and not any(place in told for place in named)


def _short(place: str) -> str:
    for ending in _ENDINGS:
        if place.endswith(ending) and len(place) - len(ending) >= 2:
            return place.removesuffix(ending)
    return place


def _bracketed(text: str) -> str:
    """Return what a carrier wrote in its brackets, which is where it puts the town."""
    return text.partition("【")[2].partition("】")[0]
