"""The deadline job looks seldom where deadlines are known long before, and misses none of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.complaints.states import COMPLAINT
from chalicelib.kernel import clock
from chalicelib.logistics.watch import WATCH
from chalicelib.reconciliation.domain import CASE, RUN
from chalicelib.runtime import aws, deadlines, names, queues
from chalicelib.runtime.db.rows import DUE_SHARDS, due_shard

TABLES = len(topology.DUE_TABLES)
FAR = len(topology.DUE_FAR)


def swept(noon: Any, minutes: int, *, fail: Callable[[datetime, str], bool] = lambda *_: False) -> Counter[str]:
    """Run the job each minute; returns how often each table was asked."""
    asked: Counter[str] = Counter()

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "Query":
            table = names.table_of(params["TableName"])
            asked[table] += 1
            if fail(clock.now(), table):
                raise ConnectionAbortedError
        return proceed()

    with aws.hooked(hook):
        for _ in range(minutes):
            try:
                deadlines.sweep()
            except ConnectionAbortedError:
                asked["failed"] += 1
            noon.advance(timedelta(minutes=1))
    return asked


def complaint(due_at: datetime, number: int = 1) -> str:
    complaint_id = f"cmp_{number}"
    item = {
        "complaint_id": {"S": complaint_id},
        "due_shard": {"S": due_shard(complaint_id)},
        "due_at": {"N": str(clock.epoch_s(due_at))},
    }
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("complaints"), "Item": item})
    return complaint_id


def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, datetime]:
    """Note when each record's message will arrive, the first of them."""
    arrives: dict[str, datetime] = {}

    def send(queue: str, envelopes: Any, *, delays_s: list[int]) -> None:
        for envelope, delay_s in zip(envelopes, delays_s, strict=True):
            arrives.setdefault(envelope.data["record_id"], clock.now() + timedelta(seconds=delay_s))

    monkeypatch.setattr(queues, "send", send)
    return arrives


def test_a_run_asks_the_near_tables_alone_and_the_others_each_five_minutes(cloud: str, noon: Any) -> None:
    asked = swept(noon, 10)
    near = {table for table, *_ in topology.DUE_TABLES} - set(topology.DUE_FAR)
    assert near == {"orders", "payments", "webhooks"}
    assert all(asked[table] == 10 * DUE_SHARDS for table in near)
    assert all(asked[table] == 2 * DUE_SHARDS for table in topology.DUE_FAR)
    assert asked.total() == (10 * (TABLES - FAR) + 2 * FAR) * DUE_SHARDS  # 20.8 a run, not 56.


def test_a_new_process_looks_at_everything(cloud: str, noon: Any) -> None:
    swept(noon, 1)
    deadlines.forget()
    asked = swept(noon, 1)
    assert all(asked[table] == DUE_SHARDS for table in topology.DUE_FAR)


def test_a_far_deadline_is_told_to_the_second_whenever_it_falls(
    cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrives = told(monkeypatch)
    seconds = range(0, 900, 37)
    due = {second: clock.now() + timedelta(minutes=30, seconds=second) for second in seconds}
    records = {second: complaint(due_at, second) for second, due_at in due.items()}
    swept(noon, 50)
    assert arrives == {records[second]: due[second] for second in seconds}


@pytest.mark.parametrize("minute", range(0, 20, 3))
def test_a_run_that_fails_makes_nothing_late(
    cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch, minute: int
) -> None:
    """Six minutes in which the far tables cannot be read: they are looked at as soon as they can."""
    arrives = told(monkeypatch)
    start = clock.now()
    due = {complaint(start + timedelta(minutes=20 + number), number): 20 + number for number in range(20)}
    bad = (start + timedelta(minutes=minute), start + timedelta(minutes=minute + 6))
    asked = swept(noon, 50, fail=lambda now, table: table == "complaints" and bad[0] <= now < bad[1])
    assert asked["failed"]
    assert arrives == {found: start + timedelta(minutes=minutes) for found, minutes in due.items()}


def test_a_clock_that_goes_back_looks_again(cloud: str, noon: Any) -> None:
    swept(noon, 1)
    noon.moment -= timedelta(hours=1)
    assert swept(noon, 1)["complaints"] == DUE_SHARDS


def test_far_tables_set_no_deadline_nearer_than_they_are_looked_at() -> None:
    shortest = min(duration for machine in (COMPLAINT, WATCH, CASE, RUN) for duration, _ in machine.deadlines.values())
    assert shortest > deadlines.FAR_EVERY + deadlines.LOOK_AHEAD
    assert deadlines.FAR_AHEAD > 2 * deadlines.FAR_EVERY + deadlines.LOOK_AHEAD
    assert timedelta(minutes=15) > deadlines.FAR_AHEAD
