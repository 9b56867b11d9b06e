"""What shipping does not read: its write says the same, and an attempt that lost a race looks after all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.logistics import hubs, store, subscribing, tracking
from chalicelib.logistics.providers import kuaidi100
from chalicelib.logistics.watch import Watch
from chalicelib.runtime.db.work import UnitOfWork
from tests.integration.logistics.test_logistics import NUMBER, World, hub, world
from tools.bench import metering

__all__ = ["hub", "world"]  # Fixtures.


def operations(act: Callable[[], object]) -> list[str]:
    with metering.measured() as meter:
        act()
    return meter.operations()


def test_a_first_parcel_reads_the_order_alone_and_a_second_its_sisters(world: World) -> None:
    one: dict[str, Any] = {"lines": [{"line_id": "1", "quantity": 1}], "carrier": "yuantong"}
    first = operations(lambda: world.ship(**one, tracking_number="YT1111111111111"))
    assert first.pop(0) == "GetItem accounts"  # Who is staff is looked up once in half a minute.
    assert first == ["Query orders", "TransactWriteItems orders,shipments"]
    second = operations(lambda: world.ship(**one, tracking_number="YT2222222222222"))
    assert second == ["Query orders", "Query shipments", "TransactWriteItems orders,shipments"]
    assert [one.shipment_id[-1] for one in store.of_order(world.order.order_id)] == ["1", "2"]


def test_a_repeat_of_a_first_parcel_is_answered_with_it(world: World) -> None:
    first = world.ship(key="once-and-for-all")
    again = world.ship(key="once-and-for-all")
    assert (first.status, again.status) == (201, 201)
    assert first.json["shipment_id"] == again.json["shipment_id"]
    assert len(store.of_order(world.order.order_id)) == 1


def test_a_shipment_that_its_order_does_not_know_is_met_and_looked_at(world: World) -> None:
    """No release leaves such a row; whoever meets one takes the next number instead of failing for ever."""
    made = world.shipped()
    _forget_parcel(world)
    answer = world.ship(tracking_number="SF3333333333")
    assert answer.status == 201, answer.body
    assert answer.json["shipment_id"] == f"{made.shipment_id[:-1]}2"


def _forget_parcel(world: World) -> None:
    from dataclasses import replace

    from chalicelib.orders import store as orders

    order = world.now_order()
    with UnitOfWork() as work:
        orders.save_order(work, replace(order, parcels=(), status=world.order.status))


def test_a_parcel_is_subscribed_with_one_read(world: World) -> None:
    world.ship()
    seen = operations(world.pump.drain)
    assert [one for one in seen if one.endswith("shipments")] == ["GetItem shipments", "PutItem shipments"]
    assert store.load(f"shp_{world.order.order_id[4:]}1").watch is Watch.WATCHED


def test_news_while_the_hub_is_asked_to_watch_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shipment_id = world.ship().json["shipment_id"]

    class Slow(kuaidi100.Kuaidi100):
        """The hub, at which the parcel is scanned while it answers."""

        def subscribe(self, parcel: Any) -> Any:
            answer = super().subscribe(parcel)
            world.hub.advance(NUMBER, "collected", push=False)
            snapshot = self.query(parcel)
            assert snapshot is not None
            tracking.track(shipment_id, snapshot)
            return answer

    with monkeypatch.context() as patch:
        patch.setattr(hubs, "hub", lambda *_: Slow())
        subscribing.begin(shipment_id)
    found = store.load(shipment_id)
    assert (found.watch, found.subscriptions, len(found.scans)) == (Watch.WATCHED, 1, 1)


def test_who_is_told_twice_at_once_subscribes_once_for_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ask the hub, which takes the second as the first; one of them writes."""
    shipment_id = world.ship().json["shipment_id"]
    rival = iter([True])

    class Twice(kuaidi100.Kuaidi100):
        """The hub, of which somebody else asks the same at the same time."""

        def subscribe(self, parcel: Any) -> Any:
            if next(rival, False):
                subscribing.begin(shipment_id)
            return super().subscribe(parcel)

    with monkeypatch.context() as patch:
        patch.setattr(hubs, "hub", lambda *_: Twice())
        subscribing.begin(shipment_id)
    found = store.load(shipment_id)
    assert (found.watch, found.subscriptions, found.tries) == (Watch.WATCHED, 1, 0)


def test_a_write_that_keeps_losing_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shipment_id = world.ship().json["shipment_id"]
    shipment = store.load(shipment_id)

    def lose(work: UnitOfWork, *_: Any) -> None:
        raise ConcurrentUpdate

    monkeypatch.setattr(store, "save", lose)
    with pytest.raises(ConcurrentUpdate):
        subscribing.subscribe(shipment)
