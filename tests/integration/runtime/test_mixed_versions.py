"""Two releases at once: functions are updated one by one, and no event of either is lost or misread."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import msgspec
import pytest

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.kernel.events import Envelope, Event
from chalicelib.runtime import aws, consume, deadlines, names, queues, relay
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due


class Told(Event, frozen=True, tag="bell.rung"):
    """The event as the old release knows it."""

    bell_id: str

    @property
    def subject(self) -> str:
        return self.bell_id


class ToldMore(Event, frozen=True, kw_only=True, tag="bell.rung"):
    """The same event as the new release knows it: one field more, with a default."""

    bell_id: str
    loud: bool = False

    @property
    def subject(self) -> str:
        return self.bell_id


class Cracked(Event, frozen=True, tag="bell.cracked"):
    """An event that only the new release knows."""

    bell_id: str

    @property
    def subject(self) -> str:
        return self.bell_id


class Release:
    """A consumer of one queue, as a release has it, and what it has seen."""

    def __init__(self, *kinds: type[Event]) -> None:
        self.seen: list[Event] = []
        self.consumer = Consumer("orders")
        for kind in kinds:
            self.consumer.on(kind)(lambda event, _: self.seen.append(event))


class Queue:
    """The messages of a queue, given to whichever release is asked next, until none is left."""

    def __init__(self, *events: Event) -> None:
        self.bodies = {f"m{number}": facts.encode(facts.seal(event)) for number, event in enumerate(events)}
        self.receives = dict.fromkeys(self.bodies, 0)
        self.waits: list[int] = []
        self.dead: list[str] = []

    def deliver(self, release: Release) -> None:
        records = []
        for name, body in self.bodies.items():
            self.receives[name] += 1
            count = str(self.receives[name])
            attributes = {"ApproximateReceiveCount": count}
            records.append({"messageId": name, "receiptHandle": name, "body": body, "attributes": attributes})
        with aws.hooked(self._hook):
            result = release.consumer.handle({"Records": records})
        failed = {failure["itemIdentifier"] for failure in result["batchItemFailures"]}
        self.bodies = {name: body for name, body in self.bodies.items() if name in failed}

    def _hook(self, service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "ChangeMessageVisibility":
            self.waits.append(params["VisibilityTimeout"])
            return {}
        if operation == "SendMessage":
            self.dead.append(params["MessageAttributes"]["reason"]["StringValue"])
            return {}
        return proceed()


OLD, NEW = (Told,), (ToldMore, Cracked)


def test_an_event_of_the_new_release_waits_for_it(cloud: str) -> None:
    old, new, queue = Release(*OLD), Release(*NEW), Queue(Told("a"), Cracked("b"), ToldMore(bell_id="c", loud=True))
    queue.deliver(old)
    queue.deliver(old)
    assert old.seen == [Told("a"), Told("c")]  # A field that it does not know is none of its business.
    queue.deliver(new)
    assert new.seen == [Cracked("b")]
    assert (queue.bodies, queue.dead) == ({}, [])


def test_an_event_of_the_old_release_is_read_by_the_new_one(cloud: str) -> None:
    new, queue = Release(*NEW), Queue(Told("a"))
    queue.deliver(new)
    assert new.seen == [ToldMore(bell_id="a")]


def test_an_unknown_event_waits_longer_than_a_deployment_takes_and_ends_with_its_reason(cloud: str) -> None:
    old, queue = Release(*OLD), Queue(Cracked("b"))
    for _ in range(consume.MAX_RECEIVES):
        queue.deliver(old)
    assert queue.dead == ["no handler for bell.cracked"]
    assert sum(queue.waits) >= 20 * 60
    assert max(queue.waits) <= consume.BACK_OFF_CAP_S


@pytest.mark.parametrize("order", [(OLD, NEW), (NEW, OLD), (OLD, OLD, NEW, OLD), (NEW,)])
def test_in_whatever_order_functions_are_updated_each_event_is_handled_once(cloud: str, order: Any) -> None:
    releases = [Release(*kinds) for kinds in order]
    queue = Queue(Told("a"), Cracked("b"), ToldMore(bell_id="c"), Cracked("d"))
    for release in releases:
        queue.deliver(release)
    if releases[-1].consumer.types == {"bell.rung"} and queue.bodies:
        queue.deliver(Release(*NEW))
    seen = sorted(getattr(event, "bell_id") for release in releases for event in release.seen)  # noqa: B009
    assert seen in (["a", "b", "c", "d"], ["a", "c"])
    assert (queue.bodies, queue.dead) == ({}, [])


def test_what_rides_in_a_row_is_read_by_both(cloud: str) -> None:
    """Of a rider with a value more than this release knows, the rest is read."""
    envelope = facts.seal(ToldMore(bell_id="a", loud=True))
    rider = [*json.loads(facts.encode_list([envelope]))[0], "a value of a later release"]
    [read] = facts.decode_list(json.dumps([rider]))
    assert (read.id, read.event(Told)) == ("bell.rung#a", Told("a"))
    later = {**json.loads(facts.encode(envelope)), "trace": "a field of a later release"}
    assert facts.decode(json.dumps(later)).event(Told) == Told("a")


def test_the_old_deadline_job_leaves_what_it_does_not_know_and_tells_the_rest(
    cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind of record that a release adds is due before the job is updated."""
    for number, prefix in enumerate(("pay", "new", "ref")):
        item = {
            "purchase_id": {"S": "pur_1"},
            "id": {"S": f"{prefix}_{number}"},
            "due_shard": {"S": "due0"},
            "due_at": {"N": str(clock.epoch_s(clock.now()))},
        }
        aws.call("dynamodb", "PutItem", {"TableName": names.table_name("payments"), "Item": item})
    assert deadlines.sweep() == {"payment": 1, "refund": 1}
    monkeypatch.setitem(topology.DEADLINES, "new", ("novelty", "payments"))
    assert deadlines.sweep() == {"payment": 1, "refund": 1, "novelty": 1}


def test_one_tables_trouble_keeps_no_other_from_its_deadlines(cloud: str, noon: Any) -> None:
    item = {
        "complaint_id": {"S": "cmp_1"}, "due_shard": {"S": "due1"}, "due_at": {"N": str(clock.epoch_s(clock.now()))},
    }  # fmt: skip
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("complaints"), "Item": item})
    sent: list[str] = []

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "Query" and params["TableName"] == names.table_name("orders"):
            raise ConnectionAbortedError
        if operation == "SendMessageBatch":
            sent.extend(params["QueueUrl"] for _ in params["Entries"])
            return {"Successful": []}
        return proceed()

    with aws.hooked(hook), pytest.raises(ConnectionAbortedError):
        deadlines.sweep()
    assert sent == [queues.url(names.queue_name("complaints"))]


def test_the_relay_of_the_old_release_holds_a_new_event_back(cloud: str, noon: Any) -> None:
    image = {
        "version": {"N": "1"},
        "event_version": {"N": "1"},
        "events": {"S": facts.encode_list([facts.seal(Cracked("b"))])},
    }
    created = (clock.now() - timedelta(minutes=10)).timestamp()
    record = {
        "eventID": "1",
        "eventSourceARN": f"arn:aws:dynamodb:us-east-1:1:table/{names.table_name('orders')}/stream/x",
        "dynamodb": {"SequenceNumber": "9", "ApproximateCreationDateTime": created, "NewImage": image},
    }
    assert relay.relay({"Records": [record]}) == {"batchItemFailures": [{"itemIdentifier": "9"}]}


def declared() -> list[type[Event]]:
    kinds: list[type[Event]] = [Due]
    for capability in topology.CAPABILITIES:
        try:
            module = import_module(f"chalicelib.{capability}.events")
        except ModuleNotFoundError:
            continue
        kinds += [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Event) and value.__module__ == module.__name__
        ]
    return [kind for kind in kinds if isinstance(kind.__struct_config__.tag, str) and "." in kind.__struct_config__.tag]


@pytest.mark.parametrize("kind", declared(), ids=lambda kind: str(kind.__struct_config__.tag))
def test_every_event_of_ours_reads_one_with_more_fields(kind: type[Event]) -> None:
    assert not kind.__struct_config__.forbid_unknown_fields
    values = {field.encode_name: _any_of(field.type) for field in msgspec.structs.fields(kind) if field.required}
    data = {"type": kind.__struct_config__.tag, **values, "of_a_later_release": {"a": 1}}
    envelope = Envelope(
        id="x", type=str(data["type"]), at=clock.now(), request_id="r", cause_id="c", actor="a", data=data
    )
    assert isinstance(envelope.event(kind), kind)


def _any_of(kind: Any) -> Any:
    """Return some value of a field's type."""
    examples: tuple[Any, ...] = ("2026-11-22T04:00:00Z", "x", 1, True, [], {}, None, 1.5, *_members(kind))
    for example in examples:
        try:
            msgspec.convert(example, kind)
        except msgspec.ValidationError:
            continue
        return example
    raise AssertionError(f"no example of {kind}")


def _members(kind: Any) -> tuple[Any, ...]:
    return tuple(member.value for member in getattr(kind, "__members__", {}).values())
