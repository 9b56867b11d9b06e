"""What telling hears: every fact that has a row in ``notifications.facts.FACTS``."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope, Event
from chalicelib.notifications import service as notifications
from chalicelib.runtime.consume import Consumer
from chalicelib.telling import service

functions = Blueprint(__name__)
consumer = Consumer("telling")


def on_fact(fact: Event, envelope: Envelope) -> None:
    """Tell a fact to everybody whom it concerns."""
    service.tell(fact, envelope.at)


for kind in notifications.kinds_of_facts():
    consumer.on(kind)(on_fact)


@functions.on_sqs_message(queue=topology.queue_reference("telling"), batch_size=10, name="telling")
def telling(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the telling queue."""
    return consumer.handle(event.to_dict(), event.context)
