"""What orders hear from others: parcels that arrived, turned back or were lost, refunds done or bounced."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.kernel.money import Money
from chalicelib.logistics.events import ShipmentDelivered, ShipmentLost, ShipmentTurnedBack
from chalicelib.orders import service
from chalicelib.payments.events import RefundBounced, RefundSucceeded
from chalicelib.runtime.consume import Consumer

functions = Blueprint(__name__)
consumer = Consumer("orders")


@consumer.on(ShipmentDelivered)
def shipment_delivered(event: ShipmentDelivered, envelope: Envelope) -> None:
    """Note the parcel's arrival on its order."""
    service.record_delivery(event.order_id, event.shipment_id, event.delivered_at)


@consumer.on(ShipmentTurnedBack)
def shipment_turned_back(event: ShipmentTurnedBack, envelope: Envelope) -> None:
    """Note that the parcel does not reach the buyer."""
    service.record_turn_back(event.order_id, event.shipment_id, event.at)


@consumer.on(ShipmentLost)
def shipment_lost(event: ShipmentLost, envelope: Envelope) -> None:
    """Note that the parcel went missing: what was in it is the merchant's to send again or to pay back."""
    service.record_turn_back(event.order_id, event.shipment_id, event.last_seen_at, lost=True)


@consumer.on(RefundSucceeded)
def refund_succeeded(event: RefundSucceeded, envelope: Envelope) -> None:
    """Note the refund on its order; a refund of a surplus payment belongs to none."""
    if event.order_id is not None:
        amount = Money(event.amount_minor, event.currency)
        service.record_refund(event.order_id, event.refund_id, amount, origin=event.origin)


@consumer.on(RefundBounced)
def refund_bounced(event: RefundBounced, envelope: Envelope) -> None:
    """Take the refund off its order again: the money came back."""
    if event.order_id is not None:
        amount = Money(event.amount_minor, event.currency)
        service.take_back_refund(event.order_id, event.refund_id, amount, origin=event.origin)


@functions.on_sqs_message(queue=topology.queue_reference("orders"), batch_size=10, name="orders")
def orders(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the orders queue."""
    return consumer.handle(event.to_dict(), event.context)
