"""The unit of work against the embedded engine: all or nothing, reasons by operation, retries that apply once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel.errors import AlreadyExists, Busy, ConcurrentUpdate, Conflict
from chalicelib.kernel.events import Event
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import dynamo, reads
from chalicelib.runtime.db.rows import Row
from chalicelib.runtime.db.work import MAX_OPERATIONS, UnitOfWork
from chalicelib.runtime.relay import envelopes_of

Proceed = Callable[[], dict[str, Any]]


class Jar(Row):
    """A row of this test only."""

    class Meta:
        table_name = names.table_name("test-jars")
        region = "us-east-1"

    jar_id = UnicodeAttribute(hash_key=True)
    grains = NumberAttribute(default=0)


class Filled(Event, frozen=True, tag="jar.filled"):
    jar_id: str

    @property
    def subject(self) -> str:
        return self.jar_id


class TooFew(Conflict):
    code = "too_few"
    shown = ("jar_id", "left")


@pytest.fixture
def jars(cloud: str, monkeypatch: pytest.MonkeyPatch) -> str:
    aws.call(
        "dynamodb",
        "CreateTable",
        {
            "TableName": Jar.Meta.table_name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "jar_id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "jar_id", "AttributeType": "S"}],
        },
    )
    monkeypatch.setattr(dynamo, "sleep", lambda seconds: None)
    return cloud


def take(work: UnitOfWork, jar_id: str, quantity: int, *, guarded: bool = False) -> None:
    def refuse(item: dict[str, Any] | None) -> Exception:
        return TooFew(jar_id=jar_id, left=int(item["grains"]["N"]) if item else 0)

    work.update(
        Jar(jar_id),
        [Jar.grains.set(Jar.grains - quantity)],
        condition=Jar.grains >= quantity,
        refuse=refuse,
        guarded=guarded,
    )


def put(jar_id: str, count: int) -> Jar:
    row = Jar(jar_id, grains=count)
    with UnitOfWork() as work:
        work.save(row)
    return row


def counted(jar_id: str) -> int:
    row = reads.get(Jar, jar_id, consistent=True)
    assert row is not None
    return int(row.grains)


def failing(operation: str, code: str, *, times: int, after: bool = False, reasons: Any = None) -> aws.Hook:
    """Return a hook that fails the operation some times, before its effect or (a lost answer) after it."""
    left = [times]

    def hook(service: str, called: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        if called != operation or not left[0]:
            return proceed()
        left[0] -= 1
        if after:
            proceed()
        raise ClientError(
            {"Error": {"Code": code, "Message": "injected"}, "CancellationReasons": reasons or []}, called
        )

    return hook


def test_a_row_is_created_once_and_replaced_only_at_the_version_it_was_read(jars: str) -> None:
    first = put("a", 3)
    assert (first.version, counted("a")) == (1, 3)

    with pytest.raises(AlreadyExists) as refused:
        put("a", 9)
    assert refused.value.params["item"]["grains"] == {"N": "3"}

    stale = reads.get(Jar, "a")
    assert stale is not None
    first.grains = 4
    with UnitOfWork() as work:
        work.save(first)
    stale.grains = 5
    with pytest.raises(ConcurrentUpdate), UnitOfWork() as work:
        work.save(stale)
    assert (first.version, counted("a")) == (2, 4)


def test_a_refused_transaction_leaves_no_trace_and_names_every_refused_operation(jars: str) -> None:
    put("a", 1)
    put("b", 2)
    put("c", 9)

    with pytest.raises(TooFew) as refused, UnitOfWork() as work:
        work.save(Jar("new", grains=1))
        take(work, "c", 1)
        take(work, "a", 5)
        take(work, "b", 6)

    assert refused.value.params == {"jar_id": "a", "left": 1}
    assert [other.params for other in refused.value.others if isinstance(other, TooFew)] == [{"jar_id": "b", "left": 2}]
    assert reads.get(Jar, "new") is None
    assert (counted("a"), counted("b"), counted("c")) == (1, 2, 9)


def test_reasons_come_back_to_the_operation_they_belong_to_whatever_its_verb(jars: str) -> None:
    put("a", 1)
    old = put("b", 2)
    put("c", 3)

    with pytest.raises(TooFew) as refused, UnitOfWork() as work:
        take(work, "c", 1)
        work.delete(old)
        work.check(Jar("a"), Jar.grains >= 5, refuse=lambda item: TooFew(jar_id="a", left=-1))
        work.save(Jar("d", grains=1))

    assert refused.value.params == {"jar_id": "a", "left": -1}
    assert reads.get(Jar, "b") is not None


def test_conflicts_and_throttles_are_retried_and_never_told(jars: str) -> None:
    put("a", 5)
    put("b", 5)
    conflict = [{"Code": "TransactionConflict"}, {"Code": "None"}]

    with (
        aws.hooked(failing("TransactWriteItems", "TransactionCanceledException", times=5, reasons=conflict)),
        UnitOfWork() as work,
    ):
        take(work, "a", 2)
        take(work, "b", 2)

    assert (counted("a"), counted("b")) == (3, 3)
    with aws.hooked(failing("UpdateItem", "ThrottlingException", times=5)), UnitOfWork() as work:
        take(work, "a", 1)
    assert counted("a") == 2


def test_a_conflict_beside_a_refusal_is_a_refusal(jars: str) -> None:
    put("a", 5)
    put("b", 0)
    mixed = [{"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed", "Item": {"grains": {"N": "0"}}}]

    with (
        pytest.raises(TooFew),
        aws.hooked(failing("TransactWriteItems", "TransactionCanceledException", times=1, reasons=mixed)),
        UnitOfWork() as work,
    ):
        take(work, "a", 1)
        take(work, "b", 1)

    assert counted("a") == 5


def test_contention_without_end_is_busy_and_writes_nothing(jars: str) -> None:
    put("a", 5)

    with (
        pytest.raises(Busy) as refused,
        aws.hooked(failing("UpdateItem", "TransactionConflictException", times=dynamo.ATTEMPTS)),
        UnitOfWork() as work,
    ):
        take(work, "a", 1)

    assert (refused.value.status, counted("a")) == (503, 5)


def test_a_transaction_whose_answer_was_lost_is_applied_once(jars: str) -> None:
    put("a", 5)
    put("b", 5)

    with (
        aws.hooked(failing("TransactWriteItems", "InternalServerError", times=1, after=True)),
        UnitOfWork() as work,
    ):
        take(work, "a", 2)
        take(work, "b", 2)

    assert (counted("a"), counted("b")) == (3, 3)


def test_a_plain_counter_whose_answer_was_lost_is_not_repeated_blindly(jars: str) -> None:
    put("a", 5)

    with (
        pytest.raises(ClientError),
        aws.hooked(failing("UpdateItem", "InternalServerError", times=1, after=True)),
        UnitOfWork() as work,
    ):
        take(work, "a", 2)

    assert counted("a") == 3


def test_a_guarded_write_whose_answer_was_lost_is_refused_at_its_repeat(jars: str) -> None:
    with (
        pytest.raises(AlreadyExists) as refused,
        aws.hooked(failing("PutItem", "InternalServerError", times=1, after=True)),
    ):
        put("a", 7)

    assert refused.value.params["item"]["grains"] == {"N": "7"}


def test_the_same_intent_and_content_is_one_transaction_and_another_content_another(jars: str) -> None:
    put("a", 9)
    put("b", 9)
    for quantity in (1, 1, 2):
        with UnitOfWork("the intent") as work:
            take(work, "a", quantity)
            take(work, "b", quantity)

    assert (counted("a"), counted("b")) == (6, 6)


def test_events_ride_once_with_the_change_they_belong_to(jars: str) -> None:
    row = Jar("a", grains=1)
    with UnitOfWork() as work:
        work.save(row, events=[Filled(jar_id="a")])
    stored = reads.get_raw(Jar, "a")
    assert stored is not None
    record = {
        "dynamodb": {"NewImage": stored},
        "eventSourceARN": f"arn:aws:dynamodb:r:1:table/{Jar.Meta.table_name}/stream/x",
    }
    (envelope,) = envelopes_of(record)
    assert (envelope.id, envelope.event(Filled)) == ("jar.filled#a", Filled(jar_id="a"))

    with UnitOfWork() as work:
        take(work, "a", 1)  # A counter update leaves the old events in the row, but they are of an older version.
    after = reads.get_raw(Jar, "a")
    assert after is not None
    assert after["version"] == {"N": "2"}
    assert envelopes_of({**record, "dynamodb": {"NewImage": after}}) == []


def test_an_empty_work_writes_nothing_and_a_failed_block_neither(jars: str) -> None:
    def no_call(service: str, called: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        raise AssertionError(called)

    with aws.hooked(no_call):
        with UnitOfWork():
            pass
        with pytest.raises(RuntimeError, match="changed my mind"), UnitOfWork() as work:
            work.save(Jar("a"))
            raise RuntimeError("changed my mind")


def test_a_transaction_has_a_most_of_operations(jars: str) -> None:
    work = UnitOfWork()
    for number in range(MAX_OPERATIONS):
        work.save(Jar(f"jar{number}"))
    with pytest.raises(Conflict):
        work.save(Jar("one more"))


def test_many_rows_are_read_in_few_calls_and_each_once(jars: str) -> None:
    for number in range(3):
        put(f"jar{number}", number)
    calls: list[str] = []

    def count(service: str, called: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        calls.append(called)
        return proceed()

    wanted = [(Jar, f"jar{number % 150}", None) for number in range(300)]
    with aws.hooked(count):
        found = reads.get_many(wanted)

    assert calls == ["BatchGetItem", "BatchGetItem"]
    assert {key[0]: int(row.grains) for key, row in found.items() if isinstance(row, Jar)} == {
        "jar0": 0,
        "jar1": 1,
        "jar2": 2,
    }
