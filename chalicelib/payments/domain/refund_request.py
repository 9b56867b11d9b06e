"""What an operator wants to give back, and what that comes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.refund import Refund, RefundRefused, RefundStatus


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator wants to give back on an order: an amount, or units of lines and perhaps the freight."""

    order_id: str
    reason: str
    amount: Money | None = None
    lines: tuple[tuple[str, int], ...] = ()
    freight: bool = False
    payment_id: str | None = None
    offline: bool = False
    """Book it as owed, to be paid another way, where the provider takes no refund any more."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What a refund by lines needs to know of an order: each line's units and what was charged for all of them."""

    lines: Mapping[str, tuple[int, int]]
    freight: int
    total: Money


def worth(sold: Sold, wish: Wish, earlier: Sequence[Refund]) -> Money:
    """Return what the wished units were charged, exactly, whatever was refunded before.

    Each line's refunds follow the running number of its units, rounded down on the sum: in whatever parts and order,
    once all units are back exactly what was charged for the line is back.

    Raises:
        RefundRefused: if there are no such units left, or the freight is back already.
    """
    if wish.amount is not None:
        return wish.amount
    standing = [refund for refund in earlier if refund.status is not RefundStatus.REPLACED]
    minor = 0
    wanted: dict[str, int] = {}
    for line_id, quantity in wish.lines:
        wanted[line_id] = wanted.get(line_id, 0) + quantity
    for line_id, quantity in wanted.items():
        bought, charged = sold.lines.get(line_id, (0, 0))
        before = sum(count for refund in standing for known, count in refund.lines if known == line_id)
        if quantity < 1 or before + quantity > bought:
            raise RefundRefused(why="more_units_than_bought", left=bought - before)
        minor += charged * (before + quantity) // bought - charged * before // bought
    if wish.freight:
        if any(refund.freight for refund in standing):
            raise RefundRefused(why="freight_refunded", left=0)
        minor += sold.freight
    return Money(minor, sold.total.currency)
