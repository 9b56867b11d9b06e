"""The ``catalog-imports`` queue: bulk work, one bounded step a message."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.catalog import bulk
from chalicelib.catalog.events import BulkAdvanced
from chalicelib.kernel.events import Envelope
from chalicelib.runtime.consume import Consumer

consumer = Consumer("catalog-imports")
functions = Blueprint(__name__)


@consumer.on(BulkAdvanced)
def on_step(event: BulkAdvanced, _: Envelope) -> None:
    """Do the step the job stands at; a repeat of an earlier one changes nothing."""
    bulk.advance(event.merchant_id, event.job_id, step=event.step)


@functions.on_sqs_message(queue=topology.queue_reference("catalog-imports"), batch_size=1, name="catalog-imports")
def catalog_imports(event: SQSEvent) -> dict[str, Any]:
    """Handle one message: a step takes seconds."""
    return consumer.handle(event.to_dict())
