"""Parcels of a return: what the buyer sends back, and what the merchant sends for it. Followed like any other.

They belong to the order, under its shipments, and move nothing of it: what they tell is told to the return alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from chalicelib.kernel import clock
from chalicelib.kernel.events import Event
from chalicelib.logistics import claims, domain, phones, store
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.events import ReturnParcelMoved, ReturnParcelSent
from chalicelib.logistics.numbers import Claim
from chalicelib.logistics.watch import Watch
from chalicelib.orders.service import Order
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

T = TypeVar("T")
Met = Claim | None


class Purpose(StrEnum):
    """What a parcel is for, beside bringing what was bought."""

    BACK = "return"
    REPLACEMENT = "replacement"


@dataclass(frozen=True, slots=True)
class Handed:
    """What somebody hands over to a carrier for a return."""

    return_id: str
    purpose: Purpose
    lines: Mapping[str, int]
    carrier: str
    number: str
    since: datetime
    """What the carrier says of earlier moments is of another parcel."""
    phone_tail: str = ""


def sending(attempt: Callable[[Met], T]) -> T:
    """Repeat a load-decide-commit that sends a parcel and lost a race, for its number too.

    Raises:
        TrackingNumberUsed: if the number is another parcel's.
        Busy: if it lost every time.
    """
    return claims.racing_for_number(attempt)


def send_return_parcel(work: UnitOfWork, order: Order, handed: Handed, intent: Intent, met: Met) -> str:
    """Add a parcel to the work that sends it; returns its shipment's id.

    Raises:
        UnknownCarrier, PhoneNeeded, TrackingNumberUsed, TooManyShipments: as when an order is shipped.
    """
    made = store.of_order(order.order_id, consistent=True)
    domain.check_number(made, handed.number)
    now = clock.now()
    shipment = Shipment(
        shipment_id=domain.shipment_id(order.order_id, domain.next_number(made)),
        order_id=order.order_id,
        merchant_id=order.merchant_id,
        lines=tuple(sorted(handed.lines.items())),
        shipped_at=now,
        watch=Watch.WAITING,
        since=now,
        carrier=handed.carrier,
        number=handed.number,
        phone_tail=phones.tail(order.purchase_id, handed.carrier, handed.phone_tail),
        paid_at=handed.since,
        claimed=True,
        intent=intent.token,
        fingerprint=intent.fingerprint,
        purpose=handed.purpose.value,
        about=handed.return_id,
    )
    shipment = claims.take(work, shipment, order.buyer_id, met)
    fact = ReturnParcelSent(return_id=handed.return_id, order_id=order.order_id, shipment_id=shipment.shipment_id)
    store.save(work, shipment, [fact])
    return shipment.shipment_id


def told(before: Shipment, after: Shipment) -> list[Event]:
    """Return what a parcel of a return tells the return: that it arrived, or turned back."""
    arrived = after.delivered_at is not None and before.delivered_at is None
    turned = after.status in domain.TURNED and before.status not in domain.TURNED
    if not arrived and not turned:
        return []
    return [
        ReturnParcelMoved(
            return_id=after.about,
            order_id=after.order_id,
            shipment_id=after.shipment_id,
            arrived=arrived,
            at=after.delivered_at or after.news_at or clock.now(),
        )
    ]
