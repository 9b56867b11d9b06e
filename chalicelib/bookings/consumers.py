"""What bookings hear: that agreed units will not be provided, and what is due of their own records."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.bookings import service
from chalicelib.kernel.events import Envelope
from chalicelib.orders.events import AppointmentsVoid
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("bookings")


@consumer.on(AppointmentsVoid)
def on_appointments_void(fact: AppointmentsVoid, _: Envelope) -> None:
    """Free the times of units that were called off or paid back."""
    service.follow(fact.order_id)


@consumer.on(Due)
def on_due(due: Due, _: Envelope) -> None:
    """Look whether a held booking was paid, and whether anybody came to one whose time is over."""
    service.time_out(due.parent_id, due.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("bookings"), batch_size=10, name="bookings")
def bookings(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the bookings queue."""
    return consumer.handle(event.to_dict(), event.context)
