"""Counts entries that the readers cannot find: those of a release that did not yet write when they were written."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.ledger import service
from chalicelib.ledger.events import LedgerPosted
from chalicelib.runtime.consume import Consumer

functions = Blueprint(__name__)
consumer = Consumer("ledger")


@consumer.on(LedgerPosted)
def count(event: LedgerPosted, envelope: Envelope) -> None:
    """Count one entry, unless the readers will."""
    service.count_unstamped(event.purchase_id, event.entry_id)


@functions.on_sqs_message(queue=topology.queue_reference("ledger"), batch_size=10, name="ledger")
def ledger(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the ledger queue."""
    return consumer.handle(event.to_dict(), event.context)
