"""Wire models of payments."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from chalicelib.kernel import context
from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import said
from chalicelib.payments.domain import buyer_texts
from chalicelib.payments.domain.approval import Approval
from chalicelib.payments.domain.dispute import Dispute
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.redirect import Card, Redirect
from chalicelib.payments.domain.refund import Refund
from chalicelib.payments.domain.refund_request import Wish
from chalicelib.payments.domain.story import Quarantined, Story
from chalicelib.payments.domain.unmatched import Stray
from chalicelib.payments.ports import Action
from chalicelib.payments.service import Happening, Offer, Resolved, Settled
from chalicelib.runtime.schema import (
    OLD_NAME,
    Count,
    Id,
    Moment,
    MoneyView,
    PageQuery,
    Schema,
    Timestamp,
    WebAddress,
    refuse_both,
)

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,15}$")]


class StartPayment(Schema):
    """How the buyer wants to pay. The amount is the purchase's; none is accepted."""

    provider: Word
    method: Word | None = None
    return_url: Annotated[WebAddress, StringConstraints(max_length=255)] | None = None
    payer: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-]{1,128}$")] | None = None
    """The payer's id at the provider (openid), where the method needs it. Not kept."""


class InstructionView(Schema):
    """What the client must do: go to ``url``, show it as a QR code, or hand ``params`` to the provider's bridge."""

    action: Literal["redirect", "qr", "params"]
    url: str | None = None
    params: dict[str, str] | None = None


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


class PaymentView(Schema):
    """One attempt. One that is ``started`` or ``pending`` without an instruction: send the same request again."""

    payment_id: str
    purchase_id: str
    provider: str
    method: str
    status: str
    status_text: str
    """Where the money is, and why it goes back if it does, in the caller's language."""
    amount: MoneyView
    captured: MoneyView | None = None
    refunded: MoneyView
    reason: str | None = None
    created_at: Timestamp
    expires_at: Timestamp
    captured_at: Timestamp | None = None
    instruction: InstructionView | None = None
    refunds: tuple[RefundView, ...] = ()

    @classmethod
    def of(cls, payment: Payment, refunds: list[Refund]) -> PaymentView:
        """Return the wire form."""
        shown = payment.instruction
        currency = (payment.captured or payment.amount).currency
        return cls(
            payment_id=payment.payment_id,
            purchase_id=payment.purchase_id,
            provider=payment.provider,
            method=payment.method,
            status=payment.status.value,
            status_text=buyer_texts.of_payment(payment, context.current().language),
            amount=MoneyView.of(payment.amount),
            captured=MoneyView.of(payment.captured) if payment.captured else None,
            refunded=MoneyView.of(Money(payment.refunded, currency)),
            reason=payment.code or None,
            created_at=payment.created_at,
            expires_at=payment.expires_at,
            captured_at=payment.captured_at,
            instruction=InstructionView(
                action=shown.action.value,  # type: ignore[arg-type]
                url=shown.url,
                params=dict(shown.params) or None,
            )
            if shown and shown.action is not Action.NONE
            else None,
            refunds=tuple(RefundView.of(refund) for refund in refunds),
        )


class MethodView(Schema):
    """One way to pay. ``needs``: fields that a request to pay this way must have beside provider and method."""

    method: str
    title: str
    """In the caller's language."""
    titles: dict[str, str]
    action: Literal["redirect", "qr", "params"]
    needs: tuple[str, ...]


class ProviderView(Schema):
    """One payment provider and its ways to pay, the default first."""

    provider: str
    title: str
    titles: dict[str, str]
    currencies: tuple[str, ...]
    methods: tuple[MethodView, ...]
    test_only: bool
    """No real money moves."""


class PaymentMethodsView(Schema):
    """What this installation offers."""

    items: list[ProviderView]

    @classmethod
    def of(cls, offers: tuple[Offer, ...]) -> PaymentMethodsView:
        """Return the wire form."""
        language = context.current().language

        def title(en: str, zh: str) -> dict[str, Any]:
            return {"title": said((en, zh), language), "titles": {"en": en, "zh": zh}}

        return cls(
            items=[
                ProviderView(
                    provider=offer.provider,
                    **title(offer.en, offer.zh),
                    currencies=offer.currencies,
                    methods=tuple(
                        MethodView(
                            method=method,
                            **title(shown.en, shown.zh),
                            action=shown.action.value,  # type: ignore[arg-type]
                            needs=shown.needs,
                        )
                        for method, shown in offer.methods
                    ),
                    test_only=offer.for_tests_only,
                )
                for offer in offers
            ]
        )


class MethodsQuery(Schema):
    """``currency``: only what takes it."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None


class PaymentsView(Schema):
    """The attempts to pay one purchase, oldest first."""

    items: list[PaymentView]

    @classmethod
    def of(cls, story: Story) -> PaymentsView:
        """Return the wire form."""
        return cls(items=[PaymentView.of(payment, story.refunds_of(payment.payment_id)) for payment in story.payments])


class PaymentRecordView(PaymentView):
    """One attempt as operators see it."""

    intent: str
    transaction_id: str | None = None
    reference: str | None = None
    reserved: MoneyView
    disputed: MoneyView
    chases: int
    due_at: Timestamp | None = None
    version: int

    @classmethod
    def of(cls, payment: Payment, refunds: list[Refund]) -> PaymentRecordView:
        """Return the wire form."""
        base = PaymentView.of(payment, refunds)
        currency = (payment.captured or payment.amount).currency
        return cls(
            **dict(base),
            intent=payment.intent,
            transaction_id=payment.transaction_id,
            reference=payment.reference,
            reserved=MoneyView.of(Money(payment.reserved, currency)),
            disputed=MoneyView.of(Money(payment.disputed, currency)),
            chases=payment.chases,
            due_at=payment.due_at,
            version=payment.version,
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
    """The complaint that it was asked for in."""
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
            chases=refund.chases,
            due_at=refund.due_at,
            lines=list(refund.lines),
            freight=refund.freight,
            by=refund.by or None,
            approved_by=refund.approved_by or None,
            retried_by=refund.retried_by or None,
            about=refund.about or None,
            origin=refund.origin or None,
            foreign_number=refund.foreign or None,
            bounced_at=refund.bounced_at,
            offline=OfflinePaymentView.of(refund.offline) if refund.offline else None,
            redirect=RedirectView.of(refund.redirect) if refund.redirect else None,
            version=refund.version,
        )


class QuarantinedView(Schema):
    """A genuine notice that does not fit our record; ``resolved`` is what the provider answered then."""

    quarantine_id: str
    payment_id: str
    why: str
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
            at=quarantined.at,
            said=quarantined.said,
            resolved=quarantined.resolved,
            by=quarantined.by or None,
            note=quarantined.note or None,
        )


class StrayView(Schema):
    """A genuine word of a provider that fits nothing of ours. ``amount``: money in suspense; ``status_text`` says what
    it is and what to do, in the caller's language.
    """

    stray_id: str
    kind: str
    status: str
    status_text: str
    provider: str
    number: str
    amount: MoneyView | None = None
    transaction_id: str | None = None
    at: Timestamp | None = None
    heard_at: Timestamp
    said: dict[str, str]
    billed_on: str | None = None
    by: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, stray: Stray) -> StrayView:
        """Return the wire form."""
        return cls(
            stray_id=stray.stray_id,
            kind=stray.kind.value,
            status=stray.status.value,
            status_text=buyer_texts.of_stray(stray, context.current().language),
            provider=stray.provider,
            number=stray.number,
            amount=MoneyView.of(stray.amount) if stray.amount else None,
            transaction_id=stray.transaction_id or None,
            at=stray.at,
            heard_at=stray.heard_at,
            said=dict(stray.said),
            billed_on=stray.billed_on or None,
            by=stray.by or None,
            note=stray.note or None,
        )


class SettleStray(Schema):
    """``query`` asks the provider again and books what it says; ``returned``: the money is no longer there; ``seen``
    only closes it, money stays in suspense.
    """

    how: Settled
    note: Annotated[str, Field(max_length=300)] = ""


class StoryView(Schema):
    """Everything we keep of a purchase's payments, or of a list of them."""

    payments: list[PaymentRecordView]
    refunds: list[RefundRecordView]
    quarantined: list[QuarantinedView]
    approvals: tuple[ApprovalView, ...] = ()
    disputes: tuple[DisputeView, ...] = ()
    strays: tuple[StrayView, ...] = ()
    next_cursor: str | None = None

    @classmethod
    def of(cls, story: Story, next_cursor: str | None = None) -> StoryView:
        """Return the wire form."""
        return cls(
            payments=[PaymentRecordView.of(payment, []) for payment in story.payments],
            refunds=[RefundRecordView.of(refund) for refund in story.refunds],
            quarantined=[QuarantinedView.of(quarantined) for quarantined in story.quarantined],
            approvals=tuple(ApprovalView.of(approval) for approval in story.approvals),
            disputes=tuple(DisputeView.of(dispute) for dispute in story.disputes),
            strays=tuple(StrayView.of(stray) for stray in story.strays),
            next_cursor=next_cursor,
        )


class RefundLine(Schema):
    """Units of one line of the order."""

    line_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
    quantity: Count


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
    day: date


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
            raise ValueError("send either an amount, or lines and freight")
        return self

    def wish(self) -> Wish:
        """Return what is wanted."""
        return Wish(
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
            order_id=approval.wish.order_id or None,
            status=approval.status.value,
            amount=MoneyView.of(approval.amount),
            lines=[RefundLine(line_id=line_id, quantity=count) for line_id, count in approval.wish.lines],
            freight=approval.wish.freight,
            reason=approval.wish.reason,
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
    amount: MoneyView
    held: MoneyView
    reason: str
    answer_by: Timestamp | None = None
    opened_at: Timestamp
    since: Timestamp

    @classmethod
    def of(cls, dispute: Dispute) -> DisputeView:
        """Return the wire form."""
        return cls(
            dispute_id=dispute.dispute_id,
            payment_id=dispute.payment_id,
            provider=dispute.provider,
            number=dispute.number,
            status=dispute.status.value,
            amount=MoneyView.of(dispute.amount),
            held=MoneyView.of(Money(dispute.taken, dispute.amount.currency)),
            reason=dispute.reason,
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


class TimelineView(Schema):
    """All that happened to a purchase and its money, by time, but never what was caused before its cause."""

    purchase_id: str
    items: list[HappeningView]

    @classmethod
    def of(cls, purchase_id: str, found: list[Happening]) -> TimelineView:
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
