"""Use cases of bookings: agree on a time, move it, cancel it, decline it, redeem its code; deadlines and orders' ends.

Each writes slot, booking and order in one transaction: a place is taken exactly as long as its booking is open, and an
order waits exactly as long. So no crash leaves a place that nobody has, or a booking without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.bookings import domain, events, slots, store
from chalicelib.bookings.domain import (
    BOOKING,
    Booking,
    Cause,
    Change,
    NotBookable,
    Slot,
    Status,
    TooManyCodes,
    UnknownCode,
)
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, IllegalTransition, NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Window
from chalicelib.orders import service as orders
from chalicelib.orders.service import Appointment, Order, OrderStatus
from chalicelib.runtime import metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = ["Wanted", "book", "calendar", "cancel", "decline", "follow", "of_order", "redeem", "slots", "time_out"]

SYSTEM = "platform"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which time a buyer wants for units of an order line."""

    order_id: str
    line_id: str
    starts_at: datetime
    quantity: int


def book(buyer_id: str, wanted: Wanted, intent: Intent) -> tuple[Booking, bool]:
    """Agree on a time for units of a line, paid or not yet; says whether the same intent did it before.

    A place is kept as long as the order waits for its money, and given back when that does not come.

    Raises:
        NotFound: if the order is not this buyer's, or has no such line, or there is no such time.
        NotBookable: if the line is no service, or its units do not wait for a time.
        SlotRefused: if the time has begun or is full.
        IdempotencyKeyReused: if the key booked something else.
        Busy: if the order, or the slot, kept changing.
    """
    booking_id = intent.record_id("bkg")

    def attempt() -> tuple[Booking, bool]:
        order = _buyers(wanted.order_id, buyer_id)
        before = store.find(order.order_id, booking_id)
        if before is not None:
            intent.check(before.fingerprint)
            return before, True
        sku_id = _bookable_sku(order, wanted)
        slot = store.slot(sku_id, wanted.starts_at)
        domain.check_room(slot, wanted.quantity, clock.now())
        booking = _new(booking_id, order, wanted, slot, intent)
        with UnitOfWork(f"book#{booking_id}") as work:
            store.take(work, slot, wanted.quantity)
            store.save(work, booking, _confirmed(booking) if booking.status is Status.BOOKED else [])
            store.save_code(work, booking)
            orders.agree(work, order, _appointment(booking))
        return replace(booking, version=1), False

    return racing(attempt, otherwise=Busy)


def _buyers(order_id: str, buyer_id: str) -> Order:
    order = orders.load_order(order_id)
    if order.buyer_id != buyer_id:
        raise NotFound(what="order")
    return order


def _bookable_sku(order: Order, wanted: Wanted) -> str:
    line = next((one for one in order.lines if one.line_id == wanted.line_id), None)
    if line is None:
        raise NotFound(what="order line")
    if line.kind != "service":
        raise NotBookable(why="kind", left=0)
    if not order.may_be_sent and order.status is not OrderStatus.PLACED:
        raise NotBookable(why="state", left=0)
    if len(order.appointments) >= orders.MOST_APPOINTMENTS:
        raise NotBookable(why="many", left=0)
    left = orders.bookable(order).get(wanted.line_id, 0)
    if left < wanted.quantity:
        raise NotBookable(why="units", left=left)
    return line.sku_id


def _new(booking_id: str, order: Order, wanted: Wanted, slot: Slot, intent: Intent) -> Booking:
    now = clock.now()
    held = order.status is OrderStatus.PLACED
    return Booking(
        booking_id=booking_id,
        order_id=order.order_id,
        line_id=wanted.line_id,
        sku_id=slot.sku_id,
        buyer_id=order.buyer_id,
        merchant_id=order.merchant_id,
        quantity=wanted.quantity,
        status=Status.HELD if held else Status.BOOKED,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        code=_draw_code(),
        since=now,
        change_within=slot.change_within,
        moves=slot.moves,
        fingerprint=intent.fingerprint,
    )


def _draw_code() -> str:
    most: int = 10**domain.CODE_DIGITS
    return f"{int.from_bytes(ids.random_bytes(16)) % most:0{domain.CODE_DIGITS}d}"


def _appointment(booking: Booking) -> Appointment:
    """Return what the order knows of a booking: it waits for it until the code is not taken any more."""
    until = booking.ends_at + domain.MISSED_AFTER
    return Appointment(booking.booking_id, booking.line_id, booking.quantity, booking.fixed_at, until)


def _confirmed(booking: Booking) -> list[Event]:
    return [events.BookingConfirmed(**_subject(booking), starts_at=booking.starts_at)]


def _subject(booking: Booking) -> dict[str, Any]:
    return {"booking_id": booking.booking_id, "order_id": booking.order_id, "number": len(booking.history)}


def of_order(order_id: str, buyer_id: str) -> list[Booking]:
    """Return the bookings of a buyer's order as they stand: one whose order was paid a moment ago is booked.

    Raises:
        NotFound: if the order is not this buyer's.
    """
    order = orders.buyers_order(order_id, buyer_id)
    return [seen(one, order) for one in store.of_order(order_id)]


def seen(booking: Booking, order: Order) -> Booking:
    """Return a booking as its order makes it: what is noted minutes later is true already."""
    if booking.status is Status.HELD and order.may_be_sent:
        return replace(booking, status=Status.BOOKED)
    return booking


def calendar(merchant_id: str, since: datetime, until: datetime, window: Window) -> Page[Booking]:
    """Return one page of a merchant's bookings that begin from one moment until before another, in order."""
    return store.calendar(merchant_id, since, until, window)


def move(buyer_id: str, order_id: str, booking_id: str, starts_at: datetime, intent: Intent) -> tuple[Booking, bool]:
    """Take another time of the same service, as the buyer.

    Raises:
        NotFound: if the booking is not this buyer's, or there is no such time.
        IllegalTransition: if it is over.
        BookingFixed: if it is too late, or it was moved as often as it may be.
        SlotRefused: if that time has begun, is full, or is the one it has.
        Busy: if something kept changing.
    """

    def change(case: _Case, noted: Change) -> Booking:
        slot = store.slot(case.booking.sku_id, starts_at)
        after = domain.move_to(case.booking, slot, noted)
        with UnitOfWork() as work:
            store.give_back(work, case.booking)
            store.take(work, slot, after.quantity)
            store.save(work, after, [events.BookingMoved(**_subject(after), starts_at=after.starts_at)])
            orders.agree(work, case.order, _appointment(after))
        return after

    return _act(buyer_id, order_id, booking_id, intent, change)


def cancel(buyer_id: str, order_id: str, booking_id: str, intent: Intent) -> tuple[Booking, bool]:
    """Give a time back, as the buyer: its units can be booked anew, or their order called off.

    Raises:
        NotFound: if it is not this buyer's.
        IllegalTransition: if it is over.
        BookingFixed: if it is too late.
        Busy: if something kept changing.
    """

    def change(case: _Case, noted: Change) -> Booking:
        after = domain.move(case.booking, Cause.CANCEL, noted)
        domain.check_changeable(case.booking, noted.at)
        return _end(case, after)

    return _act(buyer_id, order_id, booking_id, intent, change)


def decline(merchant_id: str, order_id: str, booking_id: str, reason: str, intent: Intent) -> tuple[Booking, bool]:
    """Give a time back as the merchant, who cannot keep it: the buyer takes another, or calls the order off.

    Raises:
        NotFound: if it is not this merchant's.
        IllegalTransition: if it is over.
        Busy: if something kept changing.
    """

    def change(case: _Case, noted: Change) -> Booking:
        return _end(case, domain.move(case.booking, Cause.DECLINE, replace(noted, note=reason)))

    return _act(merchant_id, order_id, booking_id, intent, change)


@dataclass(frozen=True, slots=True)
class _Case:
    """What a change of a booking decides by."""

    booking: Booking
    order: Order


def _act(
    party: str, order_id: str, booking_id: str, intent: Intent, change: Callable[[_Case, Change], Booking]
) -> tuple[Booking, bool]:
    """Load, check whose it is and whether this request did it before, decide, commit; again after a lost race."""

    def attempt() -> tuple[Booking, bool]:
        before = store.load(order_id, booking_id)
        if party not in (before.buyer_id, before.merchant_id):
            raise NotFound(what="booking")
        if domain.remembered(before, intent.token, intent.fingerprint):
            return before, True
        order = orders.load_order(order_id)
        case = _Case(_paid(before, order), order)
        by = "buyer" if party == before.buyer_id else "merchant"
        after = change(case, Change(clock.now(), "", by, intent=intent.token, fingerprint=intent.fingerprint))
        return replace(after, version=before.version + 1), False

    return racing(attempt, otherwise=Busy)


def _paid(booking: Booking, order: Order) -> Booking:
    """Return a booking that waited for its order's money as booked, once that has come."""
    if booking.status is not Status.HELD or not order.may_be_sent:
        return booking
    return domain.move(booking, Cause.PAY, Change(clock.now(), "", SYSTEM))


def _end(case: _Case, after: Booking) -> Booking:
    """End a booking: its place is free, its order does not wait for it any more."""
    with UnitOfWork() as work:
        store.give_back(work, case.booking)
        store.save(work, after, [events.BookingEnded(**_subject(after), status=after.status.value)])
        orders.drop(work, case.order, after.booking_id)
    return after


def redeem(merchant_id: str, code: str, intent: Intent) -> tuple[Booking, bool]:
    """Take a buyer's code as the merchant, once: the service is provided, and the order goes on as if it had arrived.

    Raises:
        UnknownCode: if no booking of this merchant has it.
        TooManyCodes: if too many wrong ones were tried this hour.
        IllegalTransition: if its booking is over (it was redeemed before, say), or its order is not paid.
        Busy: if something kept changing.
    """
    now = clock.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    place, misses = store.place_of(merchant_id, code, hour)
    if misses >= domain.MISSES:  # A right one too: else the limit would tell a guesser which one it is.
        raise TooManyCodes(wait_s=3600 - int((now - hour).total_seconds()))
    if place is None:
        store.count_miss(merchant_id, hour)
        raise UnknownCode(what="booking")

    def change(case: _Case, noted: Change) -> Booking:
        if _is_groundless(case.booking, case.order):
            raise IllegalTransition(machine=BOOKING.name, state=Status.VOID.value, cause=Cause.REDEEM.value)
        return _provide(case, domain.move(case.booking, Cause.REDEEM, noted))

    return _act(merchant_id, *place, intent, change)


def _is_groundless(booking: Booking, order: Order) -> bool:
    return any(one.booking_id == booking.booking_id for one in orders.groundless(order))


def _provide(case: _Case, after: Booking) -> Booking:
    redeemed = after.status is Status.REDEEMED
    kind = events.BookingRedeemed if redeemed else events.BookingMissed
    with UnitOfWork() as work:
        store.save(work, after, [kind(**_subject(after))])
        orders.provide(work, case.order, _appointment(after))
    if redeemed:
        metrics.count("bookings_redeemed")
    else:
        metrics.count("bookings_missed")
    return after


def time_out(order_id: str, booking_id: str) -> None:
    """Look at a booking whose deadline has passed: was its order paid, did anybody come? A stale call is a no-op.

    Raises:
        Busy: if something kept changing.
    """

    def fire() -> None:
        before = store.find(order_id, booking_id)
        if before is None or before.due_at is None or before.due_at > clock.now():
            return
        order = orders.load_order(order_id)
        if _is_groundless(before, order):
            _void(before, order)
        elif before.status is Status.BOOKED:
            missed = domain.move(before, Cause.MISS, Change(clock.now(), "", SYSTEM))
            _provide(_Case(before, order), missed)
        else:
            _look(before, order)

    racing(fire, otherwise=Busy)


def _look(before: Booking, order: Order) -> None:
    """Note that its order was paid; look again in a while where it was not yet."""
    paid = _paid(before, order)
    after = replace(before, since=clock.now()) if paid is before else paid
    with UnitOfWork() as work:
        store.save(work, after, [] if paid is before else _confirmed(after))


def _void(before: Booking, order: Order) -> None:
    _end(_Case(before, order), domain.move(before, Cause.END, Change(clock.now(), "", SYSTEM)))


def follow(order_id: str) -> None:
    """End the bookings of an order whose units were called off or paid back; a no-op for all others.

    Raises:
        Busy: if something kept changing.
    """

    def end() -> bool:
        order = orders.load_order(order_id)
        void = orders.groundless(order)
        if void:
            _void(store.load(order_id, void[0].booking_id), order)
        return len(void) > 1  # The order is another now: look at it anew.

    while racing(end, otherwise=Busy):
        pass
