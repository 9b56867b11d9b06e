"""Use cases of what is late: parcels that nobody proved to have arrived, and buyers who wait no longer."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import Conflict
from chalicelib.orders import events, losing, store
from chalicelib.orders.domain import Change, Order, OrderStatus
from chalicelib.runtime import metrics
from chalicelib.runtime.db.work import UnitOfWork


class NotLate(Conflict):
    """The buyer has to wait: nothing of the order was lost, and its time is not over."""

    code = "not_late"
    en = "Nothing of this order is lost or late; what is missing may still arrive."
    zh = "该订单没有丢失或超时的商品，请继续等待。"


def check_may_end(order: Order) -> None:
    """Refuse a buyer's wish not to wait for what is missing.

    Raises:
        NotLate: unless a parcel of it was lost, or its rest was not sent within the time that was promised.
    """
    if not losing.may_end(order, now=clock.now()):
        raise NotLate


def tell_late(order: Order) -> bool:
    """Tell once that the promise to send an order runs out soon, and once that it did; False where nothing is to tell.

    A reminder that would come too late is none: the breach is told instead.

    Raises:
        ConcurrentUpdate: if the order changed meanwhile.
    """
    now, tells_at, ship_by = clock.now(), order.tells_at, order.ship_by
    if tells_at is None or ship_by is None or now < tells_at:
        return False
    late = now >= ship_by
    fact = events.ShippingLate if late else events.ShippingDue
    with UnitOfWork() as work:
        store.save_order(work, replace(order, told_late=2 if late else 1), [fact(order_id=order.order_id)])
    metrics.count("orders_shipped_late" if late else "orders_due_to_ship")
    return True


def presume_lost(order: Order) -> bool:
    """Take for lost what nobody showed to have arrived in time; False where all of it arrived.

    Raises:
        ConcurrentUpdate: if the order changed meanwhile.
    """
    found = losing.unproven(order)
    if order.status is not OrderStatus.SHIPPED or not found:
        return False
    first = found[0].shipment_id
    change = Change(status="", at=clock.now(), by=context.current().actor, note=first)
    lost = losing.presume_lost(order, change)
    told = [events.OrderTurnedBack(order_id=order.order_id, shipment_id=first)]
    with UnitOfWork() as work:
        store.save_order(work, lost, told if lost.status is OrderStatus.TURNED_BACK else [])
    return True
