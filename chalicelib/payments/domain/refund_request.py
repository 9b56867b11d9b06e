"""What somebody wants to be given back, who asks for it, and what that comes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.kernel import ids
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.refund import Refund, RefundRefused, RefundStatus


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """What is to be given back on an order: an amount, or units of lines and perhaps the freight."""

    order_id: str
    reason: str
    amount: Money | None = None
    lines: tuple[tuple[str, int], ...] = ()
    freight: bool = False
    payment_id: str | None = None
    offline: bool = False
    """Book it as owed, to be paid another way, where the provider takes no refund any more."""
    line: str = ""
    """What an amount is about. Unless it is ``compensation`` it pays back as many whole units of the line as it comes
    to: those that have not left, and, where they ``never_came``, others of which the buyer says so."""
    compensation: bool = False
    never_came: bool = False
    returned: bool = False
    """Its units came back from the buyer: an ``amount`` beside them is what they are worth by now."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks for a refund, and under which key: the same key again is the same refund."""

    key: str
    fingerprint: str = ""
    by: str = ""
    """The operator who asks, alone unless another one ``approved_by``."""
    approved_by: str = ""
    about: str = ""
    """What it is asked for: a complaint's id, or a return's, where it is one."""

    @property
    def token(self) -> str:
        """Return what a refund keeps of the key."""
        return ids.digest(self.key)

    @property
    def is_alone(self) -> bool:
        """Say whether one operator gives it back without a second person."""
        return bool(self.by) and not self.approved_by

    @property
    def is_choice(self) -> bool:
        """Say whether an operator chose it freely: then it goes the way that was asked for, or not at all."""
        return bool(self.by) and not self.about


@dataclass(frozen=True, slots=True)
class Sold:
    """What a refund by lines needs to know of an order: each line's units and what was charged for all of them."""

    lines: Mapping[str, tuple[int, int]]
    freight: int
    total: Money


def amount_of(sold: Sold, request: RefundRequest, earlier: Sequence[Refund]) -> Money:
    """Return what the units asked for were charged, exactly, whatever was refunded before.

    Each line's refunds follow the running number of its units, rounded down on the sum: in whatever parts and order,
    once all units are back exactly what was charged for the line is back.

    Raises:
        RefundRefused: if there are no such units left, or the freight is back already.
    """
    if request.amount is not None:
        return request.amount
    standing = [refund for refund in earlier if refund.status is not RefundStatus.REPLACED]
    minor = 0
    wanted: dict[str, int] = {}
    for line_id, quantity in request.lines:
        wanted[line_id] = wanted.get(line_id, 0) + quantity
    for line_id, quantity in wanted.items():
        bought, charged = sold.lines.get(line_id, (0, 0))
        before = sum(count for refund in standing for known, count in refund.lines if known == line_id)
        if quantity < 1 or before + quantity > bought:
            raise RefundRefused(why="more_units_than_bought", left=bought - before)
        minor += charged * (before + quantity) // bought - charged * before // bought
    if request.freight:
        if any(refund.freight for refund in standing):
            raise RefundRefused(why="freight_refunded", left=0)
        minor += sold.freight
    return Money(minor, sold.total.currency)
