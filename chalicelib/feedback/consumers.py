"""What feedback hears: that a case is over, and that something was not answered in time."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.complaints.events import ComplaintClosed
from chalicelib.conversations.events import ConversationSolved
from chalicelib.feedback import service
from chalicelib.kernel.events import Envelope
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("feedback")


@consumer.on(ComplaintClosed)
def on_complaint_closed(fact: ComplaintClosed, _: Envelope) -> None:
    """Ask its buyer how it was."""
    service.ask_about_complaint(fact.complaint_id, fact.status)


@consumer.on(ConversationSolved)
def on_conversation_solved(fact: ConversationSolved, _: Envelope) -> None:
    """Ask its buyer how it was."""
    service.ask_about_conversation(fact.conversation_id, fact.buyer_id, fact.merchant_id)


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Ring for what nobody answered, close what nobody objected to."""
    service.time_out(fact.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("feedback"), batch_size=10, name="feedback")
def feedback(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the feedback queue."""
    return consumer.handle(event.to_dict(), event.context)
