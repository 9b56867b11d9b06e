"""What a merchant sees of where a purchase goes: all while parcels are on their way, little afterwards. Pure.

A contact is shown for a need (PIP 6, 19): to send, to find a parcel, to settle a complaint or a return. When the need
is over it is masked, and a new one opens it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.orders.domain import Contact, Order, OrderStatus

NEEDED_AFTER: Mapping[OrderStatus, timedelta] = {
    OrderStatus.PAID: timedelta.max,
    OrderStatus.PARTLY_SHIPPED: timedelta.max,
    OrderStatus.SHIPPED: timedelta.max,
    OrderStatus.TURNED_BACK: timedelta.max,
    OrderStatus.DELIVERED: timedelta.max,
    OrderStatus.COMPLETED: timedelta(days=7),
}
"""How long after a state was entered a merchant needs to know; where a state is missing it never does."""
MASK = "*"
_DIGITS_LEFT = 4


def may_know(order: Order) -> bool:
    """Say whether a merchant is told anything: nothing of what is unpaid or called off."""
    return order.status in NEEDED_AFTER


def is_needed(order: Order, now: datetime) -> bool:
    """Say whether a merchant needs the whole contact now: an order that goes on, a complaint, a refund under way."""
    needed = NEEDED_AFTER.get(order.status)
    if needed is None:
        return False
    return needed == timedelta.max or now < order.since + needed or bool(order.held_by or order.refunding)


def masked(contact: Contact) -> Contact:
    """Return what is left of a contact: the first sign of a name, the last digits of a phone, the city."""
    return replace(
        contact,
        recipient=contact.recipient[:1] + MASK * 2,
        phone=MASK * _DIGITS_LEFT + contact.phone[-_DIGITS_LEFT:],
        district=MASK if contact.district else "",
        street=MASK,
        postcode=MASK if contact.postcode else "",
    )
