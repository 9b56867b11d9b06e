"""Pumps streams, queues and the deadline job of a test's account through the real handlers, by the fake clock.

``Pump().drain()`` moves everything that is on its way until nothing moves any more; ``due()`` runs the deadline job
first. Delays (a deadline's message, a back-off, ``RetryLater``) wait for ``kernel.clock``: advance it, drain again.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from chalice.app import EventSourceHandler

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.runtime import aws, deadlines, names, queues, relay, transport
from infra import streams
from tests.support import watch
from tools.fakes import resources

MAX_ROUNDS = 200
_FOREVER_S = 43_200
_RECORDS = 100
"""How many records of a stream are read at a time."""
_MESSAGES = 10
UNCOUNTED = frozenset({"risk", "telling", "webhooks"})
"""What ``leaves`` a test's purchases uncounted against fraud, and people and systems untold: nothing waits for it."""
UNPUBLISHED = UNCOUNTED | {"publishing"}
"""What ``leaves`` a test's goods out of the published files too, where it is about something else: half of its cost."""
_streams: dict[str, tuple[str, str] | None] = {}
"""Each table's stream and its shard: the same in every account of a process, for they are copies of one."""


@dataclass
class Pump:
    """One test account's streams and queues. Keeps its place in each stream; make one a test.

    ``log`` lists what was handled, as ``queue:event id`` (``!`` before what failed): for assertions and debugging.
    """

    log: list[str] = field(default_factory=list)
    duplicate: int = 1
    """How often each message is delivered: set 2 to deliver everything twice."""
    leaves: frozenset[str] = frozenset()
    """Queues whose messages stay where they are."""
    watched: bool = field(default_factory=watch.is_on)
    """Whether all that is written is noted; else it looks everywhere, and asks all that the deadline job asks."""
    _places: dict[str, str | None] = field(default_factory=dict)
    _waiting: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)
    _delayed: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)
    _back_off: dict[str, int] = field(default_factory=dict)
    _looked: dict[watch.Place, int] = field(default_factory=dict)
    """Until which write all was moved of a table or queue."""
    _soonest: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    """A table and a part of its index of deadlines -> at which write it was looked at, and the first moment in it."""

    def drain(self, *, everywhere: bool = False) -> int:
        """Pump until quiet; returns how many messages were handled.

        It looks where this process wrote since it last did; ``everywhere``: also at all the rest, once, for what other
        processes wrote.
        """
        before = len(self.log)
        with aws.hooked(self._hook):
            for number in range(MAX_ROUNDS):
                every = (everywhere or not self.watched) and number == 0
                moved = self._release()
                for table in topology.TABLES:
                    if every or self._may_hold(("dynamodb", names.table_name(table))):
                        moved += self._stream(table)
                for queue, module in topology.QUEUES.items():
                    may_hold = every or self._may_hold(("sqs", names.queue_name(queue)))
                    if may_hold and queue not in self.leaves:
                        moved += self._queue(queue, module)
                if not moved:
                    return len(self.log) - before
        raise AssertionError(f"still moving after {MAX_ROUNDS} rounds: {self.log[-20:]}")

    def _may_hold(self, place: watch.Place) -> bool:
        return watch.last(place) > self._looked.get(place, 0)

    @property
    def waits(self) -> bool:
        """Say whether something is put off until the clock has moved."""
        return bool(self._waiting or self._delayed)

    def due(self, *, everywhere: bool = False) -> int:
        """Run the deadline job as a new process, which looks at every table, then drain; see :meth:`drain`."""
        deadlines.forget()
        with aws.hooked(self._hook):
            deadlines.sweep()
        return self.drain(everywhere=everywhere)

    def pass_time(self, fixed: Any, by: timedelta, *, step: timedelta = timedelta(seconds=60)) -> None:
        """Let time pass in steps of one tick of the deadline job, draining at each."""
        until = clock.now() + by
        while clock.now() < until:
            fixed.advance(min(step, until - clock.now()))
            self.due()

    def dead(self, queue: str) -> list[dict[str, Any]]:
        """Return (and leave) the messages in a queue's dead letters: body and reason."""
        answer = aws.call(
            "sqs",
            "ReceiveMessage",
            {
                "QueueUrl": queues.url(names.dead_letter_name(queue)),
                "MaxNumberOfMessages": 10,
                "VisibilityTimeout": 0,
                "MessageAttributeNames": ["All"],
            },
        )
        return [
            {"body": json.loads(found["Body"]), "reason": found["MessageAttributes"]["reason"]["StringValue"]}
            for found in answer.get("Messages", [])
        ]

    def _hook(
        self, service: str, operation: str, params: dict[str, Any], proceed: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if not self.watched:
            watch.note(service, operation, params)
        if service == "sqs" and operation == "SendMessageBatch":
            later = [entry for entry in params["Entries"] if entry.get("DelaySeconds")]
            for entry in later:
                moment = clock.now() + timedelta(seconds=entry.pop("DelaySeconds"))
                self._delayed.append((moment, params["QueueUrl"], entry))
            params["Entries"] = [entry for entry in params["Entries"] if entry not in later]
            return proceed() if params["Entries"] else {}
        if service == "sqs" and operation == "ChangeMessageVisibility":
            self._back_off[params["ReceiptHandle"]] = params["VisibilityTimeout"]
            params["VisibilityTimeout"] = _FOREVER_S
        is_asked = self.watched and operation == "Query" and params.get("IndexName") == "due"
        if is_asked and self._has_time(params):
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        return proceed()

    def _has_time(self, params: dict[str, Any]) -> bool:
        """Say whether it is known that nothing is due: the job looks at every part of every index at each tick."""
        values = params["ExpressionAttributeValues"]
        part = params["TableName"], values[":shard"]["S"]
        written = watch.last(("dynamodb", params["TableName"]))
        if self._soonest.get(part, (-1, 0))[0] != written:
            at_all = {**params, "ExpressionAttributeValues": {**values, ":until": {"N": "9" * 12}}, "Limit": 1}
            at_all.pop("ExclusiveStartKey", None)
            found = transport.call("dynamodb", "Query", at_all)["Items"]
            self._soonest[part] = written, int(found[0]["due_at"]["N"]) if found else math.inf
        return self._soonest[part][1] > int(values[":until"]["N"])

    def _release(self) -> int:
        """Send what was delayed, and deliver again what was backed off, once the clock is there."""
        moved = 0
        for held in [held for held in self._delayed if held[0] <= clock.now()]:
            self._delayed.remove(held)
            aws.call("sqs", "SendMessageBatch", {"QueueUrl": held[1], "Entries": [held[2]]})
            moved += 1
        for waiting in [waiting for waiting in self._waiting if waiting[0] <= clock.now()]:
            self._waiting.remove(waiting)
            _, queue, record = waiting
            receives = int(record["attributes"]["ApproximateReceiveCount"]) + 1
            record["attributes"]["ApproximateReceiveCount"] = str(receives)
            self._deliver(queue, topology.QUEUES[queue], [record])
            moved += 1
        return moved

    def _stream(self, table: str) -> int:
        if table not in self._places:
            self._places[table] = _start_of(table)
        start, name = self._places[table], names.table_name(table)
        until = watch.last(("dynamodb", name))
        if start is None:
            return 0
        answer = aws.call("dynamodbstreams", "GetRecords", {"ShardIterator": start, "Limit": _RECORDS})
        self._places[table] = answer.get("NextShardIterator")
        arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}/stream/now"
        records = [{**record, "eventSourceARN": arn} for record in answer["Records"]]
        if len(records) < _RECORDS:  # Else there may be more than one answer holds.
            self._looked["dynamodb", name] = until
        if records:
            woken = [record for record in records if streams.passes(table, record)]
            for record in records:
                assert record in woken or not relay.envelopes_of(record), "the stack's filter would lose an event"
            result = relay.relay({"Records": woken})
            assert result == {"batchItemFailures": []}, result
        return len(records)

    def _queue(self, queue: str, module: str) -> int:
        name = names.queue_name(queue)
        until = watch.last(("sqs", name))
        answer = aws.call(
            "sqs",
            "ReceiveMessage",
            {
                "QueueUrl": queues.url(name),
                "MaxNumberOfMessages": _MESSAGES,
                "VisibilityTimeout": _FOREVER_S,
                "AttributeNames": ["All"],
            },
        )
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": dict(message.get("Attributes", {"ApproximateReceiveCount": "1"})),
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{names.queue_name(queue)}",
                "awsRegion": "us-east-1",
            }
            for message in answer.get("Messages", [])
        ]
        if len(records) < _MESSAGES:
            self._looked["sqs", name] = until
        if records:
            self._deliver(queue, module, records)
        return len(records)

    def _deliver(self, queue: str, module: str, records: list[dict[str, Any]]) -> None:
        function = function_of(module)
        for _ in range(self.duplicate):
            result = function({"Records": records}, None)
        failed = {failure["itemIdentifier"] for failure in (result or {}).get("batchItemFailures", [])}
        for record in records:
            event_id = json.loads(record["body"]).get("id")
            if record["messageId"] in failed:
                self.log.append(f"!{queue}:{event_id}")
                delay_s = self._back_off.pop(record["receiptHandle"], 0)
                self._waiting.append((clock.now() + timedelta(seconds=max(1, delay_s)), queue, record))
                continue
            self.log.append(f"{queue}:{event_id}")
            aws.call(
                "sqs",
                "DeleteMessage",
                {"QueueUrl": queues.url(names.queue_name(queue)), "ReceiptHandle": record["receiptHandle"]},
            )


def function_of(module: str) -> Callable[[dict[str, Any], Any], Any]:
    """Return the Chalice function a queue's module declares, as Lambda would call it."""
    found = [value for value in vars(import_module(module)).values() if isinstance(value, EventSourceHandler)]
    assert len(found) == 1, f"{module} declares {len(found)} functions"
    function: Callable[[dict[str, Any], Any], Any] = found[0]
    return function


def _start_of(table: str) -> str | None:
    account = os.environ.get("AWS_ACCESS_KEY_ID", "{account}")  # A bench in memory has none.
    if table not in _streams:
        found = resources.stream_of(names.table_name(table))
        _streams[table] = (found[0].replace(account, "{account}"), found[1]) if found is not None else None
    known = _streams[table]
    return start_of(known[0].replace("{account}", account), known[1]) if known is not None else None


def start_of(arn: str, shard: str) -> str:
    """Return the place at which a stream's shard begins."""
    params = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    return str(aws.call("dynamodbstreams", "GetShardIterator", params)["ShardIterator"])
