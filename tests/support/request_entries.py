"""How the routes of what is made to order are called so that they succeed: see :mod:`tests.support.entries`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.kernel import clock

if TYPE_CHECKING:
    from tests.support.entries import Ask, World

SAY = {"text": "In blue, please."}


def entries(ask: type[Ask]) -> dict[str, Callable[[World], Ask]]:
    """Return the entry of each operation."""

    def of(make: Callable[[World], str], body: Any = None) -> Callable[[World], Ask]:
        return lambda world: ask(ids={"request_id": make(world)}, body=body() if callable(body) else body)

    def file(world: World) -> Ask:
        evidence_id = world.upload()
        return ask(ids={"request_id": _asked(world, files=[evidence_id]), "file_id": evidence_id})

    return {
        "ask_for_something": lambda world: ask(body={"product_id": world.listed.product_id, **SAY}),
        "list_requests": lambda _: ask(),
        "get_request": of(_asked),
        "get_request_file": file,
        "say_in_request": of(_asked, SAY),
        "accept_offer": of(_offered, {"offer": 1}),
        "withdraw_request": of(_asked),
        "quote_request": lambda world: ask(
            ids={"request_id": _accepted(world)}, body={"address_id": world.buyer.address_id}
        ),
        "list_merchant_requests": lambda _: ask(),
        "get_merchant_request": of(_asked),
        "get_merchant_request_file": file,
        "say_in_merchant_request": of(_asked, SAY),
        "make_offer": of(_asked, _offer),
        "decline_request": of(_asked, SAY),
    }


def _offer() -> dict[str, Any]:
    until = clock.now() + timedelta(days=20)
    return {
        "title": "Blue teapot",
        "price": {"minor": 25_000, "currency": "CNY"},
        "ready_by": until.date().isoformat(),
        "until": until.isoformat(),
        "text": "Three weeks.",
    }


_open: dict[str, deque[str]] = {}
"""A buyer -> the requests made for it: a few wait at a time, for so many may."""


def _asked(world: World, **more: Any) -> str:
    waiting = _open.setdefault(world.buyer.account_id, deque())
    while len(waiting) > 12:
        world.buyer.post(f"/v1/requests/{waiting.popleft()}/withdraw")
    answer = world.buyer.post("/v1/requests", {"product_id": world.listed.product_id, **SAY, **more})
    assert answer.status == 201, answer.body
    waiting.append(str(answer.json["request_id"]))
    return waiting[-1]


def _offered(world: World) -> str:
    request_id = _asked(world)
    answer = world.shop.post(f"/v1/merchant/requests/{request_id}/offer", _offer())
    assert answer.status == 200, answer.body
    return request_id


def _accepted(world: World) -> str:
    request_id = _offered(world)
    answer = world.buyer.post(f"/v1/requests/{request_id}/accept", {"offer": 1})
    assert answer.status == 200, answer.body
    return request_id
