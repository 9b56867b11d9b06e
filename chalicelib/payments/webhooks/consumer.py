"""The consumer of verified notices, with a queue of its own: a flood of them delays no refund, nor the reverse."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import RetryLater
from chalicelib.kernel.events import Envelope
from chalicelib.payments import service
from chalicelib.payments.domain.payment import UNKNOWN_FOR
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.service import UnknownPayment
from chalicelib.runtime.consume import Consumer

RETRY_S = 20

functions = Blueprint(__name__)
consumer = Consumer("payment-notices")


@consumer.on(PaymentNoticed)
def take_notice(event: PaymentNoticed, envelope: Envelope) -> None:
    """Apply one notice. An unknown attempt may be written any moment; after a while it is nobody's, and kept so."""
    try:
        service.take_notice(event)
    except UnknownPayment as unknown:
        if ids.is_child_id("pay", event.payment_id) and clock.now() - envelope.at < UNKNOWN_FOR:
            raise RetryLater("unknown payment", delay_s=RETRY_S) from unknown
        service.take_unknown(event)


@functions.on_sqs_message(queue=topology.queue_reference("payment-notices"), batch_size=10, name="payment-notices")
def payment_notices(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the payment-notices queue."""
    return consumer.handle(event.to_dict(), event.context)
