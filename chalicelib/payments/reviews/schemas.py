"""Wire models of what an operator looks at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from chalicelib.kernel import context
from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import said
from chalicelib.payments.attempts.schemas import PaymentRecordView, Word
from chalicelib.payments.domain import operator_texts
from chalicelib.payments.domain.dispute import Dispute
from chalicelib.payments.domain.payment_records import PaymentRecords, Quarantined
from chalicelib.payments.refunds.schemas import ApprovalView, RefundRecordView
from chalicelib.payments.service import Happening, Resolved
from chalicelib.payments.strays.schemas import StrayView
from chalicelib.runtime.schema import (
    OLD_NAME,
    Day,
    Id,
    MoneyView,
    PageQuery,
    Schema,
    Timestamp,
    refuse_both,
)


class QuarantinedView(Schema):
    """A genuine notice that does not fit our record; ``resolved`` is what the provider answered then."""

    quarantine_id: str
    payment_id: str
    why: str
    why_text: str
    """Why it does not fit, for people, in the caller's language."""
    at: Timestamp
    said: dict[str, str]
    resolved: str
    by: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, quarantined: Quarantined) -> QuarantinedView:
        """Return the wire form."""
        return cls(
            quarantine_id=quarantined.quarantine_id,
            payment_id=quarantined.payment_id,
            why=quarantined.why,
            why_text=operator_texts.of_kept_notice(quarantined.why, context.current().language),
            at=quarantined.at,
            said=quarantined.said,
            resolved=quarantined.resolved,
            by=quarantined.by or None,
            note=quarantined.note or None,
        )


class PaymentRecordsView(Schema):
    """Everything we keep of a purchase's payments, or of a list of them."""

    payments: list[PaymentRecordView]
    refunds: list[RefundRecordView]
    quarantined: list[QuarantinedView]
    approvals: tuple[ApprovalView, ...] = ()
    disputes: tuple[DisputeView, ...] = ()
    strays: tuple[StrayView, ...] = ()
    next_cursor: str | None = None

    @classmethod
    def of(cls, records: PaymentRecords, next_cursor: str | None = None) -> PaymentRecordsView:
        """Return the wire form."""
        return cls(
            payments=[PaymentRecordView.of(payment, []) for payment in records.payments],
            refunds=[RefundRecordView.of(refund) for refund in records.refunds],
            quarantined=[QuarantinedView.of(quarantined) for quarantined in records.quarantined],
            approvals=tuple(ApprovalView.of(approval) for approval in records.approvals),
            disputes=tuple(DisputeView.of(dispute) for dispute in records.disputes),
            strays=tuple(StrayView.of(stray) for stray in records.strays),
            next_cursor=next_cursor,
        )


Waiting = Literal[
    "waiting",
    "quarantined",
    "refund_failed",
    "refund_abnormal",
    "refund_closed",
    "refund_owed",
    "surplus",
    "approval",
    "disputed",
    "suspense",
    "unknown_event",
]


class WaitingQuery(PageQuery):
    """``waiting``: for a provider. The others wait for an operator."""

    status: Waiting = "waiting"
    state: Annotated[
        Waiting | None,
        Field(description="The old name of `status`: send that instead, never both.", json_schema_extra=OLD_NAME),
    ] = None
    older_than_s: Annotated[int, Field(ge=0, le=10**8)] = 0
    """Only what has waited at least so long."""

    @property
    def wanted(self) -> Waiting:
        """Return what is asked for, under either name."""
        return self.state or self.status

    @model_validator(mode="after")
    def _by_one_name(self) -> WaitingQuery:
        refuse_both(self, "status", "state")
        return self


class DayQuery(PageQuery):
    """A provider's day, by its own clock (China's, or UTC for Stripe)."""

    provider: Word
    day: Day


class ResolveQuarantined(Schema):
    """``query`` asks the provider about the payment and records what it says; ``adopt`` takes a refund made in the
    provider's console into the books, as one of ``order_id``, in place of refunds of ours that were refused because of
    it; ``seen`` only closes the notice.
    """

    how: Resolved
    order_id: Id | None = None
    note: Annotated[str, Field(max_length=300)] = ""


class DisputeView(Schema):
    """A payer's bank against a payment. ``held`` is what the provider keeps back from us over it now."""

    dispute_id: str
    payment_id: str
    provider: str
    number: str
    status: str
    status_text: str
    amount: MoneyView
    held: MoneyView
    reason: str
    reason_text: str | None = None
    answer_by: Timestamp | None = None
    opened_at: Timestamp
    since: Timestamp

    @classmethod
    def of(cls, dispute: Dispute) -> DisputeView:
        """Return the wire form."""
        language = context.current().language
        return cls(
            dispute_id=dispute.dispute_id,
            payment_id=dispute.payment_id,
            provider=dispute.provider,
            number=dispute.number,
            status=dispute.status.value,
            status_text=operator_texts.of_dispute(dispute.status, language),
            amount=MoneyView.of(dispute.amount),
            held=MoneyView.of(Money(dispute.taken_minor, dispute.amount.currency)),
            reason=dispute.reason,
            reason_text=operator_texts.of_dispute_reason(dispute.reason, language) if dispute.reason else None,
            answer_by=dispute.answer_by,
            opened_at=dispute.opened_at,
            since=dispute.since,
        )


class HappeningView(Schema):
    """One thing that happened."""

    at: Timestamp
    what: str
    text: str
    """What it is, for people, in the caller's language."""
    record_id: str
    status: str | None = None
    amount: MoneyView | None = None
    by: str | None = None
    note: str | None = None


class StoryView(Schema):
    """All that happened to a purchase and its money, by time, but never what was caused before its cause."""

    purchase_id: str
    items: list[HappeningView]

    @classmethod
    def of(cls, purchase_id: str, found: list[Happening]) -> StoryView:
        """Return the wire form."""
        return cls(
            purchase_id=purchase_id,
            items=[
                HappeningView(
                    at=each.at,
                    what=each.what,
                    text=said(each.texts, context.current().language),
                    record_id=each.record_id,
                    status=each.status or None,
                    amount=MoneyView.of(each.amount) if each.amount else None,
                    by=each.by or None,
                    note=each.note or None,
                )
                for each in found
            ],
        )
