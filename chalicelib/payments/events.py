"""Facts about payments and refunds."""

from __future__ import annotations

from datetime import datetime

from chalicelib.kernel.events import Event


class PaymentEvent(Event, frozen=True):
    """Base: a fact about one attempt (whose id computes its purchase's)."""

    payment_id: str

    @property
    def subject(self) -> str:
        """The attempt."""
        return self.payment_id


class PaymentStarted(PaymentEvent, frozen=True, tag="payment.started"):
    """An attempt was written; its provider hears of it next."""

    provider: str


class PaymentCaptured(PaymentEvent, frozen=True, tag="payment.captured"):
    """The provider holds the money. ``surplus`` says why it goes back: late, second, or of another amount."""

    amount_minor: int
    currency: str
    surplus: str = ""


class PaymentClosed(PaymentEvent, frozen=True, tag="payment.closed"):
    """Nobody can pay this attempt any more."""


class PaymentQuarantined(PaymentEvent, frozen=True, tag="payment.quarantined"):
    """A genuine notice does not fit our record; the provider is being asked, an operator should look."""

    why: str
    quarantine_id: str

    @property
    def subject(self) -> str:
        """What was said: another contradiction is another fact."""
        return self.quarantine_id


class PaymentDisputed(PaymentEvent, frozen=True, kw_only=True, tag="payment.disputed"):
    """A payer's bank contests the payment, or has decided. ``number`` counts what was told of the dispute."""

    dispute_id: str
    status: str
    amount_minor: int
    currency: str
    reason: str
    answer_by: datetime | None = None
    number: int = 0

    @property
    def subject(self) -> str:
        """The dispute, and which of its turns."""
        return f"{self.dispute_id}#{self.number}"


class PaymentNoticed(Event, frozen=True, tag="payment.noticed"):
    """A verified notice: what the provider says, in our words. Travels to its queue without a row."""

    provider: str
    notice_id: str
    payment_id: str
    outcome: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    transaction_id: str | None = None
    at: datetime | None = None
    refund_id: str | None = None
    refund_outcome: str | None = None
    provider_refund_id: str | None = None
    dispute: str | None = None
    foreign: str = ""
    """Why it is not for us (another merchant, another app), though it names an attempt of ours."""

    @property
    def subject(self) -> str:
        """The provider's notice."""
        return f"{self.provider}#{self.notice_id}"


class RefundEvent(Event, frozen=True, kw_only=True):
    """Base: a fact about one refund. ``origin`` is its first number where it was renewed, ``about`` a complaint."""

    refund_id: str
    payment_id: str
    order_id: str | None
    amount_minor: int
    currency: str
    origin: str = ""
    about: str = ""

    @property
    def subject(self) -> str:
        """The refund."""
        return self.refund_id


class RefundRequested(RefundEvent, frozen=True, kw_only=True, tag="refund.requested"):
    """The money is reserved; the provider is told next. ``round`` counts an operator's retries of the same number."""

    round: int = 0

    @property
    def subject(self) -> str:
        """The refund, and which time it is asked for."""
        return f"{self.refund_id}#{self.round}" if self.round else self.refund_id


class RefundSucceeded(RefundEvent, frozen=True, tag="refund.succeeded"):
    """The money is back with the payer."""


class RefundBounced(RefundEvent, frozen=True, tag="refund.bounced"):
    """The money had gone through and came back: what was built on its success is to be taken back."""


class RefundFailed(RefundEvent, frozen=True, kw_only=True, tag="refund.failed"):
    """The provider will not, or cannot, finish it: an operator must act. ``status`` is abnormal, failed or closed.

    ``round`` tells one time from the next: a refund that is tried again may fail again.
    """

    status: str
    reason: str
    round: int = 0

    @property
    def subject(self) -> str:
        """The refund, and which time it failed."""
        return f"{self.refund_id}#{self.round}" if self.round else self.refund_id


class RefundOwed(RefundEvent, frozen=True, kw_only=True, tag="refund.owed"):
    """The provider cannot give the money back: it is owed to the buyer, and an operator pays it another way.

    ``round`` tells one time from the next.
    """

    reason: str
    round: int = 0

    @property
    def subject(self) -> str:
        """The refund, and which time it is owed."""
        return f"{self.refund_id}#{self.round}" if self.round else self.refund_id
