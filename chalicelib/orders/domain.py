"""What purchases and orders are, and which transitions they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.history import remembered as remembered  # noqa: PLC0414 - purchases and orders remember by it
from chalicelib.kernel.later import Later
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.orders import agreed
from chalicelib.orders.agreed import Appointment

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
    REVIVE = "revive"
    """Its money came late, and everything could be had again."""


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
        PurchaseStatus.EXPIRED: {PurchaseCause.REVIVE: PurchaseStatus.PAID},
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
    TURNED_BACK = "turned_back"
    """A parcel was refused, or is on its way back, or back: its units are the merchant's to send again."""
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
    """The rest of a partly shipped order did not follow in time, or was paid back before: it goes on without it."""
    TURN_BACK = "turn_back"
    """A parcel does not reach the buyer."""
    UNPROVEN = "unproven"
    """Nobody showed in time that it arrived: what did not is taken for lost, which is the merchant's loss."""
    REACH = "reach"
    """What had turned back arrived after all; other parcels are still on their way."""
    NOTHING_LEFT = "nothing_left"
    """Everything was paid back, and the buyer has nothing of it: there is nothing left to send."""
    REVIVE = "revive"
    """The money of its expired purchase came late, and everything could be had again."""


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
            OrderCause.NOTHING_LEFT: OrderStatus.CANCELLED,
        },
        OrderStatus.PARTLY_SHIPPED: {
            OrderCause.SHIP_PART: OrderStatus.PARTLY_SHIPPED,
            OrderCause.SHIP: OrderStatus.SHIPPED,
            OrderCause.GIVE_UP_REST: OrderStatus.SHIPPED,
            OrderCause.TURN_BACK: OrderStatus.TURNED_BACK,
        },
        OrderStatus.SHIPPED: {
            OrderCause.DELIVER: OrderStatus.DELIVERED,
            OrderCause.CONFIRM: OrderStatus.COMPLETED,
            OrderCause.TURN_BACK: OrderStatus.TURNED_BACK,
            OrderCause.UNPROVEN: OrderStatus.TURNED_BACK,
        },
        OrderStatus.TURNED_BACK: {
            OrderCause.SHIP_PART: OrderStatus.TURNED_BACK,
            OrderCause.SHIP: OrderStatus.SHIPPED,
            OrderCause.REACH: OrderStatus.SHIPPED,
            OrderCause.DELIVER: OrderStatus.DELIVERED,
            OrderCause.TURN_BACK: OrderStatus.TURNED_BACK,
            OrderCause.GIVE_UP_REST: OrderStatus.SHIPPED,
            OrderCause.CANCEL: OrderStatus.CANCELLED,
            OrderCause.NOTHING_LEFT: OrderStatus.CANCELLED,
        },
        OrderStatus.DELIVERED: {
            OrderCause.CONFIRM: OrderStatus.COMPLETED,
            OrderCause.TURN_BACK: OrderStatus.TURNED_BACK,
        },
        OrderStatus.COMPLETED: {},
        OrderStatus.CANCELLED: {OrderCause.REVIVE: OrderStatus.PAID},
    },
    deadlines={
        OrderStatus.PAID: (timedelta(days=15), OrderCause.MERCHANT_SILENT),
        OrderStatus.PARTLY_SHIPPED: (timedelta(days=15), OrderCause.GIVE_UP_REST),
        OrderStatus.SHIPPED: (timedelta(days=30), OrderCause.UNPROVEN),  # Nothing is confirmed that nobody proved.
        OrderStatus.TURNED_BACK: (timedelta(days=15), OrderCause.GIVE_UP_REST),
        OrderStatus.DELIVERED: (timedelta(days=7), OrderCause.CONFIRM),
    },
)


ENDED = (OrderStatus.COMPLETED, OrderStatus.CANCELLED)
"""States in which nothing is left to do. Only the orders of an expired purchase come back out of one (:func:`pay`)."""


class Stock(StrEnum):
    """Where an order's units are: the order row itself is the reservation."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"


_SOONEST = min(duration for duration, _ in ORDER.deadlines.values())
STANDS_STILL = (OrderStatus.SHIPPED, OrderStatus.DELIVERED)
"""States that do not time out while a complaint or a return is open: an order does not confirm itself over it."""
REMINDED_BEFORE = timedelta(hours=24)
"""How long before a promise runs out its merchant is reminded; of a short one, when half of it is over."""
LEFT_AT_LEAST = timedelta(days=3)
"""How long a buyer has at least to look at a parcel once the last open case is closed."""


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
    no_return: str = ""
    """Why it is not returned without a reason, where the buyer confirmed that for this purchase; else it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a history. ``intent`` and ``fingerprint`` remember the request that made it."""

    status: str
    at: datetime
    by: str
    note: str = ""
    intent: str = ""
    fingerprint: str = ""
    by_refund: bool = False
    """A refund that was asked for did it: nobody called anything off."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an order knows of one of its shipments."""

    shipment_id: str
    lines: tuple[tuple[str, int], ...]
    delivered_at: datetime | None = None
    turned_back_at: datetime | None = None
    """When it was refused, sent back or last seen before it was lost: its units are not with the buyer."""
    lost: bool = False
    """Whether it went missing, and did not just turn back."""


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
class Delivery:
    """What a buyer says of where a purchase goes. Personal data: sealed in the purchase's row, and only there."""

    contact: Contact | None = None
    note: str = ""
    asked: str = ""
    """Why a merchant asks for another address; its buyer names one, or does not."""
    changes: tuple[str, ...] = ()
    """``token fingerprint`` of each request that named another address."""
    asks: tuple[str, ...] = ()
    """``token fingerprint`` of the latest requests that asked for another address."""


NOWHERE = Later.of(Delivery())
"""Of what goes nowhere, without a note."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One checkout: one total, paid once."""

    purchase_id: str
    buyer_id: str
    status: PurchaseStatus
    total: Money
    order_ids: tuple[str, ...]
    number: str
    delivery: Later[Delivery]
    placed_at: datetime
    since: datetime
    """When the current state was entered."""
    fingerprint: str
    payment_attempts: int = 0
    settled_by: str | None = None
    network: str = ""
    """The row that counts it for its network, where a new account placed it."""
    history: tuple[Change, ...] = ()
    version: int = 0

    @property
    def contact(self) -> Contact | None:
        """Return where it goes."""
        return self.delivery().contact

    @property
    def note(self) -> str:
        """Return what the buyer noted."""
        return self.delivery().note

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
    lines_inside: bool = False
    """Whether its lines stand in its own row however large: one of a purchase that has no row to spare for them."""
    history: tuple[Change, ...] = ()
    version: int = 0
    never_left: tuple[tuple[str, int], ...] = ()
    """Units of each line that will not be sent and never were: they are back in stock."""
    came_back: tuple[tuple[str, int], ...] = ()
    """Units whose parcel turned back and that will not be sent again: a merchant looks at them before they are sold."""
    refunded_units: tuple[tuple[str, int], ...] = ()
    """Units of each line whose money went back, left or not."""
    paid_lines: tuple[str, ...] = ()
    """Lines whose money is all back, or on its way, however it was named."""
    refunding: tuple[tuple[str, int], ...] = ()
    """Refunds under way: the first number of each, and its minor units."""
    returning: tuple[tuple[str, str, int], ...] = ()
    """Units of its lines that open returns speak of: the return, the line, how many."""
    returned: tuple[tuple[str, int], ...] = ()
    """Units of each line that the buyer sent back and was paid for; they left once, and count as sent."""
    held_by: tuple[str, ...] = ()
    """Open cases about it: complaints and returns."""
    held_since: datetime | None = None
    """Since when they have kept the current state from timing out."""
    longer: timedelta = timedelta()
    """By how much the current state's deadline was put off."""
    seen_at: datetime | None = None
    """When the merchant was first shown where it goes."""
    entry_s: int | None = None
    """Where its entry on the due index stands: at its deadline, or before."""
    ship_within: timedelta = timedelta()
    """Within what time of its payment it was promised to be sent; rows of earlier days promise nothing."""
    told_late: int = 0
    """How much of a promise that runs out was told: nothing (0), that it does soon (1), that it did (2)."""
    appointments: tuple[Appointment, ...] = ()
    """Units that are provided at an agreed time, and were not yet."""

    @property
    def goods(self) -> Money:
        """Return what the lines cost together."""
        return Money(sum(line.total.minor for line in self.lines), self.total.currency)

    @property
    def due_at(self) -> datetime | None:
        """Return when the current state times out; at once where nothing can be sent and the buyer has nothing."""
        if self.status in STANDS_STILL and self.held_by:
            return None
        if self.may_be_sent and not self.unshipped() and not any(self.kept().values()):
            return self.since
        due_at = ORDER.due_at(self.status, self.since)
        later = due_at + self.longer if due_at else None
        return agreed.late_enough(later, self.appointments) if self.may_be_sent else later

    @property
    def is_over(self) -> bool:
        """Say whether nothing of it is done any more."""
        return self.status in ENDED

    @property
    def first_look_at(self) -> datetime | None:
        """Return when to look first at an order that was just paid: no state that follows times out before."""
        if self.ship_within:
            return self.paid_at + _SOONEST if self.paid_at else None
        return self.since + _SOONEST if self.status is OrderStatus.PAID else None

    @property
    def ship_by(self) -> datetime | None:
        """Return until when all of it was promised to be sent; None where nothing is promised, or it is not paid."""
        return self.paid_at + self.ship_within if self.ship_within and self.paid_at else None

    @property
    def waits_to_be_sent(self) -> bool:
        """Say whether something of it has yet to be sent for the first time."""
        return self.status in (OrderStatus.PAID, OrderStatus.PARTLY_SHIPPED) and bool(self.unshipped())

    @property
    def tells_at(self) -> datetime | None:
        """Return when somebody must be told next that its promise runs out; None once nobody must."""
        ship_by = self.ship_by
        if ship_by is None or self.told_late >= 2 or not self.waits_to_be_sent:
            return None
        return ship_by - min(REMINDED_BEFORE, self.ship_within / 2) if self.told_late == 0 else ship_by

    def is_told_early(self, *, now: datetime) -> bool:
        """Say whether the entry on the due index has fired, and the deadline is another."""
        due = self.due_at
        return self.entry_s is not None and self.entry_s <= now.timestamp() and due is not None and due > now

    @property
    def may_be_sent(self) -> bool:
        """Say whether its state lets a merchant send something."""
        return ORDER.takes(self.status, OrderCause.SHIP)

    @property
    def under_way(self) -> Money:
        """Return how much is on its way back to the buyer."""
        return Money(sum(minor for _, minor in self.refunding), self.total.currency)

    @property
    def is_paid_back(self) -> bool:
        """Say whether all its money went back, or is on its way."""
        return 0 < self.total.minor <= self.refunded.minor + self.under_way.minor

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

    def kept(self) -> dict[str, int]:
        """Return the units of each line in parcels that did not turn back."""
        found = {line.line_id: 0 for line in self.lines}
        for parcel in self.parcels:
            if parcel.turned_back_at is None:
                for line_id, quantity in parcel.lines:
                    found[line_id] = found.get(line_id, 0) + quantity
        return found

    def given_up(self) -> dict[str, int]:
        """Return the units of each line that will not be sent; lines with none are absent."""
        found: dict[str, int] = {}
        for line_id, quantity in (*self.never_left, *self.came_back):
            found[line_id] = found.get(line_id, 0) + quantity
        return found

    def unsent(self) -> dict[str, int]:
        """Return the units of each line that are neither with the buyer nor given up; lines with none are absent."""
        kept, given_up = self.kept(), self.given_up()
        left = {line.line_id: line.quantity - kept[line.line_id] - given_up.get(line.line_id, 0) for line in self.lines}
        return {line_id: quantity for line_id, quantity in left.items() if quantity > 0}

    def unshipped(self) -> dict[str, int]:
        """Return the units of each line that may be sent: none of an order whose money is all back."""
        return {} if self.is_paid_back else self.unsent()


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase with all its orders, as read in one go."""

    purchase: Purchase
    orders: tuple[Order, ...]

    @property
    def units(self) -> int:
        """Return how many units it holds, or held."""
        return sum(line.quantity for order in self.orders for line in order.lines)


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
    moved = replace(order, status=status, history=(*order.history, noted))
    if status is order.status:
        return moved
    held_since = change.at if order.held_by else None
    return replace(moved, since=change.at, held_since=held_since, longer=timedelta())


def pay(sale: Sale, *, payment_id: str, captured: Money, at: datetime, by: str) -> Sale:
    """Mark a purchase and all its orders paid; one that expired is revived, and its units must be taken again.

    Raises:
        IllegalTransition: if the purchase was paid or called off before.
        PaymentMismatch: if the capture is not exactly the total.
    """
    late = sale.purchase.status is PurchaseStatus.EXPIRED
    purchase_cause = PurchaseCause.REVIVE if late else PurchaseCause.PAY
    order_cause = OrderCause.REVIVE if late else OrderCause.PAY
    PURCHASE.next(sale.purchase.status, purchase_cause)
    if captured != sale.purchase.total:
        raise PaymentMismatch
    change = Change(status="", at=at, by=by)
    purchase = move_purchase(sale.purchase, purchase_cause, replace(change, note=payment_id))
    return Sale(
        purchase=replace(purchase, settled_by=payment_id),
        orders=tuple(replace(move_order(order, order_cause, change), stock=Stock.COMMITTED) for order in sale.orders),
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


def ship(order: Order, *, shipment_id: str, lines: Sequence[tuple[str, int]], change: Change) -> Order:
    """Add a parcel of some units; shipped once no unit is left.

    Raises:
        IllegalTransition: if the order cannot be shipped now.
        OverShipped: if a line has fewer units left, or is not of this order.
    """
    if any(parcel.shipment_id == shipment_id for parcel in order.parcels):
        return order
    ORDER.next(order.status, OrderCause.SHIP)
    left, kept_free = order.unshipped(), agreed.units(order.appointments)
    wanted: dict[str, int] = {}
    for line_id, quantity in lines:
        wanted[line_id] = wanted.get(line_id, 0) + quantity
    for line_id, quantity in wanted.items():
        free = left.get(line_id, 0) - kept_free.get(line_id, 0)
        if quantity < 1 or quantity > free:
            raise OverShipped(line_id=line_id, left=free, wanted=quantity)
    all_gone = all(left[line_id] == wanted.get(line_id, 0) for line_id in left)
    moved = move_order(order, OrderCause.SHIP if all_gone else OrderCause.SHIP_PART, change)
    return replace(moved, parcels=(*order.parcels, Parcel(shipment_id, tuple(sorted(wanted.items())))))


def deliver(order: Order, *, shipment_id: str, at: datetime, by: str, heard_at: datetime | None = None) -> Order:
    """Note that a parcel arrived, also one that had turned back before.

    Delivered once all have and none is missing; a state that takes no news of parcels keeps its own. ``at`` is the
    carrier's word; the order is delivered, and the buyer's time runs, since we heard it.
    """
    heard = heard_at or at
    shipped = next((entry.at for entry in order.history if entry.note == shipment_id), order.placed_at)
    parcels = tuple(
        replace(parcel, delivered_at=max(at, shipped), turned_back_at=None, lost=False)
        if parcel.shipment_id == shipment_id and not parcel.delivered_at and not _turned_later(parcel, at)
        else parcel
        for parcel in order.parcels
    )
    return arrived(replace(order, parcels=parcels), Change(status="", at=heard, by=by))


def _turned_later(parcel: Parcel, at: datetime) -> bool:
    return parcel.turned_back_at is not None and parcel.turned_back_at >= at


def arrived(order: Order, change: Change) -> Order:
    """Return the order delivered if all that was sent has arrived; shipped again if what had turned back goes on."""
    if not ORDER.takes(order.status, OrderCause.DELIVER) or order.unshipped() or not any(order.kept().values()):
        return order
    if all(parcel.delivered_at or parcel.turned_back_at for parcel in order.parcels):
        return move_order(order, OrderCause.DELIVER, change)
    if ORDER.takes(order.status, OrderCause.REACH):
        return move_order(order, OrderCause.REACH, change)
    return order


def refund(order: Order, *, refund_id: str, amount: Money, origin: str = "") -> Order:
    """Add a refund that has gone through, once; ``origin`` is its first number, where it was renewed."""
    if refund_id in order.refunds:
        return order
    refunding = tuple(part for part in order.refunding if part[0] not in (refund_id, origin))
    return replace(order, refunded=order.refunded + amount, refunds=(*order.refunds, refund_id), refunding=refunding)


def take_back_refund(order: Order, *, refund_id: str, amount: Money, origin: str = "") -> Order:
    """Subtract a refund that had gone through and came back, once. It must have been added before.

    It is under way again: an operator renews it.
    """
    mark = f"-{refund_id}"
    if mark in order.refunds:
        return order
    refunding = (*order.refunding, (origin or refund_id, amount.minor))
    return replace(order, refunded=order.refunded - amount, refunds=(*order.refunds, mark), refunding=refunding)
