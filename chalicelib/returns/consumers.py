"""What returns hear: how their parcels and refunds ended, and deadlines of turns."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.logistics.events import ReturnParcelMoved
from chalicelib.payments.events import RefundBounced, RefundSucceeded
from chalicelib.returns import clockwork
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("returns")
_OURS = "rtn_"


@consumer.on(RefundSucceeded)
def on_refund_succeeded(fact: RefundSucceeded, _: Envelope) -> None:
    """End the return that asked for it."""
    if fact.about.startswith(_OURS):
        clockwork.end_refund(fact.about, (fact.refund_id, fact.origin), bounced=False)


@consumer.on(RefundBounced)
def on_refund_bounced(fact: RefundBounced, _: Envelope) -> None:
    """Open the return that asked for it again: the money is on its way once more."""
    if fact.about.startswith(_OURS):
        clockwork.end_refund(fact.about, (fact.refund_id, fact.origin), bounced=True)


@consumer.on(ReturnParcelMoved)
def on_parcel_moved(fact: ReturnParcelMoved, _: Envelope) -> None:
    """Note that a parcel of a return arrived or turned back."""
    clockwork.parcel_moved(fact.return_id, fact.shipment_id, arrived=fact.arrived)


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Fire the timeout of a missed turn."""
    clockwork.time_out(fact.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("returns"), batch_size=10, name="returns")
def returns(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the returns queue."""
    return consumer.handle(event.to_dict(), event.context)
