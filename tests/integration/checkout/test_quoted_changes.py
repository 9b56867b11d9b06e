"""A question for the price that brings the cart's changes: one request, two calls, nothing if it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.catalog import service as catalog
from chalicelib.inventory import service as inventory
from chalicelib.runtime import aws, caches
from tests.integration.cart.test_carts import GHOST, HIDDEN
from tests.support import dump
from tests.support.http import Answer, call
from tests.support.shop import Buyer, buyer, keep, shop
from tools.bench import metering

Proceed = Callable[[], dict[str, Any]]


def asked(who: Buyer, *lines: tuple[str, int], **more: Any) -> Answer:
    changes = [{"sku_id": sku_id, "quantity": quantity} for sku_id, quantity in lines]
    return who.quote(lines=changes, **more)


def cart(who: Buyer) -> dict[str, int]:
    return {line["sku_id"]: line["quantity"] for line in who.get("/v1/cart").json["lines"]}


def quoted(answer: Answer) -> dict[str, int]:
    return {line["sku_id"]: line["quantity"] for share in answer.json["shares"] for line in share["lines"]}


def test_cart_and_quote_are_one_request_of_two_calls(cloud: str) -> None:
    place = shop()
    skus = [place.product(stock=5).sku_id for _ in range(2)]
    assert asked(buyer(), (skus[0], 1)).status == 200  # What a process remembers of merchants is read.
    who = buyer()

    with metering.measured() as meter:
        answer = asked(who, (skus[0], 2), (skus[1], 9))

    assert (answer.status, quoted(answer)) == (200, {skus[0]: 2, skus[1]: 9})
    lines = {line["sku_id"]: line for line in answer.json["shares"][0]["lines"]}
    assert (lines[skus[1]]["available"], "available" in lines[skus[0]]) == (5, False)
    assert meter.operations() == ["BatchGetItem carts,accounts,products,stock", "UpdateItem carts"]
    assert (meter.write_units, meter.read_units) == (1, 3.5)
    assert cart(who) == {skus[0]: 2, skus[1]: 9}
    placed = who.place(asked(who, (skus[1], 0)).json["quote"])
    assert (placed.status, cart(who)) == (201, {})


def test_a_quote_without_changes_takes_two_calls_and_writes_nothing(cloud: str) -> None:
    place, who = shop(), buyer()
    skus = [place.product().sku_id for _ in range(2)]
    who.fill((skus[0], 1), (skus[1], 1))
    with metering.measured() as meter:
        assert quoted(who.quote()) == {skus[0]: 1, skus[1]: 1}
    assert meter.operations() == ["BatchGetItem carts,accounts", "BatchGetItem products,stock"]
    assert (meter.write_units, meter.read_units) == (0, 4)


def test_what_the_cart_held_before_is_quoted_too_and_what_is_not_meant_stays(cloud: str) -> None:
    place, who = shop(), buyer()
    skus = [place.product().sku_id for _ in range(3)]
    who.fill((skus[0], 1), (skus[1], 2))

    both = asked(who, (skus[1], 0), (skus[2], 3))
    only = asked(who, (skus[1], 4), sku_ids=[skus[1], skus[0]])

    assert quoted(both) == {skus[0]: 1, skus[2]: 3}
    assert quoted(only) == {skus[0]: 1, skus[1]: 4}
    assert who.place(only.json["quote"]).status == 201
    assert cart(who) == {skus[2]: 3}


def test_units_in_buckets_are_counted_wherever_they_lie(cloud: str) -> None:
    place, who = shop(), buyer()
    made = place.product(stock=10)
    catalog.set_buckets(place.merchant_id, made.product_id, made.sku_id, 3)
    caches.forget_all()

    answer = asked(who, (made.sku_id, 11))

    assert answer.json["shares"][0]["lines"][0]["available"] == 10
    assert inventory.level(made.sku_id).available == 10


def unaddressed(who: Buyer, sku_id: str, _: str) -> Answer:
    return call("POST", "/v1/quotes", {"lines": [{"sku_id": sku_id, "quantity": 1}]}, token=who.token)


def foreign(who: Buyer, sku_id: str, _: str) -> Answer:
    return asked(who, (sku_id, 1), address_id=buyer().address_id)


def too_many(who: Buyer, sku_id: str, _: str) -> Answer:
    return asked(who, (sku_id, 999))


def emptied(who: Buyer, _: str, other: str) -> Answer:
    return asked(who, (other, 0))


def one_that_is_gone(who: Buyer, sku_id: str, _: str) -> Answer:
    keep(who.account_id, GHOST, 1)
    return asked(who, (sku_id, 2))


def full(who: Buyer, sku_id: str, _: str) -> Answer:
    return asked(who, (sku_id, 1), (shop().product().sku_id, 1))


REFUSED: dict[str, tuple[Callable[[Buyer, str, str], Answer], int, str]] = {
    "no address": (unaddressed, 422, "address_needed"),
    "another's address": (foreign, 404, "not_found"),
    "too many units": (too_many, 409, "too_many_units"),
    "nothing left": (emptied, 409, "empty_cart"),
    "something off sale": (one_that_is_gone, 409, "not_for_sale"),
    "a full cart": (full, 409, "cart_full"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_refused_quote_changes_no_cart(cloud: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "a full cart":
        monkeypatch.setattr("chalicelib.cart.domain.MAX_LINES", 2)
    place, who = shop(), buyer()
    other, sku_id = place.product(stock=5).sku_id, place.product(stock=5).sku_id
    who.put(other)
    ask, status, code = REFUSED[how]

    answer = ask(who, sku_id, other)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert sku_id not in cart(who)
    assert cart(who)[other] == 1


@pytest.mark.parametrize("how", sorted(set(HIDDEN) - {"malformed"}))
def test_a_change_that_is_not_on_sale_is_named_and_refuses_all(cloud: str, how: str) -> None:
    place, hidden, who = shop(), HIDDEN[how](shop()), buyer()
    good = place.product().sku_id
    before = dump.tables()

    refused = asked(who, (good, 2), (hidden, 1))

    assert (refused.status, refused.json["code"], refused.json["sku_ids"]) == (404, "not_found", [hidden])
    assert "秘密" not in refused.body
    assert dump.differences(before, dump.tables()) == []


def test_a_cart_that_changes_meanwhile_is_priced_again_as_it_is(cloud: str) -> None:
    place, who = shop(), buyer()
    skus = [place.product(stock=9).sku_id for _ in range(3)]
    rivals = [lambda: who.put(skus[2], 3)]

    def rival_first(service: str, operation: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        if operation == "UpdateItem" and rivals:
            rivals.pop()()
        return proceed()

    with aws.hooked(rival_first):
        answer = asked(who, (skus[0], 1), (skus[1], 1))

    assert quoted(answer) == cart(who) == {skus[0]: 1, skus[1]: 1, skus[2]: 3}
    assert who.place(answer.json["quote"]).status == 201


def test_a_question_that_is_not_answered_may_be_sent_again(cloud: str) -> None:
    """The write goes through and the answer is lost: the same again leads to the same cart, and a quote of it."""
    place, who = shop(), buyer()
    sku_id = place.product().sku_id
    lost = [True]

    def cut(service: str, operation: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        answer = proceed()
        if operation == "UpdateItem" and lost:
            lost.pop()
            raise ConnectionError
        return answer

    with aws.hooked(cut):
        first = asked(who, (sku_id, 2))
    answer = asked(who, (sku_id, 2))

    assert (first.status in (200, 500, 503), answer.status) == (True, 200)
    assert quoted(answer) == cart(who) == {sku_id: 2}
    assert who.place(answer.json["quote"]).status == 201
