"""What a merchant's stock view says can be checked from outside: by its own sums, and against the merchant's orders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.inventory import service as inventory
from chalicelib.inventory import store as inventory_store
from chalicelib.kernel import ids
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent, system_intent
from tests.support import people, shop
from tests.support.paying import Till

STOCK = 20


@dataclass
class World:
    """A shop with one SKU, and how to buy of it."""

    till: Till
    market: shop.Shop
    staff: people.Person
    sku_id: str
    product_id: str

    def view(self) -> dict[str, Any]:
        """Read the SKU's stock as its merchant does; the sums always hold."""
        token = people.token(self.staff.account_id, Role.MERCHANT_STAFF, merchant_id=self.market.merchant_id)
        self.market.token = token
        (level,) = self.market.get(f"/v1/merchant/products/{self.product_id}/stock").json["items"]
        assert level["received"] - level["written_off"] == level["available"] + level["ordered"]
        assert level["held"] + level["sold"] == level["ordered"]
        return dict(level)

    def counts(self) -> tuple[int, int, int]:
        level = self.view()
        return level["available"], level["held"], level["sold"]

    def place(self, who: shop.Buyer, units: int) -> str:
        return str(who.buy((self.sku_id, units))["purchase_id"])

    def pay(self, who: shop.Buyer, purchase_id: str) -> None:
        started = who.post(f"/v1/purchases/{purchase_id}/payments", {"provider": "sandbox"})
        self.till.sandbox.pay(started.json["payment_id"])
        self.till.settle()
        assert who.get(f"/v1/purchases/{purchase_id}").json["status"] == "paid"

    def of_orders(self) -> tuple[int, int]:
        """Count what the merchant's own list of orders says: units unpaid, and units paid and not given back."""
        held = sold = 0
        for item in self.market.get("/v1/merchant/orders?limit=100").json["items"]:
            order = orders.load_order(item["order_id"])
            back = sum(quantity for _, quantity in order.never_left)
            units = sum(line.quantity for line in order.lines)
            if order.status == "placed":
                held += units
            elif order.stock == "committed":
                sold += units - back
        return held, sold


@pytest.fixture
def world(cloud: str, noon: Any) -> World:
    till = Till.open(noon)
    merchant = people.merchant()
    staff = people.staff(merchant.merchant_id)
    market = shop.Shop(merchant.merchant_id, staff.token)
    made = market.product(price_minor=1000, stock=STOCK)
    return World(till, market, staff, made.sku_id, made.product_id)


def test_units_go_from_available_to_held_to_sold_and_back(world: World) -> None:
    assert world.counts() == (STOCK, 0, 0)
    first, second, third = shop.buyer(), shop.buyer(), shop.buyer()
    bought = world.place(first, 3)
    world.place(second, 2)
    called_off = world.place(third, 4)
    assert world.counts() == (STOCK - 9, 9, 0)

    world.pay(first, bought)
    assert world.counts() == (STOCK - 9, 6, 3)
    assert third.post(f"/v1/purchases/{called_off}/cancel").status == 200
    assert world.counts() == (STOCK - 5, 2, 3)
    assert world.of_orders() == (2, 3)

    world.till.clock.advance(timedelta(hours=1))
    for _ in range(3):
        world.till.pump.due()
        world.till.settle()
    assert world.counts() == (STOCK - 3, 0, 3)

    first.token = people.token(first.account_id)
    order_id = orders.load_sale(bought).orders[0].order_id
    assert first.post(f"/v1/orders/{order_id}/cancel", {"reason": "changed my mind"}).status == 200
    assert world.counts() == (STOCK, 0, 0)
    assert world.of_orders() == (0, 0)


@pytest.mark.parametrize("buckets", [1, 4])
def test_the_sums_hold_at_every_look_while_rivals_buy_pay_and_call_off(world: World, buckets: int) -> None:
    inventory.set_buckets(world.sku_id, buckets)
    buyers = [shop.buyer() for _ in range(8)]

    def act(number: int) -> int:
        who = buyers[number]
        purchase_id = world.place(who, 1 + number % 3)
        if number % 2:
            assert who.post(f"/v1/purchases/{purchase_id}/cancel").status == 200
            return 0
        if number == 4:
            inventory.set_buckets(world.sku_id, 1 + buckets % 4)
        return 1 + number % 3

    def look(_: int) -> None:
        level = inventory.level(world.sku_id)
        assert level.received - level.written_off == level.available + level.ordered

    with ThreadPoolExecutor(4) as threads:
        kept = threads.map(act, range(8))
        looks = threads.map(look, range(12))
        held = sum(kept)
        assert list(looks)
    assert world.counts() == (STOCK - held, held, 0)
    assert world.of_orders() == (held, 0)


def test_a_unit_that_vanishes_without_an_order_shows(world: World) -> None:
    with UnitOfWork() as work:
        row = inventory_store.StockRow(sku_id=world.sku_id, bucket="00")
        available = inventory_store.StockRow.available
        work.update(
            row, [available.add(-1)], condition=available >= 1, refuse=lambda _: AssertionError(), label="theft"
        )
    with pytest.raises(AssertionError):
        world.view()


def test_rows_of_old_show_what_they_can_and_count_from_their_next_receipt_on(world: World) -> None:
    with UnitOfWork() as work:
        row = inventory_store.StockRow(sku_id=world.sku_id, bucket="00")
        ordered, counted = inventory_store.StockRow.ordered, inventory_store.StockRow.counted
        available = inventory_store.StockRow.available
        gone = [available.add(-5), ordered.remove(), counted.remove()]
        work.update(row, gone, condition=available >= 5, refuse=lambda _: AssertionError(), label="of old")
    assert world.counts() == (STOCK - 5, 0, 5)

    world.place(shop.buyer(), 2)
    assert world.counts() == (STOCK - 7, 2, 5)
    inventory.receive(world.sku_id, 10, intent=system_intent("later"))
    assert inventory_store.buckets(world.sku_id)[0].is_counted
    world.place(shop.buyer(), 1)
    assert world.counts() == (STOCK + 2, 3, 5)


def test_what_came_by_a_count_is_counted_too(cloud: str) -> None:
    sku_id = ids.child_id("sku", ids.new_id("prd"), 1)
    inventory.set_available(sku_id, 4, intent=Intent(scope="acc_1", key="count", fingerprint="f"))
    assert inventory_store.buckets(sku_id)[0].is_counted


def test_too_many_unpaid_orders_to_count_through_are_not_guessed_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MOST_UNPAID", 2)
    world.place(shop.buyer(), 1)
    assert world.counts() == (STOCK - 1, 1, 0)
    world.place(shop.buyer(), 1)
    (level,) = world.market.get(f"/v1/merchant/products/{world.product_id}/stock").json["items"]
    assert (level["available"], level["ordered"]) == (STOCK - 2, 2)
    assert not {"held", "sold"} & level.keys()
