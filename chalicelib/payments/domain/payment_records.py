"""All that is kept of one purchase's payments. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.payments.domain.approval import Approval
from chalicelib.payments.domain.dispute import Dispute
from chalicelib.payments.domain.payment import SETTLING, Payment, UnknownPayment
from chalicelib.payments.domain.refund import Refund
from chalicelib.payments.domain.stray import Stray


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A genuine notice that does not fit our record. Kept as it was said; the provider is then asked."""

    quarantine_id: str
    purchase_id: str
    payment_id: str
    why: str
    at: datetime
    said: dict[str, str] = field(default_factory=dict)
    resolved: str = ""
    by: str = ""
    """The operator who resolved it, where one did."""
    note: str = ""
    intent: str = ""
    fingerprint: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class PaymentRecords:
    """Everything we keep of a purchase's payments."""

    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    approvals: tuple[Approval, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    strays: tuple[Stray, ...] = ()
    """Of a list only: they belong to no purchase."""

    def payment(self, payment_id: str) -> Payment:
        """Return one payment.

        Raises:
            UnknownPayment: if there is none.
        """
        for payment in self.payments:
            if payment.payment_id == payment_id:
                return payment
        raise UnknownPayment(what="payment", payment_id=payment_id)

    def settling(self) -> Payment | None:
        """Return the payment that settled the purchase; None if nobody has paid."""
        return next((one for one in self.payments if one.status in SETTLING), None)

    def refunds_of(self, payment_id: str) -> list[Refund]:
        """Return the refunds of one payment."""
        return [refund for refund in self.refunds if refund.payment_id == payment_id]

    def sent_of(self, payment_id: str) -> int:
        """Return how many refunds of a payment its provider has heard of, or will: what it counts."""
        return sum(not refund.unsent for refund in self.refunds_of(payment_id))


class Conclusion(StrEnum):
    """What became of all attempts of a purchase."""

    CAPTURED = "captured"
    CLOSED = "closed"
    UNKNOWN = "unknown"
