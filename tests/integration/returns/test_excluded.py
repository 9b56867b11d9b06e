"""Goods that are not returned without a reason: only where their buyer confirmed it for this very purchase."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.http import call
from tests.support.returning import Desk, parcel


@pytest.fixture
def desk(cloud: str, noon: Any) -> Desk:
    desk = Desk.open(noon, quantity=1)
    desk.renew()
    path = f"/v1/merchant/products/{desk.made.product_id}"
    version = desk.shop.get(path).json["version"]
    answer = call("PATCH", path, {"no_return": "hygiene"}, token=desk.shop.token, headers={"if-match": f'"{version}"'})
    assert (answer.status, answer.json["no_return"]) == (200, "hygiene"), answer.body
    return desk


def again(desk: Desk, **more: Any) -> None:
    desk.order_id = desk.bought(1, **more)
    desk.deliver(desk.ship(1))
    desk.renew()


def test_what_was_not_confirmed_is_returned_like_any_other(desk: Desk) -> None:
    desk.buyer.put(desk.made.sku_id, 1)
    [share] = desk.buyer.quote().json["shares"]
    assert share["lines"][0]["no_return"] == "hygiene"
    assert share["lines"][0]["no_return_text"]
    again(desk)
    assert desk.ask().status == 201


def test_what_was_confirmed_goes_back_for_a_fault_only(desk: Desk) -> None:
    again(desk, no_return=[desk.made.sku_id])
    refused = desk.ask()
    assert (refused.status, refused.json["code"], refused.json["why"]) == (409, "not_returnable", "excluded")
    assert desk.buyer.post("/v1/returns/preview", desk.wanting()).json["code"] == "not_returnable"
    assert desk.order.returning == ()
    assert desk.ask(reason="quality", text="Leaks.").status == 201


def test_only_what_is_marked_can_be_confirmed(desk: Desk) -> None:
    desk.buyer.put(desk.made.sku_ids[0], 1)
    body = {"quote": desk.buyer.quote().json["quote"], "no_return": [desk.made.sku_ids[1]]}
    answer = desk.buyer.post("/v1/purchases", body)
    assert (answer.status, answer.json["code"]) == (409, "nothing_to_confirm")
    assert desk.buyer.get("/v1/orders").json["items"][0]["order_id"] == desk.order_id  # Nothing was placed.


def test_parcels_of_a_return_are_not_sent_under_a_number_that_is_taken(desk: Desk) -> None:
    return_id = desk.approved()
    taken = desk.buyer.get(f"/v1/orders/{desk.order_id}/shipments").json["items"][0]["tracking_number"]
    answer = desk.act(return_id, "parcel", {**parcel(), "tracking_number": taken})
    assert (answer.status, answer.json["code"]) == (409, "tracking_number_used")
    assert desk.seen(return_id)["status"] == "approved"
