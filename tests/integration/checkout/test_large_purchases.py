"""Every cart within its caps is ordered, paid, expired and called off whole, or refused where it is quoted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.checkout import domain
from chalicelib.inventory import service as inventory
from chalicelib.inventory import store as inventory_store
from chalicelib.orders import service as orders
from chalicelib.runtime import aws
from chalicelib.runtime.intents import system_intent
from tests.support.paying import Till
from tests.support.pump import UNPUBLISHED, Pump
from tests.support.shop import Buyer, Shop, buyer, keep, shop

SHAPES = [(5, 90), (20, 75), (1, 90), (19, 76)]
"""Merchants and SKUs: the case that was found, and the largest that fit."""
TOO_LARGE = [(6, 90), (20, 76), (20, 90)]


def fill(who: Buyer, merchants: int, skus: int, **wanted: Any) -> tuple[list[Shop], list[str]]:
    """Put so many SKUs of so many merchants into the cart."""
    places = [shop(name=f"Shop {number}") for number in range(merchants)]
    sku_ids: list[str] = []
    for number, place in enumerate(places):
        count = skus // merchants + (number < skus % merchants)
        sku_ids += place.product(skus=count, title="名" * 20, title_en="Name " * 8, **wanted).sku_ids
    for sku_id in sku_ids:
        keep(who.account_id, sku_id, 1)
    return places, sku_ids


def left(sku_ids: list[str]) -> set[int]:
    return {level.available for level in inventory.levels(sku_ids).values()}


@pytest.mark.parametrize(("merchants", "skus"), SHAPES)
def test_a_cart_within_its_caps_is_ordered_and_called_off(cloud: str, merchants: int, skus: int) -> None:
    who = buyer()
    places, sku_ids = fill(who, merchants, skus)

    placed = who.place()

    assert placed.status == 201, placed.body
    assert (len(placed.json["order_ids"]), left(sku_ids)) == (merchants, {9})
    sale = who.get(placed.headers["location"]).json
    assert sorted(line["sku_id"] for order in sale["orders"] for line in order["lines"]) == sorted(sku_ids)
    for order in sale["orders"]:
        assert who.get(f"/v1/orders/{order['order_id']}").json["lines"] == order["lines"]
    assert [len(one.get("/v1/merchant/orders").json["items"][0]["lines"]) for one in places] == [
        skus // merchants + (number < skus % merchants) for number in range(merchants)
    ]
    assert who.post(f"/v1/purchases/{sale['purchase_id']}/cancel").json["status"] == "cancelled"
    assert left(sku_ids) == {10}
    again = who.get(placed.headers["location"]).json
    assert [len(order["lines"]) for order in again["orders"]] == [len(order["lines"]) for order in sale["orders"]]


@pytest.mark.parametrize(("merchants", "skus"), [(5, 90), (20, 75)])
def test_a_large_purchase_expires_and_gives_everything_back(cloud: str, noon: Any, merchants: int, skus: int) -> None:
    who = buyer()
    _, sku_ids = fill(who, merchants, skus)
    purchase_id = who.place().json["purchase_id"]

    noon.advance(timedelta(minutes=31))
    Pump(leaves=UNPUBLISHED).due()
    Pump(leaves=UNPUBLISHED).drain()

    assert (orders.load_purchase(purchase_id).status, left(sku_ids)) == ("expired", {10})


@pytest.mark.parametrize(("merchants", "skus"), [(5, 90), (20, 75)])
def test_a_large_purchase_is_paid_and_one_of_its_orders_cancelled(
    cloud: str, noon: Any, merchants: int, skus: int
) -> None:
    till = Till.open(noon)
    who = Buyer(till.buyer.account_id, till.buyer.token, buyer().address_id)
    places, sku_ids = fill(who, merchants, skus, kind="virtual")
    sale = orders.load_sale(who.place(who.quote(address_id=None).json["quote"]).json["purchase_id"])

    till.sandbox.pay(till.started(sale))
    till.settle()

    paid = orders.load_sale(sale.purchase.purchase_id)
    assert (paid.purchase.status, {order.status for order in paid.orders}) == ("paid", {"paid"})
    assert [order.lines for order in paid.orders] == [order.lines for order in sale.orders]
    order_id = paid.orders[0].order_id
    assert who.post(f"/v1/orders/{order_id}/cancel", {"reason": "x"}).json["status"] == "cancelled"
    assert len(places) == merchants
    assert sorted(left(sku_ids)) == [9, 10]


@pytest.mark.parametrize(("merchants", "skus"), TOO_LARGE)
def test_what_no_transaction_can_hold_is_refused_where_it_is_quoted(cloud: str, merchants: int, skus: int) -> None:
    who = buyer()
    _, sku_ids = fill(who, merchants, skus)

    refused = who.quote()

    assert (refused.status, refused.json["code"]) == (409, "purchase_too_large")
    assert (refused.json["most"], refused.json["items"], refused.json["merchants"]) == (
        domain.MAX_ROWS,
        skus,
        merchants,
    )
    assert str(domain.MAX_ROWS) in refused.json["detail"]
    some = who.quote(sku_ids=sku_ids[: domain.MAX_ROWS - merchants])  # A part of it can.
    assert some.status == 200
    assert who.place(some.json["quote"]).status == 201


# --- hot stock --------------------------------------------------------------------------------------------------------


def thin(sku_id: str, merchant_id: str, product_id: str, units: int, buckets: int) -> None:
    """Spread so many units over so many buckets."""
    from chalicelib.catalog import service as catalog

    inventory.set_available(sku_id, units, intent=system_intent(f"thin#{sku_id}"))
    catalog.set_buckets(merchant_id, product_id, sku_id, buckets)


def spread_out(places: list[Shop], units: int, buckets: int, some: int) -> None:
    """Spread the first SKUs."""
    made = [(place, product, sku_id) for place in places for product in place.made for sku_id in product.sku_ids]
    for place, product, sku_id in made[:some]:
        thin(sku_id, place.merchant_id, product.product_id, units, buckets)


@pytest.mark.parametrize(("buckets", "wanted"), [(20, 37), (20, 21), (3, 6)])
def test_a_full_cart_of_hot_goods_is_ordered_to_the_last_unit(cloud: str, buckets: int, wanted: int) -> None:
    who = buyer()
    places, sku_ids = fill(who, 5, 90)
    spread_out(places, wanted, buckets, some=3)
    for sku_id in sku_ids[:3]:
        keep(who.account_id, sku_id, wanted)

    placed = who.place()

    assert placed.status == 201, placed.body
    assert left(sku_ids[:3]) == {0}
    assert left(sku_ids[3:]) == {9}
    levels = inventory.levels(sku_ids[:3]).values()
    assert {(level.received - level.written_off, level.buckets) for level in levels} == {(wanted, buckets)}


def test_units_are_moved_only_where_rows_are_short(cloud: str) -> None:
    who = buyer()
    places, sku_ids = fill(who, 1, 3)
    spread_out(places, 40, 20, some=1)
    keep(who.account_id, sku_ids[0], 39)
    layouts = {bucket.layout for bucket in inventory_store.buckets(sku_ids[0])}

    assert who.place().status == 201

    seen = inventory_store.buckets(sku_ids[0])
    assert {bucket.layout for bucket in seen} == layouts
    assert sum(bucket.available for bucket in seen) == 1


def test_hot_goods_that_are_short_say_so_and_stay_where_they_are(cloud: str) -> None:
    who = buyer()
    places, sku_ids = fill(who, 5, 90)
    spread_out(places, 40, 20, some=2)
    keep(who.account_id, sku_ids[0], 41)
    keep(who.account_id, sku_ids[1], 40)

    refused = who.place()

    assert (refused.status, refused.json["code"]) == (409, "out_of_stock")
    assert refused.json["items"] == [{"sku_id": sku_ids[0], "wanted": 41, "available": 40}]
    assert left(sku_ids[:2]) == {40}


def test_a_rival_who_empties_the_gathered_bucket_changes_nothing_but_the_answer(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, rival = buyer(), buyer()
    places, sku_ids = fill(who, 5, 90)
    spread_out(places, 40, 20, some=1)
    keep(who.account_id, sku_ids[0], 40)
    quote = who.quote().json["quote"]
    done: list[int] = []

    def meddle(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        if operation == "TransactWriteItems" and not done and len(params["TransactItems"]) == 20:
            done.append(1)
            rival.buy((sku_ids[0], 30))
        return answer

    with aws.hooked(meddle):
        refused = who.place(quote)

    assert done == [1]
    assert (refused.status, refused.json["items"]) == (409, [{"sku_id": sku_ids[0], "wanted": 40, "available": 10}])
    assert left(sku_ids[:1]) == {10}
    assert left(sku_ids[1:]) == {10}
