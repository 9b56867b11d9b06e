"""What is due of purchases and orders."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.checkout import service
from chalicelib.kernel.events import Envelope
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("checkout")


@consumer.on(Due)
def time_out(due: Due, envelope: Envelope) -> None:
    """Expire a purchase, or fire an order's timeout cause."""
    if due.kind == "purchase":
        service.expire(due.record_id)
    else:
        service.order_timed_out(due.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("checkout"), batch_size=10, name="checkout")
def checkout(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the checkout queue."""
    return consumer.handle(event.to_dict(), event.context)
