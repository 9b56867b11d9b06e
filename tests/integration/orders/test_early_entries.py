"""An order's entry on the due index may stand early, never late: who is told early looks again, and nothing fires."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.checkout import service as checkout
from chalicelib.kernel import clock
from chalicelib.orders import rows, store
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, OrderStatus
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.deadlines import Due
from tests.integration.orders.test_units import World, world
from tests.support import dump
from tools.bench import metering

__all__ = ["world"]  # The fixture of a shop with a buyer who has paid.


def entry(world: World) -> int | None:
    row = reads.get(rows.OrderRow, world.order().purchase_id, world.order_id, consistent=True)
    assert row is not None
    return int(row.due_at) if row.due_at is not None else None


def in_days(days: float) -> int:
    return clock.epoch_s(clock.now() + timedelta(days=days))


def delivered(world: World) -> None:
    (parcel,) = world.order().parcels
    orders.record_delivery(world.order_id, parcel.shipment_id, clock.now())


def units_of(act: Callable[[], object]) -> float:
    with metering.measured() as meter:
        act()
    return meter.index_units


def test_an_order_that_is_confirmed_in_time_moves_its_entry_once_as_it_is_sent(world: World) -> None:
    """It waited for the promise to send it; what comes then does not time out within seven days of its payment."""
    world.buys(2)
    first = in_days(7)
    assert entry(world) == in_days(1)
    assert world.order().due_at == clock.now() + timedelta(days=15)
    world.till.clock.advance(timedelta(hours=20))
    world.buyer.token = world.market.token = ""
    world.days(0)
    world.shipped(2)
    assert entry(world) == first
    world.days(2)
    assert units_of(lambda: delivered(world)) == 0
    assert entry(world) == first
    assert world.seen()["due_at"] == f"{clock.now() + timedelta(days=7):%Y-%m-%dT%H:%M:%S}.000Z"
    assert world.buyer.post(f"/v1/orders/{world.order_id}/confirm").status == 200
    assert entry(world) is None


def test_told_early_nothing_fires_and_the_deadline_fires_within_seconds(world: World) -> None:
    world.buys(2)
    paid_at = world.order().since
    world.days(7.001)
    order = world.order()
    assert (order.status, entry(world)) == (OrderStatus.PAID, clock.epoch_s(paid_at + timedelta(days=15)))
    world.till.clock.advance(paid_at + timedelta(days=15) - clock.now() - timedelta(seconds=30))
    world.till.pump.due()
    world.till.settle()
    assert world.order().status is OrderStatus.PAID
    world.till.clock.advance(timedelta(seconds=31))
    world.till.settle()  # The job looked a minute ahead: its message was only waiting.
    assert world.order().status is OrderStatus.CANCELLED


def test_what_comes_later_is_looked_at_once_and_confirms_itself_on_time(world: World) -> None:
    world.buys(2).days(5)
    world.shipped(2).days(2.5)  # Told early at seven days: it is due thirty days after it was shipped.
    assert entry(world) == clock.epoch_s(world.order().since + timedelta(days=30))
    world.days(23)
    delivered(world)  # Due in seven days; the entry would have fired in four and a half.
    due_at = clock.now() + timedelta(days=7)
    assert entry(world) == in_days(4.5)
    world.days(6.9)
    assert world.order().status is OrderStatus.DELIVERED
    assert entry(world) == clock.epoch_s(due_at)
    world.days(0.11)
    assert world.order().status is OrderStatus.COMPLETED


def test_a_deadline_that_comes_nearer_takes_its_entry_with_it(world: World) -> None:
    """An entry of a release that wrote it at the deadline: thirty days after the order was shipped."""
    world.buys(2).shipped(2)
    _put_entry(world, in_days(30))
    delivered(world)
    assert entry(world) == in_days(7)
    world.days(7.001)
    assert world.order().status is OrderStatus.COMPLETED


def test_an_entry_that_fires_soon_is_moved_with_the_change(world: World) -> None:
    world.buys(2).shipped(2)
    world.till.clock.advance(timedelta(days=6, hours=23, minutes=30))
    delivered(world)
    assert entry(world) == in_days(7)


def test_what_must_be_told_at_once_is(world: World) -> None:
    """Everything goes back: the order is due now, whatever its entry said."""
    world.buys(2)
    world.refund_units(2)
    world.days(0.001)
    assert world.order().status is OrderStatus.CANCELLED
    assert entry(world) is None


def test_told_again_and_told_late_it_changes_nothing(world: World) -> None:
    world.buys(2)
    world.days(7.001)
    before = dump.tables()
    for _ in range(3):
        checkout.order_timed_out(world.order_id)
    assert dump.differences(before, dump.tables()) == []


def test_a_change_between_the_look_and_its_write_is_never_left_late(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the job would move the entry to thirty days, the parcel is delivered: seven."""
    world.buys(2).shipped(2)
    world.till.clock.advance(timedelta(days=7, minutes=1))
    real, rival = orders.put_off, iter([True])

    def put_off(order: Order) -> None:
        if next(rival, False):
            delivered(world)
        real(order)

    monkeypatch.setattr(orders, "put_off", put_off)
    checkout.order_timed_out(world.order_id)
    assert next(rival, None) is None
    assert world.order().status is OrderStatus.DELIVERED
    assert entry(world) == in_days(7)


def test_a_look_that_dies_is_told_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.buys(2)
    world.till.clock.advance(timedelta(days=7, minutes=1))
    with monkeypatch.context() as patch:
        patch.setattr(store, "save_order", lambda *_: 1 / 0)
        world.till.pump.due()
        world.till.settle()
    fired = entry(world)
    assert fired is not None
    assert fired <= clock.epoch_s(clock.now())
    world.days(0.02)
    assert entry(world) == clock.epoch_s(world.order().since + timedelta(days=15))


def test_a_parked_entry_comes_back_and_is_looked_at(world: World) -> None:
    from chalicelib.runtime import parking

    world.buys(2)
    at = entry(world)
    assert at is not None
    due = Due(kind="order", record_id=world.order_id, parent_id=world.order().purchase_id, due_at_s=at)
    assert parking.park(due, "never")
    assert entry(world) is None
    assert parking.release(world.order_id, world.order().purchase_id)
    world.days(0.001)
    assert world.order().status is OrderStatus.PAID
    assert entry(world) == clock.epoch_s(world.order().since + timedelta(days=1))


def test_a_parked_order_that_changes_is_on_the_index_again(world: World) -> None:
    from chalicelib.runtime import parking

    world.buys(2)
    at = entry(world)
    assert at is not None
    assert parking.park(Due("order", world.order_id, world.order().purchase_id, at), "never")
    world.shipped(2)
    assert entry(world) == in_days(7)


def _put_entry(world: World, at_s: int) -> None:
    aws.call(
        "dynamodb",
        "UpdateItem",
        {
            "TableName": names.table_name("orders"),
            "Key": {"purchase_id": {"S": world.order().purchase_id}, "id": {"S": world.order_id}},
            "UpdateExpression": "SET due_at = :at",
            "ExpressionAttributeValues": {":at": {"N": str(at_s)}},
        },
    )


def test_saving_without_a_change_of_state_leaves_the_entry(world: World, noon: Any) -> None:
    world.buys(2)
    before = entry(world)
    noon.advance(timedelta(days=1))
    with UnitOfWork() as work:
        store.save_order(work, world.order())
    assert entry(world) == before
