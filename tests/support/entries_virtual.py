"""How the routes of virtual goods are called; see ``entries``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalicelib.kernel import ids
from chalicelib.virtual import service as virtual
from tests.support import sales
from tests.support.http import call

if TYPE_CHECKING:
    from tests.support.entries import Ask, World


def _ask(**what: Any) -> Ask:
    from tests.support.entries import Ask

    return Ask(**what)


def _pool(world: World, **terms: Any) -> str:
    """Make a virtual SKU whose buyers get codes; returns it."""
    sku_id = world.product(kind="virtual", stock=0, listed=False).sku_id
    put = call("PUT", f"/v1/merchant/pools/{sku_id}", {"form": "code", **terms}, token=world.shop.token)
    assert put.status == 200, put.body
    return sku_id


def _own_sku(world: World) -> Ask:
    made = world.product(kind="virtual", stock=0, listed=False)
    return _ask(ids={"sku_id": made.sku_id}, body={"form": "text", "text": "Your licence.", "within_minutes": 60})


def _own_pool(body: Any = None) -> Callable[[World], Ask]:
    return lambda world: _ask(ids={"sku_id": _pool(world)}, body=body)


def _owed(world: World, sku_id: str = "") -> str:
    """Make a paid order of one virtual unit; returns it."""
    line = sales.line("1", kind="virtual")
    line = replace(line, sku_id=sku_id, product_id=ids.parent_id("prd", sku_id)) if sku_id else line
    return sales.paid(world.buyer.account_id, (world.shop.merchant_id, (line,))).orders[0].order_id


def _delivered(world: World) -> str:
    sku_id = _pool(world, form="text", text="Your licence.")
    order_id = _owed(world, sku_id)
    virtual.serve(order_id)
    return order_id


def _codes(world: World) -> Ask:
    """Upload codes that no pool of the shop's has."""
    sku_id = _pool(world)
    return _ask(ids={"sku_id": sku_id}, body={"codes": [f"ONE-{sku_id}", f"TWO-{sku_id}"], "to_stock": True})


def _by_hand(world: World) -> Ask:
    body = {"form": "link", "link": "https://files.example/yours", "quantity": 1}
    return _ask(ids={"order_id": _owed(world), "line_id": "1"}, body=body)


def _of_order(world: World) -> Ask:
    return _ask(ids={"order_id": _delivered(world)})


def _of_line(world: World) -> Ask:
    return _ask(ids={"order_id": _delivered(world), "line_id": "1"})


ENTRIES: dict[str, Callable[[Any], Any]] = {
    "confirm_virtual": _of_line,
    "deliver_virtual": _by_hand,
    "get_merchant_virtual": _of_order,
    "get_pool": _own_pool(),
    "get_promise": _own_pool(),
    "get_virtual": _of_order,
    "list_owed": lambda _: _ask(),
    "list_pools": lambda _: _ask(),
    "look_at_virtual": _of_line,
    "put_pool": _own_sku,
    "upload_codes": _codes,
    "upload_virtual_file": lambda _: _ask(body={"content_type": "application/pdf", "size": 100}),
    "withdraw_codes": _own_pool({"quantity": 1}),
}
