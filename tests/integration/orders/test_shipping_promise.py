"""The time in which an order is promised to be sent: reminded of, broken, each told once; what a buyer may do then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.checkout import promises
from chalicelib.checkout import service as checkout
from chalicelib.orders import service as orders
from tests.integration.orders.test_units import UNIT, World, world

__all__ = ["world"]
HOUR = 1 / 24


def test_a_merchant_is_reminded_once_and_told_once_that_the_promise_is_broken(world: World) -> None:
    world.buys(2)
    ship_by = world.order().ship_by
    assert ship_by == world.order().since + timedelta(hours=48)
    assert world.seen()["ship_by"] == f"{ship_by:%Y-%m-%dT%H:%M:%S}.000Z"
    world.days(23 * HOUR)
    assert world.order().told_late == 0
    world.days(1.1 * HOUR)
    assert world.order().told_late == 1
    for _ in range(3):
        checkout.order_timed_out(world.order_id)
    assert world.order().told_late == 1
    world.days(24 * HOUR)
    assert world.order().told_late == 2
    version = world.order().version
    world.days(3)
    assert world.order().version == version
    world.shipped(2)
    assert "ship_by" not in world.seen()


def test_after_a_long_silence_the_breach_is_told_and_no_reminder(world: World) -> None:
    world.buys(2)
    world.till.clock.advance(timedelta(days=5))
    checkout.order_timed_out(world.order_id)
    assert world.order().told_late == 2


def test_what_was_sent_in_time_is_nothing_to_tell(world: World) -> None:
    world.buys(2).shipped(2)
    world.days(3)
    assert (world.order().told_late, world.order().tells_at) == (0, None)


def test_a_late_rest_is_paid_back_as_its_buyer_wishes_and_not_before_it_is_late(world: World) -> None:
    world.buys(5).shipped(3)
    path = f"/v1/orders/{world.order_id}/end-waiting"
    world.days(47 * HOUR)
    assert world.buyer.post(path, {}).json["code"] == "not_late"
    world.days(1.1 * HOUR)
    answer = world.buyer.post(path, {})
    world.till.settle()
    assert (answer.status, answer.json["status"], answer.json["given_up"]) == (200, "shipped", {"1": 2})
    assert world.back() == 2 * UNIT


def test_the_promise_is_frozen_in_the_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(promises.SETTING, "12")
    world.buys(1)
    monkeypatch.setenv(promises.SETTING, "240")
    order = orders.load_order(world.order_id)
    assert order.ship_within == timedelta(hours=12)
    assert order.tells_at == order.since + timedelta(hours=6)  # Of a short promise when half of it is over.
