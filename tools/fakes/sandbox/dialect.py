"""Stand-ins that keep orders and refunds as ``core`` does and speak another language: they check our signatures as
strictly as the real host, sign as it does, and call the reasons by its words. Here is what those share: seeded bills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from tools.fakes.sandbox.core import Answer, Sandbox

CHINA = timezone(timedelta(hours=8))
BILL_DEFECTS = ("missing", "extra", "amount", "duplicate", "totals", "cut", "field", "no_bom", "coupon")
"""A line too few, one we never had, another amount, a line twice, wrong totals, no end, an unreadable field; and, no
defect, a coupon of ten fen that the seller bears on every line."""
COUPON_FEN = 10


@dataclass(frozen=True)
class Movement:
    """One line of a bill before it is written."""

    number: str
    transaction_id: str
    at: datetime
    amount: int
    refund_no: str = ""
    refund_id: str = ""
    closed: bool = False
    coupon: int = 0
    """What of it the seller bears."""

    @property
    def settled(self) -> int:
        """Return what the seller gets of it, or gives back."""
        return self.amount - self.coupon


@dataclass
class Dialect(Sandbox):
    """Base of such stand-ins."""

    bill_defects: tuple[str, ...] = ()
    """Which of :data:`BILL_DEFECTS` the next bills have."""
    _operation: str = ""
    _number: str = ""

    def _operate(self, operation: str, number: str, act: Callable[[], tuple[int, dict[str, Any]]]) -> Answer:
        """As ``core``'s; remembers what is being answered, for the signature."""
        self._operation = operation
        self._number = number
        return super()._operate(operation, number, act)

    def spoils(self, what: str) -> bool:
        """Say whether the answer being signed is to be spoilt so, and use that up."""
        return bool(self._number) and self._once(self._number, what, self._operation)

    def moment(self) -> datetime:
        """Return the stand-in's time."""
        return datetime.fromtimestamp(self.now(), UTC)

    def movements(self, day: date) -> list[Movement]:
        """Return what moved on a China day, spoilt as ``bill_defects`` says."""
        found = [
            Movement(order.out_trade_no, order.transaction_id, _china(order.paid_at), order.paid_amount)
            for order in self.orders.values()
            if order.paid_at is not None
        ]
        found += [
            Movement(
                refund.out_trade_no,
                self.orders[refund.out_trade_no].transaction_id,
                _china(refund.refunded_at),
                refund.amount,
                refund.out_refund_no,
                refund.refund_id,
            )
            for refund in self.refunds.values()
            if refund.refunded_at is not None
        ]
        lines = sorted((line for line in found if line.at.date() == day), key=lambda line: (line.at, line.refund_no))
        return list(self._spoilt(lines, day))

    def _spoilt(self, lines: list[Movement], day: date) -> Iterable[Movement]:
        if "missing" in self.bill_defects:
            lines = lines[1:]
        if "amount" in self.bill_defects and lines:
            lines = [*lines[:-1], replace(lines[-1], amount=lines[-1].amount + 1)]
        if "coupon" in self.bill_defects:
            lines = [replace(line, coupon=min(COUPON_FEN, line.amount)) for line in lines]
        if "duplicate" in self.bill_defects:
            lines = lines + lines[:1]
        if "extra" in self.bill_defects:
            at = datetime(day.year, day.month, day.day, 12, tzinfo=CHINA)
            lines = [*lines, Movement("pay_nobody_knows_01", "4200009999", at, 1234)]
        return lines


def _china(seconds: int | None) -> datetime:
    return datetime.fromtimestamp(seconds or 0, CHINA)
