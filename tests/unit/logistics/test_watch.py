from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.logistics import domain, watching
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.watch import Limits, Watch, due_at, pause, repeat_after

T0 = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def parcel(**changes: object) -> Shipment:
    order = "ord_0123456789abcdefghjkmnpq_07"
    values: dict[str, object] = {
        "shipment_id": domain.shipment_id(order, 1),
        "order_id": order,
        "merchant_id": "mer_1",
        "lines": (("1", 1),),
        "shipped_at": T0,
        "watch": Watch.POLLED,
        "since": T0,
        "carrier": "yuantong",
        "number": "YT1",
        **changes,
    }
    return Shipment(**values)  # type: ignore[arg-type]


def test_each_question_that_told_nothing_doubles_the_wait_up_to_three_days() -> None:
    assert [pause(Watch.POLLED, quiet) // HOUR for quiet in (0, 1, 2, 3, 4, 5, 1_000)] == [8, 8, 16, 32, 64, 72, 72]
    assert [pause(Watch.WATCHED, quiet) // HOUR for quiet in (0, 1, 2, 3, 4)] == [24, 24, 48, 72, 72]
    assert due_at(Watch.BROKEN, T0, quiet=5) == T0 + timedelta(minutes=40)


def test_a_hub_that_does_not_answer_is_tried_ever_less_often_and_never_more_often_than_it_allows() -> None:
    slow = Limits(ask_every=timedelta(hours=2))
    assert [repeat_after(missed, Limits()) / HOUR for missed in (0, 1, 2, 3, 5, 6, 999)] == [0.5, 0.5, 1, 2, 8, 8, 8]
    assert [repeat_after(missed, slow) / HOUR for missed in (1, 3, 4)] == [2, 2, 4]


def test_an_answer_that_is_lost_is_not_silence() -> None:
    found, moment = parcel(), T0
    waits = []
    for _ in range(6):
        due = found.due_at
        assert due is not None
        waits.append((due - moment) / HOUR)
        moment = due
        found = watching.unanswered(watching.timed_out(found, now=moment), now=moment)
    assert waits == [8, 0.5, 1, 2, 4, 8]
    assert (found.quiet, found.missed) == (0, 6)
    assert watching.answered(found).missed == 0


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({}, False),
        ({"heard_at": T0 + timedelta(days=1)}, True),
        ({"subscribed_at": T0 + timedelta(days=1)}, True),
        ({"subscriptions": 2}, True),
        ({"watch": Watch.POLLED}, True),
    ],
)
def test_pushes_that_ended_without_a_word_are_subscribed_to_again_while_the_hub_allows(
    changes: dict[str, object], asks: bool
) -> None:
    limits = Limits(subscriptions=2, pushes_end_after=timedelta(days=30))
    silent = parcel(**{"watch": Watch.WATCHED, "since": T0 + timedelta(days=29), "subscriptions": 1, **changes})
    found = watching.timed_out(silent, now=T0 + timedelta(days=30), limits=limits)
    assert (found.watch is not Watch.BROKEN, found.asked_at is not None) == (asks, asks)


def test_a_hub_out_of_tries_is_left_for_another_and_begins_there_anew() -> None:
    waiting = parcel(watch=Watch.WAITING, tries=4, hub="kdniao", subscriptions=1)
    limits = Limits(tries=5)
    left = watching.not_subscribed(waiting, for_good=False, now=T0, limits=limits, hub="kdniao", other="kuaidi100")
    assert (left.watch, left.tries, left.hub) == (Watch.WAITING, 0, "kuaidi100")
    stays = watching.not_subscribed(waiting, for_good=False, now=T0, limits=limits, hub="kdniao")
    assert (stays.watch, stays.hub) == (Watch.POLLED, "kdniao")
    again = watching.subscribed(waiting, now=T0, hub="kdniao")
    assert (again.subscriptions, watching.subscribed(waiting, now=T0, hub="kuaidi100").subscriptions) == (2, 1)
    assert watching.subscribed(parcel(watch=Watch.WAITING, subscriptions=1), now=T0, hub="kuaidi100").subscriptions == 2
