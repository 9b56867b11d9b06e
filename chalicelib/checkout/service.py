"""Use cases of checkout: quote, place, expire, cancel. Each ends in one unit of work over every row it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from chalicelib.cart import service as carts
from chalicelib.checkout import domain, pricing, quotes
from chalicelib.checkout.domain import Quote, QuoteExpired, Share
from chalicelib.checkout.quoting import Asked, quote
from chalicelib.inventory import service as inventory
from chalicelib.inventory.service import OutOfStock
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import (
    AlreadyExists,
    Busy,
    ConcurrentUpdate,
    Conflict,
    IllegalTransition,
    NotFound,
    RetryLater,
)
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import (
    Line,
    Order,
    OrderCause,
    OrderStatus,
    PaidBack,
    Purchase,
    PurchaseStatus,
    Sale,
    Stock,
)
from chalicelib.payments import service as payments
from chalicelib.runtime import metrics
from chalicelib.runtime.db.lookups import together
from chalicelib.runtime.db.races import RACES, racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = ["Asked", "quote"]

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


def place(token: str, *, account_id: str, note: str, intent: Intent, network: str = "") -> tuple[Purchase, bool]:
    """Order what was quoted: one transaction over purchase, orders, every SKU's stock, the cart and the buyer's holds.

    ``network`` marks where a request comes from. Returns the purchase, and whether it is the repeat of an intent that
    placed it before.

    Raises:
        BadQuote, QuoteExpired, PriceChanged, QuoteChanged, NotForSale, AddressNeeded: if the quote no longer holds.
        QuoteUsed: naming the purchase, if it was ordered under another key.
        OutOfStock: naming the SKUs, with wanted and available; nothing was written.
        CartChanged: if the cart is not as it was quoted.
        TooManyUnits, TooManyUnpaid, TooManyUnpaidUnits, TooManyCalledOff, TooManyUnpaidHere: if too much is held.
        IdempotencyKeyReused: if the key placed something else.
    """
    order = _Wanted(intent.record_id("pur"), quotes.unseal(token, account_id=account_id), note, intent, network, token)
    try:
        return _placing_here(order), False
    except AlreadyExists as existing:
        return orders.replayed(existing.params["item"], intent), True
    except Conflict as refusal:
        before = _placed_before(order.purchase_id, intent)
        if before is not None:
            return before, True
        if isinstance(refusal, OutOfStock):
            metrics.count("out_of_stock")
        raise


def _placing_here(order: _Wanted) -> Purchase:
    """Place; where its network seems to hold too much unpaid, look once which of it is paid."""
    try:
        return _placing(lambda: _place(order))
    except orders.TooManyUnpaidHere:
        return _placing(lambda: _place(order, crowded=True))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What somebody wants to order."""

    purchase_id: str
    quoted: Quote
    note: str
    intent: Intent
    network: str
    token: str

    @property
    def quote(self) -> str:
        """Return the digest by which the quote is remembered."""
        return ids.digest(self.token)[:16]


def _placing(attempt: Callable[[], T]) -> T:
    """Build the whole work again while buckets are contended, or the buyer does something else at the same moment.

    Raises:
        Busy: if that went on.
    """
    for _ in range(RACES):
        try:
            return inventory.placing(attempt)
        except ConcurrentUpdate:
            metrics.count("lost_races")
    raise Busy


def _placed_before(purchase_id: str, intent: Intent) -> Purchase | None:
    """Look whether a refused repeat had gone through at its first try: then that is its answer."""
    try:
        purchase = orders.load_purchase(purchase_id)
    except NotFound:
        return None
    intent.check(purchase.fingerprint)
    return purchase


def _place(wanted: _Wanted, *, crowded: bool = False) -> Purchase:
    quoted = wanted.quoted
    lines = quoted.lines()
    held, products = together(orders.held_lookup(quoted.account_id), pricing.products_of(lines))
    standing = orders.standing(held)
    used = standing.kept.of_quote(wanted.quote)
    if used is not None and used != wanted.purchase_id:
        raise domain.QuoteUsed(purchase_id=used)
    if clock.now() > quoted.expires_at:
        raise QuoteExpired
    current = pricing.price({sku_id: line.quantity for sku_id, line in lines.items()}, products)
    domain.check_unchanged(quoted, current)
    purchase, placed = _new_sale(wanted, current, orders.network_row(wanted.network, standing))
    quantities = {sku_id: line.quantity for sku_id, line in lines.items()}
    buckets = {line.sku_id: line.bucket_count for share in current for line in share.lines}
    with UnitOfWork(f"place#{purchase.purchase_id}") as work:
        orders.place(work, purchase, placed)
        orders.count_unpaid(
            work, standing, purchase, units=sum(quantities.values()), quote=wanted.quote, crowded=crowded
        )
        inventory.take(work, quantities, buckets=buckets, room=work.room - 1)
        carts.take_out(work, quoted.account_id, quantities, version=quoted.cart_version)
    metrics.count("purchases_placed")
    return purchase


def _new_sale(wanted: _Wanted, shares: tuple[Share, ...], network_row: str) -> tuple[Purchase, list[Order]]:
    now = clock.now()
    purchase_id, quoted = wanted.purchase_id, wanted.quoted
    inside = not domain.has_rows_for_lines(shares)
    commissions = domain.sealed_commissions(quoted)
    number = f"{now.astimezone(clock.CHINA):%y%m%d}{int.from_bytes(ids.body(purchase_id).encode()[:8]) % 10**8:08d}"
    placed = [
        _new_order(
            purchase_id,
            position,
            quoted.account_id,
            replace(share, commission_bps=commissions[share.merchant_id]),
            f"{number}-{position:02d}",
            inside=inside,
        )
        for position, share in enumerate(shares, start=1)
    ]
    purchase = Purchase(
        purchase_id=purchase_id,
        buyer_id=quoted.account_id,
        status=PurchaseStatus.AWAITING_PAYMENT,
        total=quoted.total,
        order_ids=tuple(order.order_id for order in placed),
        number=number,
        contact=quoted.contact,
        note=wanted.note,
        placed_at=now,
        since=now,
        fingerprint=wanted.intent.fingerprint,
        network=network_row,
    )
    return purchase, placed


def _new_order(purchase_id: str, position: int, buyer_id: str, share: Share, number: str, *, inside: bool) -> Order:
    now = clock.now()
    return Order(
        order_id=ids.child_id("ord", purchase_id, position),
        purchase_id=purchase_id,
        buyer_id=buyer_id,
        merchant_id=share.merchant_id,
        merchant_name=share.merchant_name,
        status=OrderStatus.PLACED,
        stock=Stock.HELD,
        lines=tuple(
            Line(
                line_id=str(line_number),
                sku_id=line.sku_id,
                product_id=line.product_id,
                title=line.title,
                options=line.options,
                quantity=line.quantity,
                unit=line.unit,
                total=line.total,
                kind=line.kind,
                bucket_count=line.bucket_count,
            )
            for line_number, line in enumerate(share.lines, start=1)
        ),
        freight=share.freight,
        discount=Money(0, share.freight.currency),
        total=share.total,
        commission_bps=share.commission_bps,
        number=number,
        placed_at=now,
        since=now,
        refunded=Money(0, share.freight.currency),
        lines_inside=inside,
    )


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
        return _cancel_paid(order, OrderCause.CANCEL, intent=intent, note=reason)

    return racing(cancel)


def _cancel_paid(order: Order, cause: OrderCause, *, intent: Intent | None, note: str) -> Order:
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
    """Fire the timeout cause of an order's state; a stale or repeated deadline is a no-op."""

    def fire() -> None:
        order = orders.load_order(order_id)
        if order.due_at is not None and clock.now() >= order.due_at:
            _time_out(order)

    racing(fire, otherwise=_kept_changing)


def _kept_changing() -> RetryLater:
    return RetryLater("kept changing", delay_s=1)


def _time_out(order: Order) -> None:
    if not order.may_be_sent:
        orders.confirm_by_deadline(order)
    elif any(order.kept().values()):
        _give_up_rest(order)
    elif order.status is OrderStatus.PAID and order.unshipped():
        _cancel_paid(order, OrderCause.MERCHANT_SILENT, intent=None, note=orders.NOT_SHIPPED)
    else:
        _cancel_paid(order, OrderCause.NOTHING_LEFT, intent=None, note=orders.NOTHING_LEFT)


def _give_up_rest(order: Order) -> None:
    purchase = orders.load_purchase(order.purchase_id)
    with UnitOfWork() as work:
        paid = _rest(work, purchase, order, cause=f"rest#{order.order_id}#{order.version}", units=order.unsent())
        _free(work, order, orders.give_up_rest(work, order, paid=paid))
