"""How the routes of services' times are called so that they succeed: see :mod:`tests.support.entries`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from chalicelib.bookings import store
from chalicelib.kernel import clock
from tests.support import goods, sales
from tests.support.http import call

if TYPE_CHECKING:
    from tests.support.entries import Ask, World

_minutes = count(1)


def entries(ask: type[Ask]) -> dict[str, Callable[[World], Ask]]:
    """Return the entry of each operation."""

    def offer(world: World) -> Ask:
        slot = {"starts_at": _start().isoformat(), "minutes": 30, "capacity": 2}
        return ask(ids=_sku(_service(world)), body={"slots": [slot]})

    def listed(world: World) -> Ask:
        return ask(ids=_sku(_service(world)), query=_span())

    def book(world: World) -> Ask:
        order_id, starts_at, _ = _bought(world)
        return ask(ids={"order_id": order_id}, body={"line_id": "1", "starts_at": starts_at.isoformat()})

    def booked(world: World, body: Any = None) -> Ask:
        return ask(ids=_booked(world)[0], body=body)

    def move(world: World) -> Ask:
        ids, made = _booked(world)
        return ask(ids=ids, body={"starts_at": _offered(world, made).isoformat()})

    def redeem(world: World) -> Ask:
        ids, _ = _booked(world)
        return ask(body={"code": store.load(ids["order_id"], ids["booking_id"]).code})

    return {
        "list_slots": listed,
        "offer_slots": offer,
        "list_own_slots": listed,
        "book_slot": book,
        "list_bookings": lambda world: ask(ids={"order_id": _booked(world)[0]["order_id"]}),
        "move_booking": move,
        "cancel_booking": booked,
        "list_merchant_bookings": lambda _: ask(query=_span()),
        "redeem_code": redeem,
        "decline_booking": lambda world: booked(world, {"reason": "We are closed."}),
    }


def _start() -> datetime:
    return clock.now().replace(second=0, microsecond=0) + timedelta(days=9, minutes=next(_minutes))


def _span() -> dict[str, str]:
    now = clock.now().replace(microsecond=0)
    return {"since": now.isoformat(), "until": (now + timedelta(days=30)).isoformat()}


def _service(world: World) -> goods.Made:
    return world.product(kind="service", stock=0)


def _sku(made: goods.Made) -> dict[str, str]:
    return {"product_id": made.product_id, "sku_id": made.sku_id}


def _offered(world: World, made: goods.Made) -> datetime:
    starts_at = _start()
    slot = {"starts_at": starts_at.isoformat(), "minutes": 30, "capacity": 2}
    path = f"/v1/merchant/products/{made.product_id}/skus/{made.sku_id}/slots"
    answer = call("PUT", path, {"slots": [slot]}, token=world.shop.token)
    assert answer.status == 200, answer.body
    return starts_at


def _bought(world: World) -> tuple[str, datetime, goods.Made]:
    made = _service(world)
    starts_at = _offered(world, made)
    line = replace(sales.line("1", kind="service"), sku_id=made.sku_id, product_id=made.product_id)
    sale = sales.paid(world.buyer.account_id, (world.shop.merchant_id, (line,)))
    return sale.orders[0].order_id, starts_at, made


def _booked(world: World) -> tuple[dict[str, str], goods.Made]:
    order_id, starts_at, made = _bought(world)
    body = {"line_id": "1", "starts_at": starts_at.isoformat()}
    answer = world.buyer.post(f"/v1/orders/{order_id}/bookings", body)
    assert answer.status == 201, answer.body
    return {"order_id": order_id, "booking_id": str(answer.json["booking_id"])}, made
