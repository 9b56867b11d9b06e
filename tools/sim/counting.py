"""What is counted against fraud is what happened: once each, however often, late and in whatever order it was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chalicelib.runtime import names

if TYPE_CHECKING:
    from tools.sim.oracle import Sale
    from tools.sim.world import World

ENDED_UNPAID = ("expired", "cancelled")


def judge(world: World) -> None:
    """Compare the facts of each buyer and merchant with the sales, and see that no rule in shadow reached anybody."""
    for problem in problems(world):
        world.oracle.broken("counted against fraud", problem)


def problems(world: World) -> Iterator[str]:
    """Say what is counted otherwise than it happened."""
    rows = {item["key_of"]["S"]: item for item in world.storage.tables[names.table_name("risk")].items.values()}
    for key in sorted(rows):
        if key.startswith("rvw_"):
            yield f"{key} is before people, though all rules run in shadow"
    sales = list(world.oracle.sales.values())
    for buyer_id in sorted({sale.buyer_id for sale in sales}):
        mine = [sale for sale in sales if sale.buyer_id == buyer_id]
        yield from _compared(rows, f"account#{buyer_id}", "paid", _paid(mine))
        unpaid = {sale.purchase_id for sale in mine if sale.status in ENDED_UNPAID}
        missing = unpaid - _records(rows, f"account#{buyer_id}", "unpaid")
        if missing:
            yield f"{buyer_id} ended unpaid and is not counted: {sorted(missing)}"
    for merchant_id in sorted({order.merchant_id for sale in sales for order in sale.orders.values()}):
        theirs = {
            order_id
            for sale in sales
            if sale.status == "paid"
            for order_id, order in sale.orders.items()
            if order.merchant_id == merchant_id
        }
        yield from _compared(rows, f"merchant#{merchant_id}", "paid", theirs)


def _paid(sales: list[Sale]) -> set[str]:
    return {order_id for sale in sales if sale.status == "paid" for order_id in sale.orders}


def _compared(rows: dict[str, Any], key: str, kind: str, happened: set[str]) -> Iterator[str]:
    counted = _records(rows, key, kind)
    if counted != happened:
        yield f"{key}: {kind} counts {sorted(counted - happened)} too much, and lacks {sorted(happened - counted)}"


def _records(rows: dict[str, Any], key: str, kind: str) -> set[str]:
    members: list[str] = rows.get(key, {}).get(kind, {"SS": []})["SS"]
    return {member.rpartition("@")[0] for member in members}
