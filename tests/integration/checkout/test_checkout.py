"""Cart to purchase through HTTP against the embedded engine: prices, races, repeats, and refusals without a trace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.cart import service as carts
from chalicelib.checkout import service as checkout
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.runtime import aws
from chalicelib.runtime.db import dynamo
from tests.support import people
from tests.support.http import call
from tests.support.pump import UNPUBLISHED, Pump
from tests.support.shop import buyer, keep, shop


def available(sku_id: str) -> int:
    return inventory.level(sku_id).available


def test_two_merchants_become_one_purchase_of_two_orders_at_the_quoted_price(cloud: str) -> None:
    tea, silk = shop(name="Tea"), shop(name="Silk", freight=1200, free_from=5000)
    cup = tea.product(price_minor=1990, stock=10)
    scarf = silk.product(price_minor=5600, stock=3)
    who = buyer()
    who.put(cup.sku_id, 2)
    who.put(scarf.sku_id, 1)

    quote = who.quote().json
    assert quote["total"] == {"minor": 2 * 1990 + 800 + 5600, "currency": "CNY"}
    freights = {share["merchant_name"]: share["freight"]["minor"] for share in quote["shares"]}
    assert freights == {"Tea": 800, "Silk": 0}
    placed = who.place(quote["quote"])

    assert placed.status == 201
    purchase = who.get(placed.headers["location"]).json
    assert (purchase["status"], purchase["total"]["minor"]) == ("awaiting_payment", 10380)
    assert sorted((o["merchant_name"], o["status"], o["total"]["minor"]) for o in purchase["orders"]) == [
        ("Silk", "placed", 5600),
        ("Tea", "placed", 4780),
    ]
    assert purchase["contact"]["recipient"] == "王小明"
    assert (available(cup.sku_id), available(scarf.sku_id)) == (8, 2)
    assert who.get("/v1/cart").json["lines"] == []
    assert {o["order_id"] for o in who.get("/v1/orders").json["items"]} == set(purchase["order_ids"])


def test_lists_go_on_where_their_cursor_says_and_take_no_other(cloud: str, noon: Any) -> None:
    place = shop()
    sku = place.product(stock=50).sku_id
    who, other = buyer(), buyer()
    expected: list[str] = []
    for _ in range(5):
        noon.advance(timedelta(seconds=1))
        expected.insert(0, who.buy((sku, 1))["order_ids"][0])

    seen: list[str] = []
    cursor = ""
    while True:
        page = who.get(f"/v1/orders?limit=2{cursor}").json
        seen += [order["order_id"] for order in page["items"]]
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == expected

    foreign = other.get(f"/v1/orders?limit=2{cursor}")
    assert (foreign.status, foreign.json["code"]) == (422, "bad_cursor")
    assert [o["order_id"] for o in place.get("/v1/merchant/orders?limit=2").json["items"]] == expected[:2]


def test_sold_out_names_the_sku_and_leaves_no_trace(cloud: str) -> None:
    place = shop()
    few, many = place.product(stock=2).sku_id, place.product(stock=10).sku_id
    who = buyer()
    who.put(few, 3)
    who.put(many, 1)
    quote = who.quote().json["quote"]

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "out_of_stock")
    assert refused.json["items"] == [{"sku_id": few, "wanted": 3, "available": 2}]
    assert (available(few), available(many)) == (2, 10)
    assert who.get("/v1/orders").json == {"items": []}
    assert len(who.get("/v1/cart").json["lines"]) == 2


def test_after_a_sell_out_an_attempt_costs_no_write(cloud: str) -> None:
    place = shop()
    sku = place.product(stock=1).sku_id
    first, second = buyer(), buyer()
    first.put(sku)
    second.put(sku)
    tokens = [first.quote().json["quote"], second.quote().json["quote"]]
    assert first.place(tokens[0]).status == 201
    assert second.place(tokens[1]).status == 409

    calls: list[str] = []

    def watch(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        calls.append(operation)
        return proceed()

    with aws.hooked(watch):
        assert second.place(tokens[1]).status == 409
    # What the buyer holds with the prices, and whether this very key went through before.
    assert calls == ["BatchGetItem", "GetItem"]


def test_a_repeat_gets_the_same_purchase_and_another_body_is_refused(cloud: str) -> None:
    place = shop()
    sku, other = place.product(stock=1).sku_id, place.product(stock=9).sku_id
    who = buyer()
    who.put(sku)
    quote = who.quote().json["quote"]
    first = who.place(quote, key="checkout-key-1")
    assert first.status == 201

    repeat = who.place(quote, key="checkout-key-1")  # Sold out meanwhile, and the cart is empty: still the same answer.
    assert (repeat.status, repeat.json, repeat.headers["idempotency-replayed"]) == (201, first.json, "true")

    who.put(other)
    reused = who.place(who.quote().json["quote"], key="checkout-key-1")
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")
    assert (available(sku), available(other)) == (0, 9)


def test_one_quote_orders_once_whatever_its_key(cloud: str) -> None:
    place = shop()
    sku = place.product(stock=10).sku_id
    who = buyer()
    who.put(sku)
    quote = who.quote().json["quote"]
    placed = who.place(quote)
    assert placed.status == 201

    again = who.place(quote)

    assert (again.status, again.json["code"]) == (409, "quote_used")
    assert again.json["purchase_id"] == placed.json["purchase_id"]
    assert available(sku) == 9


def test_a_price_that_changed_shows_the_difference_and_sells_nothing(cloud: str) -> None:
    place = shop()
    made = place.product(price_minor=1000, stock=5)
    who = buyer()
    who.put(made.sku_id, 2)
    quote = who.quote().json["quote"]
    product = place.get(f"/v1/merchant/products/{made.product_id}")
    changed = _reprice(place, product, 1250)
    assert changed.status == 200, changed.body

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "price_changed")
    assert refused.json["lines"] == [
        {
            "sku_id": made.sku_id,
            "quoted": {"minor": 1000, "currency": "CNY"},
            "current": {"minor": 1250, "currency": "CNY"},
        }
    ]
    assert (refused.json["quoted_total"]["minor"], refused.json["current_total"]["minor"]) == (2800, 3300)
    assert available(made.sku_id) == 5


def _reprice(place: Any, product: Any, minor: int) -> Any:
    from chalicelib.catalog import service as catalog

    found = catalog.products([product.json["product_id"]])[product.json["product_id"]]
    body = {
        "skus": [
            {"sku_id": sku.sku_id, "options": list(sku.options), "price": {"minor": minor, "currency": "CNY"}}
            for sku in found.skus
        ]
    }
    return call(
        "PATCH",
        f"/v1/merchant/products/{found.product_id}",
        body,
        token=place.token,
        headers={"if-match": product.headers["etag"]},
    )


@pytest.mark.parametrize("spoil", [lambda t: t[:-2] + "AA", lambda t: "A" * len(t), lambda t: t[::-1]])
def test_a_quote_we_did_not_sign_is_refused(cloud: str, spoil: Callable[[str], str]) -> None:
    place = shop()
    sku = place.product(stock=5).sku_id
    who = buyer()
    who.put(sku)
    refused = who.place(spoil(who.quote().json["quote"]))
    assert (refused.status, refused.json["code"]) == (422, "bad_quote")
    assert available(sku) == 5


def test_a_quote_is_the_callers_own_and_short_lived(cloud: str, noon: Any) -> None:
    place = shop()
    sku = place.product(stock=5).sku_id
    who, thief = buyer(), buyer()
    who.put(sku)
    quote = who.quote().json["quote"]

    stolen = thief.place(quote)
    assert (stolen.status, stolen.json["code"]) == (422, "bad_quote")
    noon.advance(timedelta(minutes=16))
    who.token = people.token(who.account_id)
    late = who.place(quote)
    assert (late.status, late.json["code"]) == (409, "quote_expired")
    assert available(sku) == 5


def test_what_cannot_be_ordered_is_said_before_anything_is_written(cloud: str) -> None:
    place = shop()
    sku = place.product(stock=5).sku_id
    who = buyer()
    assert (who.quote().json["code"], who.quote().status) == ("empty_cart", 409)
    who.put(sku)
    nowhere = call("POST", "/v1/quotes", {}, token=who.token)
    assert (nowhere.status, nowhere.json["code"]) == (422, "address_needed")
    foreign = buyer()
    theirs = call("POST", "/v1/quotes", {"address_id": foreign.address_id}, token=who.token)
    assert theirs.status == 404
    ghost = "sku_" + "0" * 24 + "_01"
    keep(who.account_id, ghost, 1)  # Put in while it was on sale.
    gone = who.quote()
    assert (gone.status, gone.json["code"], gone.json["sku_ids"]) == (409, "not_for_sale", [ghost])
    chosen = who.quote(sku_ids=[sku])
    assert chosen.status == 200
    assert who.place(chosen.json["quote"]).status == 201
    assert [line["sku_id"] for line in who.get("/v1/cart").json["lines"]] == [ghost]


def test_a_price_that_the_client_sends_is_refused(cloud: str) -> None:
    who = buyer()
    refused = call("POST", "/v1/purchases", {"quote": "A" * 40, "total": {"minor": 1}}, token=who.token)
    assert (refused.status, refused.json["code"]) == (422, "invalid_request")
    assert refused.json["errors"][0]["pointer"] == "/total"


def test_virtual_goods_need_no_address_and_no_freight(cloud: str) -> None:
    place = shop()
    sku = place.product(kind="virtual", price_minor=5000, stock=5).sku_id
    who = buyer()
    who.put(sku)
    quote = call("POST", "/v1/quotes", {}, token=who.token)
    assert (quote.status, quote.json["total"]["minor"]) == (200, 5000)
    assert who.place(quote.json["quote"]).status == 201


def test_a_guests_cart_is_poured_into_the_buyers_once(cloud: str) -> None:
    place = shop()
    one, two = place.product().sku_id, place.product().sku_id
    begun = call("PUT", f"/v1/cart/lines/{one}", {"quantity": 2})
    token = begun.json["cart_token"]
    guest = {"x-cart-token": token}
    assert call("PUT", f"/v1/cart/lines/{two}", {"quantity": 1}, headers=guest).json["version"] == 2
    who = buyer()
    who.put(one, 1)

    for _ in range(2):
        merged = who.post("/v1/cart/merge", {"cart_token": token})
        assert {line["sku_id"]: line["quantity"] for line in merged.json["lines"]} == {one: 2, two: 1}
    assert call("GET", "/v1/cart", headers=guest).json["lines"] == []
    assert call("GET", "/v1/cart", headers={"x-cart-token": "f" * 40}).json["lines"] == []
    assert call("GET", "/v1/cart", headers={"x-cart-token": "../../etc"}).status == 422
    assert call("DELETE", f"/v1/cart/lines/{one}", token=who.token).json["lines"] == [{"sku_id": two, "quantity": 1}]


def test_a_cart_has_a_most_of_lines(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.cart.domain.MAX_LINES", 2)
    who = buyer()
    skus = shop().product(skus=3).sku_ids
    who.put(skus[0])
    who.put(skus[1])
    full = call("PUT", f"/v1/cart/lines/{skus[2]}", {"quantity": 1}, token=who.token)
    assert (full.status, full.json["code"]) == (409, "cart_full")
    assert who.put(skus[1], 7).json["version"] == 3


def test_many_buyers_of_few_units_leave_exactly_as_many_orders_under_injected_conflicts(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamo, "CAP_S", 0.02)
    place = shop()
    sku = place.product(stock=5).sku_id
    buyers = [buyer() for _ in range(16)]
    tokens = []
    for who in buyers:
        who.put(sku)
        tokens.append(who.quote().json["quote"])
    statuses: list[int] = []
    turn = [0]

    def conflict(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        turn[0] += 1
        if operation == "TransactWriteItems" and turn[0] % 3 == 0:
            from botocore.exceptions import ClientError

            reasons: Any = [{"Code": "TransactionConflict"}] * len(params["TransactItems"])
            raise ClientError(
                {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}, operation
            )
        return proceed()

    def run(mine: list[int]) -> None:
        statuses.extend(buyers[number].place(tokens[number]).status for number in mine)

    with aws.hooked(conflict):
        threads = [threading.Thread(target=run, args=(list(range(start, 16, 4)),)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(statuses) == [201] * 5 + [409] * 11
    assert available(sku) == 0


def test_unpaid_purchases_expire_and_their_stock_comes_back(cloud: str, noon: Any) -> None:
    place = shop()
    sku = place.product(stock=4).sku_id
    who = buyer()
    purchase = who.buy((sku, 3))
    pump = Pump(leaves=UNPUBLISHED)
    pump.drain()
    assert available(sku) == 1

    noon.advance(timedelta(minutes=29, seconds=58))
    pump.due()
    assert (available(sku), orders.load_purchase(purchase["purchase_id"]).status) == (1, "awaiting_payment")
    noon.advance(timedelta(seconds=3))
    pump.drain()

    sale = orders.load_sale(purchase["purchase_id"])
    assert (sale.purchase.status, sale.orders[0].status, sale.orders[0].stock) == ("expired", "cancelled", "released")
    assert available(sku) == 4
    checkout.expire(purchase["purchase_id"])  # A repeated deadline changes nothing.
    assert (available(sku), orders.load_purchase(purchase["purchase_id"]).version) == (4, sale.purchase.version)


def test_a_payment_begun_while_the_purchase_expires_makes_the_expiry_ask_again(
    cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shop()
    sku = place.product(stock=4).sku_id
    purchase_id = buyer().buy((sku, 1))["purchase_id"]
    noon.advance(timedelta(minutes=31))
    asked: list[int] = []

    def conclude(purchase: orders.Purchase) -> payments.Conclusion:
        asked.append(purchase.payment_attempts)
        if len(asked) == 1:  # A rival starts an attempt between our question and our write.
            from chalicelib.runtime.db.work import UnitOfWork

            with UnitOfWork() as work:
                orders.start_attempt(work, orders.load_purchase(purchase_id))
        return payments.Conclusion.CLOSED

    monkeypatch.setattr(payments, "conclude_attempts", conclude)
    checkout.expire(purchase_id)

    assert asked == [0, 1]
    assert (orders.load_purchase(purchase_id).status, available(sku)) == ("expired", 4)


def test_cancelling_an_unpaid_purchase_frees_its_stock_once(cloud: str) -> None:
    place = shop()
    sku = place.product(stock=4).sku_id
    who, other = buyer(), buyer()
    purchase = who.buy((sku, 2))
    path = f"/v1/purchases/{purchase['purchase_id']}/cancel"

    assert other.post(path).status == 404
    assert available(sku) == 2
    for _ in range(2):
        assert who.post(path, {"reason": "改主意了"}, key="cancel-key-1").json["status"] == "cancelled"
    assert who.post(path, {"reason": "another"}, key="cancel-key-1").json["code"] == "idempotency_key_reused"
    again = who.post(path)
    assert (again.status, again.json["code"]) == (409, "illegal_transition")
    assert available(sku) == 4


def test_a_cart_changed_between_two_writes_is_not_lost(cloud: str) -> None:
    who = buyer()
    threads = [threading.Thread(target=keep, args=(who.account_id, f"sku_{'0' * 23}{n}_01", n + 1)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cart = carts.load(who.account_id)
    assert (list(cart.lines.values()), cart.version) == ([1, 2, 3, 4, 5, 6, 7, 8], 8)


def test_orders_of_others_look_like_none(cloud: str) -> None:
    place, rival = shop(), shop()
    sku = place.product().sku_id
    order_id = buyer().buy((sku, 1))["order_ids"][0]
    other = buyer()

    assert other.get(f"/v1/orders/{order_id}").status == 404
    assert other.post(f"/v1/orders/{order_id}/confirm").status == 404
    assert other.post(f"/v1/orders/{order_id}/cancel").status == 404
    assert rival.get(f"/v1/merchant/orders/{order_id}").status == 404
    assert rival.post(f"/v1/merchant/orders/{order_id}/cancel").status == 404
    mine = place.get(f"/v1/merchant/orders/{order_id}")
    assert (mine.status, "contact" in mine.json) == (200, False)  # Unpaid: the merchant need not know where it goes.
    assert place.get("/v1/merchant/orders?view=to_ship").json == {"items": []}


def test_a_large_order_is_split_and_read_in_one_query(cloud: str) -> None:
    place = shop()
    skus = [place.product(price_minor=100 * number, stock=3).sku_id for number in range(1, 13)]
    who = buyer()
    order_id = who.buy(*((sku, 1) for sku in skus))["order_ids"][0]
    calls: list[str] = []

    def watch(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        calls.append(operation)
        return proceed()

    with aws.hooked(watch):
        order = who.get(f"/v1/orders/{order_id}").json
    assert calls == ["Query"]
    assert sorted(line["unit_price"]["minor"] for line in order["lines"]) == [100 * number for number in range(1, 13)]
    assert [len(o["lines"]) for o in who.get("/v1/orders").json["items"]] == [12]


def test_time_is_the_shops_clock(noon: Any) -> None:
    assert clock.now().isoformat() == "2026-11-22T04:00:00+00:00"
