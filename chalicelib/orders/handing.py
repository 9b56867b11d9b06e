"""Units of an order that are handed over at once, without a carrier: what is shown to the buyer instead of sent."""

from __future__ import annotations

from chalicelib.kernel import context
from chalicelib.kernel.events import Event
from chalicelib.orders import domain, store
from chalicelib.orders.domain import Change, Order, OrderStatus
from chalicelib.orders.events import OrderDelivered, OrderShipped, VirtualPaid, VirtualPaidBack
from chalicelib.runtime.db.work import UnitOfWork

VIRTUAL = "virtual"
"""The kind of line that is handed over so."""


def has_virtual(order: Order) -> bool:
    """Say whether some line of an order is of that kind."""
    return any(line.kind == VIRTUAL for line in order.lines)


def told_paid(order: Order) -> list[Event]:
    """Return what an order that was just paid tells those who hand over."""
    return [VirtualPaid(order_id=order.order_id)] if has_virtual(order) else []


def told_paid_back(order: Order, what: str) -> list[Event]:
    """Return what a refund, or the end, of an order tells those who handed over; ``what`` tells one from the next."""
    return [VirtualPaidBack(order_id=order.order_id, what=what)] if has_virtual(order) else []


def hand_over(work: UnitOfWork, order: Order, *, parcel_id: str, line_id: str, units: int, noted: Change) -> Order:
    """Add units of a line that reach the buyer in this very moment, in the work that makes them reach.

    Raises:
        IllegalTransition: if nothing of the order can be sent now.
        OverShipped: if the line has fewer units left.
    """
    sent = domain.ship(order, shipment_id=parcel_id, lines=[(line_id, units)], change=noted)
    there = domain.deliver(sent, shipment_id=parcel_id, at=noted.at, by=context.current().actor)
    told: list[Event] = []
    if sent.status is OrderStatus.SHIPPED is not order.status:
        told.append(OrderShipped(order_id=order.order_id))
    if there.status is OrderStatus.DELIVERED is not order.status:
        told.append(OrderDelivered(order_id=order.order_id))
    store.save_order(work, there, told)
    return there


def paid_back(order: Order, line_id: str) -> int:
    """Return the units of a line that the buyer had, or has, and whose money went back or is on its way."""
    line = next((line for line in order.lines if line.line_id == line_id), None)
    if line is None:
        return 0
    everything = order.is_paid_back or line_id in order.paid_lines
    units = line.quantity if everything else dict(order.refunded_units).get(line_id, 0)
    return max(0, units - order.given_up().get(line_id, 0))
