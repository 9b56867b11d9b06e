"""What a quote depends on is checked again, or sealed, when it is ordered; what it sums up stays payable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause, Draft, Kind, SkuDraft
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import MAX_MINOR, MAX_TOTAL_MINOR, Money
from chalicelib.merchants import service as merchants
from chalicelib.orders import service as orders
from chalicelib.runtime.intents import system_intent
from tests.support import goods
from tests.support.http import call
from tests.support.shop import Buyer, Shop, buyer, shop

CASE_12 = (("JPY", 9900), ("JPY", 1), ("USD", 9900), ("KWD", 10**6))


def available(sku_id: str) -> int:
    return inventory.level(sku_id).available


def change(made: goods.Made, draft: Draft) -> None:
    """Change a product as its merchant does."""
    product = catalog.products([made.product_id])[made.product_id]
    catalog.change(product.merchant_id, made.product_id, draft, revision=product.revision)


def virtual(place: Shop, who: Buyer) -> tuple[goods.Made, str]:
    """Return goods that need no address, and the quote of them without one."""
    made = place.product(kind="virtual", price_minor=9900, stock=5)
    who.put(made.sku_id)
    answer = call("POST", "/v1/quotes", {}, token=who.token)
    assert answer.status == 200, answer.body
    return made, str(answer.json["quote"])


# --- A quote is what was quoted --------------------------------------------------------------------------------------


def test_goods_that_became_physical_are_not_ordered_without_an_address(cloud: str) -> None:
    who = buyer()
    made, quote = virtual(shop(freight=0), who)
    change(made, Draft(kind=Kind.PHYSICAL))

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "quote_changed")
    assert refused.json["lines"] == [
        {"sku_id": made.sku_id, "quoted_kind": "virtual", "current_kind": "physical"},
    ]
    assert available(made.sku_id) == 5
    assert who.get("/v1/orders").json == {"items": []}
    assert who.place().status == 201  # A new quote, with the address.


def test_a_kind_and_a_price_that_changed_together_are_both_shown(cloud: str) -> None:
    place = shop(freight=800, free_from=None)
    who = buyer()
    made, quote = virtual(place, who)
    change(made, Draft(kind=Kind.PHYSICAL))

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "price_changed")
    assert [sorted(line) for line in refused.json["lines"]] == [
        ["current", "freight_of", "quoted"],
        ["current_kind", "quoted_kind", "sku_id"],
    ]
    assert available(made.sku_id) == 5


@pytest.mark.parametrize("kind", [Kind.VIRTUAL, Kind.SERVICE])
def test_goods_that_are_no_parcel_any_more_are_not_ordered_as_one(cloud: str, kind: Kind) -> None:
    who = buyer()
    made = shop(freight=0).product(stock=5)
    who.put(made.sku_id)
    quote = who.quote().json["quote"]
    change(made, Draft(kind=kind))

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "quote_changed")
    assert available(made.sku_id) == 5


@pytest.mark.parametrize("titles", [{"zh": "手机壳", "en": "Phone"}, {"zh": "手机", "en": "Case"}, {"en": "Phone"}])
def test_goods_under_another_name_are_not_what_was_quoted(cloud: str, titles: dict[str, str]) -> None:
    who = buyer()
    made = shop().product(title="手机", title_en="Phone", stock=5)
    who.put(made.sku_id)
    quote = who.quote().json["quote"]
    change(made, Draft(titles=titles))

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "quote_changed")
    assert refused.json["lines"][0]["current_title"] in titles.values()
    assert available(made.sku_id) == 5


def test_another_currency_at_the_same_number_is_another_price(cloud: str) -> None:
    who = buyer()
    made = shop(freight=0).product(price_minor=9900, stock=5)
    who.put(made.sku_id)
    quote = who.quote().json["quote"]
    change(made, Draft(skus=(SkuDraft(options=(), price=Money(9900, "USD"), sku_id=made.sku_id),)))

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "price_changed")
    assert available(made.sku_id) == 5


Spoil = Callable[[str, goods.Made], object]

GONE: dict[str, Spoil] = {
    "unlisted": lambda merchant_id, made: catalog.move(
        merchant_id, made.product_id, Cause.UNLIST, intent=system_intent("unlist")
    ),
    "suspended": lambda merchant_id, _: merchants.change(merchant_id, {"status": "suspended"}),
}


@pytest.mark.parametrize("how", GONE)
def test_what_is_not_for_sale_any_more_is_not_ordered_by_an_old_quote(cloud: str, how: str) -> None:
    who, place = buyer(), shop()
    made = place.product(stock=5)
    who.put(made.sku_id)
    quote = who.quote().json["quote"]
    GONE[how](place.merchant_id, made)

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "not_for_sale")
    assert available(made.sku_id) == 5


def test_freight_terms_that_changed_show_in_the_difference(cloud: str) -> None:
    who, place = buyer(), shop(freight=800, free_from=None)
    made = place.product(stock=5)
    who.put(made.sku_id)
    quote = who.quote().json["quote"]
    merchants.change(place.merchant_id, {"freight": Money(900)})

    refused = who.place(quote)

    assert (refused.status, refused.json["code"]) == (409, "price_changed")
    assert refused.json["lines"][0]["current"] == {"minor": 900, "currency": "CNY"}


def test_the_commission_of_an_order_is_the_one_that_was_quoted(cloud: str) -> None:
    who, place = buyer(), shop(commission_bps=500)
    made = place.product(stock=5)
    who.put(made.sku_id)
    quote = who.quote().json["quote"]
    merchants.change(place.merchant_id, {"commission_bps": 9000})

    placed = who.place(quote)

    assert placed.status == 201
    assert orders.load_order(placed.json["order_ids"][0]).commission_bps == 500


def test_an_address_that_was_changed_meanwhile_stays_the_quoted_one(cloud: str) -> None:
    who, place = buyer(), shop()
    made = place.product(stock=5)
    who.put(made.sku_id)
    quote = who.quote().json["quote"]
    assert call("DELETE", f"/v1/me/addresses/{who.address_id}", token=who.token).status < 300

    placed = who.place(quote)

    assert placed.status == 201
    assert who.get(placed.headers["location"]).json["contact"]["recipient"] == "王小明"


# --- A threshold has a currency --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("currency", "price"), CASE_12)
def test_a_free_freight_threshold_compares_its_own_currency_only(cloud: str, currency: str, price: int) -> None:
    who, place = buyer(), shop(freight=1200, free_from=9900)
    who.put(place.product(price_minor=price, currency=currency).sku_id)

    refused = who.quote()

    assert (refused.status, refused.json["code"]) == (409, "mixed_currencies")
    assert refused.json["currencies"] == sorted(["CNY", currency])


@pytest.mark.parametrize("kind", ["physical", "virtual"])
def test_goods_of_another_currency_are_sold_where_no_freight_is_asked(cloud: str, kind: str) -> None:
    who = buyer()
    place = shop(freight=0 if kind == "physical" else 1200, free_from=9900)
    who.put(place.product(price_minor=9900, currency="JPY", kind=kind).sku_id)

    answer = who.quote()

    assert (answer.status, answer.json["total"]) == (200, {"minor": 9900, "currency": "JPY"})
    assert who.place(answer.json["quote"]).status == 201


@pytest.mark.parametrize(("price", "freight"), [(9899, 1200), (9900, 0), (9901, 0)])
def test_the_threshold_of_its_own_currency_still_holds(cloud: str, price: int, freight: int) -> None:
    who = buyer()
    who.put(shop(freight=1200, free_from=9900).product(price_minor=price).sku_id)
    assert who.quote().json["shares"][0]["freight"] == {"minor": freight, "currency": "CNY"}


def test_a_basket_of_two_currencies_is_refused_whatever_the_threshold(cloud: str) -> None:
    who, place = buyer(), shop(freight=0, free_from=None)
    who.put(place.product(price_minor=9900).sku_id)
    who.put(place.product(price_minor=9900, currency="JPY").sku_id)
    refused = who.quote()
    assert (refused.status, refused.json["code"], refused.json["currencies"]) == (
        409,
        "mixed_currencies",
        ["CNY", "JPY"],
    )


# --- Sums stay payable -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 3])
def test_a_total_that_nobody_can_pay_is_refused_where_it_is_quoted(cloud: str, lines: int) -> None:
    who, place = buyer(), shop(freight=0)
    for _ in range(lines):
        who.put(place.product(price_minor=MAX_MINOR, stock=1000).sku_id, 999)

    refused = who.quote()

    assert (refused.status, refused.json["code"]) == (409, "total_too_large")
    assert refused.json["most"] == "9999999999.99 CNY"


def test_the_largest_total_is_quoted_ordered_and_read(cloud: str) -> None:
    who, place = buyer(), shop(freight=0)
    who.put(place.product(price_minor=MAX_MINOR, stock=9).sku_id, 9)
    who.put(place.product(price_minor=MAX_TOTAL_MINOR - 9 * MAX_MINOR - 1, stock=1).sku_id)
    who.put(place.product(price_minor=1, stock=1).sku_id)

    placed = who.place()

    assert (placed.status, placed.json["total"]["minor"]) == (201, MAX_TOTAL_MINOR)
    assert who.get(placed.headers["location"]).status == 200


@pytest.mark.parametrize("field", ["freight", "free_freight_from"])
@pytest.mark.parametrize(("minor", "status"), [(MAX_MINOR, 200), (MAX_MINOR + 1, 422), (10**15, 422), (-1, 422)])
def test_freight_is_bounded_where_it_is_set(cloud: str, field: str, minor: int, status: int) -> None:
    place = shop()
    body = {field: {"minor": minor, "currency": "CNY"}}
    answer = call("PATCH", "/v1/merchant/profile", body, token=place.token)
    assert answer.status == status, answer.body
    if status == 422:
        assert answer.json["code"] == "bad_terms"


@pytest.mark.parametrize("field", ["price", "compare_at"])
def test_a_price_beyond_reason_is_refused_and_told_the_limit(cloud: str, field: str) -> None:
    place = shop()
    goods.categories()
    sku: dict[str, Any] = {"options": [], "price": {"minor": 1, "currency": "CNY"}}
    sku[field] = {"minor": MAX_MINOR + 1, "currency": "CNY"}
    body = {"titles": {"en": "Gold"}, "category_id": "tea", "skus": [sku]}
    refused = place.post("/v1/merchant/products", body)
    assert (refused.status, refused.json["rule"]) == (422, "bad_price")
    assert str(MAX_MINOR) in refused.json["detail"]


# --- What is left ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stock", "wanted", "told"), [(2, 3, 2), (3, 3, None), (4, 3, None), (0, 1, 0)])
def test_a_quote_says_what_is_left_where_it_is_short(cloud: str, stock: int, wanted: int, told: int | None) -> None:
    who, place = buyer(), shop()
    few, many = place.product(stock=stock).sku_id, place.product(stock=9).sku_id
    who.put(few, wanted)
    who.put(many)

    lines = {line["sku_id"]: line for line in who.quote().json["shares"][0]["lines"]}

    assert lines[few].get("available") == told
    assert "available" not in lines[many]


@pytest.mark.parametrize("buckets", [2, 20])
def test_what_is_left_is_the_sum_of_all_buckets(cloud: str, buckets: int) -> None:
    who = buyer()
    who.put(shop().product(stock=23, buckets=buckets).sku_id, 24)
    assert who.quote().json["shares"][0]["lines"][0]["available"] == 23


def test_what_is_left_follows_what_others_hold(cloud: str) -> None:
    who, rival = buyer(), buyer()
    sku = shop().product(stock=5).sku_id
    rival.buy((sku, 3))
    who.put(sku, 4)
    quote = who.quote().json
    assert quote["shares"][0]["lines"][0]["available"] == 2
    assert who.place(quote["quote"]).json["items"] == [{"sku_id": sku, "wanted": 4, "available": 2}]


def test_a_quote_of_another_release_is_bad_not_a_fault(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    who = buyer()
    who.put(shop().product().sku_id)
    encode = msgspec.json.encode

    def older(token: Any) -> bytes:
        built = msgspec.to_builtins(token)
        for share in built[4]:
            share[3] = [line[:5] for line in share[3]]
        return encode(built)

    with monkeypatch.context() as patched:
        patched.setattr(msgspec.json, "encode", older)
        quote = who.quote().json["quote"]
    refused = who.place(quote)
    assert (refused.status, refused.json["code"]) == (422, "bad_quote")


# --- Repeats ---------------------------------------------------------------------------------------------------------


def test_a_refusal_is_not_remembered_under_its_key(cloud: str) -> None:
    who = buyer()
    sku = shop().product(stock=1).sku_id
    who.put(sku, 2)
    quote = who.quote().json["quote"]
    assert who.place(quote, key="the-one-key-of-it").json["code"] == "out_of_stock"

    inventory.receive(sku, 1, intent=system_intent("more"))
    placed = who.place(quote, key="the-one-key-of-it")

    assert (placed.status, available(sku)) == (201, 0)
    assert "idempotency-replayed" not in placed.headers


def test_a_repeat_answers_with_the_record_as_it_is_now(cloud: str) -> None:
    who = buyer()
    who.put(shop().product().sku_id)
    quote = who.quote().json["quote"]
    placed = who.place(quote, key="the-one-key-of-it")
    assert placed.json["status"] == "awaiting_payment"
    assert who.post(f"/v1/purchases/{placed.json['purchase_id']}/cancel").status == 200

    repeat = who.place(quote, key="the-one-key-of-it")

    assert (repeat.status, repeat.json["purchase_id"]) == (201, placed.json["purchase_id"])
    assert (repeat.json["status"], repeat.headers["idempotency-replayed"]) == ("cancelled", "true")
