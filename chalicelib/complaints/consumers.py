"""What complaints hear: how refunds and replacements ended, and deadlines of turns."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.complaints import service
from chalicelib.kernel.events import Envelope
from chalicelib.orders.events import ReplacementCancelled
from chalicelib.payments.events import RefundBounced, RefundFailed, RefundSucceeded
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("complaints")


@consumer.on(RefundSucceeded)
def on_refund_succeeded(fact: RefundSucceeded, _: Envelope) -> None:
    """Resolve the complaint that asked for it."""
    service.end_refund(fact.order_id, (fact.refund_id, fact.origin), succeeded=True, about=fact.about)


@consumer.on(RefundFailed)
def on_refund_failed(fact: RefundFailed, _: Envelope) -> None:
    """Give the complaint that asked for it back to the operator."""
    service.end_refund(fact.order_id, (fact.refund_id, fact.origin), succeeded=False)


@consumer.on(RefundBounced)
def on_refund_bounced(fact: RefundBounced, _: Envelope) -> None:
    """Open the complaint that asked for it again: what resolved it is undone."""
    if fact.about.startswith("cmp_"):  # Or about a return, which hears of it itself.
        service.undo_refund(fact.about, (fact.refund_id, fact.origin))


@consumer.on(ReplacementCancelled)
def on_replacement_cancelled(fact: ReplacementCancelled, _: Envelope) -> None:
    """Open the complaint again whose goods are not replaced after all."""
    service.end_replacement(fact.complaint_id, fact.order_id)


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Fire the timeout of a missed turn."""
    service.time_out(fact.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("complaints"), batch_size=10, name="complaints")
def complaints(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the complaints queue."""
    return consumer.handle(event.to_dict(), event.context)
