"""What an order's refunds have paid back so far: units of its lines, its freight, and money for anything else.

Pure. A unit is priced by its running number on its line, so that in whatever parts and order units go back, exactly
what was charged is back in the end. Money without units is told apart by what it is for:

- **compensation**: for goods that came, or for no goods at all. What has not left is owed beside it.
- **beyond**: about a line, for what had not come, more than whole units cost. It is set against units of that line.
- **loose**: about no line: an amount that an operator gave. It is set against whatever an order still owes when it ends
  by itself, so that nobody is paid twice for the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.kernel import ids
from chalicelib.kernel.money import Money
from chalicelib.orders.domain import Line, Order
from chalicelib.payments.domain.refund import Refund, RefundStatus

Pairs = tuple[tuple[str, int], ...]


@dataclass
class Tally:
    """All that went back on an order or is on its way, in minor units and units of its lines."""

    order: Order
    money: int = 0
    freight: bool = False
    units: dict[str, int] = field(default_factory=dict)
    beyond: dict[str, int] = field(default_factory=dict)
    compensation: dict[str, int] = field(default_factory=dict)
    loose: int = 0

    def charged(self, line: Line, units: int) -> int:
        """Return what the next so many units of a line were charged."""
        before = self.units.get(line.line_id, 0)
        return line.total.minor * (before + units) // line.quantity - line.total.minor * before // line.quantity

    def of_line(self, line: Line) -> int:
        """Return how much went back for a line."""
        units = line.total.minor * self.units.get(line.line_id, 0) // line.quantity
        return units + self.beyond.get(line.line_id, 0) + self.compensation.get(line.line_id, 0)

    def left(self) -> int:
        """Return how much of the order's money is not on its way back."""
        return max(0, self.order.total.minor - self.money)

    def left_of(self, line_id: str) -> int:
        """Return how much may still go back for a line: what is left of it and of the order."""
        for line in self.order.lines:
            if line.line_id == line_id:
                return max(0, min(line.total.minor - self.of_line(line), self.left()))
        return 0

    def emptied(self, refund: Refund) -> tuple[str, ...]:
        """Return the lines whose money is all back with one more refund."""
        after = tally(self.order, (), start=self)
        after.add(refund)
        return tuple(line.line_id for line in self.order.lines if 0 < line.total.minor <= after.of_line(line))

    def add(self, refund: Refund) -> None:
        """Count one more refund."""
        own = self._count_units(refund.lines) + self._count_freight(refund)
        self.money += refund.amount.minor
        rest = refund.amount.minor - own
        if rest < 0:
            self._use(refund.lines, -rest)
        elif refund.line:
            kept = self.compensation if refund.compensation else self.beyond
            kept[refund.line] = kept.get(refund.line, 0) + rest
        else:
            self.loose += rest

    def _count_units(self, lines: Pairs) -> int:
        by_id = {line.line_id: line for line in self.order.lines}
        own = 0
        for line_id, quantity in lines:
            if line_id in by_id:
                own += self.charged(by_id[line_id], quantity)
                self.units[line_id] = self.units.get(line_id, 0) + quantity
        return own

    def _count_freight(self, refund: Refund) -> int:
        if not refund.freight or self.freight:
            return 0
        self.freight = True
        return self.order.freight.minor

    def _use(self, lines: Pairs, minor: int) -> None:
        """Use up what was paid before and is set against these units now."""
        for line_id, _ in lines:
            used = min(minor, self.beyond.get(line_id, 0))
            if used:
                self.beyond[line_id] -= used
                minor -= used
        for line in self.order.lines:  # What was paid for a flaw of goods is no part of what they are worth when they
            over = self.of_line(line) - line.total.minor  # come back.
            used = min(minor, over, self.compensation.get(line.line_id, 0)) if line.line_id in dict(lines) else 0
            if used > 0:
                self.compensation[line.line_id] -= used
                minor -= used
        self.loose = max(0, self.loose - minor)


def tally(order: Order, refunds: Iterable[Refund], *, start: Tally | None = None) -> Tally:
    """Count the refunds of an order that stand, in the order they were asked for."""
    made = Tally(order)
    if start is not None:
        made.money, made.freight, made.loose = start.money, start.freight, start.loose
        made.units, made.beyond = dict(start.units), dict(start.beyond)
        made.compensation = dict(start.compensation)
    standing = [one for one in refunds if one.order_id == order.order_id and one.status is not RefundStatus.REPLACED]
    for refund in sorted(standing, key=_turn):
        made.add(refund)
    return made


def _turn(refund: Refund) -> tuple[bool, int]:
    """Return when a refund is counted: money of the console's before what was asked for anew beside it."""
    return not refund.external_number or bool(refund.origin), ids.child_number(refund.origin or refund.refund_id)


def units_for(made: Tally, line: Line, amount: Money, *, most: int) -> int:
    """Return how many units of a line an amount pays back: whole ones, at most so many, and none twice."""
    left = min(most, line.quantity - made.units.get(line.line_id, 0))
    units = 0
    while units < left and made.charged(line, units + 1) <= amount.minor:
        units += 1
    return units


def owed_for(made: Tally, wanted: Mapping[str, int]) -> tuple[int, Pairs]:
    """Return what units that are given up are owed, and which of them were not paid back: the refund's own.

    What went back before without units is set against it.
    """
    owed, units = 0, []
    for line in made.order.lines:
        count = min(wanted.get(line.line_id, 0), line.quantity - made.units.get(line.line_id, 0))
        if count <= 0:
            continue
        units.append((line.line_id, count))
        charged = max(0, made.charged(line, count) - made.beyond.get(line.line_id, 0))
        owed += min(charged, max(0, line.total.minor - made.of_line(line)))
    return min(max(0, owed - made.loose), made.left()), tuple(units)
