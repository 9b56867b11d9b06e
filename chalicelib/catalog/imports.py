"""The ``catalog-imports`` queue: bulk work, one bounded step a message."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.catalog import bulk, pace
from chalicelib.catalog.events import BulkAdvanced
from chalicelib.kernel.events import Envelope
from chalicelib.merchants import service as merchants
from chalicelib.merchants.service import MerchantSuspended
from chalicelib.runtime.consume import Consumer

consumer = Consumer("catalog-imports")
functions = Blueprint(__name__)


@consumer.on(BulkAdvanced)
def on_step(event: BulkAdvanced, _: Envelope) -> None:
    """Do the step the job stands at; a repeat of an earlier one changes nothing.

    What was asked for before its merchant was suspended does not go on after it.
    """
    if merchants.is_suspended(event.merchant_id):
        bulk.stop(event.merchant_id, event.job_id, step=event.step, why=MerchantSuspended.code)
    bulk.advance(event.merchant_id, event.job_id, step=event.step)


@functions.on_sqs_message(queue=topology.queue_reference("catalog-imports"), batch_size=1, name="catalog-imports")
def catalog_imports(event: SQSEvent) -> dict[str, Any]:
    """Handle one message: a step takes seconds, and ends by itself before its function would be ended."""
    raw = event.to_dict()
    with pace.of(remaining_s=_remaining_s(event.context), receives=_receives(raw)):
        return consumer.handle(raw, event.context)


def _remaining_s(context: Any) -> float:
    ask = getattr(context, "get_remaining_time_in_millis", None)
    return ask() / 1000 if ask is not None else pace.STEP_S + pace.RESERVE_S


def _receives(raw: dict[str, Any]) -> int:
    """Return how often the message came: more than once, if a function died over it."""
    return max(
        (int(one.get("attributes", {}).get("ApproximateReceiveCount", "1")) for one in raw["Records"]), default=1
    )
