"""What an order does for the sake of units for which a time is agreed. Pure.

An agreed unit waits for its time and is not sent otherwise; when it was provided it is with the buyer, as a parcel that
arrived is. An order that may be sent does not time out while one waits.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.kernel.errors import Conflict
from chalicelib.orders import agreed
from chalicelib.orders.agreed import Appointment
from chalicelib.orders.domain import Order

MOST: Final = 50
"""Appointments of one order: they stand in its row."""


class AppointmentFixed(Conflict):
    """The buyer wants to call off what somebody keeps a time free for, and it is too late to change that time."""

    code = "appointment_fixed"
    en = "A time was agreed for this order and cannot be called off any more; ask the merchant."
    zh = "该订单已预约且已过可取消时间，请联系商家。"


def bookable(order: Order) -> dict[str, int]:
    """Return the units of each line that a time can still be agreed for, those of an unpaid order too."""
    taken = agreed.units(order.appointments)
    return {line_id: left - taken.get(line_id, 0) for line_id, left in order.unshipped().items()}


def agree(order: Order, appointment: Appointment) -> Order:
    """Add an appointment, or replace it by one of another time."""
    others = drop(order, appointment.booking_id).appointments
    return replace(order, appointments=(*others, appointment))


def drop(order: Order, booking_id: str) -> Order:
    """Forget an appointment."""
    return replace(order, appointments=tuple(one for one in order.appointments if one.booking_id != booking_id))


def groundless(order: Order) -> tuple[Appointment, ...]:
    """Return the appointments whose units will not be provided: called off or paid back. The latest agreed go first."""
    left = order.unshipped() if not order.is_over else {}
    found: list[Appointment] = []
    for one in order.appointments:
        if left.get(one.line_id, 0) >= one.quantity:
            left[one.line_id] -= one.quantity
        else:
            found.append(one)
    return tuple(found)


def check_free(order: Order, now: datetime) -> None:
    """Refuse to let a buyer call off an order of which a time is fixed.

    Raises:
        AppointmentFixed: then.
    """
    if any(one.fixed_at <= now for one in order.appointments):
        raise AppointmentFixed
