"""Carts keep to what is on sale, to tokens that we gave out, and to what one network may begin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.cart import domain, tokens
from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause, Draft, SkuDraft
from chalicelib.kernel.money import Money
from chalicelib.merchants import service as merchants
from chalicelib.runtime import networks
from chalicelib.runtime.intents import system_intent
from tests.support import dump, goods, http
from tests.support.http import Answer, call
from tests.support.shop import Shop, buyer, shop

GHOST = "sku_" + "0" * 24 + "_01"


def rows() -> list[str]:
    """Return all rows of the carts' table."""
    return list(dump.tables(*(table for table in topology.TABLES if table != "carts"))["carts"])


def unlist(place: Shop, made: goods.Made) -> None:
    catalog.move(place.merchant_id, made.product_id, Cause.UNLIST, intent=system_intent(f"unlist#{made.product_id}"))


def draft(place: Shop) -> str:
    return place.product(listed=False, title="秘密新品").sku_id


def unlisted(place: Shop) -> str:
    made = place.product(title="秘密新品")
    unlist(place, made)
    return made.sku_id


def of_suspended(place: Shop) -> str:
    other = shop()
    sku_id = other.product(title="秘密新品").sku_id
    merchants.change(other.merchant_id, {"status": "suspended"})
    return sku_id


def no_such_number(place: Shop) -> str:
    return place.product().sku_id[:-2] + "09"


HIDDEN: dict[str, Callable[[Shop], str]] = {
    "draft": draft,
    "unlisted": unlisted,
    "suspended": of_suspended,
    "number": no_such_number,
    "invented": lambda _: GHOST,
    "malformed": lambda _: "sku_1",
    "a product": lambda place: place.product().product_id,
}


@pytest.mark.parametrize("how", HIDDEN)
@pytest.mark.parametrize("guest", [True, False])
def test_a_cart_takes_only_what_is_on_sale_and_tells_no_more(cloud: str, how: str, *, guest: bool) -> None:
    sku_id = HIDDEN[how](shop())
    token = None if guest else buyer().token
    before = len(rows())

    refused = call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1}, token=token)

    assert (refused.status, refused.json["code"], refused.json["what"]) == (404, "not_found", "SKU")
    assert "秘密" not in refused.body
    assert len(rows()) == before


@pytest.mark.parametrize("how", ["unlist", "suspend"])
def test_what_a_product_becomes_after_it_left_the_shelves_shows_in_no_cart(cloud: str, how: str) -> None:
    place, who = shop(), buyer()
    made = place.product(title="旧名", title_en="Old name", price_minor=100)
    other = place.product() if how == "unlist" else shop().product()
    who.put(made.sku_id, 2)
    who.put(other.sku_id)
    if how == "unlist":
        unlist(place, made)
    else:
        merchants.change(place.merchant_id, {"status": "suspended"})
    product = catalog.products([made.product_id])[made.product_id]
    skus = (SkuDraft(options=(), price=Money(777), sku_id=made.sku_id),)
    new = Draft(titles={"zh": "新名", "en": "New name"}, skus=skus)
    catalog.change(place.merchant_id, made.product_id, new, revision=product.revision)

    cart = who.get("/v1/cart")

    lines = {line["sku_id"]: line for line in cart.json["lines"]}
    assert lines[made.sku_id] == {"sku_id": made.sku_id, "quantity": 2, "available": False}
    assert lines[other.sku_id]["available"] is True
    assert "New name" not in cart.body
    assert "777" not in cart.body
    assert call("DELETE", f"/v1/cart/lines/{made.sku_id}", token=who.token).status == 200
    assert [line["sku_id"] for line in who.get("/v1/cart").json["lines"]] == [other.sku_id]


def test_a_line_without_a_picture_of_its_own_shows_its_products(cloud: str) -> None:
    place, who = shop(), buyer()
    made = place.product()
    product = catalog.products([made.product_id])[made.product_id]
    pictures = ("https://p.example/1.jpg", "https://p.example/2.jpg")
    catalog.change(place.merchant_id, made.product_id, Draft(pictures=pictures), revision=product.revision)
    who.put(made.sku_id)

    assert who.get("/v1/cart").json["lines"][0]["picture"] == pictures[0]


# --- tokens -----------------------------------------------------------------------------------------------------------


def forged(token: str) -> list[str]:
    swapped = ("0" if token[0] != "0" else "1") + token[1:]
    return ["f" * 40, "0" * 40, swapped, token[:-1] + ("0" if token[-1] != "0" else "1"), token[20:] + token[:20]]


def test_nothing_is_put_under_a_token_that_we_did_not_give_out(cloud: str) -> None:
    sku_id = shop().product().sku_id
    begun = call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1})
    token = begun.json["cart_token"]
    assert len(token) == 40
    before = len(rows())

    for made_up in forged(token):
        refused = call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1}, headers={"x-cart-token": made_up})
        assert (refused.status, refused.json["code"]) == (422, "bad_cart_token"), made_up
        assert call("GET", "/v1/cart", headers={"x-cart-token": made_up}).json["lines"] == []

    assert len(rows()) == before
    mine = call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 3}, headers={"x-cart-token": token})
    assert mine.json["lines"] == [{"sku_id": sku_id, "quantity": 3}]


def test_an_accounts_cart_needs_no_token_and_heeds_none(cloud: str) -> None:
    who, sku_id = buyer(), shop().product().sku_id
    answer = call(
        "PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 2}, token=who.token, headers={"x-cart-token": "f" * 40}
    )
    assert answer.status == 200
    assert who.get("/v1/cart").json["lines"][0]["quantity"] == 2


def test_tokens_differ_and_are_signed(cloud: str) -> None:
    made = {tokens.new() for _ in range(50)}
    assert len(made) == 50
    assert all(tokens.is_ours(token) for token in made)
    assert not any(tokens.is_ours(wrong) for token in made for wrong in forged(token))


# --- how many ---------------------------------------------------------------------------------------------------------


def begin(sku_id: str, source_ip: str, monkeypatch: pytest.MonkeyPatch) -> Answer:
    real = http.event

    def event(*args: Any, **options: Any) -> dict[str, Any]:
        made = real(*args, **options)
        made["requestContext"]["identity"]["sourceIp"] = source_ip
        return made

    with monkeypatch.context() as patched:
        patched.setattr(http, "event", event)
        return call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1})


def test_a_loop_of_guests_ends_at_its_networks_most(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.cart.store.BEGUN_BY_NETWORK", 5)
    sku_id = shop().product().sku_id
    assert call("PUT", f"/v1/cart/lines/{GHOST}", {"quantity": 1}).status == 404  # Counts for nothing.
    made = [begin(sku_id, "198.51.100.7", monkeypatch) for _ in range(5)]
    assert {answer.status for answer in made} == {200}
    before = len(rows())

    refused = begin(sku_id, "198.51.100.7", monkeypatch)

    assert (refused.status, refused.json["code"]) == (429, "too_many_carts")
    assert 0 < refused.json["wait_s"] <= domain.BEGUN_WINDOW_S
    assert len(rows()) == before
    token = made[0].json["cart_token"]
    assert call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 9}, headers={"x-cart-token": token}).status == 200
    assert begin(sku_id, "198.51.100.8", monkeypatch).status == 200  # A neighbour pays for nobody.
    noon.advance(timedelta(seconds=refused.json["wait_s"]))
    assert begin(sku_id, "198.51.100.7", monkeypatch).status == 200


def test_all_addresses_of_one_subscriber_count_together(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.cart.store.BEGUN_BY_NETWORK", 2)
    sku_id = shop().product().sku_id
    assert begin(sku_id, "2001:db8:1:2::1", monkeypatch).status == 200
    assert begin(sku_id, "2001:db8:1:2:ffff::9", monkeypatch).status == 200
    assert begin(sku_id, "2001:db8:1:2:3::4", monkeypatch).status == 429
    assert begin(sku_id, "2001:db8:1:3::1", monkeypatch).status == 200


@pytest.mark.parametrize(
    ("source_ip", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("", ""),
        ("unknown", ""),
        ("198.51.100.7, 10.0.0.1", ""),
    ],
)
def test_a_network_is_an_ipv4_address_or_a_64_of_ipv6(source_ip: str, network: str) -> None:
    assert networks.network_of(source_ip) == network


def test_no_address_is_kept_in_clear(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(shop().product().sku_id, "198.51.100.7", monkeypatch)
    assert "198.51.100" not in str(rows())
    assert networks.mark("198.51.100.7", "carts") != networks.mark("198.51.100.7", "purchases")
