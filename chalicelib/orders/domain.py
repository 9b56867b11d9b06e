"""What purchases and orders are, and which transitions they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict, IdempotencyKeyReused
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money

PAY_WITHIN = timedelta(minutes=30)
MAX_ATTEMPTS = 99


class PurchaseStatus(StrEnum):
    """States of a purchase."""

    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PurchaseCause(StrEnum):
    """What moves a purchase."""

    PAY = "pay"
    EXPIRE = "expire"
    CANCEL = "cancel"


PURCHASE = StateMachine(
    name="purchase",
    initial=PurchaseStatus.AWAITING_PAYMENT,
    edges={
        PurchaseStatus.AWAITING_PAYMENT: {
            PurchaseCause.PAY: PurchaseStatus.PAID,
            PurchaseCause.EXPIRE: PurchaseStatus.EXPIRED,
            PurchaseCause.CANCEL: PurchaseStatus.CANCELLED,
        },
        PurchaseStatus.PAID: {},
        PurchaseStatus.EXPIRED: {},
        PurchaseStatus.CANCELLED: {},
    },
    deadlines={PurchaseStatus.AWAITING_PAYMENT: (PAY_WITHIN, PurchaseCause.EXPIRE)},
)


class OrderStatus(StrEnum):
    """States of an order."""

    PLACED = "placed"
    PAID = "paid"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class OrderCause(StrEnum):
    """What moves an order."""

    PAY = "pay"
    CANCEL = "cancel"
    EXPIRE = "expire"
    SHIP_PART = "ship_part"
    SHIP = "ship"
    DELIVER = "deliver"
    CONFIRM = "confirm"
    MERCHANT_SILENT = "merchant_silent"
    """Paid and nothing shipped in time: cancelled, refunded."""
    GIVE_UP_REST = "give_up_rest"
    """The rest of a partly shipped order did not follow in time: refunded, the order goes on without it."""


ORDER = StateMachine(
    name="order",
    initial=OrderStatus.PLACED,
    edges={
        OrderStatus.PLACED: {
            OrderCause.PAY: OrderStatus.PAID,
            OrderCause.CANCEL: OrderStatus.CANCELLED,
            OrderCause.EXPIRE: OrderStatus.CANCELLED,
        },
        OrderStatus.PAID: {
            OrderCause.SHIP_PART: OrderStatus.PARTLY_SHIPPED,
            OrderCause.SHIP: OrderStatus.SHIPPED,
            OrderCause.CANCEL: OrderStatus.CANCELLED,
            OrderCause.MERCHANT_SILENT: OrderStatus.CANCELLED,
        },
        OrderStatus.PARTLY_SHIPPED: {
            OrderCause.SHIP_PART: OrderStatus.PARTLY_SHIPPED,
            OrderCause.SHIP: OrderStatus.SHIPPED,
            OrderCause.GIVE_UP_REST: OrderStatus.SHIPPED,
        },
        OrderStatus.SHIPPED: {
            OrderCause.DELIVER: OrderStatus.DELIVERED,
            OrderCause.CONFIRM: OrderStatus.COMPLETED,
        },
        OrderStatus.DELIVERED: {OrderCause.CONFIRM: OrderStatus.COMPLETED},
        OrderStatus.COMPLETED: {},
        OrderStatus.CANCELLED: {},
    },
    deadlines={
        OrderStatus.PAID: (timedelta(days=15), OrderCause.MERCHANT_SILENT),
        OrderStatus.PARTLY_SHIPPED: (timedelta(days=15), OrderCause.GIVE_UP_REST),
        OrderStatus.SHIPPED: (timedelta(days=15), OrderCause.CONFIRM),
        OrderStatus.DELIVERED: (timedelta(days=7), OrderCause.CONFIRM),
    },
)


class Stock(StrEnum):
    """Where an order's units are: the order row itself is the reservation."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"


class PaymentMismatch(Conflict):
    """The captured amount is not exactly the total."""

    code = "payment_mismatch"
    en = "The payment does not match the purchase's total."
    zh = "支付金额与应付总额不一致。"


class OverShipped(Conflict):
    """More units would be shipped than were ordered."""

    code = "over_shipped"
    en = "Line {line_id} has {left} units left to ship, not {wanted}."
    zh = "订单行 {line_id} 仅剩 {left} 件待发货，不能发出 {wanted} 件。"
    shown = ("line_id", "left", "wanted")


class TooManyAttempts(Conflict):
    """The purchase was tried to be paid too often."""

    code = "too_many_attempts"
    en, zh = "Too many payment attempts for this purchase.", "该笔订单的支付尝试次数过多。"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order. ``total`` is what was charged for all its units, after discounts."""

    line_id: str
    sku_id: str
    product_id: str
    title: str
    options: tuple[str, ...]
    quantity: int
    unit: Money
    total: Money
    kind: str = "physical"
    bucket_count: int = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a history. ``intent`` and ``fingerprint`` remember the request that made it."""

    status: str
    at: datetime
    by: str
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an order knows of one of its shipments."""

    shipment_id: str
    lines: tuple[tuple[str, int], ...]
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a purchase goes. Personal data: it lives in the purchase's row only."""

    recipient: str
    phone: str
    country: str
    province: str
    city: str
    district: str
    street: str
    postcode: str = ""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One checkout: one total, paid once."""

    purchase_id: str
    buyer_id: str
    status: PurchaseStatus
    total: Money
    order_ids: tuple[str, ...]
    number: str
    contact: Contact | None
    note: str
    placed_at: datetime
    since: datetime
    """When the current state was entered."""
    fingerprint: str
    payment_attempts: int = 0
    settled_by: str | None = None
    history: tuple[Change, ...] = ()
    version: int = 0

    @property
    def due_at(self) -> datetime | None:
        """Return when the current state times out."""
        return PURCHASE.due_at(self.status, self.since)


@dataclass(frozen=True, slots=True)
class Order:
    """One merchant's share of a purchase."""

    order_id: str
    purchase_id: str
    buyer_id: str
    merchant_id: str
    merchant_name: str
    status: OrderStatus
    stock: Stock
    lines: tuple[Line, ...]
    freight: Money
    discount: Money
    total: Money
    commission_bps: int
    number: str
    placed_at: datetime
    since: datetime
    refunded: Money = field(default_factory=lambda: Money(0))
    refunds: tuple[str, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    history: tuple[Change, ...] = ()
    version: int = 0

    @property
    def goods(self) -> Money:
        """Return what the lines cost together."""
        return Money(sum(line.total.minor for line in self.lines), self.total.currency)

    @property
    def due_at(self) -> datetime | None:
        """Return when the current state times out."""
        return ORDER.due_at(self.status, self.since)

    @property
    def paid_at(self) -> datetime | None:
        """Return when it was paid, None before."""
        return next((change.at for change in self.history if change.status == OrderStatus.PAID), None)

    def quantities(self) -> dict[str, int]:
        """Return the units of each SKU."""
        result: dict[str, int] = {}
        for line in self.lines:
            result[line.sku_id] = result.get(line.sku_id, 0) + line.quantity
        return result

    def buckets(self) -> dict[str, int]:
        """Return over how many buckets each SKU's stock was spread when it was ordered."""
        return {line.sku_id: line.bucket_count for line in self.lines}

    def unshipped(self) -> dict[str, int]:
        """Return the units of each line that no shipment holds yet; lines with none are absent."""
        left = {line.line_id: line.quantity for line in self.lines}
        for parcel in self.parcels:
            for line_id, quantity in parcel.lines:
                left[line_id] -= quantity
        return {line_id: quantity for line_id, quantity in left.items() if quantity > 0}


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase with all its orders, as read in one go."""

    purchase: Purchase
    orders: tuple[Order, ...]


def remembered(history: Sequence[Change], intent: str, fingerprint: str) -> bool:
    """Say whether this very request already made its change.

    Raises:
        IdempotencyKeyReused: if its key made a change with another body.
    """
    for change in history:
        if intent and change.intent == intent:
            if change.fingerprint != fingerprint:
                raise IdempotencyKeyReused
            return True
    return False


def move_purchase(purchase: Purchase, cause: PurchaseCause, change: Change) -> Purchase:
    """Take an edge of the purchase's table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = PURCHASE.next(purchase.status, cause)
    noted = replace(change, status=status)
    return replace(purchase, status=status, since=change.at, history=(*purchase.history, noted))


def move_order(order: Order, cause: OrderCause, change: Change) -> Order:
    """Take an edge of the order's table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = ORDER.next(order.status, cause)
    noted = replace(change, status=status)
    since = order.since if status is order.status else change.at
    return replace(order, status=status, since=since, history=(*order.history, noted))


def pay(sale: Sale, *, payment_id: str, captured: Money, at: datetime, by: str) -> Sale:
    """Mark a purchase and all its orders paid.

    Raises:
        IllegalTransition: if the purchase no longer waits for money.
        PaymentMismatch: if the capture is not exactly the total.
    """
    PURCHASE.next(sale.purchase.status, PurchaseCause.PAY)
    if captured != sale.purchase.total:
        raise PaymentMismatch
    change = Change(status="", at=at, by=by)
    purchase = move_purchase(sale.purchase, PurchaseCause.PAY, replace(change, note=payment_id))
    return Sale(
        purchase=replace(purchase, settled_by=payment_id),
        orders=tuple(
            replace(move_order(order, OrderCause.PAY, change), stock=Stock.COMMITTED) for order in sale.orders
        ),
    )


def release(sale: Sale, *, expired: bool, change: Change) -> Sale:
    """End an unpaid purchase, expired or cancelled, and give up its reservation.

    Raises:
        IllegalTransition: if it no longer waits for money.
    """
    purchase_cause = PurchaseCause.EXPIRE if expired else PurchaseCause.CANCEL
    order_cause = OrderCause.EXPIRE if expired else OrderCause.CANCEL
    return Sale(
        purchase=move_purchase(sale.purchase, purchase_cause, change),
        orders=tuple(replace(move_order(order, order_cause, change), stock=Stock.RELEASED) for order in sale.orders),
    )


def cancel_paid(order: Order, cause: OrderCause, change: Change) -> Order:
    """Cancel a paid order of which nothing was shipped; its money goes back, its units are free again.

    Raises:
        IllegalTransition: if it is not in that state.
    """
    return replace(move_order(order, cause, change), stock=Stock.RELEASED)


def ship(order: Order, *, shipment_id: str, lines: Sequence[tuple[str, int]], change: Change) -> Order:
    """Add a parcel of some units; shipped once no unit is left.

    Raises:
        IllegalTransition: if the order cannot be shipped now.
        OverShipped: if a line has fewer units left, or is not of this order.
    """
    if any(parcel.shipment_id == shipment_id for parcel in order.parcels):
        return order
    ORDER.next(order.status, OrderCause.SHIP)
    left = order.unshipped()
    wanted: dict[str, int] = {}
    for line_id, quantity in lines:
        wanted[line_id] = wanted.get(line_id, 0) + quantity
    for line_id, quantity in wanted.items():
        if quantity < 1 or quantity > left.get(line_id, 0):
            raise OverShipped(line_id=line_id, left=left.get(line_id, 0), wanted=quantity)
    all_gone = all(left[line_id] == wanted.get(line_id, 0) for line_id in left)
    moved = move_order(order, OrderCause.SHIP if all_gone else OrderCause.SHIP_PART, change)
    return replace(moved, parcels=(*order.parcels, Parcel(shipment_id, tuple(sorted(wanted.items())))))


def deliver(order: Order, *, shipment_id: str, at: datetime, by: str, heard_at: datetime | None = None) -> Order:
    """Note that a parcel arrived; delivered once all have and none is missing. Any other state keeps its own.

    ``at`` is the carrier's word; the order is delivered, and the buyer's time runs, since we heard it.
    """
    heard = heard_at or at
    shipped = next((entry.at for entry in order.history if entry.note == shipment_id), order.placed_at)
    arrived = max(at, shipped)
    parcels = tuple(
        replace(parcel, delivered_at=arrived)
        if parcel.shipment_id == shipment_id and not parcel.delivered_at
        else parcel
        for parcel in order.parcels
    )
    noted = replace(order, parcels=parcels)
    if order.status is OrderStatus.SHIPPED and all(parcel.delivered_at for parcel in parcels):
        return move_order(noted, OrderCause.DELIVER, Change(status="", at=heard, by=by))
    return noted


def refund(order: Order, *, refund_id: str, amount: Money) -> Order:
    """Add a refund that has gone through, once."""
    if refund_id in order.refunds:
        return order
    return replace(order, refunded=order.refunded + amount, refunds=(*order.refunds, refund_id))


def take_back_refund(order: Order, *, refund_id: str, amount: Money) -> Order:
    """Subtract a refund that had gone through and came back, once. It must have been added before."""
    mark = f"-{refund_id}"
    if mark in order.refunds:
        return order
    return replace(order, refunded=order.refunded - amount, refunds=(*order.refunds, mark))


def rest_value(order: Order, left: Mapping[str, int]) -> Money:
    """Return what the given units of each line were charged: whole lines exactly, parts rounded down to the fen."""
    minor = sum(line.total.minor * left.get(line.line_id, 0) // line.quantity for line in order.lines)
    return Money(minor, order.total.currency)
