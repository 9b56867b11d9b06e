"""Each code reaches one order line, once, whatever breaks off or happens at the same moment."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.inventory import service as inventory
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.runtime import aws, names
from chalicelib.runtime.intents import Intent
from chalicelib.virtual import service, store
from tests.support.virtually import Counter

pytestmark = pytest.mark.usefixtures("cloud")


class Crash(BaseException):
    """The process ends here."""


@contextmanager
def crashing(at: int, *, after: bool) -> Iterator[list[int]]:
    """End the process at its ``at``-th call of DynamoDB, before it is sent or before its answer is there."""
    numbers, calls = count(1), [0]

    def hook(service_name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if service_name != "dynamodb":
            return proceed()
        calls[0] = next(numbers)
        if calls[0] != at:
            return proceed()
        if after:
            proceed()
        raise Crash

    with aws.hooked(hook):
        yield calls


def at_every_call(act: Callable[[], object], prepare: Callable[[], Callable[[], object]] | None = None) -> int:
    """Break an act off at each of its calls, on both sides, and do it again to its end; returns how often it broke."""
    broken = 0
    for at in count(1):
        fell = []
        for after in (False, True):
            todo = prepare() if prepare else act
            with crashing(at, after=after):
                try:
                    todo()
                except Crash:
                    fell.append(after)
            todo()
        if not fell:
            return broken
        broken += len(fell)
    raise AssertionError


def rows(prefix: str) -> list[Any]:
    """Return the rows of the room whose range key begins so."""
    found = aws.call("dynamodb", "Scan", {"TableName": names.table_name("virtual")})["Items"]
    return [row for row in found if row["id"]["S"].startswith(prefix)]


def test_codes_are_uploaded_given_looked_at_and_taken_back_once_whatever_breaks_off(noon: Any) -> None:
    counter = Counter.open()
    numbers = count(1)

    def uploading() -> Callable[[], object]:
        codes = [f"CODE-{next(numbers)}", f"CODE-{next(numbers)}"]
        intent = Intent("acc", codes[0], "f")
        return lambda: service.upload(counter.shop.merchant_id, counter.sku_id, codes, intent)

    uploads = at_every_call(lambda: None, uploading)
    made = counter.pool()["free"]
    assert uploads > 6
    assert made == len(rows(store.CODES)) == inventory.level(counter.sku_id).available == next(numbers) - 1

    given: list[Any] = []

    def serving() -> Callable[[], object]:
        given.append(counter.paid(1))
        return lambda: service.serve(given[-1].order_id)

    counter.upload(*(f"MORE-{n}" for n in range(30)))
    total = made + 30
    assert at_every_call(lambda: None, serving) > 6
    kept = rows(store.SECRETS)
    assert Count(row["owner"]["S"] for row in kept) == Count(order.order_id for order in given)
    assert len(rows(store.CODES)) == counter.pool()["free"] == total - len(given)
    half = len(given) // 2
    looked, unseen = given[:half], given[half:]
    buyer = counter.buyer.account_id
    shown = []
    for number, order in enumerate(looked):
        intent = Intent("acc", f"look-{number}", "f")
        with crashing(number // 2 + 1, after=bool(number % 2)), suppress(Crash):
            service.look(buyer, order.order_id, "1", intent)
        delivery, [one], _ = service.look(buyer, order.order_id, "1", intent)
        shown.append(one.content.text)
        assert (delivery.looks, len(service.looks_at(order.order_id))) == (1, 1)
    assert len(set(shown)) == half

    before = inventory.level(counter.sku_id).available
    for number, order in enumerate([*looked, *unseen]):
        counter.pay_back(order, 1)
        with crashing(number // 2 + 1, after=bool(number % 2)), suppress(Crash):
            service.take_back(order.order_id)
        service.take_back(order.order_id)
    assert inventory.level(counter.sku_id).available == before + len(unseen)
    assert len(rows(store.CODES)) == counter.pool()["free"] == total - half
    assert len(rows(store.SECRETS)) == half


def test_six_orders_at_once_share_what_there_is(noon: Any) -> None:
    counter = Counter.open()
    counter.upload("A", "B", "C", "D")
    placed = [counter.paid(1) for _ in range(6)]
    barrier = Barrier(6)

    def serve(order_id: str) -> None:
        barrier.wait()
        while True:
            try:
                service.serve(order_id)
            except ConcurrentUpdate:
                continue
            return

    threads = [Thread(target=serve, args=(order.order_id,)) for order in placed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stand = Count(counter.lines(order)[0]["status"] for order in placed)
    assert stand == {"delivered": 4, "awaiting": 2}
    shown = [counter.look(order) for order in placed]
    assert sorted(look.json["items"][0]["code"] for look in shown if look.status == 200) == ["A", "B", "C", "D"]
    assert (counter.pool()["free"], rows(store.CODES)) == (0, [])
