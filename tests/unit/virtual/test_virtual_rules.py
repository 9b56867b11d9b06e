"""What a refund takes back, when a pool warns, and how a delivery ends: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.kernel.errors import IllegalTransition
from chalicelib.virtual import domain
from chalicelib.virtual.domain import Cause, Delivery, Form, Part, Pool, Status, TooManyLooks

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)


def delivery(*parts: Part, status: Status = Status.DELIVERED) -> Delivery:
    return Delivery("vdl_1", "ord_1", "1", "sku_1", "mer_1", "acc_1", Form.CODE, status, NOW, NOW, parts)


UNSEEN = tuple(Part(number, NOW, code_number=number) for number in (1, 2, 3))
FIRST_SEEN = (replace(UNSEEN[0], seen_at=NOW), *UNSEEN[1:])


@pytest.mark.parametrize(
    ("parts", "paid_back", "taken"),
    [
        (UNSEEN, 0, {}),
        (UNSEEN, 1, {3: 1}),
        (FIRST_SEEN, 2, {3: 1, 2: 1}),
        (FIRST_SEEN, 3, {3: 1, 2: 1, 1: 1}),
        (FIRST_SEEN, 9, {3: 1, 2: 1, 1: 1}),
        ((Part(1, NOW, 5),), 2, {1: 2}),
        ((Part(1, NOW, 5, revoked=2),), 2, {}),
        ((Part(1, NOW, 5, revoked=2), Part(2, NOW, 1)), 4, {2: 1, 1: 1}),
    ],
)
def test_the_unseen_go_back_first_the_newest_before_the_others(
    parts: tuple[Part, ...], paid_back: int, taken: dict[int, int]
) -> None:
    back = domain.to_take_back(delivery(*parts), paid_back)
    assert {part.number: units for part, units in back} == taken


def test_what_was_taken_back_is_not_taken_back_again_and_ends_a_delivery_without_anything_left() -> None:
    first = domain.taken_back(delivery(*FIRST_SEEN), domain.to_take_back(delivery(*FIRST_SEEN), 2), now=NOW)
    assert (first.live, first.revoked, first.status) == (1, 2, Status.DELIVERED)
    assert [part.went_back for part in first.parts] == [False, True, True]
    assert domain.to_take_back(first, 2) == ()
    last = domain.taken_back(first, domain.to_take_back(first, 3), now=NOW)
    assert (last.status, [part.went_back for part in last.parts]) == (Status.REVOKED, [False, True, True])


@pytest.mark.parametrize(
    ("parts", "left", "status"),
    [
        ((), 2, Status.AWAITING),
        ((), 0, Status.CALLED_OFF),
        (UNSEEN[:1], 0, Status.DELIVERED),
        ((replace(UNSEEN[0], revoked=1),), 0, Status.REVOKED),
    ],
)
def test_how_a_delivery_ends_once_nothing_is_owed(parts: tuple[Part, ...], left: int, status: Status) -> None:
    assert domain.settled(delivery(*parts, status=Status.AWAITING), left=left, now=NOW).status is status


def test_a_pool_warns_once_until_it_is_filled() -> None:
    pool = Pool("sku_1", "mer_1", Form.CODE, timedelta(hours=1), NOW, low_mark=2, free=3)
    low = domain.taken(pool, 1)
    lower = domain.taken(low, 1)
    assert (pool.warned, low.warned, lower.warned, lower.given) == (False, True, True, 2)
    assert domain.filled(lower, 1).warned
    assert not domain.filled(lower, 5).warned
    assert domain.taken(domain.filled(lower, 5), 4).warned


def test_looks_are_counted_by_day() -> None:
    found = delivery(*UNSEEN)
    for _ in range(domain.MOST_LOOKS_A_DAY):
        found = domain.seen(found, [1], now=NOW, today=found.looked_at is not None)
    assert [part.seen_at for part in found.parts] == [NOW, None, None]
    with pytest.raises(TooManyLooks):
        domain.seen(found, [1], now=NOW, today=True)
    assert domain.seen(found, [1], now=NOW, today=False).looks_today == 1


def test_what_is_confirmed_is_not_confirmed_again_and_what_is_late_keeps_its_mark() -> None:
    late = domain.missed(delivery(status=Status.AWAITING), now=NOW)
    given = domain.with_part(late, UNSEEN[0], left=0)
    assert (given.status, given.missed_at) == (Status.DELIVERED, NOW)
    confirmed = domain.moved(given, Cause.CONFIRM, now=NOW)
    with pytest.raises(IllegalTransition):
        domain.moved(confirmed, Cause.CONFIRM, now=NOW)


def test_codes_that_stand_twice_are_found_by_their_places() -> None:
    assert domain.repeated(["A", "B", "A", "C", "B", "A"]) == {2, 4, 5}
