"""Reads and writes of the ``orders`` table: all of one purchase in one partition, so one Query reads a whole sale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib.kernel import ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Place, Window
from chalicelib.orders.domain import Order, Purchase, Sale, Stock
from chalicelib.orders.rows import (
    LINES,
    LinesRow,
    OrderRow,
    PurchaseRow,
    order_of,
    order_rows,
    purchase_of,
    purchase_row,
    unpaid_of,
)
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.lookups import Found, Lookup
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.work import UnitOfWork

_PAGE = 200
"""So many rows a read at most, where a list is read through to its end."""


def load_sale(purchase_id: str) -> Sale:
    """Read a purchase and its orders, consistently, in one Query.

    Raises:
        NotFound: if there is none.
    """
    purchase, orders = _assemble(reads.query_items(PurchaseRow, purchase_id, consistent=True))
    if purchase is None:
        raise NotFound(what="purchase")
    return Sale(purchase, tuple(orders))


def peek_sale(purchase_id: str) -> Sale | None:
    """Read a sale that may be stale, for half the units; None if not all of its rows are seen.

    Its rows may be of different moments: for a write that each of them guards by its version.
    """
    purchase, orders = _assemble(reads.query_items(PurchaseRow, purchase_id))
    if purchase is None or tuple(order.order_id for order in orders) != purchase.order_ids:
        return None
    return Sale(purchase, tuple(orders)) if all(order.lines for order in orders) else None


def sale_lookup(purchase_id: str) -> Lookup[Sale | None]:
    """Say how a sale of one order is peeked at with something else; None if it has more rows than these two.

    By key, for one Query reads nothing beside it.
    """

    def found(rows: Found) -> Sale | None:
        purchase, order = rows.row(PurchaseRow, purchase_id, purchase_id), rows.row(OrderRow, purchase_id, order_id)
        if purchase is None or order is None or order.lines is None:
            return None
        bought = purchase_of(purchase)
        return Sale(bought, (order_of(order, None),)) if bought.order_ids == (order_id,) else None

    order_id = ids.child_id("ord", purchase_id, 1)
    return Lookup.of([(PurchaseRow, purchase_id, purchase_id), (OrderRow, purchase_id, order_id)], found)


def load_purchase(purchase_id: str, *, consistent: bool = True) -> Purchase:
    """Read a purchase alone.

    Raises:
        NotFound: if there is none.
    """
    row = reads.get(PurchaseRow, purchase_id, purchase_id, consistent=consistent)
    if row is None:
        raise NotFound(what="purchase")
    return purchase_of(row)


def purchases(purchase_ids: Sequence[str]) -> list[Purchase]:
    """Read purchases alone, consistently, a hundred a call; no call where none is asked for."""
    found = reads.get_many([(PurchaseRow, one, one) for one in purchase_ids], consistent=True) if purchase_ids else {}
    return [purchase_of(row) for row in found.values() if isinstance(row, PurchaseRow)]


def load_order(order_id: str, *, consistent: bool = True) -> Order:
    """Read one order with its lines, in one Query.

    Raises:
        NotFound: if there is none.
    """
    if not ids.is_child_id("ord", order_id):  # Without its number it would be a prefix of all the purchase's orders.
        raise NotFound(what="order")
    page = reads.query(
        OrderRow,
        ids.parent_id("pur", order_id),
        range_condition=OrderRow.id.startswith(order_id),
        consistent=consistent,
    )
    _, orders = _assemble(page.items)
    if not orders:
        raise NotFound(what="order")
    return orders[0]


def load_orders(order_ids: Sequence[str], *, consistent: bool = False) -> list[Order]:
    """Read orders by id, in that order; one call for up to a hundred (a second for those whose lines stand apart)."""
    keys = [(OrderRow, ids.parent_id("pur", order_id), order_id) for order_id in order_ids]
    found = reads.get_many(keys, consistent=consistent) if keys else {}
    rows = [
        row
        for order_id in order_ids
        if isinstance(row := found.get((ids.parent_id("pur", order_id), order_id)), OrderRow)
    ]
    apart = [row for row in rows if row.lines is None]
    lines = reads.get_many((LinesRow, row.purchase_id, row.id + LINES) for row in apart) if apart else {}
    return [order_of(row, lines.get((row.purchase_id, row.id + LINES))) for row in rows]


def list_orders(index: str, hash_key: str, window: Window) -> Page[Order]:
    """Read one page of ``buyer``, ``merchant`` or ``to_ship``: one Query of keys, one read of the orders."""
    page = reads.windowed(OrderRow, hash_key, window, index=getattr(OrderRow, index), descending=index != "to_ship")
    return Page(load_orders([item["id"]["S"] for item in page.items]), page.after)


def unpaid_orders(merchant_id: str, *, most: int) -> list[Order] | None:
    """Return a merchant's orders that hold stock unpaid, as they are now; None if ``most`` or more may do so."""
    ids: list[str] = []
    start_key: Place | None = None
    while True:
        page = reads.query(
            OrderRow, unpaid_of(merchant_id), index=OrderRow.to_ship, limit=min(most, _PAGE), start_key=start_key
        )
        ids += [item["id"]["S"] for item in page.items]
        start_key = page.after
        if start_key is None:
            break
        if len(ids) >= most:
            return None
    found = load_orders(ids, consistent=True)
    return [order for order in found if order.stock is Stock.HELD]


def save_purchase(work: UnitOfWork, purchase: Purchase, events: Sequence[Event] = ()) -> None:
    """Add the purchase's row to the work."""
    work.save(purchase_row(purchase), events=events, label="purchase")


def save_order(work: UnitOfWork, order: Order, events: Sequence[Event] = ()) -> None:
    """Add the order's row to the work; on creation also the row of its lines, where they stand apart."""
    head, lines = order_rows(order)
    work.save(head, events=events, label=f"order {order.order_id}")
    if lines is not None:
        work.save(lines, label=f"lines {order.order_id}")


def demand_unchanged(work: UnitOfWork, order: Order) -> None:
    """Let a work go through only while the order's row is the one that was read."""
    key = OrderRow(purchase_id=order.purchase_id, id=order.order_id)
    work.check(key, OrderRow.version == order.version, refuse=lost, label=f"order {order.order_id}")


def existing_purchase(item: reads.Raw) -> Purchase:
    """Return the purchase of raw attributes: what a refused creation hands back."""
    return purchase_of(PurchaseRow.from_raw_data(item))


def _assemble(items: Iterable[reads.Raw]) -> tuple[Purchase | None, list[Order]]:
    purchase: Purchase | None = None
    heads: list[OrderRow] = []
    lines: dict[str, LinesRow] = {}
    for item in items:
        record_id = item["id"]["S"]
        if record_id.startswith("pur_"):
            purchase = purchase_of(PurchaseRow.from_raw_data(item))
        elif record_id.endswith(LINES):
            lines[record_id] = LinesRow.from_raw_data(item)
        else:
            heads.append(OrderRow.from_raw_data(item))
    return purchase, [order_of(row, lines.get(row.id + LINES)) for row in heads]
