"""What units that came back are worth: what they were charged, less what went back for them before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.tally import Pairs, Tally


@dataclass(frozen=True, slots=True)
class Worth:
    """What a return pays back: how much, for which units, and whether the freight is in it."""

    amount: Money
    units: Pairs = ()
    freight: bool = False


def worth(made: Tally, units: Mapping[str, int], *, freight: bool) -> Worth:
    """Return what so many units of each line pay back by now; at most what is left of each line, and of the order.

    The units' share of a discount lapses with them: they are worth what was charged. ``freight``: that of the order is
    theirs as well, if with them everything that it carried is back.
    """
    order, minor, found = made.order, 0, []
    for line in order.lines:
        count = min(units.get(line.line_id, 0), line.quantity - made.units.get(line.line_id, 0))
        if count > 0:
            found.append((line.line_id, count))
            minor += min(made.charged(line, count), max(0, line.total.minor - made.of_line(line)))
    back = dict(found)
    whole = all(made.units.get(line.line_id, 0) + back.get(line.line_id, 0) == line.quantity for line in order.lines)
    carried = freight and whole and not made.freight and order.freight.minor > 0
    minor = min(minor + (order.freight.minor if carried else 0), made.left())
    return Worth(Money(minor, order.total.currency), tuple(found), carried)
