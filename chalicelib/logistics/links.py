"""Links by which a guest follows one parcel: signed, of limited life, and good for nothing else.

Nothing is stored for a link. It names the parcel and its last hour, and is verified before anything is read. Whoever
has it sees where the parcel is, without what tells who gets it: no words of couriers, no goods, no whole number.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.logistics import domain, store
from chalicelib.logistics.domain import Shipment
from chalicelib.orders import service as orders
from chalicelib.runtime.marks import mark

LASTS: Final = timedelta(days=30)
"""Longer than a parcel takes; a new link is made for one that takes longer."""
SHOWN_AFTER: Final = timedelta(days=7)
"""So long a link still shows a parcel that has arrived."""
_HOUR_S: Final = 3600
_PURPOSE: Final = "parcel link"
_LONGEST_HOUR: Final = 7


@dataclass(frozen=True, slots=True)
class Link:
    """A link's token and until when it shows the parcel."""

    token: str
    ends_at: datetime


def make(order_id: str, shipment_id: str, buyer_id: str) -> Link:
    """Return a link to a parcel of the buyer's; within an hour it is the same one.

    Raises:
        NotFound: if there is no such parcel in an order of theirs.
    """
    orders.buyers_order(order_id, buyer_id)
    shipment = next((one for one in store.of_order(order_id) if one.shipment_id == shipment_id), None)
    if shipment is None or shipment.is_digital:
        raise NotFound(what="shipment")
    hour = int((clock.now() + LASTS).timestamp()) // _HOUR_S
    return Link(_token(shipment_id, hour), clock.from_epoch_s(hour * _HOUR_S))


def follow(token: str) -> Shipment:
    """Return the parcel of a link.

    Raises:
        NotFound: if we did not make it, its time is over, or the parcel arrived long ago.
    """
    shipment_id = _shipment_of(token)
    shipment = store.load(shipment_id) if shipment_id is not None else None
    if shipment is None or _is_over(shipment):
        raise NotFound(what="parcel")
    return shipment


def _token(shipment_id: str, hour: int) -> str:
    return f"{shipment_id.removeprefix('shp_')}_{hour:x}_{mark(f'{shipment_id} {hour}', _PURPOSE)}"


def _shipment_of(token: str) -> str | None:
    """Return whose link it is; None for one of which a character was changed, or whose time is over."""
    *body, hour, _ = ("", "", *token.split("_"))[-4:]
    shipment_id = "_".join(("shp", *body))
    if domain.order_of(shipment_id) is None or not 0 < len(hour) <= _LONGEST_HOUR or not _is_hex(hour):
        return None
    if not hmac.compare_digest(token, _token(shipment_id, int(hour, 16))):
        return None
    return shipment_id if clock.now().timestamp() < int(hour, 16) * _HOUR_S else None


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdef" for char in text)


def _is_over(shipment: Shipment) -> bool:
    ended_at = shipment.delivered_at or (shipment.news_at if domain.has_ended(shipment) else None)
    return ended_at is not None and clock.now() > ended_at + SHOWN_AFTER
