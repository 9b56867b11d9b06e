"""What is owed of an order's virtual lines: given as soon as it is there, missed when its time is over, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Window
from chalicelib.orders import service as orders
from chalicelib.orders.service import Line, Order
from chalicelib.runtime import metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent
from chalicelib.virtual import domain, pools, store
from chalicelib.virtual.domain import Cause, CodeKnown, Content, Delivery, Form, NotOwed, NotVirtual, Part, Pool, Status
from chalicelib.virtual.events import VirtualAwaited, VirtualDelivered, VirtualMissed, VirtualRevoked

HELD_LONGER = timedelta(days=3)
"""A delivery whose order is complained about is looked at again after so long."""
_PAGE = 50
"""So many that wait are looked at with one read when a pool is filled."""


def delivery_id(order_id: str, line_id: str) -> str:
    """Return the id of what is delivered of a line."""
    return ids.derived_id("vdl", order_id, line_id)


def serve(order_id: str) -> None:
    """Give what is there of all that a paid order is owed; what is not there is awaited until the agreed time.

    Repeats find nothing left to give.
    """
    for line in orders.load_order(order_id).lines:
        if line.kind == pools.KIND:
            _serve_line(order_id, line.line_id)


def _serve_line(order_id: str, line_id: str) -> bool:
    """Give a line its units, a transaction at a time; says whether any was given."""
    given = False
    while racing(lambda: _give(order_id, line_id)):
        given = True
    return given


def _give(order_id: str, line_id: str) -> bool:
    """Give some units, if there are any; says whether there may be more to give."""
    order = orders.load_order(order_id)
    line = _line(order, line_id)
    owed = _owed(order, line_id)
    if not owed:
        return False
    pool, ready = store.pool_and_ready(line.sku_id)
    if pool is None:
        return False  # Its merchant delivers by hand, whenever that is.
    found = store.delivery(order_id, delivery_id(order_id, line_id))
    if pool.form is not Form.CODE:
        if ready is None:
            _await(order, line, pool, found, owed)
            return False
        part = _part(found, owed)
        with UnitOfWork() as work:
            _hand_over(work, order, _begun(order, line, pool, found), part, left=0)
            store.add_secret(work, order_id, line_id, part.number, ready())
            pools.saved(work, pool, replace(pool, given=pool.given + owed), ready)
        return False
    rows = store.free_codes(line.sku_id, min(owed, domain.CHUNK))
    if not rows:
        _await(order, line, pool, found, owed)
        return False
    with UnitOfWork() as work:
        _give_codes(work, order, _begun(order, line, pool, found), rows)
        pools.saved(work, pool, domain.taken(pool, len(rows)), ready)
    return owed > len(rows)


def _give_codes(work: UnitOfWork, order: Order, delivery: Delivery, rows: Sequence[store.CodeRow]) -> None:
    now = clock.now()
    first = len(delivery.parts) + 1
    parts = tuple(Part(number, now, code_number=store.number_of(row)) for number, row in enumerate(rows, start=first))
    left = _owed(order, delivery.line_id) - len(rows)
    after = domain.settled(replace(delivery, parts=(*delivery.parts, *parts)), left=left, now=now)
    _save_given(work, order, after, first, len(rows))
    for part, row in zip(parts, rows, strict=True):
        store.take_code(work, row)
        store.add_secret(work, order.order_id, delivery.line_id, part.number, store.content_of(row))


def _hand_over(work: UnitOfWork, order: Order, delivery: Delivery, part: Part, *, left: int) -> None:
    _save_given(work, order, domain.with_part(delivery, part, left=left), part.number, part.quantity)


def _save_given(work: UnitOfWork, order: Order, after: Delivery, part: int, units: int) -> None:
    parcel_id = ids.derived_id("vdl", after.delivery_id, str(part))
    noted = orders.change(note=parcel_id)
    orders.hand_over(work, order, parcel_id=parcel_id, line_id=after.line_id, units=units, noted=noted)
    told: list[Event] = [VirtualDelivered(order_id=after.order_id, line_id=after.line_id, part=part)]
    store.save_delivery(work, after, told)


def _await(order: Order, line: Line, pool: Pool, found: Delivery | None, owed: int) -> None:
    """Note that units are owed until the agreed time, once."""
    if found is not None and found.status in domain.OPEN:
        return
    delivery = _begun(order, line, pool, found)
    if delivery.status not in domain.OPEN:
        return
    with UnitOfWork() as work:
        orders.demand_unchanged(work, order)
        store.save_delivery(work, delivery, [VirtualAwaited(order_id=order.order_id, line_id=line.line_id, part=owed)])


def _begun(order: Order, line: Line, pool: Pool | None, found: Delivery | None) -> Delivery:
    """Return the delivery of a line as it is; a new one is promised from the payment on."""
    if found is not None:
        return found
    paid_at = order.paid_at or clock.now()
    return Delivery(
        delivery_id=delivery_id(order.order_id, line.line_id),
        order_id=order.order_id,
        line_id=line.line_id,
        sku_id=line.sku_id,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        form=pool.form if pool else Form.TEXT,
        status=Status.AWAITING,
        since=clock.now(),
        promised_at=paid_at + pool.within if pool else None,
    )


def _part(found: Delivery | None, quantity: int, *, by: str = "") -> Part:
    return Part(len(found.parts) + 1 if found else 1, clock.now(), quantity, by=by)


def _line(order: Order, line_id: str) -> Line:
    for line in order.lines:
        if line.line_id == line_id:
            return line
    raise NotFound(what="order line")


def _owed(order: Order, line_id: str) -> int:
    """Return the units of a line that are still to be given: none of an order that is not paid, or has ended."""
    return order.unshipped().get(line_id, 0) if order.may_be_sent else 0


def fill(sku_id: str, merchant_id: str) -> None:
    """Give those who wait for a SKU what its pool has now, the most urgent first."""
    place = None
    while True:
        page = store.owed(merchant_id, Window(_PAGE, place))
        for delivery in page.items:
            if delivery.sku_id == sku_id and not _serve_line(delivery.order_id, delivery.line_id):
                pool = store.pool(sku_id)
                if pool is None or (pool.form is Form.CODE and not pool.free):
                    return
        if page.after is None:
            return
        place = page.after


@dataclass(frozen=True, slots=True)
class Handed:
    """What a merchant delivers by hand: so many units of a line, and what the buyer gets of them."""

    order_id: str
    line_id: str
    content: Content
    quantity: int = 1


def by_hand(merchant_id: str, handed: Handed, intent: Intent) -> tuple[Delivery, bool]:
    """Deliver units of a line of the merchant's order by hand; says whether the same intent did so before.

    Raises:
        NotFound: if the order is not theirs, or has no such line.
        NotVirtual: if the line is sent or done.
        NotOwed: if fewer units are owed.
        CodeKnown: if it is a code that is known already.
        IllegalTransition: if nothing of the order can be delivered now.
        Busy: if it kept changing.
    """
    order_id, line_id, content, quantity = handed.order_id, handed.line_id, handed.content, handed.quantity

    def give() -> tuple[Delivery, bool]:
        order = orders.load_order(order_id)
        if order.merchant_id != merchant_id:
            raise NotFound(what="order")
        line = _line(order, line_id)
        if line.kind != pools.KIND:
            raise NotVirtual
        found = store.delivery(order_id, delivery_id(order_id, line_id))
        for part in found.parts if found else ():
            if part.by.startswith(f"{intent.token} "):
                intent.check(part.by.split(" ")[1])
                return _sure(found), True
        owed = _owed(order, line_id)
        if quantity > owed:
            raise NotOwed(line_id=line_id, left=owed, wanted=quantity)
        digest = pools.mark(merchant_id, content.text) if content.form is Form.CODE else ""
        if digest and store.known([digest]):
            raise CodeKnown
        part = _part(found, quantity, by=f"{intent.token} {intent.fingerprint}")
        begun = _begun(order, line, store.pool(line.sku_id), found)
        with UnitOfWork() as work:
            _hand_over(work, order, begun, part, left=owed - quantity)
            store.add_secret(work, order_id, line_id, part.number, content)
            if digest:
                store.add_known(work, digest, order_id)
        return _sure(store.delivery(order_id, begun.delivery_id)), False

    return racing(give, otherwise=Busy)


def keep_code(work: UnitOfWork, order: Order, line_id: str, units: int, code: str) -> None:
    """Give a code that a merchant sent with units of a line, in the work that hands the units over.

    Raises:
        CodeKnown: if it is known already.
    """
    line = _line(order, line_id)
    digest = pools.mark(order.merchant_id, code)
    if store.known([digest]):
        raise CodeKnown
    found = store.delivery(order.order_id, delivery_id(order.order_id, line_id))
    part = _part(found, units)
    left = max(0, _owed(order, line_id) - units)
    after = domain.with_part(_begun(order, line, store.pool(line.sku_id), found), part, left=left)
    store.save_delivery(work, after, [VirtualDelivered(order_id=order.order_id, line_id=line_id, part=part.number)])
    store.add_secret(work, order.order_id, line_id, part.number, Content(Form.CODE, code))
    store.add_known(work, digest, order.order_id)


def _sure(found: Delivery | None) -> Delivery:
    if found is None:
        raise NotFound(what="order line")
    return found


def take_back(order_id: str) -> None:
    """Take back what was given of lines whose money goes back; call off what is owed no more. Repeats do nothing."""
    for delivery in store.of_order(order_id, consistent=True):
        while racing(partial(_take_back, order_id, delivery.line_id)):
            pass


def _take_back(order_id: str, line_id: str) -> bool:
    """Take some units back; says whether there may be more."""
    order = orders.load_order(order_id)
    delivery = store.delivery(order_id, delivery_id(order_id, line_id))
    if delivery is None:
        return False
    now = clock.now()
    back = domain.to_take_back(delivery, orders.paid_back(order, line_id))[: domain.BACK_CHUNK]
    after = domain.settled(domain.taken_back(delivery, back, now=now), left=_owed(order, line_id), now=now)
    if after == delivery:
        return False
    with UnitOfWork() as work:
        if back:
            _return_codes(work, delivery, [part for part, _ in back if domain.goes_back(part)])
        store.save_delivery(work, after, [_revoked(delivery, back)] if back else [])
    return len(back) == domain.BACK_CHUNK


def _revoked(delivery: Delivery, back: Sequence[tuple[Part, int]]) -> VirtualRevoked:
    return VirtualRevoked(
        order_id=delivery.order_id,
        line_id=delivery.line_id,
        part=delivery.revoked + 1,
        units=sum(units for _, units in back),
        seen=sum(units for part, units in back if part.seen_at is not None),
    )


def _return_codes(work: UnitOfWork, delivery: Delivery, parts: Sequence[Part]) -> None:
    """Put codes that nobody saw back where they were, and as many units in stock: they can be sold again."""
    if not parts:
        return
    pool, ready = store.pool_and_ready(delivery.sku_id)
    held = store.secrets(delivery.order_id, delivery.line_id)
    if pool is None:
        raise NotFound(what="pool")
    for part in parts:
        row = held[part.number]
        store.add_code(work, delivery.sku_id, part.code_number, store.content_of(row))
        store.take_secret(work, row)
    pools.saved(work, pool, domain.came_back(pool, len(parts)), ready)
    cause = f"{delivery.delivery_id}#back#{delivery.version}"
    inventory.within.receive(work, delivery.sku_id, len(parts), cause=cause, reason="codes came back unseen")


def time_out(order_id: str, record_id: str) -> None:
    """Fire the deadline of a delivery: the agreed time is over, or the buyer's. A stale call is a no-op."""

    def fire() -> None:
        found = store.delivery(order_id, record_id)
        now = clock.now()
        if found is None or found.due_at is None or found.due_at > now:
            return
        order = orders.load_order(order_id)
        told: list[Event] = []
        if found.status is Status.AWAITING:
            after = domain.settled(found, left=_owed(order, found.line_id), now=now)
            if after is found:
                after = domain.missed(found, now=now)
                told.append(VirtualMissed(order_id=order_id, line_id=found.line_id))
        elif order.held_by:
            after = replace(found, longer=now + HELD_LONGER - (found.due_at - found.longer))
        else:
            after = domain.moved(found, Cause.CONFIRM, now=now)
        with UnitOfWork() as work:
            orders.demand_unchanged(work, order)
            store.save_delivery(work, after, told)
        if told:
            metrics.count("virtual_missed")

    racing(fire)


def owed_units(order: Order, line_id: str) -> int:
    """Return the units of a line that are still to be given."""
    return _owed(order, line_id)


__all__ = ["Handed", "by_hand", "delivery_id", "fill", "keep_code", "owed_units", "serve", "take_back", "time_out"]
