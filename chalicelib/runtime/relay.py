"""The stream relay: committed changes -> their events -> the queues that ``topology`` names. Runs as one function."""

from __future__ import annotations

from collections import defaultdict
from importlib import import_module
from typing import Any

from chalicelib import topology
from chalicelib.kernel import context
from chalicelib.kernel import events as facts
from chalicelib.kernel.events import Envelope
from chalicelib.runtime import log, metrics, names, queues


def relay(event: dict[str, Any]) -> dict[str, Any]:
    """Handle one Lambda DynamoDB stream event; on failure reports the first record that was not relayed.

    At least once: a record whose sending failed is delivered again by the stream, its events are sent again, and
    consumers take the second copy as a no-op.
    """
    outgoing: dict[str, list[Envelope]] = defaultdict(list)
    for record in event["Records"]:
        for envelope in envelopes_of(record):
            for queue in topology.queues_for(envelope.type):
                outgoing[queue].append(envelope)
    try:
        for queue, envelopes in outgoing.items():
            queues.send(queue, envelopes)
    except Exception as error:
        log.error("relay failed", trace=True, kind=type(error).__name__)
        metrics.count("relay_failures")
        metrics.flush("relay")
        first = event["Records"][0]["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": first}]}
    metrics.count("events_relayed", sum(len(envelopes) for envelopes in outgoing.values()))
    metrics.flush("relay")
    return {"batchItemFailures": []}


def envelopes_of(record: dict[str, Any]) -> list[Envelope]:
    """Return the events of one stream record: those riding in the new image, else those its table derives."""
    change = record["dynamodb"]
    new = change.get("NewImage")
    if new is None:
        return []
    if "events" in new and new.get("event_version") == new.get("version"):
        return facts.decode_list(new["events"]["S"])
    reference = topology.DERIVED.get(_table(record["eventSourceARN"]))
    if reference is None:
        return []
    module_name, _, attribute = reference.partition(":")
    derive = getattr(import_module(module_name), attribute)
    where = context.Context(request_id=record.get("eventID", "none"), cause_id=f"stream#{record.get('eventID', '')}")
    with context.use(where):
        return [facts.seal(event) for event in derive(change.get("OldImage"), new)]


def _table(arn: str) -> str:
    return names.table_of(arn.split(":", 5)[5].split("/")[1])
