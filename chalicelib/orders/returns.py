"""What returns do to their order: which units they speak of, so that none is sent back, or paid back, twice. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from chalicelib.orders import units
from chalicelib.orders.domain import Order


def returnable(order: Order, *, but: str = "") -> dict[str, int]:
    """Return the units of each line that the buyer has, was not paid back, and speaks of in no other open return.

    ``but`` is the return that asks: what it speaks of itself counts as free. Lines with none are absent.
    """
    kept, given_up, refunded = order.kept(), order.given_up(), dict(order.refunded_units)
    found: dict[str, int] = {}
    for line in order.lines:
        line_id = line.line_id
        with_buyer = max(0, refunded.get(line_id, 0) - given_up.get(line_id, 0))
        spoken_of = sum(count for case, of, count in order.returning if of == line_id and case != but)
        free = kept[line_id] - with_buyer - spoken_of
        if free > 0 and line_id not in order.paid_lines and not order.is_paid_back:
            found[line_id] = free
    return found


def begin(order: Order, return_id: str, wanted: Mapping[str, int], *, now: datetime) -> Order:
    """Keep units for a return that was asked for; the order does not confirm itself meanwhile."""
    kept = tuple((return_id, line_id, count) for line_id, count in sorted(wanted.items()))
    return units.hold(replace(order, returning=(*order.returning, *kept)), return_id, now=now)


def end(order: Order, return_id: str, *, now: datetime) -> Order:
    """Let go of a return's units, however it ended; the order goes on as it stood."""
    kept = tuple(part for part in order.returning if part[0] != return_id)
    free = order if kept == order.returning else replace(order, returning=kept)
    return units.let_go(free, return_id, now=now)


def received_at(order: Order, line_id: str) -> datetime | None:
    """Return when the buyer had the last parcel of a line; of what nobody followed, when its receipt was confirmed."""
    parcels = [one for one in order.parcels if one.turned_back_at is None and dict(one.lines).get(line_id)]
    told = [one.delivered_at for one in parcels if one.delivered_at is not None]
    if told:
        return max(told)
    return next((change.at for change in order.history if change.status == "completed"), None) if parcels else None
