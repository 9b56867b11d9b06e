"""Counts the ledger's entries into balances: a batch at once, message by message where that fails."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel import context, events
from chalicelib.kernel.events import Envelope
from chalicelib.ledger import balances
from chalicelib.ledger.events import LedgerPosted
from chalicelib.runtime import lifetime, log, metrics
from chalicelib.runtime.consume import REPORT_S, Consumer

functions = Blueprint(__name__)
consumer = Consumer("ledger")


@consumer.on(LedgerPosted)
def count(event: LedgerPosted, envelope: Envelope) -> None:
    """Count one entry."""
    balances.count([event])


def _count_batch(event: dict[str, Any]) -> bool:
    """Count a whole batch in few transactions; False where that failed, whatever the reason."""
    with context.use(context.Context(request_id="batch", cause_id="batch", actor="queue:ledger")):
        try:
            envelopes = [events.decode(record["body"]) for record in event["Records"]]
            with lifetime.keeping(REPORT_S):
                fresh = balances.count([envelope.event(LedgerPosted) for envelope in envelopes])
        except Exception as error:  # One bad message must not hold up the others: each is tried alone.
            log.info("batch not counted as one", kind=type(error).__name__)
            return False
    metrics.count("ledger_entries_counted", fresh)
    metrics.flush("ledger")
    return True


@functions.on_sqs_message(
    queue=topology.queue_reference("ledger"),
    batch_size=25,
    maximum_batching_window_in_seconds=10,
    name="ledger",
)
def ledger(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the ledger queue."""
    raw = event.to_dict()
    with lifetime.of(event.context):
        return {"batchItemFailures": []} if _count_batch(raw) else consumer.handle(raw, event.context)
