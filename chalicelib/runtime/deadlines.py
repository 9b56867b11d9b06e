"""The deadline job: due index of each table -> one message per due record -> its machine's timeout cause.

The job runs each minute and looks a minute ahead: a message is delayed until its record is due, so a deadline
fires within seconds although the tick is coarse. Tables whose deadlines are known long before are looked at every five
minutes, and twelve minutes ahead, so that a run that fails makes nothing of theirs late either. A process remembers
what it looked at last; a new one looks at everything.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib import topology
from chalicelib.kernel import clock, context, ids
from chalicelib.kernel import events as facts
from chalicelib.kernel.events import Envelope, Event
from chalicelib.runtime import caches, log, metrics, names, queues
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.db.rows import DUE_SHARDS

LOOK_AHEAD = timedelta(seconds=60)
FAR_EVERY = timedelta(minutes=5)
FAR_AHEAD = timedelta(minutes=12)
"""SQS delays a message for fifteen minutes at most."""
PAGE = 200
_looked: dict[str, datetime] = {}
"""Table known long before -> when this process last looked at all of it."""
forget = caches.register(_looked.clear)


class Due(Event, frozen=True, tag="due"):
    """A record's state has timed out. ``kind`` is the record's; the queue is that of ``topology.DEADLINES``."""

    kind: str
    record_id: str
    parent_id: str
    due_at_s: int

    @property
    def subject(self) -> str:
        """One deadline of one record."""
        return f"{self.record_id}#{self.due_at_s}"


def sweep() -> dict[str, int]:
    """Send a message for everything that is due now or within the look-ahead; returns how many by kind.

    Raises:
        Exception: the first of what kept it from sweeping a part; the rest is swept all the same.
    """
    sent: dict[str, int] = {}
    failed: list[Exception] = []
    now = clock.now()
    for table, hash_name, range_name in topology.DUE_TABLES:
        far = table in topology.DUE_FAR
        if far and timedelta() <= now - _looked.get(table, now - FAR_EVERY) < FAR_EVERY:
            continue
        before = len(failed)
        for shard in range(DUE_SHARDS):
            try:
                found = _sweep_shard(table, f"due{shard}", hash_name, range_name, FAR_AHEAD if far else LOOK_AHEAD)
                for kind, count in found.items():
                    sent[kind] = sent.get(kind, 0) + count
            except Exception as error:  # One table's trouble holds up no other's deadlines.
                log.error("due deadlines could not be read", trace=True, table=table, kind=type(error).__name__)
                failed.append(error)
        if far and len(failed) == before:
            _looked[table] = now
    if sent:
        log.info("due deadlines sent", **sent)
    metrics.flush("deadlines")
    if failed:
        raise failed[0]
    return sent


def _sweep_shard(table: str, shard: str, hash_name: str, range_name: str | None, ahead: timedelta) -> dict[str, int]:
    sent: dict[str, int] = {}
    now = clock.now()
    params = {
        "TableName": names.table_name(table),
        "IndexName": "due",
        "KeyConditionExpression": "due_shard = :shard AND due_at <= :until",
        "ExpressionAttributeValues": {
            ":shard": {"S": shard},
            ":until": {"N": str(clock.epoch_s(now + ahead))},
        },
        "Limit": PAGE,
    }
    while True:
        answer = dynamo.call("Query", params)
        by_queue: dict[str, tuple[list[Envelope], list[int]]] = {}
        for item in answer.get("Items", []):
            parent_id = item[hash_name]["S"]
            record_id = item[range_name]["S"] if range_name else parent_id
            due_at_s = int(item["due_at"]["N"])
            known = topology.DEADLINES.get(record_id.split("_")[0])
            if known is None:  # Of a release after ours: it knows the record, and will find it as due as we do.
                log.warning("deadline is of an unknown kind", record=record_id)
                metrics.count("unknown_deadlines")
                continue
            kind, queue = known
            due = Due(kind=kind, record_id=record_id, parent_id=parent_id, due_at_s=due_at_s)
            tick = f"deadline#{due.subject}"
            with context.use(context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:deadlines")):
                envelope = facts.seal(due)
            envelopes, delays_s = by_queue.setdefault(queue, ([], []))
            envelopes.append(envelope)
            delays_s.append(max(0, min(900, due_at_s - clock.epoch_s(now))))
            sent[kind] = sent.get(kind, 0) + 1
        for queue, (envelopes, delays_s) in by_queue.items():
            queues.send(queue, envelopes, delays_s=delays_s)
        if "LastEvaluatedKey" not in answer:
            return sent
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
