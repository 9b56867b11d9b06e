"""Where a parcel is and when it should arrive, for people, in both languages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chalicelib.kernel.texts import Texts, said
from chalicelib.logistics.carriers import CARRIERS
from chalicelib.logistics.domain import Shipment, Status

TEXTS: Mapping[Status, Texts] = {
    Status.CREATED: ("Shipped; waiting for the carrier to collect it", "商家已发货，等待快递揽收"),
    Status.COLLECTED: ("Collected by the carrier", "快递已揽收"),
    Status.IN_TRANSIT: ("In transit", "运输中"),
    Status.CUSTOMS: ("In customs", "清关中"),
    Status.OUT_FOR_DELIVERY: ("Out for delivery", "派送中"),
    Status.READY_FOR_PICKUP: ("Ready for pickup at a locker or station", "已到代收点或快递柜，请取件"),
    Status.PROBLEM: ("There is a problem with the delivery", "派送遇到问题，请留意"),
    Status.REFUSED: ("Refused by the recipient", "收件人拒收"),
    Status.RETURNING: ("On its way back to the merchant", "退回途中"),
    Status.DELIVERED: ("Delivered", "已签收"),
    Status.RETURNED: ("Returned to the merchant", "已退回商家"),
    Status.LOST: ("Lost on its way; the merchant sends it again or pays it back", "包裹丢失，由商家重新发货或退款"),
}


_ONLINE: Texts = ("Delivered online", "商家已在线交付")
_TODAY: Texts = ("Expected today", "预计今天送达")
_WAITS: Texts = ("Can be picked up now", "可以取件")
_SLOW: Texts = ("Taking longer than usual; the merchant can help", "比通常的时间长，可联系商家")
_NOT_COMING = (Status.DELIVERED, Status.RETURNED, Status.RETURNING, Status.REFUSED, Status.LOST)
_CHINA = timedelta(hours=8)


def status_text(shipment: Shipment, language: str) -> str:
    """Return the state for a person."""
    if shipment.is_digital:
        return said(_ONLINE, language)
    return said(TEXTS[shipment.status], language)


@dataclass(frozen=True, slots=True)
class Expected:
    """The first and the last day, in China, on which a parcel usually arrives."""

    first: date
    last: date


def expected(shipment: Shipment, *, now: datetime) -> Expected | None:
    """Return when a parcel should arrive: what its carrier's parcels usually take, counted from when it was collected.

    Until somebody collected it, from when the merchant said so. None where it is not coming, or longer under way.
    """
    if shipment.is_digital or shipment.status in _NOT_COMING:
        return None
    today = (now + _CHINA).date()
    if shipment.status in (Status.OUT_FOR_DELIVERY, Status.READY_FOR_PICKUP):
        return Expected(today, today)
    known = CARRIERS.get(shipment.carrier or "")
    first, last = known.days if known else (2, 7)
    since = (_set_out(shipment) + _CHINA).date()
    found = Expected(since + timedelta(days=first), since + timedelta(days=last))
    return found if today <= found.last else None


def _set_out(shipment: Shipment) -> datetime:
    moved = [scan.at for scan in shipment.scans if scan.status not in (None, Status.CREATED)]
    return max(shipment.shipped_at, min(moved)) if moved else shipment.shipped_at


def estimate(shipment: Shipment, language: str, *, now: datetime) -> str | None:
    """Return when it should arrive, for a person: what the carrier's parcels usually take, never a promise."""
    if shipment.is_digital or shipment.status in _NOT_COMING:
        return None
    if shipment.status is Status.OUT_FOR_DELIVERY:
        return said(_TODAY, language)
    if shipment.status is Status.READY_FOR_PICKUP:
        return said(_WAITS, language)
    found = expected(shipment, now=now)
    if found is None:
        return said(_SLOW, language)
    english = f"Usually arrives between {found.first.isoformat()} and {found.last.isoformat()}"
    chinese = f"预计 {found.first.month}月{found.first.day}日至{found.last.month}月{found.last.day}日送达"
    return said((english, chinese), language)
