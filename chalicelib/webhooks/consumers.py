"""What webhooks hear: facts that merchants' systems want to know, and that one is to be told now."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.complaints import events as complaints
from chalicelib.inventory import events as inventory
from chalicelib.kernel.events import Envelope, Event
from chalicelib.logistics import events as logistics
from chalicelib.orders import events as orders
from chalicelib.payments import events as payments
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due
from chalicelib.webhooks import telling
from chalicelib.webhooks.events import WebhookAsked

functions = Blueprint(__name__)
consumer = Consumer("webhooks")

FACTS: tuple[type[Event], ...] = (
    orders.OrderPaid,
    orders.OrderCompleted,
    orders.OrderCancelled,
    logistics.ShipmentCreated,
    logistics.ShipmentDelivered,
    logistics.ShipmentTurnedBack,
    payments.RefundSucceeded,
    payments.RefundBounced,
    complaints.ComplaintFiled,
    complaints.ComplaintEscalated,
    complaints.ComplaintDecided,
    complaints.ComplaintReopened,
    complaints.ComplaintClosed,
    inventory.StockDepleted,
    inventory.StockReplenished,
)

for _kind in FACTS:
    consumer.on(_kind)(telling.tell)


@consumer.on(WebhookAsked)
def on_asked(fact: WebhookAsked, _: Envelope) -> None:
    """Try a delivery for the first time, or for the first time of a round."""
    telling.attempt(fact.webhook_id, fact.delivery_id)


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Try a delivery again."""
    telling.attempt(fact.parent_id, fact.record_id, due_at_s=fact.due_at_s)


@functions.on_sqs_message(queue=topology.queue_reference("webhooks"), batch_size=1, name="webhooks")
def webhooks(event: SQSEvent) -> dict[str, Any]:
    """Handle one message of the webhooks queue: a slow endpoint keeps no other's waiting."""
    return consumer.handle(event.to_dict(), event.context)
