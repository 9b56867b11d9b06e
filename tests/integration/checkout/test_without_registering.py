"""Somebody who never registers orders with a code to a phone, and finds the order again by the same phone."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.kernel import clock
from tests.support import joining
from tests.support.http import Answer, call
from tests.support.shop import ADDRESS, shop

PHONE, PASSWORD = "+8613912345678", "correct horse battery"


def comes(phone: str = PHONE) -> str:
    """Sign in by a code; returns the access token."""
    body = {"contact": phone, "create": True, **joining.proof(phone, "sign_in")}
    answer = call("POST", "/v1/auth/sign-in/code", body)
    assert answer.status == 200, answer.body
    return str(answer.json["access_token"])


def order(token: str, cart_token: str) -> Answer:
    assert call("POST", "/v1/cart/merge", {"cart_token": cart_token}, token=token).status == 200
    address_id = call("POST", "/v1/me/addresses", ADDRESS, token=token).json["address_id"]
    quote = call("POST", "/v1/quotes", {"address_id": address_id}, token=token).json["quote"]
    return call("POST", "/v1/purchases", {"quote": quote}, token=token)


@pytest.fixture
def cart(cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cart of nobody's with one thing in it, where the first order wants a verified phone."""
    monkeypatch.setenv("BIANDAN_VERIFIED_PHONE", "on")
    sku_id = shop().product(stock=3).sku_id
    return str(call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1}).json["cart_token"])


def test_a_code_to_a_phone_is_enough_to_order_follow_and_cancel(cart: str) -> None:
    token = comes()
    placed = order(token, cart)
    assert placed.status == 201, placed.body
    path = f"/v1/purchases/{placed.json['purchase_id']}"
    assert call("GET", path, token=comes("+8613912345679")).status == 404
    assert call("GET", f"{path}/status", token=token).json["status"] == "awaiting_payment"
    again = comes()  # Another day, another device: the same phone.
    assert call("GET", path, token=again).json["purchase_id"] == placed.json["purchase_id"]
    assert call("POST", f"{path}/cancel", {}, token=again).status == 200


def test_who_stays_sets_a_password_and_adds_an_address_and_keeps_the_order(cart: str) -> None:
    token = comes()
    placed = order(token, cart).json["purchase_id"]
    set_one = call("PUT", "/v1/me/password", {"password": PASSWORD}, token=token)
    assert set_one.status == 200, set_one.body
    email: Any = {"contact": "ada@example.com", **joining.proof("ada@example.com", "verify")}
    token = set_one.json["access_token"]
    assert call("POST", "/v1/me/contacts/verify", email, token=token).status == 200
    for identity in (PHONE, "ada@example.com"):
        signed_in = call("POST", "/v1/auth/sign-in", {"identity": identity, "password": PASSWORD}).json
        found = call("GET", f"/v1/purchases/{placed}", token=signed_in["access_token"])
        assert found.json["purchase_id"] == placed


@pytest.mark.parametrize("token", ["0" * 40, "f" * 40, "", "a-cart-of-my-own", "0" * 39 + "g"])
def test_carts_are_begun_by_us_alone(cart: str, token: str) -> None:
    sku_id = call("GET", "/v1/cart", headers={"X-Cart-Token": cart}).json["lines"][0]["sku_id"]
    refused = call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1}, headers={"X-Cart-Token": token})
    assert (refused.status, refused.json["code"]) == (422, "bad_cart_token")


def test_without_a_verified_phone_nothing_is_ordered_where_the_shop_wants_one(cart: str) -> None:
    body = {"contact": "eve@example.com", "create": True, **joining.proof("eve@example.com", "sign_in")}
    token = call("POST", "/v1/auth/sign-in/code", body).json["access_token"]
    refused = order(token, cart)
    assert (refused.status, refused.json["code"]) == (409, "verified_phone_needed")
    shown = {"contact": PHONE, **joining.proof(PHONE, "verify")}
    assert call("POST", "/v1/me/contacts/verify", shown, token=token).status == 200
    address_id = call("GET", "/v1/me/addresses", token=token).json["items"][0]["address_id"]
    quote = call("POST", "/v1/quotes", {"address_id": address_id}, token=token)
    assert call("POST", "/v1/purchases", {"quote": quote.json["quote"]}, token=token).status == 201
