"""What is asked of a provider, and said by it, of one refund; and of those that were made elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.money import Money
from chalicelib.payments.ports.attempts import Attempt


class RefundOutcome(StrEnum):
    """What a provider says of one refund."""

    PENDING = "pending"
    """Accepted, the money has not moved."""
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    """Stuck at the receiving bank; a person must act. The number lives."""
    FAILED = "failed"
    """Refused; the same number may be tried again once the reason is gone (the balance filled up, say)."""
    CLOSED = "closed"
    """The number is dead and no money moved: only now may another number be used."""
    ABSENT = "absent"
    """It does not know the number: send it (again)."""
    UNKNOWN = "unknown"
    """No answer we can trust: the same number again."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What to refund. ``captured`` is the whole payment; ``refunded_before`` what went back on it already."""

    refund_id: str
    payment: Attempt
    amount: Money
    captured: Money
    refunded_before: Money
    reason: str
    notify_url: str


@dataclass(frozen=True, slots=True)
class RefundReport:
    """What the provider says of a refund; ``amount`` is this refund's alone, where it says it."""

    outcome: RefundOutcome
    amount: Money | None = None
    provider_refund_id: str | None = None
    at: datetime | None = None
    code: str = ""
    refused: bool = False
    """It said that it does not take what it was asked for: that does not happen later either."""

    @property
    def is_short(self) -> bool:
        """Say whether it failed because the provider holds too little of our money: the same number again, later."""
        return self.outcome is RefundOutcome.FAILED and _SHORT.search(self.code) is not None


_SHORT = re.compile(r"NOT_?ENOUGH|BALANCE_?INSUFFICIENT|INSUFFICIENT_?(?:BALANCE|FUNDS)", re.IGNORECASE)
"""Their words for it: ``NOT_ENOUGH`` (WeChat Pay), ``ACQ.SELLER_BALANCE_NOT_ENOUGH`` (Alipay), ``NOTENOUGH`` (QQ
Wallet, as client libraries list it), ``balance_insufficient`` and ``insufficient_funds`` (Stripe)."""


@dataclass(frozen=True, slots=True)
class ExternalRefund:
    """A refund that was made elsewhere, in the provider's console: no number of ours is on it."""

    payment_id: str
    """Our number of the attempt; empty if it is none of this shop's."""
    report: RefundReport
