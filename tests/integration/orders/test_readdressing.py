"""Another address before anything is sent: named by its buyer alone, once, and never beside a parcel."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.orders import addressing, store
from chalicelib.orders import service as orders
from tests.integration.orders.test_units import World, world
from tests.support import shop
from tests.support.http import Answer

__all__ = ["world"]


def named(world: World, street: str = "文三路 2 号") -> str:
    answer = world.buyer.post("/v1/me/addresses", {**shop.ADDRESS, "street": street})
    assert answer.status == 201, answer.body
    return str(answer.json["address_id"])


def change(world: World, address_id: str, key: str | None = None) -> Answer:
    path = f"/v1/purchases/{world.order().purchase_id}/address"
    return world.buyer.post(path, {"address_id": address_id}, key=key)


def street(world: World) -> Any:
    return world.market.get(f"/v1/merchant/orders/{world.order_id}").json["contact"]["street"]


def test_a_merchant_asks_and_only_the_buyer_names_another_address(world: World) -> None:
    world.buys(2)
    assert street(world) == "文三路 1 号"
    asked = world.market.post(f"/v1/merchant/orders/{world.order_id}/ask-address", {"reason": "No carrier goes there."})
    assert asked.status == 200
    purchase = world.buyer.get(f"/v1/purchases/{world.order().purchase_id}").json
    assert (purchase["address_asked"], purchase["contact"]["street"]) == ("No carrier goes there.", "文三路 1 号")

    address_id = named(world)
    first, again = change(world, address_id, "elsewhere"), change(world, address_id, "elsewhere")
    assert (first.status, first.json["contact"]["street"]) == (200, "文三路 2 号")
    assert again.json == first.json
    assert "address_asked" not in first.json
    assert change(world, named(world, "文三路 3 号"), "elsewhere").status == 422
    assert street(world) == "文三路 2 号"
    assert len(orders.load_purchase(world.order().purchase_id).delivery().changes) == 1


def test_a_repeat_asks_for_no_other_address_once_the_buyer_named_one(world: World) -> None:
    world.buys(1)
    path, ask = f"/v1/merchant/orders/{world.order_id}/ask-address", {"reason": "No carrier goes there."}
    assert world.market.post(path, ask, key="no-carrier").status == 200
    assert change(world, named(world)).status == 200
    assert world.market.post(path, ask, key="no-carrier").status == 200
    assert "address_asked" not in world.buyer.get(f"/v1/purchases/{world.order().purchase_id}").json
    reworded = world.market.post(path, {"reason": "Nobody opens."}, key="no-carrier")
    assert (reworded.status, reworded.json["code"]) == (422, "idempotency_key_reused")


def test_once_anything_was_sent_or_nothing_waits_it_stays_as_it_is(world: World) -> None:
    world.buys(2).shipped(1)
    address_id = named(world)
    assert change(world, address_id).json["code"] == "address_settled"
    ask = world.market.post(f"/v1/merchant/orders/{world.order_id}/ask-address", {"reason": "No."})
    assert ask.json["code"] == "address_settled"
    assert street(world) == "文三路 1 号"


def test_it_is_changed_five_times_at_most(world: World) -> None:
    world.buys(1)
    address_id = named(world)
    for _ in range(addressing.MOST_CHANGES):
        assert change(world, address_id).status == 200
    assert change(world, address_id).json["code"] == "address_settled"


def test_of_a_parcel_and_another_address_at_the_same_moment_one_goes_through(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.buys(2)
    address_id = named(world)
    real, rival = store.load_sale, iter([True])

    def load_sale(purchase_id: str) -> Any:
        found = real(purchase_id)
        if next(rival, False):
            assert world.ship(2).status == 201
        return found

    monkeypatch.setattr(store, "load_sale", load_sale)
    assert change(world, address_id).json["code"] == "address_settled"
    assert street(world) == "文三路 1 号"


def test_nobody_elses_address_or_purchase(world: World) -> None:
    world.buys(1)
    other = shop.buyer()
    assert change(world, other.address_id).status == 404
    path = f"/v1/purchases/{world.order().purchase_id}/address"
    assert other.post(path, {"address_id": other.address_id}).status == 404
