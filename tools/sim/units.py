"""The unit identity, per order line: bought = kept by the buyer + never left + came back.

It reads raw rows only and works everything out anew: what has left from the parcels, what was paid back from the
refunds, what a complaint was about from its reason. A unit whose money went back before it had left can leave no more
and is in ``available`` again, once; nobody is paid twice for it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MAY_LEAVE = ("paid", "partly_shipped", "turned_back")
"""States of an order in which what has not left may still leave."""
OF_GOODS = ("not_as_described", "damaged", "wrong_item", "quality", "counterfeit")
"""Reasons of a complaint that only goods can have which came."""
OF_PEOPLE = ("service",)
AUTOMATIC = ("cancel", "merchant_silent", "nothing_left", "rest")
"""Reasons of refunds that nobody decides: an order that ends pays them back by itself."""
NO_PARCEL = "none"
"""Before units that are given up had a place of their own they stood in a parcel of this name."""


@dataclass(frozen=True)
class LineSeen:
    """One line as it was bought; ``charged`` is what all its units cost."""

    sku_id: str
    quantity: int
    charged: int


@dataclass
class OrderUnits:
    """Where the units of one order are, by line."""

    lines: dict[str, LineSeen] = field(default_factory=dict)
    status: str = ""
    total: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    """In parcels, however they ended."""
    away: dict[str, int] = field(default_factory=dict)
    """In parcels that did not turn back."""
    unsent_paid: dict[str, int] = field(default_factory=dict)
    """Paid back before they had left."""
    turned: tuple[str, ...] = ()
    """Parcels that turned back."""
    back: dict[str, int] = field(default_factory=dict)
    """Never left, and never will: in ``available`` again."""
    counted: dict[str, int] = field(default_factory=dict)
    """Paid back as units, left or not: the running number by which units are priced."""
    returned: dict[str, int] = field(default_factory=dict)
    """Of those the units that came back from the buyer."""
    money: dict[str, int] = field(default_factory=dict)
    """Paid back for something about the line."""
    spare: dict[str, int] = field(default_factory=dict)
    """Paid back for what had not come, beyond whole units; under no line: on the order, for nothing in particular."""
    freight: bool = False
    paid: int = 0
    """Paid back, all in all."""
    reserved: dict[str, int] = field(default_factory=dict)
    """By SKU, what the stock's equation counts for the order."""

    def open(self, line_id: str) -> int:
        """Return how many units may still leave."""
        if self.status not in MAY_LEAVE:
            return 0
        gone = self.away.get(line_id, 0) + max(self.unsent_paid.get(line_id, 0), self.back.get(line_id, 0))
        return max(0, self.lines[line_id].quantity - gone)

    def worth(self, line_id: str, units: int) -> int:
        """Return what the next so many units of a line were charged."""
        line, before = self.lines[line_id], self.counted.get(line_id, 0)
        return line.charged * (before + units) // line.quantity - line.charged * before // line.quantity

    def bought(self) -> dict[str, int]:
        """Return by SKU what was ordered."""
        found: dict[str, int] = {}
        for line in self.lines.values():
            found[line.sku_id] = found.get(line.sku_id, 0) + line.quantity
        return found

    def wanted(self) -> dict[str, int]:
        """Return by SKU what is held or sold: all but what never left and never will."""
        found: dict[str, int] = {}
        for line_id, line in self.lines.items():
            kept = line.quantity - self.back.get(line_id, 0)
            found[line.sku_id] = found.get(line.sku_id, 0) + kept
        return found


@dataclass(frozen=True)
class RefundAsked:
    """A refund of the last call."""

    order_id: str
    refund_id: str
    amount: int
    doc: Mapping[str, Any]
    contested: bool


class Units:
    """All orders' units, and what is wrong with them."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderUnits] = {}
        self.complaints: dict[str, tuple[str, str]] = {}
        """Complaint -> the line it is about, and its reason."""
        self.missing: dict[str, tuple[int, int]] = {}
        """Complaint -> how many units of its line might still have left when it was filed, and how many were paid."""
        self._dirty: dict[str, Mapping[str, Any]] = {}
        self._asked: list[RefundAsked] = []

    # --- what was written ---------------------------------------------------------------------------------------------

    def bought(self, order_id: str, lines: list[Any]) -> None:
        """Take the lines of a new order."""
        order = self.orders.setdefault(order_id, OrderUnits())
        order.lines = {
            str(number): LineSeen(f"sku_{line[1]}_{line[0]}", line[4], line[6])
            for number, line in enumerate(lines, start=1)
        }

    def moved(self, order_id: str, status: str, total: int, doc: Mapping[str, Any]) -> None:
        """Take a change of an order."""
        order = self.orders.setdefault(order_id, OrderUnits())
        order.total = total
        self._dirty[order_id] = {"status": status, "doc": doc}

    def complained(self, complaint_id: str, order_id: str, line_id: str, reason: str) -> None:
        """Take a complaint."""
        self.complaints[complaint_id] = (line_id, reason)
        order = self.orders[order_id]
        self.missing.setdefault(complaint_id, (order.open(line_id), order.unsent_paid.get(line_id, 0)))

    def asked(self, refund: RefundAsked) -> None:
        """Take a refund that was asked for."""
        self._asked.append(refund)

    # --- what follows -------------------------------------------------------------------------------------------------

    def check(self) -> Iterator[tuple[str, str]]:
        """Say what is wrong since the last call: what, and with which order. First the refunds, by what was before."""
        for refund in self._asked:
            for problem in self._refunded(self.orders[refund.order_id], refund):
                yield problem, refund.order_id
            self._dirty.setdefault(refund.order_id, {})
        self._asked.clear()
        for order_id, change in self._dirty.items():
            order = self.orders[order_id]
            if change:
                self._change(order, change["status"], change["doc"])
            for problem in self._problems(order):
                yield problem, order_id

    def reserved(self) -> Iterator[tuple[str, int]]:
        """Return by how much what orders hold of a SKU has changed since the last call."""
        for order_id in self._dirty:
            order = self.orders[order_id]
            wanted = order.wanted()
            for sku_id in {**order.reserved, **wanted}:
                change = wanted.get(sku_id, 0) - order.reserved.get(sku_id, 0)
                if change:
                    yield sku_id, change
            order.reserved = wanted
        self._dirty.clear()

    def _refunded(self, order: OrderUnits, refund: RefundAsked) -> Iterator[str]:
        doc, amount = refund.doc, refund.amount
        lines: dict[str, int] = {}
        for line_id, quantity in doc.get("lines", ()):
            lines[line_id] = lines.get(line_id, 0) + quantity
        by_itself = not doc.get("by") and not doc.get("about") and not doc.get("foreign")
        if by_itself and doc["reason"] in AUTOMATIC:
            if not refund.contested:
                yield from self._by_itself(order, doc["reason"], amount)
            self._close(order)
        elif doc.get("about", "").startswith("rtn_"):
            yield from self._by_return(order, refund.refund_id, lines, amount, freight=bool(doc.get("freight")))
        elif doc.get("about") in self.complaints:
            yield from self._by_complaint(order, doc["about"], lines, amount)
        elif lines or doc.get("freight"):
            for line_id, quantity in lines.items():
                order.money[line_id] = order.money.get(line_id, 0) + order.worth(line_id, quantity)
                self._unsent(order, line_id, min(quantity, order.open(line_id)))
                order.counted[line_id] = order.counted.get(line_id, 0) + quantity
        else:
            order.spare[""] = order.spare.get("", 0) + amount
        order.paid += amount
        for line_id, line in order.lines.items():  # Nothing is left to pay for them: what has not left stays.
            if order.paid >= order.total or (line.charged and order.money.get(line_id, 0) >= line.charged):
                self._unsent(order, line_id, order.open(line_id))

    @staticmethod
    def _by_return(
        order: OrderUnits, refund_id: str, lines: Mapping[str, int], amount: int, *, freight: bool
    ) -> Iterator[str]:
        """What came back is paid for once, and what it was charged: what has not left stays owed beside it."""
        owed = 0
        for line_id, quantity in lines.items():
            line = order.lines[line_id]
            if order.counted.get(line_id, 0) + quantity > line.quantity:
                yield f"{refund_id} pays back {quantity} of line {line_id}, {order.counted[line_id]} were before"
            had = order.away.get(line_id, 0) - order.returned.get(line_id, 0)
            if quantity > had:
                yield f"{refund_id} pays back {quantity} of line {line_id}, its buyer had {had}"
            worth = min(order.worth(line_id, quantity), line.charged - order.money.get(line_id, 0))
            owed += worth
            order.money[line_id] = order.money.get(line_id, 0) + worth
            order.counted[line_id] = order.counted.get(line_id, 0) + quantity
            order.returned[line_id] = order.returned.get(line_id, 0) + quantity
        left = order.total - order.paid
        if amount > left or (not freight and amount != min(owed, left)):
            yield f"{refund_id} pays back {amount}, what came back is worth {owed}, {left} is left"

    @staticmethod
    def _by_itself(order: OrderUnits, reason: str, amount: int) -> Iterator[str]:
        left = order.total - order.paid
        if reason != "rest":
            if amount != left:
                yield f"{reason} pays back {amount}, {left} was not paid back"
            return
        owed = 0
        for line_id, line in order.lines.items():
            units = min(order.open(line_id), line.quantity - order.counted.get(line_id, 0))
            worth = max(0, order.worth(line_id, units) - order.spare.get(line_id, 0))
            owed += min(worth, line.charged - order.money.get(line_id, 0))
        owed = min(max(0, owed - order.spare.get("", 0)), left)
        if amount != owed:
            yield f"the rest pays back {amount}, what never left and was not paid back is worth {owed}"

    @staticmethod
    def _close(order: OrderUnits) -> None:
        """All that has not left is paid back now."""
        for line_id, line in order.lines.items():
            units = min(order.open(line_id), line.quantity - order.counted.get(line_id, 0))
            order.money[line_id] = order.money.get(line_id, 0) + order.worth(line_id, units)
            order.counted[line_id] = order.counted.get(line_id, 0) + units
            order.unsent_paid[line_id] = order.unsent_paid.get(line_id, 0) + order.open(line_id)

    def _by_complaint(
        self, order: OrderUnits, complaint_id: str, said: Mapping[str, int], amount: int
    ) -> Iterator[str]:
        line_id, reason = self.complaints[complaint_id]
        missing, paid = self.missing[complaint_id]
        order.money[line_id] = order.money.get(line_id, 0) + amount
        came = order.away.get(line_id, 0) > 0
        if reason in OF_PEOPLE or (reason in OF_GOODS and came):
            return  # Compensation: the goods stay where they are.
        if missing and order.unsent_paid.get(line_id, 0) > paid and amount > order.worth(line_id, order.open(line_id)):
            yield f"{amount} for {complaint_id}, whose missing units were paid back meanwhile"
        units = said.get(line_id, 0)
        while not said and units < order.open(line_id) and order.worth(line_id, units + 1) <= amount:
            units += 1
        order.spare[line_id] = order.spare.get(line_id, 0) + amount - order.worth(line_id, units)
        self._unsent(order, line_id, min(units, order.open(line_id)))
        order.counted[line_id] = order.counted.get(line_id, 0) + units

    @staticmethod
    def _unsent(order: OrderUnits, line_id: str, units: int) -> None:
        order.unsent_paid[line_id] = order.unsent_paid.get(line_id, 0) + units

    def _change(self, order: OrderUnits, status: str, doc: Mapping[str, Any]) -> None:
        if order.status == "cancelled" and status == "paid":  # Late money took all of it again, and nothing had left.
            order.back = {}
        order.status = status
        sent: dict[str, int] = {}
        away: dict[str, int] = {}
        turned = []
        for parcel in doc.get("parcels", ()):
            if parcel[0] == NO_PARCEL:
                continue
            turned_back = len(parcel) > 3 and bool(parcel[3])
            for line_id, quantity in parcel[1]:
                sent[line_id] = sent.get(line_id, 0) + quantity
                if not turned_back:
                    away[line_id] = away.get(line_id, 0) + quantity
                elif parcel[0] not in order.turned:  # What was paid back while it was away is not sent again.
                    paid = order.counted.get(line_id, 0) - order.unsent_paid.get(line_id, 0)
                    paid -= order.returned.get(line_id, 0)
                    line = order.lines[line_id]
                    all_paid = order.paid >= order.total or 0 < line.charged <= order.money.get(line_id, 0)
                    gone = quantity if all_paid else min(quantity, paid)
                    self._unsent(order, line_id, max(0, gone))
            if turned_back:
                turned.append(parcel[0])
        order.sent, order.away, order.turned = sent, away, tuple({*order.turned, *turned})

    def _problems(self, order: OrderUnits) -> Iterator[str]:
        for line_id, line in order.lines.items():
            away, paid = order.away.get(line_id, 0), order.unsent_paid.get(line_id, 0)
            stays = max(0, line.quantity - order.sent.get(line_id, 0))
            final = order.status not in (*MAY_LEAVE, "placed", "")
            never = stays if final else min(paid, stays)
            order.back[line_id] = max(order.back.get(line_id, 0), never)
            # A parcel that turned back may arrive after its units were sent again: nobody could know.
            if away + order.back[line_id] > line.quantity and not order.turned:
                yield f"line {line_id}: {away} were sent of {line.quantity}, and {paid} were paid back unsent"
        may_leave = order.status in MAY_LEAVE and order.status != "turned_back"  # That one times out at once.
        if may_leave and order.lines and order.paid >= order.total > 0:
            yield f"everything is paid back, and it is {order.status}"

    # --- the end ------------------------------------------------------------------------------------------------------

    def unfinished(self, order_id: str) -> Iterator[str]:
        """Say what an order that has ended still owes its buyer."""
        order = self.orders[order_id]
        owed = sum(line.charged * order.back.get(line_id, 0) // line.quantity for line_id, line in order.lines.items())
        if order.status == "cancelled" and not any(order.sent.values()):
            owed = order.total
        if order.paid < owed:
            yield f"{order_id} never sent goods worth {owed} and paid back {order.paid}"

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return {key: _copied(order) for key, order in self.orders.items()}, dict(self.complaints), dict(self.missing)

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.orders = {key: _copied(order) for key, order in saved[0].items()}
        self.complaints, self.missing = dict(saved[1]), dict(saved[2])
        self._dirty.clear()
        self._asked.clear()


_TABLES = ("sent", "away", "unsent_paid", "back", "counted", "returned", "money", "spare", "reserved")


def _copied(order: OrderUnits) -> OrderUnits:
    made = copy.copy(order)
    for name in _TABLES:
        setattr(made, name, dict(getattr(order, name)))
    return made
