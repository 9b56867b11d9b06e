"""Use cases of checkout: quote, place, expire, cancel. Each ends in one unit of work over every row it changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from chalicelib.catalog import service as catalog
from chalicelib.checkout.domain import AddressNeeded, NotForSale, Quote, TotalTooLarge
from chalicelib.checkout.placing import Placed, Placing, place
from chalicelib.checkout.quotes import seal
from chalicelib.checkout.quoting import Asked, quote, quote_made
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import (
    Conflict,
    IllegalTransition,
    NotFound,
    RetryLater,
)
from chalicelib.orders import service as orders
from chalicelib.orders.service import (
    Order,
    OrderCause,
    OrderStatus,
    PaidBack,
    Purchase,
    Sale,
)
from chalicelib.payments import service as payments
from chalicelib.runtime import metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = [
    "AddressNeeded",
    "Asked",
    "NotForSale",
    "Placed",
    "Placing",
    "Quote",
    "TotalTooLarge",
    "place",
    "quote",
    "quote_made",
    "seal",
]

T = TypeVar("T")

ASK_AGAIN_S = 30
"""How soon an expiry asks again when the provider's answer was unknown; the stock is held meanwhile."""


class PaidMeanwhile(Conflict):
    """It was paid while it was being cancelled."""

    code = "paid_meanwhile"
    en, zh = "It was paid meanwhile; cancel the order instead.", "订单已支付，请改为取消订单。"


class PaymentUnclear(Conflict):
    """The provider does not say whether it was paid; nothing may be released."""

    code = "payment_unclear"
    en, zh = "The payment's state is not clear yet; try again shortly.", "支付状态尚未确认，请稍后重试。"


def expire(purchase_id: str) -> None:
    """End a purchase nobody paid in time: ask the provider, close there, then release here. In that order.

    A stale or repeated deadline is a no-op.

    Raises:
        RetryLater: while the provider's answer is unknown; the stock stays held.
    """

    def end() -> None:
        sale = orders.load_sale(purchase_id)
        due_at = sale.purchase.due_at
        if due_at is None or clock.now() < due_at:
            return
        try:
            _release(sale, expired=True)
        except PaidMeanwhile:
            return
        except PaymentUnclear as unclear:
            raise RetryLater("payment unclear", delay_s=ASK_AGAIN_S) from unclear
        metrics.count("purchases_expired")

    racing(end, otherwise=_kept_changing)


def cancel_purchase(purchase_id: str, *, account_id: str, intent: Intent) -> Sale:
    """Call off an unpaid purchase as its buyer.

    Raises:
        NotFound: if it is not theirs.
        IllegalTransition: if it no longer waits for money.
        PaidMeanwhile, PaymentUnclear: if a payment may have gone through; nothing was released.
        ConcurrentUpdate: if it kept changing.
    """

    def cancel() -> Sale:
        sale = orders.buyers_sale(purchase_id, account_id)
        if orders.remembered(sale.purchase.history, intent.token, intent.fingerprint):
            return sale
        return _release(sale, expired=False, intent=intent)

    return racing(cancel)


def _release(sale: Sale, *, expired: bool, intent: Intent | None = None) -> Sale:
    """Ask, close, release. The sale was read before asking: a payment started since makes the write lose."""
    orders.check_releasable(sale.purchase, expired=expired)
    conclusion = payments.conclude_attempts(sale.purchase)
    if conclusion is payments.Conclusion.CAPTURED:
        raise PaidMeanwhile
    if conclusion is payments.Conclusion.UNKNOWN:
        raise PaymentUnclear
    with UnitOfWork(f"release#{sale.purchase.purchase_id}") as work:
        ended = orders.release(work, sale, expired=expired, intent=intent)
        quantities, buckets = _units(ended.orders)
        inventory.put_back(work, quantities, buckets=buckets)
    return ended


def _units(of_orders: Iterable[Order]) -> tuple[dict[str, int], dict[str, int]]:
    quantities: dict[str, int] = {}
    buckets: dict[str, int] = {}
    for order in of_orders:
        buckets.update(order.buckets())
        for sku_id, quantity in order.quantities().items():
            quantities[sku_id] = quantities.get(sku_id, 0) + quantity
    return quantities, buckets


def cancel_order(
    order_id: str, *, buyer_id: str | None = None, merchant_id: str | None = None, reason: str, intent: Intent
) -> Order:
    """Cancel a paid order of which the buyer has nothing: its money goes back, what never left is free again.

    That is one of which nothing was shipped, or, for its merchant, one whose parcels all turned back. One that a refund
    of everything has just ended is as the caller wants it.

    Raises:
        NotFound: if it is not this buyer's or merchant's.
        AppointmentFixed: if its buyer may not change the time any more that was agreed for a part of it.
        IllegalTransition: if it is not in that state.
        ConcurrentUpdate: if it kept changing.
    """

    def cancel() -> Order:
        order = orders.load_order(order_id)
        if (buyer_id, merchant_id) not in ((order.buyer_id, None), (None, order.merchant_id)):
            raise NotFound(what="order")
        if orders.remembered(order.history, intent.token, intent.fingerprint) or orders.ended_by_refund(order):
            return order
        if buyer_id is not None and order.status is OrderStatus.TURNED_BACK:  # It may still reach the buyer.
            raise IllegalTransition(machine="order", state=order.status.value, cause=OrderCause.CANCEL.value)
        if buyer_id is not None:
            orders.check_free(order, clock.now())
        return cancel_paid(order, OrderCause.CANCEL, intent=intent, note=reason)

    return racing(cancel)


def cancel_paid(order: Order, cause: OrderCause, *, intent: Intent | None, note: str) -> Order:
    """Cancel a paid order of which its buyer has nothing; its money goes back, what never left is free again.

    Raises:
        IllegalTransition: if it is not in such a state.
        ConcurrentUpdate: if it changed meanwhile.
    """
    orders.check_ends(order, cause)
    purchase = orders.load_purchase(order.purchase_id)
    with UnitOfWork() as work:
        paid = _rest(work, purchase, order, cause=f"cancel#{order.order_id}")
        cancelled = orders.cancel_paid(work, order, cause=cause, paid=paid, intent=intent, note=note)
        _free(work, order, cancelled)
    metrics.count("orders_cancelled")
    return cancelled


def _rest(
    work: UnitOfWork, purchase: Purchase, order: Order, *, cause: str, units: Mapping[str, int] | None = None
) -> PaidBack | None:
    """Give back what an order that ends, or goes on without some units, still owes: none of it may stop it."""
    if not order.total:
        return None
    if purchase.settled_by is None:
        raise NotFound(what="payment")
    return payments.request_rest(work, order, payment_id=purchase.settled_by, cause=cause, units=units)


def _free(work: UnitOfWork, before: Order, after: Order) -> None:
    """Give back to stock what a change of an order freed: units that never left and will not."""
    freed = orders.freed(before, after)
    if freed:
        inventory.put_back(work, freed, buckets=after.buckets())


def order_timed_out(order_id: str) -> None:
    """Fire the timeout cause of an order's state; where it is told of early, look again at its deadline.

    A stale or repeated deadline is a no-op.
    """

    def fire() -> None:
        order = orders.load_order(order_id)
        now = clock.now()
        if orders.tell_late(order):
            return
        if order.is_told_early(now=now):
            orders.put_off(order)
            metrics.count("deadlines_put_off")
        elif order.due_at is not None and now >= order.due_at:
            _time_out(order)

    racing(fire, otherwise=_kept_changing)


def _kept_changing() -> RetryLater:
    return RetryLater("kept changing", delay_s=1)


def _time_out(order: Order) -> None:
    if not order.may_be_sent:
        if not orders.presume_lost(order):
            orders.confirm_by_deadline(order)
    elif any(order.kept().values()):
        give_up_rest(order)
    elif order.status is OrderStatus.PAID and order.unshipped():
        cancel_paid(order, OrderCause.MERCHANT_SILENT, intent=None, note=orders.NOT_SHIPPED)
    else:
        cancel_paid(order, OrderCause.NOTHING_LEFT, intent=None, note=orders.NOTHING_LEFT)


def give_up_rest(order: Order, *, intent: Intent | None = None) -> Order:
    """Let an order go on without what is not with its buyer, which is paid back: at its time, or as the buyer wishes.

    Raises:
        IllegalTransition: if nothing of it waits to be sent.
        ConcurrentUpdate: if it changed meanwhile.
    """
    purchase = orders.load_purchase(order.purchase_id)
    with UnitOfWork() as work:
        paid = _rest(work, purchase, order, cause=f"rest#{order.order_id}#{order.version}", units=order.unsent())
        after = orders.give_up_rest(work, order, paid=paid, intent=intent)
        _free(work, order, after)
    return after


def why_kept(code: str) -> str:
    """Return why goods are not returned without a reason, in the caller's language; empty where they are."""
    return catalog.no_return_text(code, context.current().language)
