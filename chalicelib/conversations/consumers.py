"""What conversations hear: that a turn was missed."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.conversations import service
from chalicelib.kernel.events import Envelope
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("conversations")


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Move on a conversation in which somebody was silent for too long."""
    service.time_out(fact.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("conversations"), batch_size=10, name="conversations")
def conversations(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the conversations queue."""
    return consumer.handle(event.to_dict(), event.context)
