"""What logistics hears: its own new shipments, hubs' pushes, deadlines of watches."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.logistics import polling, pushes, subscribing
from chalicelib.logistics.events import ReturnParcelSent, ShipmentCorrected, ShipmentCreated, TrackingPushed
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("logistics")


@functions.on_sqs_message(queue=topology.queue_reference("logistics"), batch_size=10, name="logistics")
def logistics(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the logistics queue."""
    return consumer.handle(event.to_dict(), event.context)


@consumer.on(ShipmentCreated)
@consumer.on(ShipmentCorrected)
@consumer.on(ReturnParcelSent)
def on_created(fact: ShipmentCreated | ShipmentCorrected | ReturnParcelSent, _: Envelope) -> None:
    """Have the hub watch the new parcel, or the new number of a parcel."""
    subscribing.begin(fact.shipment_id)


@consumer.on(TrackingPushed)
def on_pushed(fact: TrackingPushed, _: Envelope) -> None:
    """Read a push."""
    pushes.read(fact)


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Ask, or subscribe again."""
    polling.wake(fact.record_id)
