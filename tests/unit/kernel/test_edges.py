"""The kernel at its edges: sums, drawings, ids and the clock, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import CurrencyMismatch
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money, split_minor, total


def test_a_sum_adds_every_amount_of_one_currency() -> None:
    assert total([Money(1), Money(20), Money(300)]) == Money(321)
    assert total([Money(5, "USD")]) == Money(5, "USD")
    assert total([], "USD") == Money(0, "USD")
    with pytest.raises(CurrencyMismatch):
        total([Money(1), Money(1, "USD")])


def test_what_nobody_has_a_part_in_is_split_evenly() -> None:
    assert split_minor(5, [0, 0]) == (3, 2)
    assert split_minor(2, [0, 0, 0]) == (1, 1, 0)
    assert split_minor(-5, [0, 0]) == (-3, -2)


class State(StrEnum):
    OPEN = "open"
    WAITING = "waiting"
    DONE = "done"


class Cause(StrEnum):
    ASK = "ask"
    ANSWER = "answer"
    END = "end"


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(seconds=61), "61 s"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=25), "25 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=15), "15 d"),
    ],
)
def test_a_drawing_says_of_one_edge_when_it_is_taken_by_the_clock(duration: timedelta, words: str) -> None:
    machine = StateMachine(
        name="case",
        initial=State.OPEN,
        edges={
            State.OPEN: {Cause.ASK: State.WAITING, Cause.END: State.DONE},
            State.WAITING: {Cause.ANSWER: State.DONE},
            State.DONE: {},
        },
        deadlines={State.OPEN: (duration, Cause.END)},
    )
    assert machine.mermaid().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> open",
        "    open --> waiting: ask",
        f"    open --> done: end (after {words})",
        "    waiting --> done: answer",
        "    done --> [*]",
    ]


def test_a_new_id_sorts_by_time_and_has_26_characters() -> None:
    moment = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
    ids.install_entropy(lambda count: b"\xff" * count)
    with clock.use(clock.Fixed(moment)):
        first = ids.new_id("ord")
    with clock.use(clock.Fixed(moment + timedelta(milliseconds=1))):
        ids.install_entropy(lambda count: b"\0" * count)
        second = ids.new_id("ord")
    ids.install_entropy(None)

    assert first == "ord_01m80pjbg0" + "z" * 16
    assert second == "ord_01m80pjbg1" + "0" * 16
    assert first < second
    assert ids.random_bytes(8) != ids.random_bytes(8)


def test_a_digest_has_24_characters_and_does_not_change_with_a_release() -> None:
    assert ids.digest("a", "bc") == "ac8ab1w8f0db4qattz1zgm1n"
    assert ids.digest("ab", "c") != ids.digest("a", "bc")
    assert ids.body("pur_abc_01") == "abc"
    assert ids.body("abc") == "abc"
    assert ids.child_id("pay", "pur_abc", 0) == "pay_abc_00"
    with pytest.raises(ValueError, match="numbered children"):
        ids.child_id("pay", "pur_abc", -1)


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1000, 1999, 123_456, 999_999])
def test_the_time_is_told_in_whole_milliseconds_rounded_down(microsecond: int) -> None:
    moment = datetime(2026, 11, 22, 4, 0, 0, microsecond, tzinfo=UTC)
    with clock.use(clock.Fixed(moment)):
        assert clock.now() == moment - timedelta(microseconds=microsecond % 1000)


def test_an_id_has_one_body_of_two_lengths_and_at_most_one_number() -> None:
    body = "0123456789abcdefghjkmnpqrs"
    assert [length for length in range(20, 29) if ids.is_id("pay", f"pay_{(body * 2)[:length]}")] == [24, 26]
    assert ids.is_id("pay", f"pay_{body[:24]}_01")
    assert not ids.is_id("pay", f"pay_{body[:24]}_01_")


def test_every_partition_gets_ids_and_an_id_always_the_same() -> None:
    shards = [ids.shard(f"pay_{number}", 4) for number in range(200)]
    assert set(shards) == {0, 1, 2, 3}
    assert min(shards.count(found) for found in range(4)) > 20
    assert [ids.shard("pay_1", 64), ids.shard("pay_2", 64)] == [36, 42]
