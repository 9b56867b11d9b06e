"""Use cases of what is late: parcels that nobody proved to have arrived, and buyers who wait no longer."""

from __future__ import annotations

from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import Conflict
from chalicelib.orders import events, losing, store
from chalicelib.orders.domain import Change, Order, OrderStatus
from chalicelib.runtime.db.work import UnitOfWork


class NotLate(Conflict):
    """The buyer has to wait: nothing of the order was lost, and its time is not over."""

    code = "not_late"
    en = "Nothing of this order is lost or late; what is missing may still arrive."
    zh = "该订单没有丢失或超时的商品，请继续等待。"


def check_may_end(order: Order) -> None:
    """Refuse a buyer's wish not to wait for what is missing.

    Raises:
        NotLate: unless a parcel of it was lost.
    """
    if not losing.may_end(order):
        raise NotLate


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
