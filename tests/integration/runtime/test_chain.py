"""Streams, queues, consumers and deadlines: what must hold between a committed change and its effects."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.kernel import context
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import Busy, Conflict, RetryLater
from chalicelib.kernel.events import Envelope, Event
from chalicelib.runtime import aws, consume, deadlines, names, queues, relay
from chalicelib.runtime.consume import Consumer
from tests.support.shop import buyer, shop


class Rung(Event, frozen=True, tag="bell.rung"):
    bell_id: str

    @property
    def subject(self) -> str:
        return self.bell_id


def record(envelope: Envelope, *, receives: int = 1, number: int = 0) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": facts.encode(envelope),
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }


def rung(bell_id: str) -> Envelope:
    with context.use(context.Context(request_id="req", cause_id="http", actor="acc_1")):
        return facts.seal(Rung(bell_id=bell_id))


def dead_letters(queue: str) -> list[tuple[str, str]]:
    answer = aws.call(
        "sqs",
        "ReceiveMessage",
        {
            "QueueUrl": queues.url(names.dead_letter_name(queue)),
            "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"],
        },
    )
    return [(m["Body"], m["MessageAttributes"]["reason"]["StringValue"]) for m in answer.get("Messages", [])]


@pytest.fixture
def hidden(cloud: str) -> Any:
    """Collect the back-offs that were asked for; the messages of these tests are in no queue."""
    asked: dict[str, int] = {}

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "ChangeMessageVisibility":
            asked[params["ReceiptHandle"]] = params["VisibilityTimeout"]
            return {}
        return proceed()

    with aws.hooked(hook):
        yield asked


def test_a_batch_fails_message_by_message(hidden: dict[str, int]) -> None:
    consumer = Consumer("orders")
    seen: list[tuple[str, context.Context]] = []

    @consumer.on(Rung)
    def handle(event: Rung, envelope: Envelope) -> None:
        seen.append((event.bell_id, context.current()))
        if event.bell_id == "broken":
            raise RuntimeError("boom")
        if event.bell_id == "early":
            raise RetryLater("not yet", delay_s=45)

    batch = [record(rung(bell), number=n, receives=3) for n, bell in enumerate(["a", "broken", "early", "b"])]
    result = consumer.handle({"Records": batch})

    assert result == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}
    assert [bell for bell, _ in seen] == ["a", "broken", "early", "b"]
    assert seen[0][1] == context.Context(request_id="req", cause_id="bell.rung#a", actor="queue:orders")
    assert hidden == {"r1": 8, "r2": 45}


def test_what_fails_for_ever_lands_in_the_dead_letters_with_its_reason(hidden: dict[str, int]) -> None:
    consumer = Consumer("orders")

    @consumer.on(Rung)
    def handle(event: Rung, envelope: Envelope) -> None:
        raise Conflict

    message = record(rung("a"), receives=consume.MAX_RECEIVES)
    undecodable = {**message, "body": '{"id": 3}'}
    due = facts.seal(deadlines.Due(kind="x", record_id="x", parent_id="x", due_at_s=1))
    unknown = record(due, receives=consume.MAX_RECEIVES)
    wrong_data = {**message, "body": message["body"].replace("bell_id", "horn_id")}

    assert consumer.handle({"Records": [message, undecodable, unknown, wrong_data]}) == {"batchItemFailures": []}
    assert sorted(reason for _, reason in dead_letters("orders")) == [
        "ValidationError",
        "conflict",
        "no handler for due",
        "undecodable",
    ]


def test_a_decision_to_wait_outlasts_the_redrive_policy(hidden: dict[str, int]) -> None:
    consumer = Consumer("orders")

    def wait(event: Any, envelope: Envelope) -> None:
        raise RetryLater("the provider does not say", delay_s=30)

    consumer.on(Rung)(wait)
    consumer.on(deadlines.Due)(wait)
    sent: list[Any] = []
    refusing = [True]

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "SendMessageBatch":
            if refusing[0]:
                raise ConnectionError
            sent.extend((json.loads(entry["MessageBody"])["id"], entry["DelaySeconds"]) for entry in params["Entries"])
            return {"Successful": []}
        return proceed()

    early = record(rung("a"), receives=consume.WAITS - 1)
    late = record(rung("b"), number=1, receives=consume.WAITS)
    due = facts.seal(deadlines.Due(kind="x", record_id="x", parent_id="x", due_at_s=1))
    told_again = record(due, number=2, receives=consume.MAX_RECEIVES)
    with aws.hooked(hook):
        kept = [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]
        assert consumer.handle({"Records": [early, late, told_again]}) == {"batchItemFailures": kept}
        refusing[0] = False
        assert consumer.handle({"Records": [early, late, told_again]}) == {"batchItemFailures": kept[:1]}
    assert sent == [("bell.rung#b", 30)]
    assert dead_letters("orders") == []


def test_a_throttle_after_many_waits_is_no_reason_for_a_dead_letter(hidden: dict[str, int]) -> None:
    consumer = Consumer("orders")

    def fail(event: Any, envelope: Envelope) -> None:
        raise Busy

    consumer.on(Rung)(fail)
    consumer.on(deadlines.Due)(fail)
    sent: list[str] = []

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "SendMessageBatch":
            sent.extend(json.loads(entry["MessageBody"])["id"] for entry in params["Entries"])
            return {"Successful": []}
        return proceed()

    due = facts.seal(deadlines.Due(kind="x", record_id="x", parent_id="x", due_at_s=1))
    late = [record(rung("a"), receives=consume.MAX_RECEIVES), record(due, number=1, receives=consume.MAX_RECEIVES)]
    early = record(rung("b"), number=2, receives=1)
    with aws.hooked(hook):
        assert consumer.handle({"Records": [*late, early]}) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert sent == ["bell.rung#a"]
    assert hidden == {"r2": 2}
    assert dead_letters("orders") == []


def test_a_dead_letter_that_cannot_be_sent_fails_alone(hidden: dict[str, int]) -> None:
    consumer = Consumer("orders")
    consumer.on(Rung)(lambda event, envelope: None)

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "SendMessage":
            raise ConnectionError
        return proceed()

    undecodable = {**record(rung("a")), "body": "{}"}
    with aws.hooked(hook):
        result = consumer.handle({"Records": [undecodable, record(rung("b"), number=1)]})
    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_the_relay_reports_what_it_could_not_send_and_sends_it_again(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(topology.EVENTS, "bell.rung", ("orders", "complaints"))
    image = {
        "version": {"N": "2"},
        "event_version": {"N": "2"},
        "events": {"S": facts.encode_list([rung("a"), rung("b")])},
    }
    arn = f"arn:aws:dynamodb:us-east-1:1:table/{names.table_name('orders')}/stream/x"
    change = {"eventID": "1", "eventSourceARN": arn, "dynamodb": {"SequenceNumber": "7", "NewImage": image}}
    sent: list[str] = []
    failing = [True]

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "SendMessageBatch":
            if failing[0]:
                return {"Failed": [{"Id": "0", "Code": "InternalError"}], "Successful": []}
            sent.extend(json.loads(entry["MessageBody"])["id"] for entry in params["Entries"])
        return proceed()

    with aws.hooked(hook):
        assert relay.relay({"Records": [change]}) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
        failing[0] = False
        assert relay.relay({"Records": [change]}) == {"batchItemFailures": []}
    assert sent == ["bell.rung#a", "bell.rung#b"] * 2


def test_an_event_that_the_topology_does_not_list_is_not_lost_silently() -> None:
    with pytest.raises(LookupError, match=r"bell\.rung"):
        topology.queues_for("bell.rung")


def test_every_event_type_is_listed_and_every_queue_hears_what_it_is_sent() -> None:
    from importlib import import_module
    from pathlib import Path

    declared: set[str] = set()
    for path in Path("chalicelib").glob("*/events.py"):
        if path.parent.name == "kernel":
            continue
        module = import_module(f"chalicelib.{path.parent.name}.events")
        kinds = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)]
        tags = [str(kind.__struct_config__.tag) for kind in kinds if kind.__module__ == module.__name__]
        declared.update(tag for tag in tags if "." in tag)
    assert declared <= set(topology.EVENTS), declared - set(topology.EVENTS)
    assert set(topology.EVENTS) <= declared, set(topology.EVENTS) - declared
    handled = {
        queue: next(v for v in vars(import_module(module)).values() if isinstance(v, Consumer)).types
        for queue, module in topology.QUEUES.items()
    }
    for event_type, queues_of in topology.EVENTS.items():
        for queue in queues_of:
            assert event_type in handled[queue], f"{queue} does not handle {event_type}"
    for _, queue in topology.DEADLINES.values():
        assert "due" in handled[queue]


def test_a_deadline_is_sent_ahead_and_delayed_until_it_is_due(cloud: str, noon: Any) -> None:
    sku = shop().product(stock=5).sku_id
    purchase_id = buyer().buy((sku, 1))["purchase_id"]
    sent: list[tuple[str, int]] = []

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "SendMessageBatch":
            sent.extend(
                (json.loads(e["MessageBody"])["data"]["record_id"], e["DelaySeconds"]) for e in params["Entries"]
            )
        return proceed()

    with aws.hooked(hook):
        noon.advance(timedelta(minutes=28, seconds=59))
        assert deadlines.sweep() == {}
        noon.advance(timedelta(seconds=21))
        assert deadlines.sweep() == {"purchase": 1}
        noon.advance(timedelta(seconds=60))
        assert deadlines.sweep() == {"purchase": 1}
    assert sent == [(purchase_id, 40), (purchase_id, 0)]


def test_every_record_with_a_deadline_has_a_kind_and_every_due_table_an_index() -> None:
    from infra.tables import table_specs

    with_index = {
        table
        for table, spec in table_specs().items()
        if any(index["IndexName"] == "due" for index in spec["GlobalSecondaryIndexes"])
    }
    assert with_index == {table for table, _, _ in topology.DUE_TABLES}
    for table, hash_name, range_name in topology.DUE_TABLES:
        keys = [key["AttributeName"] for key in table_specs()[table]["KeySchema"]]
        assert keys == [name for name in (hash_name, range_name) if name]
