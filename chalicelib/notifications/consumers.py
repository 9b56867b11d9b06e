"""What notifications hears: that a message is to be sent, at once or since its reader's quiet hours are over."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.notifications import service
from chalicelib.notifications.events import MessageAsked
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("notifications")


@functions.on_sqs_message(queue=topology.queue_reference("notifications"), batch_size=10, name="notifications")
def notifications(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the notifications queue."""
    return consumer.handle(event.to_dict(), event.context)


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Send a message whose reader's quiet hours are over."""
    service.send(fact.record_id)


@consumer.on(MessageAsked)
def on_asked(fact: MessageAsked, _: Envelope) -> None:
    """Send one message."""
    service.send(fact.message_id)
