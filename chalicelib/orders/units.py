"""Where the units of an order are: which will not be sent, and what the order becomes once none is left to send.

Pure. A unit is with the buyer, waits to be sent, never left (and is in stock again), or came back in a parcel that
turned back (a merchant looks at it before it is sold: it does not return to stock by itself).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.kernel.money import Money
from chalicelib.orders.domain import (
    LEFT_AT_LEAST,
    ORDER,
    STANDS_STILL,
    Change,
    Order,
    OrderCause,
    OrderStatus,
    Parcel,
    Stock,
    arrived,
    move_order,
)

Pairs = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PaidBack:
    """What a refund that was just asked for means for its order."""

    refund_id: str
    amount: Money
    units: Pairs = ()
    """Units of its lines that it pays back: those that have not left before those that have."""
    lines: Collection[str] = ()
    """Lines whose money is all back with it, however it was named."""
    everything: bool = False
    """Whether the order's money is all back with it."""
    returned: bool = False
    """Whether its units came back from the buyer: nothing that has not left is given up for them."""


def give_up(order: Order, wanted: Mapping[str, int]) -> Order:
    """Say that so many units of each line will not be sent, at most those that wait to be: first what never left."""
    unsent = order.unsent()
    sent: dict[str, int] = {}
    for parcel in order.parcels:
        for line_id, quantity in parcel.lines:
            sent[line_id] = sent.get(line_id, 0) + quantity
    never, came = dict(order.never_left), dict(order.came_back)
    for line in order.lines:
        line_id = line.line_id
        units = min(wanted.get(line_id, 0), unsent.get(line_id, 0))
        fresh = max(0, line.quantity - sent.get(line_id, 0) - never.get(line_id, 0))
        for kept, count in ((never, min(units, fresh)), (came, units - min(units, fresh))):
            if count:
                kept[line_id] = kept.get(line_id, 0) + count
    return replace(order, never_left=tuple(sorted(never.items())), came_back=tuple(sorted(came.items())))


def freed(before: Order, after: Order) -> dict[str, int]:
    """Return by SKU the units that a change gives back to stock: what never left and will not."""
    known = dict(before.never_left)
    found: dict[str, int] = {}
    skus = {line.line_id: line.sku_id for line in after.lines}
    for line_id, quantity in after.never_left:
        if quantity > known.get(line_id, 0):
            found[skus[line_id]] = found.get(skus[line_id], 0) + quantity - known.get(line_id, 0)
    return found


def pay_back(order: Order, paid: PaidBack, change: Change) -> Order:
    """Note a refund under way; what it pays back unsent is not sent any more, and an order without anything left ends.

    Without anything left to send and anything with the buyer it is cancelled once its money is all back; until then
    it times out at once, which pays back what is missing (its freight).
    """
    noted = _noted(order, paid)
    if not order.may_be_sent:
        return noted
    unsent = order.unsent()
    wanted = {} if paid.returned else dict(paid.units)
    for line_id in unsent if paid.everything else paid.lines:
        wanted[line_id] = unsent.get(line_id, 0)
    return _without(give_up(noted, wanted), change)


def _noted(order: Order, paid: PaidBack | None) -> Order:
    if paid is None:
        return order
    units = dict(order.refunded_units)
    for line_id, quantity in paid.units:
        units[line_id] = units.get(line_id, 0) + quantity
    refunding = (*order.refunding, (paid.refund_id, paid.amount.minor))
    lines = tuple(sorted({*order.paid_lines, *paid.lines}))
    returned = dict(order.returned)
    for line_id, quantity in paid.units if paid.returned else ():
        returned[line_id] = returned.get(line_id, 0) + quantity
    return replace(
        order,
        refunded_units=tuple(sorted(units.items())),
        refunding=refunding,
        paid_lines=lines,
        returned=tuple(sorted(returned.items())),
    )


def _without(order: Order, change: Change) -> Order:
    """Return what an order becomes whose last units were given up; any other stays as it is.

    One that the buyer has nothing of is cancelled once its money is all back: till then it times out at once.
    """
    if not order.may_be_sent or order.unsent():
        return order
    if any(order.kept().values()):
        return arrived(move_order(order, OrderCause.GIVE_UP_REST, change), replace(change, intent="", fingerprint=""))
    return ended(order, OrderCause.NOTHING_LEFT, change) if order.is_paid_back else order


def ended(order: Order, cause: OrderCause, change: Change) -> Order:
    """Cancel an order of which the buyer has nothing: all that waits to be sent is given up.

    Raises:
        IllegalTransition: if it is not in a state that is called off so, or the buyer has a part of it.
    """
    ORDER.next(order.status, cause)
    if any(order.kept().values()):
        ORDER.next(OrderStatus.SHIPPED, cause)
    emptied = give_up(order, order.unsent())
    back_in_stock = dict(emptied.never_left) == {line.line_id: line.quantity for line in emptied.lines}
    stock = Stock.RELEASED if back_in_stock else emptied.stock
    return replace(move_order(emptied, cause, change), stock=stock)


def without_rest(order: Order, paid: PaidBack | None, change: Change) -> Order:
    """Let an order go on without what was not sent, or not again, in time; delivered if all the rest has arrived.

    Raises:
        IllegalTransition: if it is not in such a state.
    """
    ORDER.next(order.status, OrderCause.GIVE_UP_REST)
    shipped = move_order(give_up(_noted(order, paid), order.unsent()), OrderCause.GIVE_UP_REST, change)
    return arrived(shipped, replace(change, note="", intent="", fingerprint=""))


def cancelled(order: Order, cause: OrderCause, paid: PaidBack | None, change: Change) -> Order:
    """Cancel an order of which the buyer has nothing; the rest of its money is on its way back.

    Raises:
        IllegalTransition: as :func:`ended`.
    """
    return ended(_noted(order, paid), cause, change)


def turn_back(order: Order, *, shipment_id: str, at: datetime, change: Change, lost: bool = False) -> Order:
    """Note that a parcel does not reach the buyer, once; its units are to be sent again, but those that were paid back.

    A parcel that arrived later than that has not turned back. One that is ``lost`` was last seen then.
    """
    found = next((parcel for parcel in order.parcels if parcel.shipment_id == shipment_id), None)
    if found is None or found.turned_back_at or (found.delivered_at and found.delivered_at >= at):
        return order
    turned = replace(found, turned_back_at=at, delivered_at=None, lost=lost)
    parcels = tuple(turned if parcel is found else parcel for parcel in order.parcels)
    noted = paid_before(replace(order, parcels=parcels), turned)
    return away(noted, OrderCause.TURN_BACK, change)


def away(noted: Order, cause: OrderCause, change: Change) -> Order:
    """Return what becomes of an order some of whose units were just noted to be away from the buyer."""
    if not ORDER.takes(noted.status, cause):
        return noted
    if noted.unsent() or not any(noted.kept().values()):
        return move_order(noted, cause, change)
    moved = arrived(noted, change)
    return moved if moved.status is not noted.status else _without(noted, change)


def paid_before(order: Order, turned: Parcel) -> Order:
    """Give up the units of a parcel that turned back whose money went back while they were away."""
    given_up, refunded, came = order.given_up(), dict(order.refunded_units), dict(order.came_back)
    returned = dict(order.returned)
    for line_id, quantity in turned.lines:
        all_paid = order.is_paid_back or line_id in order.paid_lines
        settled = given_up.get(line_id, 0) + returned.get(line_id, 0)
        paid = quantity if all_paid else min(quantity, refunded.get(line_id, 0) - settled)
        if paid > 0:
            came[line_id] = came.get(line_id, 0) + paid
    return replace(order, came_back=tuple(sorted(came.items())))


# --- open cases keep an order from confirming itself ------------------------------------------------------------------


def hold(order: Order, case_id: str, *, now: datetime) -> Order:
    """Let the order not confirm itself while this complaint or return is open; what is complete is needed again."""
    if case_id in order.held_by or order.status is OrderStatus.CANCELLED:
        return order
    return replace(order, held_by=(*order.held_by, case_id), held_since=order.held_since or now)


def let_go(order: Order, case_id: str, *, now: datetime) -> Order:
    """Let the deadline run on after a case, once none is open: with what was left, and three days at least."""
    if case_id not in order.held_by:
        return order
    held_by = tuple(one for one in order.held_by if one != case_id)
    if held_by:
        return replace(order, held_by=held_by)
    free = replace(order, held_by=(), held_since=None)
    due_at = ORDER.due_at(order.status, order.since)
    if due_at is None or order.status not in STANDS_STILL:
        return free
    left = due_at + order.longer - (order.held_since or now)
    return replace(free, longer=now + max(left, LEFT_AT_LEAST) - due_at)
