"""Providers' bills in our words: what an adapter's ``bill(day)`` returns, and what reconciliation compares with.

A bill is what the provider says it did on one day. Adapters translate its format (yuan or cents, back-ticks, BOM,
GBK, totals lines, pages); whoever reconciles sees lines of one shape. ``our_number`` is what we once sent
(``pay_...``, ``ref_...``), empty where somebody acted in the provider's console.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money


class LineKind(StrEnum):
    """What a line of a bill is about."""

    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"
    """A refund that failed after it was made: its money came back to us."""
    DISPUTE = "dispute"
    """Money that a payer's bank took back, or gave back."""
    OTHER = "other"
    """Of no attempt of ours: fees, payouts, corrections."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One movement. ``amount`` is positive; ``kind`` says which way it went."""

    kind: LineKind
    our_number: str
    """Payment or refund number of ours; empty where the provider knows none."""
    payment_id: str
    """The payment it belongs to; empty where the provider does not say."""
    provider_number: str
    amount: Money
    at: datetime | None
    status: str = ""
    """The provider's own word."""
    fee: Money | None = None
    row: int = 0
    """Which line of the bill, for people."""


@dataclass(frozen=True, slots=True)
class Bill:
    """All lines of one day of the provider (China's day or UTC's, as the provider counts)."""

    provider: str
    day: date
    lines: tuple[BillLine, ...]
    problems: tuple[str, ...] = ()
    """Rows that could not be read and totals that do not add up, in words; empty for a sound bill."""


class BillUnavailable(ShopError):
    """The provider has no bill for that day yet, or did not answer. Asking again later is safe."""

    code, status = "bill_unavailable", 503
    en, zh = "{provider} has no bill for {day}: {why}.", "{provider} 暂无 {day} 的账单：{why}。"
    shown = ("provider", "day")
    retry_after_s = 3600
