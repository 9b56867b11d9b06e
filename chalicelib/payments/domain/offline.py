"""How money goes back that the provider cannot give back: what an operator says of it, and what is refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.kernel.errors import Invalid


class PaidInFuture(Invalid):
    """It is said to be paid at a moment that has not come."""

    code = "paid_in_future"
    en, zh = "It cannot have been paid at a time that is still to come.", "付款时间不能晚于当前时间。"


@dataclass(frozen=True, slots=True)
class OfflinePayment:
    """How an operator paid back what the provider could not."""

    reference: str
    """What the payment is found by at the bank: its number there."""
    paid_at: datetime
    note: str = ""
    by: str = ""
    """Who says so."""
    approved_by: str = ""
    """The second person, above the limit."""
    intent: str = ""
    fingerprint: str = ""


def check_time(paid: OfflinePayment, *, now: datetime) -> None:
    """Check that it was paid.

    Raises:
        PaidInFuture: if that is said of a moment that has not come.
    """
    if paid.paid_at > now:
        raise PaidInFuture
