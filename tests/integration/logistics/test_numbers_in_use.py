"""Numbers under which another parcel travelled when the order was paid: its signature delivers nothing of ours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.logistics import store
from chalicelib.logistics.domain import Status
from chalicelib.orders.service import OrderStatus
from tests.integration.logistics.test_logistics import NUMBER, World, hub, world

__all__ = ["hub", "world"]

_CODES = {"printed": "101", "collected": "103", "moved": "0", "out": "501", "signed": "301", "returned": "4"}


def say(world: World, *told: tuple[float, str]) -> None:
    """Let the carrier tell what happened, in hours from now, and let the hub push it."""
    for hours, what in told:
        code = _CODES[what]
        at = clock.now() + timedelta(hours=hours)
        world.hub.scan(NUMBER, at=at, text=f"{what} {hours}", code=code, state=code[0])
    world.hub.push(NUMBER)
    world.pump.drain()


def shipped(world: World) -> str:
    whole = [{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}]
    answer = world.ship(lines=whole)
    assert answer.status == 201, answer.body
    world.pump.drain()
    return str(answer.json["shipment_id"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([(-26, "collected")], [(-0.5, "signed")]),
        ([(-48, "collected"), (-20, "moved")], [(-1.5, "moved"), (-1, "out"), (-0.5, "signed")]),
        ([(-50, "moved")], [(-1, "signed")]),
        ([(-48, "collected"), (-20, "out")], [(-1.5, "signed"), (-1, "signed")]),
        ([(-48, "collected"), (-3, "signed")], [(-1, "signed")]),
        ([(-48, "collected"), (-20, "moved")], [(-1.5, "collected"), (-1, "signed")]),
        ([(-400, "collected"), (-390, "signed"), (-48, "collected")], [(-1, "signed")]),
        ([(-48, "collected")], [(-1.5, "signed"), (-1, "moved"), (-0.5, "signed")]),
    ],
)
def test_a_parcel_that_was_on_its_way_at_the_payment_delivers_nothing(
    world: World, noon: Any, before: list[tuple[float, str]], after: list[tuple[float, str]]
) -> None:
    shipment_id = shipped(world)
    noon.advance(timedelta(hours=2))
    say(world, *before)
    say(world, *after)

    found = store.load(shipment_id)
    assert (found.status, found.scans, found.delivered_at) == (Status.CREATED, (), None)
    assert world.now_order().status is OrderStatus.SHIPPED


@pytest.mark.parametrize(
    "before",
    [
        [(-26, "printed")],
        [(-400, "collected"), (-390, "signed")],
        [(-48, "collected"), (-3, "out"), (-1.8, "signed")],
        [(-48, "collected"), (-20, "signed")],
        [(-48, "collected"), (-20, "returned")],
        [(-48, "collected"), (-1.9, "signed")],
        [(-24 * 200, "collected"), (-24 * 190, "moved")],
    ],
)
def test_a_number_given_out_again_delivers_what_was_collected_anew(
    world: World, noon: Any, before: list[tuple[float, str]]
) -> None:
    shipment_id = shipped(world)
    noon.advance(timedelta(hours=2))
    say(world, *before, (-1.5, "collected"))

    assert (store.load(shipment_id).status, len(store.load(shipment_id).scans)) == (Status.COLLECTED, 1)
    say(world, (-1, "out"), (-0.5, "signed"))
    assert store.load(shipment_id).delivered_at == clock.now() - timedelta(hours=0.5)
    assert world.now_order().status is OrderStatus.DELIVERED


@pytest.mark.parametrize("first", ["moved", "out"])
def test_where_the_earlier_parcel_had_arrived_a_missed_collection_harms_nothing(
    world: World, noon: Any, first: str
) -> None:
    shipment_id = shipped(world)
    noon.advance(timedelta(hours=2))
    say(world, (-48, "collected"), (-20, "signed"), (-1, first), (-0.5, "signed"))

    assert (store.load(shipment_id).status, len(store.load(shipment_id).scans)) == (Status.DELIVERED, 2)
