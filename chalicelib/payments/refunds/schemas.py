"""Wire models of refunds and their approvals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from chalicelib.kernel import context
from chalicelib.payments.domain import buyer_texts, operator_texts
from chalicelib.payments.domain.approval import Approval
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.redirect import Card, Redirect
from chalicelib.payments.domain.refund import Refund
from chalicelib.payments.domain.refund_request import RefundRequest
from chalicelib.runtime.schema import (
    Count,
    Id,
    Moment,
    MoneyView,
    Schema,
    Timestamp,
    refusal,
)


class RefundView(Schema):
    """Money going back. ``pending`` is not done; ``reason`` says why it goes back, ``status_text`` where it is."""

    refund_id: str
    payment_id: str
    order_id: str | None = None
    status: str
    status_text: str
    """In the caller's language."""
    amount: MoneyView
    reason: str
    reason_text: str
    """Why it goes back, in the caller's language; an operator's own words as they are."""
    requested_at: Timestamp
    since: Timestamp
    reference: str | None = None
    """What the buyer finds the payment by at the bank, where it was paid another way (``paid_offline``)."""

    @classmethod
    def of(cls, refund: Refund) -> RefundView:
        """Return the wire form."""
        return cls(
            refund_id=refund.refund_id,
            payment_id=refund.payment_id,
            order_id=refund.order_id,
            status=refund.status.value,
            status_text=buyer_texts.of_refund(refund, context.current().language),
            amount=MoneyView.of(refund.amount),
            reason=refund.reason,
            reason_text=buyer_texts.why_back(refund, context.current().language),
            requested_at=refund.requested_at,
            since=refund.since,
            reference=refund.offline.reference if refund.offline else None,
        )


class OfflinePaymentView(Schema):
    """How a refund was paid back by hand."""

    reference: str
    paid_at: Timestamp
    by: str
    approved_by: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, paid: OfflinePayment) -> OfflinePaymentView:
        """Return the wire form."""
        return cls(
            reference=paid.reference,
            paid_at=paid.paid_at,
            by=paid.by,
            approved_by=paid.approved_by or None,
            note=paid.note or None,
        )


class RedirectView(Schema):
    """That a refund was sent to another card of the buyer's: its bank and the last four digits."""

    payee: str
    at: Timestamp
    by: str
    approved_by: str | None = None

    @classmethod
    def of(cls, sent: Redirect) -> RedirectView:
        """Return the wire form."""
        return cls(payee=sent.payee, at=sent.at, by=sent.by, approved_by=sent.approved_by or None)


class RefundRecordView(RefundView):
    """One refund as operators see it."""

    code: str
    provider_refund_id: str | None = None
    chases: int
    due_at: Timestamp | None = None
    lines: list[tuple[str, int]]
    freight: bool
    by: str | None = None
    approved_by: str | None = None
    retried_by: str | None = None
    """Who last had it tried again."""
    about: str | None = None
    """The complaint or the return that it was asked for in."""
    origin: str | None = None
    """The first number of a refund that was renewed."""
    foreign_number: str | None = None
    """Its number at the provider where it was made in its console."""
    bounced_at: Timestamp | None = None
    offline: OfflinePaymentView | None = None
    """How it was paid, where the provider could not give it back."""
    redirect: RedirectView | None = None
    """Which other card it was sent to, the last time."""
    version: int

    @classmethod
    def of(cls, refund: Refund) -> RefundRecordView:
        """Return the wire form."""
        return cls(
            **dict(RefundView.of(refund)),
            code=refund.code,
            provider_refund_id=refund.provider_refund_id,
            chases=refund.polls,
            due_at=refund.due_at,
            lines=list(refund.lines),
            freight=refund.freight,
            by=refund.by or None,
            approved_by=refund.approved_by or None,
            retried_by=refund.retried_by or None,
            about=refund.about or None,
            origin=refund.origin or None,
            foreign_number=refund.external_number or None,
            bounced_at=refund.bounced_at,
            offline=OfflinePaymentView.of(refund.offline) if refund.offline else None,
            redirect=RedirectView.of(refund.redirect) if refund.redirect else None,
            version=refund.version,
        )


class RefundLine(Schema):
    """Units of one line of the order."""

    line_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
    quantity: Count


class RequestRefund(Schema):
    """Money to give back on one order; the payment is the one that settled the purchase unless named."""

    order_id: Id
    amount: MoneyView | None = None
    """Either an amount, or what is given back (``lines``, ``freight``), which is worth exactly what was charged."""
    lines: Annotated[tuple[RefundLine, ...], Field(max_length=100)] = ()
    freight: bool = False
    reason: Annotated[str, Field(min_length=1, max_length=80)]
    payment_id: Id | None = None
    offline: bool = False
    """Where the provider takes no refund of the payment any more: book it as owed, to be paid another way."""

    @model_validator(mode="after")
    def _one_way(self) -> RequestRefund:
        if (self.amount is None) == (not self.lines and not self.freight):
            raise refusal("amount_or_lines", "send either an amount, or lines and freight")
        return self

    def request(self) -> RefundRequest:
        """Return what is wanted."""
        return RefundRequest(
            order_id=self.order_id,
            reason=self.reason,
            amount=self.amount.money() if self.amount else None,
            lines=tuple((line.line_id, line.quantity) for line in self.lines),
            freight=self.freight,
            payment_id=self.payment_id,
            offline=self.offline,
        )


class PayOffline(Schema):
    """How an owed refund was paid: what it is found by at the bank, and when."""

    reference: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._/\-]{3,63}$")]
    paid_at: Moment
    note: Annotated[str, Field(max_length=300)] = ""

    def payment(self, by: str) -> OfflinePayment:
        """Return what is said of it, and by whom."""
        return OfflinePayment(reference=self.reference, paid_at=self.paid_at, note=self.note, by=by)


class ToCard(Schema):
    """The buyer's other card: the provider's word for its bank, its number and its holder. Sent on, never kept."""

    bank_type: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,31}$")]
    bank_account: Annotated[str, StringConstraints(pattern=r"^[0-9]{8,32}$")]
    real_name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]

    def card(self) -> Card:
        """Return it."""
        return Card(self.bank_type, self.bank_account, self.real_name)


class SendToCard(ToCard):
    """Where an abnormal refund is sent; above the limits of one person with the approval of this very card."""

    approval_id: Id | None = None


class ApprovalView(Schema):
    """A refund above what one operator may give back alone: approving it requests the refund.

    With ``settles``, what is to become of a refund that there is: approving it books that it was paid ``offline``, or
    allows one of the two to send it to the card that ``payee`` tells of.
    """

    approval_id: str
    purchase_id: str
    order_id: str | None = None
    status: str
    status_text: str
    amount: MoneyView
    lines: list[RefundLine]
    freight: bool
    reason: str
    asked_by: str
    asked_at: Timestamp
    due_at: Timestamp | None = None
    decided_by: str | None = None
    note: str | None = None
    refund_id: str | None = None
    settles: str | None = None
    offline: OfflinePaymentView | None = None
    payee: str | None = None

    @classmethod
    def of(cls, approval: Approval) -> ApprovalView:
        """Return the wire form."""
        return cls(
            approval_id=approval.approval_id,
            purchase_id=approval.purchase_id,
            order_id=approval.request.order_id or None,
            status=approval.status.value,
            status_text=operator_texts.of_approval(approval.status, context.current().language),
            amount=MoneyView.of(approval.amount),
            lines=[RefundLine(line_id=line_id, quantity=count) for line_id, count in approval.request.lines],
            freight=approval.request.freight,
            reason=approval.request.reason,
            asked_by=approval.asked_by,
            asked_at=approval.asked_at,
            due_at=approval.due_at,
            decided_by=approval.decided_by or None,
            note=approval.note or None,
            refund_id=approval.refund_id,
            settles=approval.settles or None,
            offline=OfflinePaymentView.of(approval.offline) if approval.offline else None,
            payee=approval.payee or None,
        )


class DecideApproval(Schema):
    """Why it is approved or rejected."""

    note: Annotated[str, Field(max_length=300)] = ""
