"""The stream relay: committed changes -> their events -> the queues that ``topology`` names. Runs as one function.

A record whose events cannot be sent is delivered again for as long as it takes. One that we cannot read at all (of a
release after ours, most likely: functions are updated one by one) waits a quarter of an hour, then it is laid aside in
the bucket, for nothing behind it may wait for ever.
"""

from __future__ import annotations

from collections import defaultdict
from importlib import import_module
from typing import Any

from chalicelib import topology
from chalicelib.kernel import clock, context
from chalicelib.kernel import events as facts
from chalicelib.kernel.events import Envelope
from chalicelib.runtime import laid_aside, log, metrics, names, queues

WAIT_S = 900
"""So old a record may be that this release cannot read, before it is laid aside."""

Outgoing = dict[str, list[tuple[int, Envelope]]]
"""Queue -> what goes there, each with the position of its record."""


def relay(event: dict[str, Any]) -> dict[str, Any]:
    """Handle one Lambda DynamoDB stream event; on failure reports the first record that was not relayed.

    At least once: a record whose sending failed is delivered again by the stream, its events are sent again, and
    consumers take the second copy as a no-op. What comes before it is done with, however slow SQS is.
    """
    records = event["Records"]
    outgoing, waiting = _read(records)
    unsent = _send(outgoing)
    metrics.count("events_relayed", sum(map(len, outgoing.values())) - len(unsent))
    if waiting is not None:
        unsent.append(waiting)
    if unsent:
        metrics.count("relay_failures")
    metrics.flush("relay")
    failed = [records[min(unsent)]["dynamodb"]["SequenceNumber"]] if unsent else []
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _read(records: list[dict[str, Any]]) -> tuple[Outgoing, int | None]:
    """Return what the records tell, up to the one that must wait, and that one's position."""
    outgoing: Outgoing = defaultdict(list)
    for position, record in enumerate(records):
        try:
            wanted = [(queue, one) for one in envelopes_of(record) for queue in topology.queues_for(one.type)]
        except Exception as error:
            if not _set_aside(record, error):
                return outgoing, position
            continue
        for queue, envelope in wanted:
            outgoing[queue].append((position, envelope))
    return outgoing, None


def _set_aside(record: dict[str, Any], error: Exception) -> bool:
    """Lay a record aside that cannot be read, if it has waited; says whether it is out of the way."""
    reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else type(error).__name__
    created = record["dynamodb"].get("ApproximateCreationDateTime")
    age_s = clock.now().timestamp() - float(created) if isinstance(created, (int, float)) else WAIT_S
    log.warning("table change could not be read", reason=reason, change=record.get("eventID"), age_s=round(age_s))
    metrics.count("changes_not_understood")
    if age_s < WAIT_S:
        return False
    try:
        key = laid_aside.lay_aside(record, reason)
    except Exception as refused:
        log.error("unreadable table change could not be moved to storage", trace=True, kind=type(refused).__name__)
        return False
    log.error("unreadable table change was moved to storage", reason=reason, key=key)
    metrics.count("changes_laid_aside")
    return True


def _send(outgoing: Outgoing) -> list[int]:
    """Send everything; returns the positions of the records that were not sent whole."""
    unsent: list[int] = []
    for queue, found in outgoing.items():
        for start in range(0, len(found), queues.BATCH):
            part = found[start : start + queues.BATCH]
            try:
                queues.send(queue, [envelope for _, envelope in part])
            except Exception as error:
                log.error("events could not be sent to a queue", trace=True, queue=queue, kind=type(error).__name__)
                unsent += [position for position, _ in found[start:]]
                break  # This queue is ill; the others need not wait for it.
    return unsent


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
