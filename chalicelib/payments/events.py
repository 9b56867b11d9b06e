"""Facts about payments and refunds."""

from __future__ import annotations

from datetime import datetime

import msgspec

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
    payer: str = ""
    """A keyed digest of who paid, where that is known."""


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
    unknown: str = ""
    """Its kind in the provider's words, where it is one that we do not act on."""
    trace: str = ""
    """The provider's own number of what it is about, where it bears none of ours and speaks of money."""
    said: dict[str, str] = msgspec.field(default_factory=dict)
    """What else is known of one of an unknown kind: its size and digest, nothing of a person."""

    @property
    def subject(self) -> str:
        """The provider's notice."""
        return f"{self.provider}#{self.notice_id}"


class PaymentStray(Event, frozen=True, kw_only=True, tag="payment.stray"):
    """Genuine words of a provider fit nothing of ours: an operator must look. ``kind`` says whether money is there.

    ``round`` tells one time from the next: what was only claimed may turn out to be there.
    """

    stray_id: str
    provider: str
    kind: str
    round: int = 0

    @property
    def subject(self) -> str:
        """The stray, and which time it is told of."""
        return f"{self.stray_id}#{self.round}" if self.round else self.stray_id


class StraySettled(Event, frozen=True, kw_only=True, tag="payment.stray_settled"):
    """An operator has said whose the words or the money are: ``how`` is placed, returned or closed."""

    stray_id: str
    provider: str
    how: str

    @property
    def subject(self) -> str:
        """The stray, and what became of it."""
        return f"{self.stray_id}#{self.how}"


class PaymentUnclear(PaymentEvent, frozen=True, kw_only=True, tag="payment.unclear"):
    """The purchase's time is over and its provider does not say what became of the attempt: stock is still held."""

    provider: str


class PaymentClear(PaymentEvent, frozen=True, kw_only=True, tag="payment.clear"):
    """A provider that had been silent over the expiry has answered about the attempt."""

    provider: str


class RefundEvent(Event, frozen=True, kw_only=True):
    """Base: a fact about one refund. ``origin`` is its first number where it was renewed, ``about`` what it is for."""

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
