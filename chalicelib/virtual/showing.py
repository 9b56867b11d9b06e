"""What a buyer looks at: each look is written down in the work that shows, and nothing is shown that went back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.runtime import objects
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent
from chalicelib.virtual import domain, files, giving, store
from chalicelib.virtual.domain import Cause, Content, Delivery, NothingToShow, Part, Status

SHOW_FOR = timedelta(minutes=5)
"""For so long an address of a file is good."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One part of a delivery, opened. ``url`` is where a file is downloaded until a moment."""

    part: Part
    content: Content
    url: str = ""
    url_until: datetime | None = None


def of_buyers_order(order_id: str, buyer_id: str) -> tuple[Order, list[Delivery]]:
    """Return a buyer's order and what was delivered of it; nothing of it is opened.

    Raises:
        NotFound: if it is not theirs.
    """
    return orders.buyers_order(order_id, buyer_id), store.of_order(order_id)


def of_merchants_order(order_id: str, merchant_id: str) -> tuple[Order, list[Delivery]]:
    """Return a merchant's order and what was delivered of it; nothing of it is opened.

    Raises:
        NotFound: if it is not theirs.
    """
    order = orders.load_order(order_id)
    if order.merchant_id != merchant_id:
        raise NotFound(what="order")
    return order, store.of_order(order_id)


def known_to(found: Delivery) -> dict[int, Content]:
    """Return what of a delivery its buyer looked at and has still, by the numbers of its parts.

    What they have not looked at is in no copy of what is held of them: a code that goes back to its pool must be one
    that nobody knows.
    """
    known = [part.number for part in found.parts if part.seen_at is not None and part.live]
    if not known:
        return {}
    held = store.secrets(found.order_id, found.line_id)
    return {number: store.content_of(held[number]) for number in known if number in held}


def looks_at(order_id: str) -> list[tuple[datetime, str, tuple[int, ...]]]:
    """Return every look at an order's goods: when, at which line, at which parts."""
    return store.looks(order_id)


def look(buyer_id: str, order_id: str, line_id: str, intent: Intent) -> tuple[Delivery, list[Shown], bool]:
    """Show the buyer what was delivered of a line; says whether the same intent was shown it before.

    The look is written in one work that demands the order as it was read: whoever pays back at this moment either sees
    that it was looked at, or keeps it from being shown.

    Raises:
        NotFound: if the order is not theirs, or nothing of the line is delivered so.
        NothingToShow: if nothing is there yet, or it was paid back.
        TooManyLooks: if they looked too often today.
        IdempotencyKeyReused: if the key was used for something else.
        Busy: if it kept changing.
    """

    def show() -> tuple[Delivery, list[Shown], bool]:
        order = orders.load_order(order_id)
        if order.buyer_id != buyer_id:
            raise NotFound(what="order")
        before = store.look(order_id, line_id, intent.token)  # Before the delivery, which then knows of that look.
        found = store.delivery(order_id, giving.delivery_id(order_id, line_id))
        if found is None:
            raise NotFound(what="order line")
        parts = _shown_parts(order, found)
        if before is not None:
            intent.check(before)
            return found, _opened(found, parts), True
        now = clock.now()
        after = domain.seen(found, [part.number for part in parts], now=now, today=_same_day(found.looked_at, now))
        opened = _opened(after, tuple(part for part in after.parts if part.number in {one.number for one in parts}))
        with UnitOfWork() as work:
            orders.demand_unchanged(work, order)
            store.save_delivery(work, after)
            numbers = [part.number for part in parts]
            store.add_look(work, after, numbers, token=intent.token, fingerprint=intent.fingerprint, at=now)
        return replace(after, version=found.version + 1), opened, False

    return racing(show, otherwise=Busy)


def _shown_parts(order: Order, found: Delivery) -> tuple[Part, ...]:
    """Return the parts of which a unit is the buyer's, also once all refunds that are under way have taken theirs.

    Raises:
        NothingToShow: if there is none.
    """
    going = dict.fromkeys((part.number for part in found.parts), 0)
    for part, units in domain.to_take_back(found, orders.paid_back(order, found.line_id)):
        going[part.number] = units
    live = tuple(part for part in found.parts if part.live > going[part.number])
    if not live:
        raise NothingToShow(why="revoked" if found.parts else "awaiting")
    return live


def _same_day(before: datetime | None, now: datetime) -> bool:
    return before is not None and before.astimezone(clock.CHINA).date() == now.astimezone(clock.CHINA).date()


def _opened(found: Delivery, parts: tuple[Part, ...]) -> list[Shown]:
    held = store.secrets(found.order_id, found.line_id)
    return [_one(part, store.content_of(held[part.number])) for part in parts if part.number in held]


def _one(part: Part, content: Content) -> Shown:
    if content.file is None:
        return Shown(part, content)
    file = content.file
    url = objects.download_url(files.kept(file.file_id), file.name, within=SHOW_FOR, content_type=file.content_type)
    return Shown(part, content, url, clock.now() + SHOW_FOR)


def confirm(buyer_id: str, order_id: str, line_id: str, intent: Intent) -> tuple[Delivery, bool]:
    """Let the buyer say that all of a line is there; an order of which that was the last thing is confirmed with it.

    Raises:
        NotFound: if it is not theirs.
        IllegalTransition: if it is not delivered.
        Busy: if it kept changing.
    """

    def say() -> tuple[Delivery, bool]:
        order = orders.load_order(order_id)
        if order.buyer_id != buyer_id:
            raise NotFound(what="order")
        found = store.delivery(order_id, giving.delivery_id(order_id, line_id))
        if found is None:
            raise NotFound(what="order line")
        if found.confirmed_by.startswith(f"{intent.token} "):
            intent.check(found.confirmed_by.split(" ")[1])
            return found, True
        after = domain.moved(found, Cause.CONFIRM, now=clock.now())
        after = replace(after, confirmed_by=f"{intent.token} {intent.fingerprint}")
        with UnitOfWork() as work:
            store.save_delivery(work, after)
        return replace(after, version=found.version + 1), False

    delivery, replayed = racing(say, otherwise=Busy)
    if all(one.status in (Status.CONFIRMED, Status.REVOKED, Status.CALLED_OFF) for one in _lines(order_id)):
        _confirm_order(order_id, buyer_id, intent)
    return delivery, replayed


def _lines(order_id: str) -> list[Delivery]:
    return store.of_order(order_id, consistent=True)


def _confirm_order(order_id: str, buyer_id: str, intent: Intent) -> None:
    """Confirm an order of virtual goods alone, all of which the buyer has confirmed."""
    order = orders.load_order(order_id)
    only = all(line.kind == "virtual" for line in order.lines)
    if only and order.status is orders.OrderStatus.DELIVERED and not order.held_by:
        orders.confirm(order_id, buyer_id, intent)
