"""What orders hear from others: parcels that arrived, refunds that went through."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.runtime.consume import Consumer

functions = Blueprint(__name__)
consumer = Consumer("orders")


@functions.on_sqs_message(queue=topology.queue_reference("orders"), batch_size=10, name="orders")
def orders(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the orders queue."""
    return consumer.handle(event.to_dict())
