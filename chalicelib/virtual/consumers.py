"""What virtual goods hear: orders paid or paid back, pools that were filled, deadlines of what is owed."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.orders.events import VirtualPaid, VirtualPaidBack
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due
from chalicelib.virtual import service
from chalicelib.virtual.events import PoolFilled

functions = Blueprint(__name__)
consumer = Consumer("virtual")


@consumer.on(VirtualPaid)
def on_paid(fact: VirtualPaid, _: Envelope) -> None:
    """Give the order what it is owed."""
    service.serve(fact.order_id)


@consumer.on(VirtualPaidBack)
def on_paid_back(fact: VirtualPaidBack, _: Envelope) -> None:
    """Take back what the money that goes back was paid for."""
    service.take_back(fact.order_id)


@consumer.on(PoolFilled)
def on_filled(fact: PoolFilled, _: Envelope) -> None:
    """Give those who wait what is there now."""
    service.fill(fact.sku_id, fact.merchant_id)


@consumer.on(Due)
def on_due(due: Due, _: Envelope) -> None:
    """Note a missed promise, or confirm what the buyer did not."""
    service.time_out(due.parent_id, due.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("virtual"), batch_size=10, name="virtual")
def virtual(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the virtual queue."""
    return consumer.handle(event.to_dict(), event.context)
