"""Moves what AWS would move: table streams to the relay, queues to their functions, the schedule to its jobs.

A hook on ``runtime.aws`` sees every write and every send of this process, so a stream or a queue is read at once when
there is something to relay or to handle; a slow look catches the rest (delays that end, messages that come back, writes
of other processes).
The dev clock may jump: what the jump makes due is fetched back before its real time.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.runtime import aws, log, names, queues
from chalicelib.runtime.db import dynamo
from infra import streams
from tools.dev import functions
from tools.dev.trail import Trail
from tools.fakes import resources
from tools.shared import private

LOOK_S = 1.0
LOOK_AT_STREAMS_S = 10.0
GATHER_S = 0.15
"""While changes keep coming, streams are read this often and not at each: Lambda gathers too (four times a second)."""
RECEIVE_EVERY_S = 0.1
"""A batch that is being gathered looks for more this often."""
BATCH_RECORDS = 100
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}


class _Bell:
    """Wakes one reader and tells whether it has seen everything that was rung."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rung = 0
        self._seen = 0

    def ring(self) -> None:
        with self._condition:
            self._rung += 1
            self._condition.notify_all()

    def wait(self, timeout_s: float) -> int:
        """Wait for a ring (or the time); return the count to report with :meth:`saw`."""
        with self._condition:
            if self._rung == self._seen:
                self._condition.wait(timeout_s)
            return self._rung

    def saw(self, count: int) -> None:
        with self._condition:
            self._seen = count

    @property
    def quiet(self) -> bool:
        with self._condition:
            return self._rung == self._seen


class Pump:
    """The moving parts of one installation, in threads of this process."""

    def __init__(
        self,
        *,
        trail: Trail | None = None,
        positions: Path | None = None,
        others_quiet: Callable[[], bool] = lambda: True,
    ) -> None:
        self._trail = trail
        self._others_quiet = others_quiet
        self._positions_file = positions
        self._positions: dict[str, str] = _read(positions)
        self._tables = {names.table_name(table): _Bell() for table in topology.TABLES}
        self._stream_bell = _Bell()
        self._queue_bells: dict[str, _Bell] = {}
        self._queue_urls: dict[str, str] = {}
        self._hidden: dict[str, tuple[str, datetime]] = {}
        self._iterators: dict[str, tuple[str, str]] = {}
        self._from = "LATEST"
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._sleep = dynamo.sleep
        self._threads: list[threading.Thread] = []
        self._schedule = threading.Condition()
        self._scheduled: list[functions.ScheduledFunction] = []
        self.gathers = False
        """Whether batches are gathered for as long as on AWS: not where somebody waits at a laptop."""
        self.paused: frozenset[str] = frozenset()
        """Queues whose functions are not called for now; their messages wait."""

    def start(self) -> None:
        """Begin to move things. A stream without a remembered place is read from now on."""
        self._iterators = {table: place for table in self._tables if (place := self._iterator(table))}
        aws._hooks.append(self._watch)  # noqa: SLF001 -- for the life of the process, not of a block
        self._sleep, dynamo.sleep = dynamo.sleep, self._pause
        for found in functions.queue_functions():
            self._queue_bells[found.queue] = _Bell()
            self._queue_urls[queues.url(names.queue_name(found.queue))] = found.queue
            self._run(f"queue-{found.queue}", partial(self._consume, found))
        self._run("relay", self._relay)
        self._scheduled = functions.scheduled_functions()
        self._run("schedule", self._tick)

    def stop(self, *, settle_s: float = 10) -> None:
        """Let what is on its way arrive, then end the threads."""
        self.settle(settle_s)
        self._stopping.set()
        with self._schedule:
            self._schedule.notify_all()
        for bell in (self._stream_bell, *self._queue_bells.values()):
            bell.ring()
        for thread in self._threads:
            thread.join(timeout=10)
        dynamo.sleep = self._sleep
        if self._watch in aws._hooks:  # noqa: SLF001
            aws._hooks.remove(self._watch)  # noqa: SLF001
        self._remember()

    def settle(self, timeout_s: float = 10) -> bool:
        """Wait until every stream and every queue has been read to its end; say whether that was reached."""
        deadline = time.monotonic() + timeout_s
        still = 0
        while time.monotonic() < deadline:
            still = still + 1 if self._quiet() else 0
            if still == 2:
                return True
            time.sleep(0.005)
        return False

    def jumped(self) -> None:
        """React to a clock that moved: bring back what is due now, run the schedule now."""
        moment = clock.now()
        with self._lock:
            due = [(handle, url) for handle, (url, until) in self._hidden.items() if until <= moment]
            for handle, _ in due:
                del self._hidden[handle]
        for handle, url in due:
            try:
                aws.call(
                    "sqs",
                    "ChangeMessageVisibility",
                    {"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0},
                )
            except Exception as error:
                log.warning("message could not be made visible again", kind=type(error).__name__)
        self.run_schedule()
        for bell in self._queue_bells.values():
            bell.ring()

    def run_schedule(self) -> None:
        """Run every scheduled function once, now, in this thread."""
        for scheduled in self._scheduled:
            self._run_job(scheduled)

    def _pause(self, seconds: float) -> None:
        """Stand for ``time.sleep`` in what runs here: a job that waits does not hold up the end."""
        self._stopping.wait(seconds)

    def _run(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"pump-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _quiet(self) -> bool:
        bells = (*self._tables.values(), self._stream_bell, *self._queue_bells.values())
        return self._others_quiet() and all(bell.quiet for bell in bells)

    # What happens in this process ------------------------------------------------------------------------------

    def _watch(self, service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        if service == "dynamodb" and operation in _WRITES:
            told = [self._tables[table] for table in _told_by(operation, params) if table in self._tables]
            for bell in told:
                bell.ring()
            if told:
                self._stream_bell.ring()
        elif service == "sqs":
            self._watch_queue(operation, params)
        return answer

    def _watch_queue(self, operation: str, params: dict[str, Any]) -> None:
        url = params.get("QueueUrl", "")
        queue = self._queue_urls.get(url)
        if queue is None:
            return
        if operation in ("SendMessage", "SendMessageBatch"):
            self._queue_bells[queue].ring()
        elif operation == "ChangeMessageVisibility" and params["VisibilityTimeout"]:
            with self._lock:
                now = clock.now()
                for handle in [handle for handle, (_, over) in self._hidden.items() if over <= now]:
                    del self._hidden[handle]  # It came back by itself, under another handle.
                until = now + timedelta(seconds=params["VisibilityTimeout"])
                self._hidden[params["ReceiptHandle"]] = (url, until)

    # Streams ---------------------------------------------------------------------------------------------------

    def _relay(self) -> None:
        iterators = self._iterators
        relay = functions.resolve(functions.RELAY)
        looked = passed = 0.0
        while not self._stopping.is_set():
            rung = self._stream_bell.wait(LOOK_S)
            if time.monotonic() - passed < GATHER_S and not self._stopping.is_set():
                self._stopping.wait(GATHER_S)
            passed = time.monotonic()
            at_all = passed - looked > LOOK_AT_STREAMS_S
            for table, bell in self._tables.items():
                if at_all or not bell.quiet:
                    self._relay_table(table, bell, iterators, relay)
            if at_all:
                looked = time.monotonic()
            self._stream_bell.saw(rung)

    def _relay_table(
        self, table: str, bell: _Bell, iterators: dict[str, tuple[str, str]], relay: functions.Function
    ) -> None:
        rung = bell.wait(0)
        try:
            if table not in iterators:
                found = self._iterator(table)
                if found is None:
                    bell.saw(rung)
                    return
                iterators[table] = found
            while not self._stopping.is_set():
                arn, iterator = iterators[table]
                answer = aws.call("dynamodbstreams", "GetRecords", {"ShardIterator": iterator, "Limit": BATCH_RECORDS})
                come = [_lambda_record(record, arn) for record in answer["Records"]]
                iterators[table] = (arn, answer["NextShardIterator"])
                if not come:
                    break
                whole = len(come) < BATCH_RECORDS
                last = come[-1]["dynamodb"]["SequenceNumber"]
                records = [record for record in come if streams.passes(names.table_of(table), record)]
                self._hand_on(relay, records)
                self._positions[table] = last
                if whole:
                    break
            bell.saw(rung)
        except Exception as error:
            iterators.pop(table, None)
            self._from = "TRIM_HORIZON"  # Rather once more than never.
            if aws.error_code(error) == "TrimmedDataAccessException":
                self._positions.pop(table, None)
            log.error("stream could not be read", trace=True, table=table, kind=type(error).__name__)
            self._stopping.wait(1)

    def _hand_on(self, relay: functions.Function, records: list[dict[str, Any]]) -> None:
        """Call the relay until it has taken all, as Lambda does: again from where it failed."""
        while records and (failed := relay({"Records": records}, None)["batchItemFailures"]):
            if self._stopping.wait(1):
                return
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            records = records[numbers.index(failed[0]["itemIdentifier"]) :]

    def _iterator(self, table: str) -> tuple[str, str] | None:
        found = resources.stream_of(table)
        if found is None:
            return None
        arn, shard = found
        params = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": self._from}
        if table in self._positions:
            after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._positions[table]}
            try:
                return arn, aws.call("dynamodbstreams", "GetShardIterator", params | after)["ShardIterator"]
            except Exception as error:
                if aws.error_code(error) != "TrimmedDataAccessException":
                    raise
                params["ShardIteratorType"] = "TRIM_HORIZON"
        return arn, aws.call("dynamodbstreams", "GetShardIterator", params)["ShardIterator"]

    def _remember(self) -> None:
        if self._positions_file is not None:
            private.write(self._positions_file, json.dumps(self._positions))

    # Queues ----------------------------------------------------------------------------------------------------

    def _consume(self, found: functions.QueueFunction) -> None:
        bell = self._queue_bells[found.queue]
        function = functions.resolve(found.handler)
        url = queues.url(names.queue_name(found.queue))
        while not self._stopping.is_set():
            rung = bell.wait(LOOK_S)
            try:
                while self._goes_on(found.queue) and self._consume_batch(found, function, url):
                    pass
            except Exception as error:
                log.error("queue could not be read", trace=True, queue=found.queue, kind=type(error).__name__)
                self._stopping.wait(1)
            bell.saw(rung)

    def _goes_on(self, queue: str) -> bool:
        return queue not in self.paused and not self._stopping.is_set()

    def _gather(self, found: functions.QueueFunction, url: str) -> list[dict[str, Any]]:
        """Receive one batch; with ``gathers`` it waits for more as long as AWS would."""
        messages: list[dict[str, Any]] = []
        until = 0.0
        while len(messages) < found.batch_size:
            wanted = min(queues.BATCH, found.batch_size - len(messages))
            answer = aws.call(
                "sqs",
                "ReceiveMessage",
                {
                    "QueueUrl": url,
                    "MaxNumberOfMessages": wanted,
                    "AttributeNames": ["All"],
                    "MessageAttributeNames": ["All"],
                },
            )
            come = answer.get("Messages", [])
            if come and not messages:
                until = time.monotonic() + (found.window_s if self.gathers else 0)
            messages += come
            if len(come) < wanted and (time.monotonic() >= until or self._stopping.wait(RECEIVE_EVERY_S)):
                break
        return messages

    def _consume_batch(self, found: functions.QueueFunction, function: functions.Function, url: str) -> bool:
        """Handle one batch; say whether there may be more."""
        messages = self._gather(found, url)
        if not messages:
            return False
        more = len(messages) == found.batch_size
        records = [_sqs_record(message, found.queue) for message in messages]
        with self._lock:
            for record in records:
                self._hidden.pop(record["receiptHandle"], None)
        for record in records if self._trail is not None else ():
            self._trail.delivered(found.queue, record["body"])  # type: ignore[union-attr]
        try:
            result = function({"Records": records}, None) or {}
            failed = {failure["itemIdentifier"] for failure in result.get("batchItemFailures", [])}
        except Exception as error:
            log.error("function failed", trace=True, queue=found.queue, kind=type(error).__name__)
            failed = {record["messageId"] for record in records}
        for record in records if self._trail is not None else ():
            if record["messageId"] in failed:
                self._trail.put_off(found.queue, record["body"])  # type: ignore[union-attr]
        done = [
            {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
            for number, record in enumerate(records)
            if record["messageId"] not in failed
        ]
        for start in range(0, len(done), queues.BATCH):
            aws.call("sqs", "DeleteMessageBatch", {"QueueUrl": url, "Entries": done[start : start + queues.BATCH]})
        return more

    # Schedule --------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        started = time.monotonic()
        runs = {scheduled.handler: 0 for scheduled in self._scheduled}
        while not self._stopping.is_set():
            for scheduled in self._scheduled:
                if self._stopping.is_set():
                    return
                if time.monotonic() - started >= runs[scheduled.handler] * scheduled.every_s:
                    runs[scheduled.handler] = int((time.monotonic() - started) / scheduled.every_s) + 1
                    self._run_job(scheduled)
            with self._schedule:
                self._schedule.wait(LOOK_S)

    def _run_job(self, scheduled: functions.ScheduledFunction) -> None:
        event = {
            "version": "0",
            "id": "local",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000000",
            "time": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:000000000000:rule/local"],
            "detail": {},
        }
        try:
            functions.resolve(scheduled.handler)(event, None)
        except Exception as error:
            log.error("job failed", trace=True, job=scheduled.handler, kind=type(error).__name__)


def _told_by(operation: str, params: dict[str, Any]) -> set[str]:
    """Return the tables in which a write put something to relay: events in a row, or a row that events derive from."""
    if operation == "BatchWriteItem":
        return set(params["RequestItems"])
    if operation == "TransactWriteItems":
        parts = [next(iter(item.values())) for item in params["TransactItems"]]
    else:
        parts = [params]
    return {
        part["TableName"]
        for part in parts
        if "events" in part.get("Item", {}) or names.table_of(part["TableName"]) in topology.DERIVED
    }


def _lambda_record(record: dict[str, Any], arn: str) -> dict[str, Any]:
    return {**record, "eventSourceARN": arn}


def _sqs_record(message: dict[str, Any], queue: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {"stringValue": value.get("StringValue"), "dataType": value.get("DataType")}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{names.queue_name(queue)}",
        "awsRegion": "us-east-1",
    }


def _read(path: Path | None) -> dict[str, str]:
    if path is None or not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError:
        return {}
    return {str(table): str(number) for table, number in found.items()}
