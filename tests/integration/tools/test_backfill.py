"""Old rows get a new field while the shop is open: slowly, once each, and on where a run was stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.kernel import events as facts
from chalicelib.runtime import aws, names, relay
from tools.operate import backfill
from tools.operate.backfill import BackfillError, Fill, Note

FILL = Fill("audit", "channel", {"S": "web"})
ROWS = 60


@pytest.fixture
def rows(cloud: str) -> list[str]:
    keys = backfill.keys_of("audit")
    for number in range(ROWS):
        item = {name: {"S": f"{name}-{number:03d}"} for name in keys}
        put({**item, "version": {"N": "1"}, **({"channel": {"S": "app"}} if number % 10 == 0 else {})})
    return keys


def put(item: dict[str, Any]) -> None:
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("audit"), "Item": item})


def channels() -> list[str]:
    found = aws.call("dynamodb", "Scan", {"TableName": names.table_name("audit"), "ConsistentRead": True})["Items"]
    return sorted(row.get("channel", {"S": "none"})["S"] for row in found)


def go(path: Path, fill: Fill = FILL, **options: Any) -> backfill.Progress:
    found: backfill.Progress = backfill.run(
        fill, Note(path, fill), lambda _: None, rows_per_second=1e9, **{"sleep": lambda _: None, **options}
    )
    return found


def test_rows_that_lack_it_get_it_and_the_others_keep_theirs(rows: list[str], tmp_path: Path) -> None:
    done = go(tmp_path / "note.json")
    assert (done.seen, done.filled, done.done) == (ROWS, ROWS - 6, True)
    assert channels() == ["app"] * 6 + ["web"] * (ROWS - 6)
    again = go(tmp_path / "other.json")
    assert (again.seen, again.filled) == (ROWS, 0)


def test_a_run_that_was_stopped_goes_on_where_it_was(rows: list[str], tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    calls: list[str] = []

    def stop(service: str, operation: str, params: Any, proceed: Any) -> Any:
        calls.append(operation)
        if calls.count("Scan") == 2 and operation == "UpdateItem" and calls.count("UpdateItem") > 30:
            raise Stopped
        return proceed()

    with aws.hooked(stop), pytest.raises(Stopped):
        go(tmp_path / "note.json")
    assert 0 < channels().count("web") < ROWS - 6
    noted = Note(tmp_path / "note.json", FILL).read()
    assert noted.seen == backfill.PAGE

    seen: list[str] = []

    def watch(service: str, operation: str, params: Any, proceed: Any) -> Any:
        seen.append(operation)
        return proceed()

    with aws.hooked(watch):
        done = go(tmp_path / "note.json")
    assert done.seen == ROWS
    assert seen.count("Scan") == 2
    assert channels() == ["app"] * 6 + ["web"] * (ROWS - 6)
    with aws.hooked(watch):
        go(tmp_path / "note.json")
    assert seen.count("Scan") == 2


def test_a_row_that_changed_or_went_away_meanwhile_is_left_alone(rows: list[str], tmp_path: Path) -> None:
    def key(number: int) -> dict[str, Any]:
        return {name: {"S": f"{name}-{number:03d}"} for name in rows}

    raced: list[int] = []

    def race(service: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation == "UpdateItem" and not raced:
            raced.append(1)
            for number in range(1, ROWS):
                aws.call("dynamodb", "DeleteItem", {"TableName": names.table_name("audit"), "Key": key(number)})
            put({**key(1), "version": {"N": "2"}, "channel": {"S": "shop"}})
        return proceed()

    with aws.hooked(race):
        go(tmp_path / "note.json")
    assert channels() == ["app", "shop"]


def test_no_event_that_rides_on_a_row_is_told_again(rows: list[str], tmp_path: Path) -> None:
    key = {name: {"S": f"{name}-001"} for name in rows}
    sent = facts.Envelope(
        id="stock.depleted#x", type="stock.depleted", at=datetime(2026, 11, 22, tzinfo=UTC), request_id="r",
        cause_id="c", actor="t", data={"type": "stock.depleted", "sku_id": "x"},
    )  # fmt: skip
    put({**key, "version": {"N": "3"}, "event_version": {"N": "3"}, "events": {"S": facts.encode_list([sent])}})
    assert told(key) == 1
    go(tmp_path / "note.json")
    assert told(key) == 0
    assert channels().count("web") == ROWS - 6


def told(key: dict[str, Any]) -> int:
    """Return how many events the relay makes of a row's last change."""
    row = aws.call("dynamodb", "GetItem", {"TableName": names.table_name("audit"), "Key": key})["Item"]
    arn = f"arn:aws:dynamodb:us-east-1:1:table/{names.table_name('audit')}/stream/x"
    change = {"Keys": key, "NewImage": row, "OldImage": row, "SequenceNumber": "1"}
    return len(list(relay.envelopes_of({"eventName": "MODIFY", "eventSourceARN": arn, "dynamodb": change})))


def test_it_goes_no_faster_than_told(rows: list[str], tmp_path: Path) -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    backfill.run(FILL, Note(tmp_path / "n", FILL), lambda _: None, rows_per_second=5, sleep=sleep, clock=lambda: now[0])
    assert sum(slept) == pytest.approx(2 * backfill.PAGE / 5)


BAD: list[tuple[str, Any]] = [
    ("version", {"N": "1"}),
    ("events", {"S": "[]"}),
    ("channel", {"S": "a", "N": "1"}),
    ("channel", {"X": "a"}),
    ("channel", {}),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_what_would_break_rows_is_refused(rows: list[str], tmp_path: Path, field: str, value: Any) -> None:
    before = channels()
    with pytest.raises(BackfillError):
        go(tmp_path / "note.json", Fill("audit", field, value))
    with pytest.raises(BackfillError, match="is not to be filled"):
        go(tmp_path / "note.json", Fill("audit", rows[0], {"S": "x"}))
    assert channels() == before


def test_a_note_of_another_backfill_is_refused(rows: list[str], tmp_path: Path) -> None:
    go(tmp_path / "note.json")
    with pytest.raises(BackfillError, match="is of another backfill"):
        go(tmp_path / "note.json", Fill("audit", "channel", {"S": "app"}))
    (tmp_path / "note.json").write_text("{", encoding="utf-8")
    with pytest.raises(BackfillError, match="cannot be read"):
        go(tmp_path / "note.json")
