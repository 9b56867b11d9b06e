"""What payments hear from others and from the clock: refunds to send, attempts and refunds to ask about."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.payments import service
from chalicelib.payments.events import RefundRequested
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("payments")


@consumer.on(RefundRequested)
def send_refund(event: RefundRequested, _: Envelope) -> None:
    """Tell the provider, under the refund's own number."""
    service.send_refund(event.refund_id)


@consumer.on(Due)
def time_out(event: Due, _: Envelope) -> None:
    """Ask the provider about what stayed silent."""
    if event.kind == "approval":
        service.expire_approval(event.parent_id, event.record_id)
    elif event.kind == "refund":
        service.time_out_refund(event.record_id)
    else:
        service.poll_payment(event.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("payments"), batch_size=10, name="payments")
def payments(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the payments queue."""
    return consumer.handle(event.to_dict(), event.context)
