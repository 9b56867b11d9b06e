"""Placing what was quoted: one transaction, with the first attempt to pay in it if the buyer says how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from chalicelib.auth import service as auth
from chalicelib.cart import service as carts
from chalicelib.checkout import domain, pricing, promises, quotes
from chalicelib.checkout.domain import Quote, QuoteExpired, Share
from chalicelib.inventory import service as inventory
from chalicelib.inventory.service import OutOfStock
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, Busy, ConcurrentUpdate, Conflict, NotFound
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import Delivery, Line, Order, OrderStatus, Purchase, PurchaseStatus, Stock
from chalicelib.payments import service as payments
from chalicelib.payments.service import Payment, Ready
from chalicelib.runtime import metrics
from chalicelib.runtime.db.lookups import together
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placing:
    """What somebody wants to order, and perhaps how to pay it at once."""

    token: str
    """The quote, as it was sealed."""
    account_id: str
    intent: Intent
    note: str = ""
    network: str = ""
    """Marks where the request comes from."""
    pay: payments.Wanted | None = None
    no_return: tuple[str, ...] = ()
    """SKUs of which the buyer confirms that they are not returned without a reason."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of it, the first time or at a repeat."""

    purchase: Purchase
    payment: Payment | None
    """The first attempt, where it was asked for with the purchase."""
    repeated: bool


def place(placing: Placing) -> Placed:
    """Order what was quoted: one transaction over purchase, orders, every SKU's stock, the cart and the buyer's holds.

    If the buyer says how to pay, the first attempt is written in the same transaction, and its provider is told after
    it: what that answers, or that it does not, changes nothing of the purchase. A repeat of the intent gets both as
    they are now, and tells the provider again of an attempt that it never answered.

    Raises:
        VerifiedPhoneNeeded: if orders take a verified phone number here, and the account has none.
        BadQuote, QuoteExpired, PriceChanged, QuoteChanged, NotForSale, AddressNeeded: if the quote no longer holds.
        QuoteUsed: naming the purchase, if it was ordered under another key.
        OutOfStock: naming the SKUs, with wanted and available; nothing was written.
        CartChanged: if the cart is not as it was quoted.
        NothingToConfirm: if an exclusion is confirmed of goods that have none.
        TooManyUnits, TooManyUnpaid, TooManyUnpaidUnits, TooManyCalledOff, TooManyUnpaidHere: if too much is held.
        UnknownProvider, MethodNotOffered: if there is no such way to pay; nothing was written.
        IdempotencyKeyReused: if the key placed something else.
    """
    wanted = _Wanted(
        purchase_id=placing.intent.record_id("pur"),
        quoted=quotes.unseal(placing.token, account_id=placing.account_id),
        note=placing.note,
        intent=placing.intent,
        network=placing.network,
        token=placing.token,
        no_return=placing.no_return,
    )
    try:
        ready = _ready(placing, wanted.quoted)
        purchase, payment = _placing_here(wanted, ready)
    except AlreadyExists as existing:
        return _repeated(orders.replayed(existing.params["item"], placing.intent), placing)
    except (Conflict, NotFound) as refusal:
        before = _placed_before(wanted.purchase_id, placing.intent)
        if before is not None:
            return _repeated(before, placing)
        if isinstance(refusal, OutOfStock):
            metrics.count("out_of_stock")
        raise
    if ready is not None and payment is not None:
        payment = payments.tell_of_first(payment, ready)
    return Placed(purchase, payment, repeated=False)


def _ready(placing: Placing, quoted: Quote) -> Ready | None:
    return payments.ready(placing.pay, currency=quoted.total.currency) if placing.pay is not None else None


def _repeated(purchase: Purchase, placing: Placing) -> Placed:
    payment = None
    if placing.pay is not None:
        payment = payments.first_again(purchase.purchase_id, placing.pay)
    return Placed(purchase, payment, repeated=True)


def _placing_here(wanted: _Wanted, ready: Ready | None) -> tuple[Purchase, Payment | None]:
    """Place; where its network seems to hold too much unpaid, look once which of it is paid."""
    try:
        return _placing(lambda: _place(wanted, ready))
    except orders.TooManyUnpaidHere:
        return _placing(lambda: _place(wanted, ready, crowded=True))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What somebody wants to order."""

    purchase_id: str
    quoted: Quote
    note: str
    intent: Intent
    network: str
    token: str
    no_return: tuple[str, ...] = ()

    @property
    def quote(self) -> str:
        """Return the digest by which the quote is remembered."""
        return ids.digest(self.token)[:16]


def _placing(attempt: Callable[[], T]) -> T:
    """Build the whole work again while buckets are contended, or the buyer does something else at the same moment.

    Raises:
        Busy: if that went on.
    """
    # What exists already is a repeat's answer, not a lost race.
    return racing(lambda: inventory.placing(attempt), otherwise=Busy, losing=(ConcurrentUpdate,))


def _placed_before(purchase_id: str, intent: Intent) -> Purchase | None:
    """Look whether a refused repeat had gone through at its first try: then that is its answer."""
    try:
        purchase = orders.load_purchase(purchase_id)
    except NotFound:
        return None
    intent.check(purchase.fingerprint)
    return purchase


def _place(wanted: _Wanted, ready: Ready | None, *, crowded: bool = False) -> tuple[Purchase, Payment | None]:
    quoted = wanted.quoted
    lines = quoted.lines()
    held, products, _ = together(
        orders.held_lookup(quoted.account_id), pricing.products_of(lines), auth.may_order(quoted.account_id)
    )
    standing = orders.standing(held)
    used = standing.kept.of_quote(wanted.quote)
    if used is not None and used != wanted.purchase_id:
        raise domain.QuoteUsed(purchase_id=used)
    if clock.now() > quoted.expires_at:
        raise QuoteExpired
    wanted_units = {sku_id: line.quantity for sku_id, line in lines.items()}
    current = pricing.price(wanted_units, products, account_id=quoted.account_id)
    domain.check_unchanged(quoted, current)
    current = domain.confirmed(current, wanted.no_return)
    purchase, placed = _new_sale(wanted, current, orders.network_row(wanted.network, standing))
    if ready is not None:
        purchase = orders.with_first_attempt(purchase)
    buckets = {line.sku_id: line.bucket_count for share in current for line in share.lines}
    with UnitOfWork(f"place#{purchase.purchase_id}") as work:
        orders.place(work, purchase, placed)
        orders.count_unpaid(
            work, standing, purchase, units=sum(wanted_units.values()), quote=wanted.quote, crowded=crowded
        )
        payment = payments.add_first(work, purchase, ready, wanted.intent) if ready is not None else None
        inventory.take(work, wanted_units, buckets=buckets, room=work.room - 1)
        if quoted.cart_version != domain.NO_CART:
            carts.take_out(work, quoted.account_id, wanted_units, version=quoted.cart_version)
    metrics.count("purchases_placed")
    return purchase, payment


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
        delivery=Later.of(Delivery(quoted.contact, wanted.note)),
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
        ship_within=promises.ship_within(share),
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
                no_return=line.no_return,
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
