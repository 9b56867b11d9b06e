"""Wire models of attempts to pay."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from chalicelib.kernel import context
from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import said
from chalicelib.payments.domain import buyer_texts
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import Refund
from chalicelib.payments.ports import Action
from chalicelib.payments.refunds.schemas import RefundView
from chalicelib.payments.service import Offer
from chalicelib.runtime.schema import (
    MoneyView,
    Schema,
    Timestamp,
    WebAddress,
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
            refunded=MoneyView.of(Money(payment.refunded_minor, currency)),
            reason=payment.surplus_reason or payment.failure_code or None,
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
    def of(cls, records: PaymentRecords) -> PaymentsView:
        """Return the wire form."""
        return cls(
            items=[PaymentView.of(payment, records.refunds_of(payment.payment_id)) for payment in records.payments]
        )


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
            reserved=MoneyView.of(Money(payment.reserved_minor, currency)),
            disputed=MoneyView.of(Money(payment.disputed_minor, currency)),
            chases=payment.polls,
            due_at=payment.due_at,
            version=payment.version,
        )
