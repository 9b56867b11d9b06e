"""Returns at the same moment, twice, and cut off at each call: no unit is paid back twice, or in stock twice."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.returns import clockwork
from chalicelib.runtime import aws
from tests.support.http import Answer
from tests.support.returning import ADDRESS, Desk, parcel


@pytest.fixture
def desk(cloud: str, noon: Any) -> Desk:
    return Desk.open(noon, quantity=20, stock=40)


def together(*acts: Callable[[], Answer]) -> list[int]:
    barrier, found = Barrier(len(acts)), []

    def run(act: Callable[[], Answer]) -> None:
        barrier.wait()
        found.append(act().status)

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_units_are_spoken_of_in_one_return(desk: Desk) -> None:
    assert together(*[lambda: desk.ask(20)] * 6) == [201] + [409] * 5
    assert sum(count for _, _, count in desk.order.returning) == 20


def test_an_inspection_pays_and_restocks_once_whoever_makes_it(desk: Desk) -> None:
    return_id = desk.received(2)
    same = [lambda: desk.inspect(return_id, as_new=2, key="inspect-01")] * 3
    other = [lambda: desk.inspect(return_id, as_new=2)] * 2
    assert together(*same, *other) in ([200] * 3 + [409] * 2, [200] + [409] * 4)
    desk.till.pump.duplicate = 10
    assert (desk.back(), desk.refunds(), desk.stock()) == (2000, [(2000, (("1", 2),))], (22, 18))
    assert desk.seen(return_id)["status"] == "refunded"


def test_a_refund_and_an_inspection_at_once_pay_no_unit_twice(desk: Desk) -> None:
    return_id = desk.received(20)
    body = {"order_id": desk.order_id, "lines": [{"line_id": "1", "quantity": 20}], "reason": "Goodwill."}
    path = f"/v1/operator/purchases/{desk.order.purchase_id}/refunds"
    together(
        lambda: desk.till.operate("POST", path, body),
        lambda: desk.inspect(return_id, as_new=20),
    )
    assert desk.back() == 20_000
    assert sum(count for _, lines in desk.refunds() for _, count in lines) == 20
    assert desk.stock() == (40, 0)


class Crash(BaseException):
    """The process is gone."""


def cut_off(at: int, act: Callable[[], Any], *, after: bool) -> bool:
    """Run something, and die before or after its call number ``at``; says whether it came so far."""
    calls = 0

    def hook(_: str, __: str, ___: Any, proceed: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            raise Crash
        answer = proceed()
        if calls == at:
            raise Crash
        return answer

    with aws.hooked(hook):
        try:
            act()
        except Crash:
            return True
    return False


class Dying:
    """Each act dies at call number ``at``, before or ``after`` its effect, and is said again under the same key."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.came_so_far = at, after, False

    def __call__(self, act: Callable[..., Answer], *what: Any, **more: Any) -> Any:
        said = partial(
            act,
            *what,
            key=f"cut-{self.at}-{self.after}-{act.__name__}-{len(what)}-{what[1:2] == ('parcel',):d}",
            **more,
        )
        self.came_so_far |= cut_off(self.at, said, after=self.after)
        answer = said()
        assert answer.status in (200, 201), answer.body
        return answer.json


@pytest.mark.parametrize("wish", ["refund", "exchange"])
def test_a_return_that_is_cut_off_at_any_call_happens_once(desk: Desk, wish: str) -> None:
    done, at, alive = 0, 0, True
    while alive:
        at, alive = at + 1, False
        for after in (False, True):
            dying = Dying(at, after=after)
            return_id = dying(desk.ask, 1, wish=wish)["return_id"]
            desk.say(return_id, "approve", {"address": ADDRESS})
            dying(desk.act, return_id, "parcel", parcel())
            dying(desk.inspect, return_id, as_new=1)
            if wish == "exchange":
                seen = dying(desk.say, return_id, "replacement", parcel())
                clockwork.parcel_moved(return_id, seen["replacement_shipment_id"], arrived=True)
            alive, done = alive or dying.came_so_far, done + 1
    desk.till.settle()
    assert at > 4
    if wish == "refund":
        assert desk.back() == 1000 * done
        assert desk.refunds() == [(1000, (("1", 1),))] * done
        assert desk.stock() == (20 + done, 20 - done)
    else:
        assert (desk.refunds(), desk.stock()) == ([], (20, 20))
    assert (desk.order.returning, desk.order.held_by) == ((), ())
