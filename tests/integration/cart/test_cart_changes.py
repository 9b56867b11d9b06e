"""Several lines of a cart at a time: one call, all or nothing, the refused SKU named, and nobody's change lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.cart import service as carts
from chalicelib.kernel.errors import Busy
from chalicelib.runtime import aws
from tests.integration.cart.test_carts import GHOST, HIDDEN, forged, rows
from tests.support import dump
from tests.support.http import Answer, call
from tests.support.shop import buyer, shop
from tools.bench import metering

Proceed = Callable[[], dict[str, Any]]


def body(*lines: tuple[str, int]) -> dict[str, Any]:
    return {"lines": [{"sku_id": sku_id, "quantity": quantity} for sku_id, quantity in lines]}


def held(answer: Answer) -> dict[str, int]:
    return {line["sku_id"]: line["quantity"] for line in answer.json["lines"]}


def test_lines_are_set_and_taken_out_in_one_call_and_one_write(cloud: str) -> None:
    who, skus = buyer(), shop().product(skus=3).sku_ids
    who.fill((skus[0], 1))  # What a process remembers of merchants is read.
    other = buyer()

    with metering.measured() as meter:
        made = other.fill((skus[0], 2), (skus[1], 1))
    assert (made.status, held(made), made.json["version"]) == (200, {skus[0]: 2, skus[1]: 1}, 1)
    assert (meter.operations(), meter.write_units, meter.read_units) == (
        ["BatchGetItem carts,products", "UpdateItem carts"],
        1,
        1,
    )
    changed = other.fill((skus[0], 0), (skus[2], 999), (GHOST, 0))
    assert (held(changed), changed.json["version"]) == ({skus[1]: 1, skus[2]: 999}, 2)
    assert held(other.get("/v1/cart")) == {skus[1]: 1, skus[2]: 999}


def test_taking_out_of_nothing_writes_nothing(cloud: str) -> None:
    who, before = buyer(), len(rows())
    answer = who.fill((GHOST, 0))
    assert (answer.status, answer.json) == (200, {"lines": [], "version": 0})
    assert len(rows()) == before


@pytest.mark.parametrize("how", sorted(set(HIDDEN) - {"malformed"}))
@pytest.mark.parametrize("guest", [True, False])
def test_one_that_is_not_on_sale_refuses_all_and_is_named(cloud: str, how: str, *, guest: bool) -> None:
    place, hidden = shop(), HIDDEN[how](shop())
    good, held_before = place.product().sku_id, place.product().sku_id
    who = buyer()
    headers: dict[str, str] = {}
    if guest:
        headers = {"x-cart-token": call("PATCH", "/v1/cart", body((held_before, 1))).json["cart_token"]}
    else:
        who.put(held_before)
    token = None if guest else who.token
    before = dump.tables()

    refused = call("PATCH", "/v1/cart", body((good, 2), (hidden, 1), (held_before, 0)), token=token, headers=headers)

    told = (refused.status, refused.json["code"], refused.json["what"], refused.json["sku_ids"])
    assert told == (404, "not_found", "SKU", [hidden])
    assert "秘密" not in refused.body
    assert dump.differences(before, dump.tables()) == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({}, "missing"),
        ({"lines": []}, "too_short"),
        (body(*((f"sku_{'0' * 22}{number:02d}_01", 1) for number in range(91))), "too_long"),
        (body((GHOST, 1), (GHOST, 2)), "repeated_sku"),
        (body((GHOST, -1)), "greater_than_equal"),
        (body((GHOST, 1000)), "less_than_equal"),
        ({"lines": [{"sku_id": GHOST, "quantity": "1"}]}, "int_type"),
        ({"lines": [{"sku_id": GHOST, "quantity": True}]}, "int_type"),
        ({"lines": [{"sku_id": GHOST, "quantity": 1.5}]}, "int_type"),
        ({"lines": [{"sku_id": "sku_1", "quantity": 1}]}, "string_pattern_mismatch"),
        ({"lines": [{"sku_id": GHOST, "quantity": 1, "price": 1}]}, "extra_forbidden"),
        ({"lines": [{"sku_id": GHOST, "quantity": 1}], "owner": "me"}, "extra_forbidden"),
    ],
)
def test_wrong_changes_are_refused_before_anything_is_read(cloud: str, wrong: dict[str, Any], code: str) -> None:
    with metering.measured() as meter:
        refused = call("PATCH", "/v1/cart", wrong, token=buyer().token)
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, code)
    assert "carts" not in " ".join(meter.operations())


def test_a_full_cart_takes_no_more_but_lets_one_go_for_another(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.cart.domain.MAX_LINES", 2)
    who, skus = buyer(), shop().product(skus=4).sku_ids
    assert who.fill((skus[0], 1), (skus[1], 1)).status == 200
    before = dump.tables()

    full = who.fill((skus[0], 5), (skus[2], 1))
    assert (full.status, full.json["code"], full.json["cap"]) == (409, "cart_full", 2)
    assert dump.differences(before, dump.tables()) == []

    assert held(who.fill((skus[0], 0), (skus[2], 1))) == {skus[1]: 1, skus[2]: 1}


def test_a_guest_begins_one_cart_with_several_lines(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.cart.store.BEGUN_BY_NETWORK", 1)
    skus = shop().product(skus=2).sku_ids
    refused = call("PATCH", "/v1/cart", body((skus[0], 1), (GHOST, 1)))
    assert (refused.status, refused.json["sku_ids"]) == (404, [GHOST])  # Counts for nothing.

    begun = call("PATCH", "/v1/cart", body((skus[0], 1), (skus[1], 2)))

    token = begun.json["cart_token"]
    assert (held(begun), len(token)) == ({skus[0]: 1, skus[1]: 2}, 40)
    assert call("PATCH", "/v1/cart", body((skus[0], 1))).json["code"] == "too_many_carts"
    own = call("PATCH", "/v1/cart", body((skus[0], 0)), headers={"x-cart-token": token})
    assert held(own) == {skus[1]: 2}
    before = len(rows())
    for made_up in forged(token):
        answer = call("PATCH", "/v1/cart", body((skus[0], 1)), headers={"x-cart-token": made_up})
        assert (answer.status, answer.json["code"]) == (422, "bad_cart_token")
    assert len(rows()) == before


def test_a_change_that_comes_between_reading_and_writing_is_not_lost(cloud: str) -> None:
    who, skus = buyer(), shop().product(skus=3).sku_ids
    who.put(skus[0])
    rivals = [lambda: who.put(skus[1], 7)]

    def rival_first(service: str, operation: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        if operation == "UpdateItem" and rivals:
            rivals.pop()()
        return proceed()

    with aws.hooked(rival_first):
        answer = who.fill((skus[0], 0), (skus[2], 3))

    assert (held(answer), answer.json["version"]) == ({skus[1]: 7, skus[2]: 3}, 3)


def test_a_cart_that_keeps_changing_is_said_to_be_busy(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    who, sku_id = buyer(), shop().product().sku_id
    real = carts.write

    def too_late(cart: carts.Cart, lines: dict[str, int]) -> carts.Cart:
        real(carts.load(cart.owner_id), {**cart.lines, GHOST: 1})
        return real(cart, lines)

    monkeypatch.setattr(carts, "write", too_late)
    answer = who.fill((sku_id, 1))
    assert (answer.status, answer.json["code"]) == (503, Busy.code)


def test_changes_of_many_tabs_are_all_there(cloud: str) -> None:
    who, skus = buyer(), shop().product(skus=12).sku_ids
    answers: list[Answer] = []

    def tab(number: int) -> None:
        answers.append(who.fill(*((sku_id, number + 1) for sku_id in skus[3 * number : 3 * number + 3])))

    threads = [threading.Thread(target=tab, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * 4
    assert held(who.get("/v1/cart")) == {sku_id: at // 3 + 1 for at, sku_id in enumerate(skus)}
