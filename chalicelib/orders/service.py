"""Use cases of purchases and orders, and what other capabilities may do to them inside their own unit of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import IllegalTransition, NotFound, RetryLater
from chalicelib.kernel.events import Event
from chalicelib.kernel.history import remembered
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Window
from chalicelib.orders import contacts, domain, events, holds, replacements, store, units
from chalicelib.orders import returns as return_rules
from chalicelib.orders.addressing import AddressSettled, ask_for_address, readdress
from chalicelib.orders.agreed import Appointment
from chalicelib.orders.appointments import agree, drop, provide, told_void
from chalicelib.orders.booked import MOST as MOST_APPOINTMENTS
from chalicelib.orders.booked import AppointmentFixed, bookable, check_free, groundless
from chalicelib.orders.domain import (
    NOWHERE,
    PURCHASE,
    Change,
    Contact,
    Delivery,
    Line,
    Order,
    OrderCause,
    OrderStatus,
    OverShipped,
    PaymentMismatch,
    Purchase,
    PurchaseCause,
    PurchaseStatus,
    Sale,
    Stock,
    TooManyAttempts,
)
from chalicelib.orders.forgetting import forget_delivery, is_over, order_ids, purchases_of
from chalicelib.orders.handing import hand_over as hand_over  # noqa: PLC0414 - whoever hands over asks here
from chalicelib.orders.handing import has_virtual as has_virtual  # noqa: PLC0414 - as above
from chalicelib.orders.handing import paid_back as paid_back  # noqa: PLC0414 - as above
from chalicelib.orders.handing import told_paid, told_paid_back
from chalicelib.orders.hold_rules import (
    TooManyCalledOff,
    TooManyUnits,
    TooManyUnpaid,
    TooManyUnpaidHere,
    TooManyUnpaidUnits,
)
from chalicelib.orders.holds import Standing, standing
from chalicelib.orders.holds import check_size as check_units
from chalicelib.orders.holds import lookup as held_lookup
from chalicelib.orders.lateness import NotLate, check_may_end, presume_lost, tell_late
from chalicelib.orders.replacements import has_address
from chalicelib.orders.replacements import place as place_replacement
from chalicelib.orders.returns import received_at, returnable
from chalicelib.orders.texts import (
    CALLED_OFF,
    DEADLINE,
    EXPIRED,
    NOT_SHIPPED,
    NOT_WAITED_FOR,
    NOTHING_LEFT,
    REFUNDED,
    REST_REFUNDED,
    of_order_changes,
)
from chalicelib.orders.texts import PURCHASES as PURCHASE_TEXTS
from chalicelib.orders.units import PaidBack, freed
from chalicelib.runtime.db.lookups import Lookup
from chalicelib.runtime.db.races import racing, starting_from
from chalicelib.runtime.db.work import UnitOfWork, hear_witness
from chalicelib.runtime.intents import Intent, system_intent

__all__ = [
    "MOST_APPOINTMENTS",
    "NOTHING_LEFT",
    "NOT_SHIPPED",
    "NOT_WAITED_FOR",
    "NOWHERE",
    "PURCHASE_TEXTS",
    "REFUNDED",
    "REST_REFUNDED",
    "AddressSettled",
    "Appointment",
    "AppointmentFixed",
    "Change",
    "Contact",
    "Delivery",
    "Line",
    "NotLate",
    "Order",
    "OrderCause",
    "OrderStatus",
    "OverShipped",
    "PaidBack",
    "PaymentMismatch",
    "Purchase",
    "PurchaseStatus",
    "Sale",
    "Standing",
    "Stock",
    "TooManyCalledOff",
    "TooManyUnits",
    "TooManyUnpaid",
    "TooManyUnpaidHere",
    "TooManyUnpaidUnits",
    "agree",
    "ask_for_address",
    "bookable",
    "check_free",
    "check_may_end",
    "check_units",
    "drop",
    "forget_delivery",
    "freed",
    "groundless",
    "has_address",
    "held_lookup",
    "is_over",
    "of_order_changes",
    "order_ids",
    "place_replacement",
    "presume_lost",
    "provide",
    "purchases_of",
    "readdress",
    "received_at",
    "remembered",
    "returnable",
    "standing",
    "tell_late",
]


def change(*, note: str = "", intent: Intent | None = None, at: datetime | None = None) -> Change:
    """Return a history entry of the running work; the state is filled in by the transition."""
    return Change(
        status="",
        at=at or clock.now(),
        by=context.current().actor,
        note=note,
        intent=intent.token if intent else "",
        fingerprint=intent.fingerprint if intent else "",
    )


def load_sale(purchase_id: str) -> Sale:
    """Return a purchase with its orders.

    Raises:
        NotFound: if there is none.
    """
    return store.load_sale(purchase_id)


def sale_lookup(purchase_id: str) -> Lookup[Sale | None]:
    """Say how a purchase of one order is read with something else, perhaps stale; None if :func:`peek_sale` must."""
    return store.sale_lookup(purchase_id)


def peek_sale(purchase_id: str) -> Sale | None:
    """Return a purchase with its orders, perhaps stale, or None: for whoever writes them under their versions."""
    return store.peek_sale(purchase_id)


def load_purchase(purchase_id: str) -> Purchase:
    """Return a purchase.

    Raises:
        NotFound: if there is none.
    """
    return store.load_purchase(purchase_id)


def reveal_contact(purchase_id: str) -> Contact:
    """Return where a purchase goes, to whom it is no business of: the look itself is written down, or refused.

    Raises:
        NotFound: if there is no such purchase, or nothing of it goes anywhere.
    """
    contact = store.load_purchase(purchase_id).contact
    if contact is None:
        raise NotFound(what="contact")
    hear_witness()
    return contact


def load_order(order_id: str) -> Order:
    """Return an order.

    Raises:
        NotFound: if there is none.
    """
    return store.load_order(order_id)


def buyers_sale(purchase_id: str, buyer_id: str) -> Sale:
    """Return a purchase of this buyer.

    Raises:
        NotFound: if there is none, or it is somebody else's.
    """
    sale = store.load_sale(purchase_id)
    if sale.purchase.buyer_id != buyer_id:
        raise NotFound(what="purchase")
    return sale


def buyers_purchase(purchase_id: str, buyer_id: str) -> Purchase:
    """Return a purchase of this buyer alone, as a page that waits shows it (eventually consistent: half a read unit).

    Raises:
        NotFound: if there is none, or it is somebody else's.
    """
    purchase = store.load_purchase(purchase_id, consistent=False)
    if purchase.buyer_id != buyer_id:
        raise NotFound(what="purchase")
    return purchase


def buyers_order(order_id: str, buyer_id: str) -> Order:
    """Return an order of this buyer, as a page shows it (eventually consistent: half the read units).

    Raises:
        NotFound: if there is none, or it is somebody else's.
    """
    order = store.load_order(order_id, consistent=False)
    if order.buyer_id != buyer_id:
        raise NotFound(what="order")
    return order


def merchants_order(order_id: str, merchant_id: str) -> tuple[Order, Contact | None]:
    """Return an order of this merchant and where it goes: masked, once nobody needs to know any more.

    That the merchant was shown it is noted, once for each order, before it is shown.

    Raises:
        NotFound: if there is none, or it is another merchant's.
        ConcurrentUpdate: if that could not be noted, because the order kept changing.
    """
    order = store.load_order(order_id)
    if order.merchant_id != merchant_id:
        raise NotFound(what="order")
    if not contacts.may_know(order):
        return order, None
    contact = store.load_purchase(order.purchase_id, consistent=False).contact
    if contact is None:
        return order, None
    if not contacts.is_needed(order, clock.now()):
        return order, contacts.masked(contact)
    return (order if order.seen_at else _note_seen(order)), contact


def _note_seen(first: Order) -> Order:
    load = starting_from(first, lambda: store.load_order(first.order_id))

    def note() -> Order:
        order = load()
        if order.seen_at is not None:
            return order
        seen = replace(order, seen_at=clock.now())
        with UnitOfWork() as work:
            store.save_order(work, seen)
        return replace(seen, version=order.version + 1)

    return racing(note)


def needs_contact(order: Order) -> bool:
    """Say whether its merchant needs to know where an order goes, or who signed for it."""
    return contacts.is_needed(order, clock.now())


def list_for_buyer(buyer_id: str, window: Window) -> Page[Order]:
    """Return one page of a buyer's orders, newest first."""
    return store.list_orders("buyer", buyer_id, window)


def list_for_merchant(merchant_id: str, window: Window, *, to_ship: bool) -> Page[Order]:
    """Return one page of a merchant's orders: all, newest first, or those waiting to be shipped, oldest first."""
    index = "to_ship" if to_ship else "merchant"
    return store.list_orders(index, merchant_id, window)


MOST_UNPAID: Final = 5_000
"""How many unpaid orders of a merchant are counted through to say what they hold: fifty reads."""


def held_units(merchant_id: str) -> dict[str, int] | None:
    """Return by SKU what a merchant's unpaid orders hold; None where there are too many of them to count through."""
    found = store.unpaid_orders(merchant_id, most=MOST_UNPAID)
    if found is None:
        return None
    held: dict[str, int] = {}
    for order in found:
        for sku_id, quantity in order.quantities().items():
            held[sku_id] = held.get(sku_id, 0) + quantity
    return held


def place(work: UnitOfWork, purchase: Purchase, orders: Sequence[Order]) -> None:
    """Add a new purchase and its orders to the work.

    Refused with ``AlreadyExists`` when the same intent placed it before; its ``item`` is for :func:`replayed`.
    What it holds is counted by :func:`count_unpaid`.
    """
    store.save_purchase(work, purchase, [events.PurchasePlaced(purchase_id=purchase.purchase_id)])
    for order in orders:
        store.save_order(work, order)


def count_unpaid(
    work: UnitOfWork, standing: Standing, purchase: Purchase, *, units: int, quote: str, crowded: bool = False
) -> None:
    """Count a purchase among its buyer's unpaid ones, in the work that places it.

    Refused as ``ConcurrentUpdate`` when the buyer placed or called off another one since ``standing`` was read.

    Raises:
        TooManyUnits, TooManyUnpaid, TooManyUnpaidUnits, TooManyCalledOff: now, if the account holds too much.
        TooManyUnpaidHere: when the work is committed, if the new accounts of its network seem to hold too much: the
            same again ``crowded`` looks which of their purchases are paid, and raises it only if too many are not.
    """
    holds.hold(work, standing, purchase, units=units, quote=quote, crowded=crowded)


def network_row(network: str, standing: Standing) -> str:
    """Return the row that counts a purchase for its network; none for an account that paid before."""
    return holds.network_row(network) if network and standing.is_fresh else ""


def replayed(item: dict[str, Any], intent: Intent) -> Purchase:
    """Return the purchase that the same intent placed before.

    Raises:
        IdempotencyKeyReused: if its key placed another body.
    """
    purchase = store.existing_purchase(item)
    intent.check(purchase.fingerprint)
    return purchase


def with_first_attempt(purchase: Purchase) -> Purchase:
    """Return a purchase that is placed together with the first attempt to pay it, number 1."""
    return replace(purchase, payment_attempts=1)


def start_attempt(work: UnitOfWork, purchase: Purchase) -> int:
    """Count a payment attempt on the purchase, in the payment's own work; returns its number (1..99).

    Touching the purchase makes an expiry that runs at the same moment lose and ask again.

    Raises:
        IllegalTransition: if the purchase no longer waits for money.
        TooManyAttempts: after 99.
    """
    PURCHASE.next(purchase.status, PurchaseCause.PAY)
    number = purchase.payment_attempts + 1
    if number > domain.MAX_ATTEMPTS:
        raise TooManyAttempts
    store.save_purchase(work, replace(purchase, payment_attempts=number))
    return number


def check_releasable(purchase: Purchase, *, expired: bool) -> None:
    """Refuse before the provider is bothered.

    Raises:
        IllegalTransition: if the purchase no longer waits for money.
    """
    PURCHASE.next(purchase.status, PurchaseCause.EXPIRE if expired else PurchaseCause.CANCEL)


def settle(work: UnitOfWork, sale: Sale, *, payment_id: str, captured: Money, at: datetime) -> None:
    """Mark the purchase and all its orders paid, in the capture's own work.

    The units of one that expired are in stock again: who settles it takes all of them in the same work.

    Raises:
        IllegalTransition: if the purchase was called off, or settled by another payment.
        PaymentMismatch: if the capture is not exactly the total.
    """
    paid = domain.pay(sale, payment_id=payment_id, captured=captured, at=at, by=context.current().actor)
    holds.paid(work, sale)
    store.save_purchase(
        work, paid.purchase, [events.PurchasePaid(purchase_id=paid.purchase.purchase_id, payment_id=payment_id)]
    )
    for order in paid.orders:
        store.save_order(work, order, [events.OrderPaid(order_id=order.order_id), *told_paid(order)])


def release(work: UnitOfWork, sale: Sale, *, expired: bool, intent: Intent | None = None) -> Sale:
    """End an unpaid purchase in the work that also gives its stock back.

    One that expired counts on for a while among what its buyer holds; one called off does so among those only.

    Raises:
        IllegalTransition: if it no longer waits for money.
    """
    why = EXPIRED if expired else CALLED_OFF
    ended = domain.release(sale, expired=expired, change=change(note=why, intent=intent))
    kind = events.PurchaseExpired if expired else events.PurchaseCancelled
    store.save_purchase(work, ended.purchase, [kind(purchase_id=ended.purchase.purchase_id)])
    for order in ended.orders:
        store.save_order(work, order, [events.OrderCancelled(order_id=order.order_id, why=why), *told_void(order)])
    if not expired:
        holds.called_off(work, sale)
    return ended


def pay_back(work: UnitOfWork, order: Order, paid: PaidBack) -> Order:
    """Note a refund that is asked for, in its own work; what it pays back unsent is given up.

    The caller gives back to stock what that frees (:func:`freed`).
    """
    after = units.pay_back(order, paid, replace(change(note=REFUNDED), by_refund=True))
    store.save_order(
        work, after, [*_told_of_end(order, after), *told_void(after), *told_paid_back(after, paid.refund_id)]
    )
    return after


def _told_of_end(before: Order, after: Order) -> list[Event]:
    """Return what a refund's effect on its order tells: it ended, or goes on without the rest."""
    if after.status is before.status:
        return []
    if after.status is OrderStatus.CANCELLED:
        return replacements.told_cancelled(after, OrderCause.NOTHING_LEFT.value)
    found: list[Event] = [events.OrderShipped(order_id=after.order_id)]
    return [*found, events.OrderDelivered(order_id=after.order_id)] if after.status is OrderStatus.DELIVERED else found


def check_ends(order: Order, cause: OrderCause) -> None:
    """Refuse before money and stock are looked at.

    Raises:
        IllegalTransition: if the order cannot be called off so now.
    """
    domain.ORDER.next(order.status, cause)


def ended_by_refund(order: Order) -> bool:
    """Say whether a refund of everything has ended the order: whoever calls it off then gets what they want."""
    return order.status is OrderStatus.CANCELLED and bool(order.history) and order.history[-1].by_refund


def cancel_paid(
    work: UnitOfWork,
    order: Order,
    *,
    cause: OrderCause,
    paid: PaidBack | None,
    intent: Intent | None = None,
    note: str = "",
) -> Order:
    """Cancel an order of which the buyer has nothing, in the work that also refunds it and gives its stock back.

    Raises:
        IllegalTransition: if it is not in such a state.
    """
    cancelled = units.cancelled(order, cause, paid, change(note=note, intent=intent))
    told = [*replacements.told_cancelled(order, cause.value), *told_void(cancelled)]
    told += told_paid_back(order, paid.refund_id if paid else cause.value)
    store.save_order(work, cancelled, told)
    return cancelled


def give_up_rest(work: UnitOfWork, order: Order, *, paid: PaidBack | None, intent: Intent | None = None) -> Order:
    """Let an order go on as shipped without what was not sent, in the work that also refunds that and frees its stock.

    Raises:
        IllegalTransition: if it is not partly shipped.
    """
    note = NOT_WAITED_FOR if intent else REST_REFUNDED
    shipped = units.without_rest(order, paid, change(note=note, intent=intent))
    told = [*_told_of_end(order, shipped), *told_void(shipped)]
    store.save_order(work, shipped, [*told, *told_paid_back(order, paid.refund_id if paid else "rest")])
    return shipped


def record_shipment(
    work: UnitOfWork, order: Order, *, shipment_id: str, lines: Sequence[tuple[str, int]], at: datetime
) -> Order:
    """Add a shipment of (line_id, quantity) to the order, in the shipment's own work.

    Raises:
        IllegalTransition: if the order cannot be shipped now.
        OverShipped: if a line has fewer units left.
    """
    shipped = domain.ship(order, shipment_id=shipment_id, lines=lines, change=change(note=shipment_id, at=at))
    if shipped is not order:
        done = shipped.status is OrderStatus.SHIPPED
        store.save_order(work, shipped, [events.OrderShipped(order_id=order.order_id)] if done else [])
    return shipped


def record_delivery(order_id: str, shipment_id: str, at: datetime) -> Order:
    """Note that a parcel arrived ``at`` a time of the carrier's, once however often it is told."""

    def record() -> Order:
        order = store.load_order(order_id)
        now = clock.now()
        delivered = domain.deliver(order, shipment_id=shipment_id, at=at, by=context.current().actor, heard_at=now)
        if delivered == order:
            return order
        moved = delivered.status is not order.status
        with UnitOfWork() as work:
            store.save_order(work, delivered, [events.OrderDelivered(order_id=order_id)] if moved else [])
        return replace(delivered, version=order.version + 1)

    return racing(record)


def record_turn_back(order_id: str, shipment_id: str, at: datetime, *, lost: bool = False) -> Order:
    """Note that a parcel was refused, is on its way back or was lost, once however often it is told."""

    def record() -> Order:
        order = store.load_order(order_id)
        noted = change(note=shipment_id)
        turned = units.turn_back(order, shipment_id=shipment_id, at=at, change=noted, lost=lost)
        if turned is order:
            return order
        moved = turned.status is OrderStatus.TURNED_BACK is not order.status
        with UnitOfWork() as work:
            told: list[Event] = [events.OrderTurnedBack(order_id=order_id, shipment_id=shipment_id)] if moved else []
            store.save_order(work, turned, told)
        return replace(turned, version=order.version + 1)

    return racing(record)


def record_refund(order_id: str, refund_id: str, amount: Money, *, origin: str = "") -> Order:
    """Note a refund that went through, once however often it is told; ``origin`` is its first number."""

    def add(order: Order) -> Order:
        return domain.refund(order, refund_id=refund_id, amount=amount, origin=origin)

    return racing(lambda: _noted(order_id, add))


def take_back_refund(order_id: str, refund_id: str, amount: Money, *, origin: str = "") -> Order:
    """Note that a refund which had gone through came back, once however often it is told.

    Raises:
        RetryLater: if the refund's success has not been told yet: the two overtook each other.
    """

    def take_back(order: Order) -> Order:
        if refund_id not in order.refunds:
            raise RetryLater("the refund is not noted yet", delay_s=5)
        return domain.take_back_refund(order, refund_id=refund_id, amount=amount, origin=origin)

    return racing(lambda: _noted(order_id, take_back))


def _noted(order_id: str, change: Callable[[Order], Order]) -> Order:
    order = store.load_order(order_id)
    changed = change(order)
    if changed is order:
        return order
    with UnitOfWork() as work:
        store.save_order(work, changed)
    return replace(changed, version=order.version + 1)


def demand_unchanged(work: UnitOfWork, order: Order) -> None:
    """Let a work go through only while an order is as it was read: what it shows or decides rests on that.

    Refused as ``ConcurrentUpdate``.
    """
    store.demand_unchanged(work, order)


def hold(work: UnitOfWork, order: Order, case_id: str) -> None:
    """Keep an order from confirming itself, in the work that opens a case about it; open cases are counted."""
    held = units.hold(order, case_id, now=clock.now())
    if held is not order:
        store.save_order(work, held)


def let_go(work: UnitOfWork, order: Order, case_id: str) -> None:
    """Let an order's deadline run on, in the work that closes the last open case about it."""
    free = units.let_go(order, case_id, now=clock.now())
    if free is not order:
        store.save_order(work, free)


def begin_return(work: UnitOfWork, order: Order, return_id: str, wanted: Mapping[str, int]) -> None:
    """Keep units of an order for a return, in the work that asks for it; the order does not confirm itself."""
    store.save_order(work, return_rules.begin(order, return_id, wanted, now=clock.now()))


def end_return(work: UnitOfWork, order: Order, return_id: str) -> None:
    """Let go of a return's units, in the work that ends it; the order goes on as it stood."""
    free = return_rules.end(order, return_id, now=clock.now())
    if free is not order:
        store.save_order(work, free)


def confirm(order_id: str, buyer_id: str, intent: Intent) -> Order:
    """Confirm receipt as the buyer, also while a complaint is open: that is the buyer's own word, and it stays open.

    Raises:
        NotFound: if it is not this buyer's.
        IllegalTransition: if there is nothing to confirm.
        ConcurrentUpdate: if it kept changing.
    """

    def complete() -> Order:
        order = store.load_order(order_id)
        if order.buyer_id != buyer_id:
            raise NotFound(what="order")
        if remembered(order.history, intent.token, intent.fingerprint):
            return order
        return _complete(order, change(intent=intent))

    return racing(complete)


def put_off(order: Order) -> None:
    """Move the entry of an order that was told of early to where its deadline is by now.

    Raises:
        ConcurrentUpdate: if the order changed meanwhile.
    """
    with UnitOfWork() as work:
        store.save_order(work, order)


def confirm_by_deadline(order: Order) -> Order:
    """Confirm receipt because the time for it ran out; a no-op where it no longer applies."""
    try:
        return _complete(order, change(note=DEADLINE, intent=system_intent(f"confirm#{order.order_id}")))
    except IllegalTransition:
        return order


def _complete(order: Order, noted: Change) -> Order:
    completed = domain.move_order(order, OrderCause.CONFIRM, noted)
    with UnitOfWork() as work:
        store.save_order(work, completed, [events.OrderCompleted(order_id=order.order_id)])
    return replace(completed, version=order.version + 1)
