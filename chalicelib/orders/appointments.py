"""What bookings do to their order inside their own unit of work: agree on a time, drop it, provide what was agreed."""

from __future__ import annotations

from chalicelib.kernel import clock, context
from chalicelib.kernel.events import Event
from chalicelib.orders import booked, domain, events, store
from chalicelib.orders.agreed import Appointment
from chalicelib.orders.domain import Change, Order, OrderStatus
from chalicelib.runtime.db.work import UnitOfWork


def agree(work: UnitOfWork, order: Order, appointment: Appointment) -> None:
    """Let an order wait for an agreed time: a new one, or another than before.

    What is agreed and what is called off at the same moment both write the order: one of them reads it again.
    """
    store.save_order(work, booked.agree(order, appointment))


def drop(work: UnitOfWork, order: Order, booking_id: str) -> None:
    """Let an order not wait for an agreed time any more: its units can be booked anew, sent, or called off."""
    store.save_order(work, booked.drop(order, booking_id))


def provide(work: UnitOfWork, order: Order, appointment: Appointment) -> Order:
    """Note that agreed units were provided: the buyer has them from now on, as if a parcel had arrived.

    Raises:
        IllegalTransition: if the order is in no state to give the buyer anything.
        OverShipped: if the units were called off or paid back meanwhile.
    """
    now = clock.now()
    booking_id = appointment.booking_id
    noted = Change(status="", at=now, by=context.current().actor, note=booking_id)
    units = [(appointment.line_id, appointment.quantity)]
    sent = domain.ship(booked.drop(order, booking_id), shipment_id=booking_id, lines=units, change=noted)
    provided = domain.deliver(sent, shipment_id=booking_id, at=now, by=noted.by)
    told: list[Event] = []
    if sent.status is OrderStatus.SHIPPED:
        told.append(events.OrderShipped(order_id=order.order_id))
    if provided.status is OrderStatus.DELIVERED:
        told.append(events.OrderDelivered(order_id=order.order_id))
    store.save_order(work, provided, told)
    return provided


def told_void(order: Order) -> list[Event]:
    """Return what is to be told of an order some of whose agreed units will not be provided; nothing of any other."""
    if not booked.groundless(order):
        return []
    return [events.AppointmentsVoid(order_id=order.order_id, number=order.version + 1)]
