"""What an operator sees of an order's shipments: where they are, and what speaks against them."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.kernel import clock
from chalicelib.logistics import domain, doubts, number_store, store
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.doubts import Doubt
from chalicelib.orders import service as orders


@dataclass(frozen=True, slots=True)
class Weighed:
    """A shipment and its doubt."""

    shipment: Shipment
    doubt: Doubt


def of_order(order_id: str) -> list[Weighed]:
    """Return any order's shipments, weighed; where the order goes is compared, and not shown.

    Raises:
        NotFound: if there is no such order.
    """
    order = orders.load_order(order_id)
    contact = orders.load_purchase(order.purchase_id).contact
    places = (contact.province, contact.city, contact.district) if contact is not None else ()
    return [_weighed(shipment, places) for shipment in store.of_order(order_id)]


def _weighed(shipment: Shipment, places: tuple[str, ...]) -> Weighed:
    known = domain.tracked(shipment)
    claim = number_store.find(*known) if known is not None else None
    released = claim is not None and any(shipment.shipment_id not in one.shipments for one in claim.releases)
    return Weighed(shipment, doubts.of(shipment, places, released=released, now=clock.now()))
