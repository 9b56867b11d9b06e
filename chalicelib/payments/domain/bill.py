"""Providers' bills in our words: what an adapter's ``bill(day)`` returns, and what reconciliation compares with.

A bill is what the provider says it did on one of its days. Adapters translate its format (yuan or cents, back-ticks,
BOM, GBK, totals lines, pages); whoever reconciles sees lines of one shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money

BOOKED_SHARDS = 4
"""Over how many parts of an index the movements of a provider's day are spread."""


class BillUnavailable(ShopError):
    """The provider did not hand the bill out, or not one that can be trusted; ask again later."""

    code, status = "bill_unavailable", 502
    en, zh = "The provider's bill is not available.", "无法获取服务商账单。"
    shown = ("why",)
    retry_after_s = 600

    def __str__(self) -> str:
        """Say why in our own words, which no table puts into others: to logs and the operator's tools."""
        return f"{self.code}: {self.params.get('why', self.detail())}"


class BillKind(StrEnum):
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
    """One movement as the provider books it. Amounts are positive; ``kind`` says the direction."""

    kind: BillKind
    payment_id: str
    """Our number of the attempt, also on a refund's line; empty where the provider does not say it."""
    transaction_id: str
    amount: Money
    fee_text: str
    """The fee as written: providers bill fractions of a fen, or fees in another currency."""
    at: datetime
    status: str = ""
    refund_id: str = ""
    """Our number of the refund; empty where somebody made it in the provider's console."""
    provider_refund_id: str = ""
    dispute: str = ""
    """The provider's number of the dispute that the money moved over."""
    given_back: bool = False
    """Of a dispute: the money came back to us."""
    settled: Money | None = None
    """What the provider settles with us for it, before its fee; None where it does not say so. Less than ``amount``
    where the seller bears a discount that the provider gave: a coupon."""
    borne: Money | None = None
    """The discounts that may explain it, as far as the provider says them."""
    line: int = 0
    """Its number in the file, from 1."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A day's bill, or a part of one: a busy day's is never held in memory as a whole.

    ``defects`` are lines and totals that do not fit: for an operator, never dropped in silence.
    """

    lines: tuple[BillLine, ...] = ()
    totals: Mapping[str, str] = field(default_factory=dict)
    """What the provider says it all comes to; the last part has them."""
    defects: tuple[str, ...] = ()
    place: str = ""
    """Where the next part begins, for who asks for it later; empty at the end, and where parts cannot be asked for."""


def whole(parts: Iterable[Bill]) -> Bill:
    """Put the parts of a bill together: for tools and tests, and for providers with small ones."""
    lines: list[BillLine] = []
    totals: dict[str, str] = {}
    defects: list[str] = []
    for part in parts:
        lines += part.lines
        totals |= part.totals
        defects += part.defects
    return Bill(tuple(lines), totals, tuple(defects))
