"""What goes on by itself: erasures whose time has come, and the steps of those that run."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel import ids
from chalicelib.kernel.events import Envelope
from chalicelib.privacy import service
from chalicelib.privacy.events import ArchiveAdvanced, ErasureAdvanced
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("privacy")


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Go on with an erasure, or end an archive."""
    if ids.is_id("arc", fact.record_id):
        service.archives.time_out(fact.record_id)
    else:
        service.time_out(fact.record_id)


@consumer.on(ErasureAdvanced)
def on_advanced(fact: ErasureAdvanced, _: Envelope) -> None:
    """Do the next step."""
    service.advance(fact.erasure_id, fact.step)


@consumer.on(ArchiveAdvanced)
def on_archive_advanced(fact: ArchiveAdvanced, _: Envelope) -> None:
    """Do the next step of an archive."""
    service.archives.advance(fact.archive_id, fact.step)


@functions.on_sqs_message(queue=topology.queue_reference("privacy"), batch_size=1, name="privacy")
def privacy(event: SQSEvent) -> dict[str, Any]:
    """Handle a message of the privacy queue."""
    return consumer.handle(event.to_dict(), event.context)
