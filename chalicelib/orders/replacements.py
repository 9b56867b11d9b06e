"""An order that replaces goods of another one: it costs nothing, is never paid, and is shipped like any other.

Its first change names what it was placed for; nothing else of it is unlike an order. Where it is called off there is no
money to give back, so whoever had it placed is told.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock, context, ids
from chalicelib.kernel.events import Event
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.orders import events, store
from chalicelib.orders.domain import Change, Order, OrderStatus, Purchase, PurchaseStatus, Stock
from chalicelib.orders.handing import told_paid
from chalicelib.runtime.db.work import UnitOfWork

COMPLAINT = "cmp"


def placed_for(order: Order) -> str:
    """Return the complaint that an order was placed for; empty for one that somebody bought."""
    first = order.history[0] if order.history else None
    return first.note if first is not None and ids.is_id(COMPLAINT, first.note) else ""


def place(work: UnitOfWork, order: Order, wanted: tuple[str, int], *, placed_for: str, number: int) -> Order:
    """Add a purchase with one order that sends so many units of a line again, to where the first went.

    ``placed_for`` and ``number`` (of its replacements) say its id: placed again it is the same. The caller takes its
    stock.
    """
    line_id, units = wanted
    line = next(line for line in order.lines if line.line_id == line_id)
    first = store.load_purchase(order.purchase_id)
    now, nothing = clock.now(), Money(0, order.total.currency)
    purchase_id = ids.derived_id("pur", "replacement", placed_for, str(number))
    paid = Change(status=PurchaseStatus.PAID.value, at=now, by=context.current().actor, note=placed_for)
    made = Order(
        order_id=ids.child_id("ord", purchase_id, 1),
        purchase_id=purchase_id,
        buyer_id=order.buyer_id,
        merchant_id=order.merchant_id,
        merchant_name=order.merchant_name,
        status=OrderStatus.PAID,
        stock=Stock.COMMITTED,
        lines=(replace(line, line_id="1", quantity=units, unit=nothing, total=nothing),),
        freight=nothing,
        discount=nothing,
        total=nothing,
        commission_bps=0,
        number=f"{order.number}-R{number}",
        ship_within=order.ship_within,
        placed_at=now,
        since=now,
        history=(replace(paid, status=OrderStatus.PAID.value),),
    )
    purchase = Purchase(
        purchase_id=purchase_id,
        buyer_id=order.buyer_id,
        status=PurchaseStatus.PAID,
        total=nothing,
        order_ids=(made.order_id,),
        number=f"{first.number}-R{number}",
        delivery=Later.of(first.delivery()),
        placed_at=now,
        since=now,
        fingerprint="",
        history=(paid,),
    )
    store.save_purchase(work, purchase)
    store.save_order(work, made, [events.OrderPaid(order_id=made.order_id), *told_paid(made)])
    return made


def has_address(order: Order) -> bool:
    """Say whether it is still known where an order went."""
    return store.load_purchase(order.purchase_id).contact is not None


def told_cancelled(order: Order, why: str) -> list[Event]:
    """Return what is told of an order that ended without the buyer having anything of it."""
    found: list[Event] = [events.OrderCancelled(order_id=order.order_id, why=why)]
    complaint_id = placed_for(order)
    if complaint_id:
        found.append(events.ReplacementCancelled(order_id=order.order_id, complaint_id=complaint_id))
    return found
