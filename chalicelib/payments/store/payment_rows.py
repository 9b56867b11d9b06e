"""Rows of attempts, and what they mean: row <-> domain."""

from __future__ import annotations

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.ports import Action, Instruction, Outcome
from chalicelib.payments.store import rows
from chalicelib.payments.store.rows import RecordRow
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, due_time, region

# Attempts


class _InstructionDoc(msgspec.Struct, omit_defaults=True):
    action: str
    url: str | None = None
    params: dict[str, str] = {}
    code: str = ""


class _PaymentDoc(msgspec.Struct, omit_defaults=True):
    method: str
    created_ms: int
    expires_ms: int
    intent: str
    fingerprint: str
    chases: int = 0
    code: str = ""
    reference: str | None = None
    transaction_id: str | None = None
    captured_currency: str = ""
    captured_ms: int = 0
    ended_ms: int = 0
    refunded_ms: int = 0
    tries: int = 1
    questions_ms: tuple[int, ...] = ()
    silent_ms: int = 0
    paid_offline: int = 0
    instruction: _InstructionDoc | None = None
    payer: str = ""


class PaymentRow(RecordRow):
    """An attempt."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    buyer_id = UnicodeAttribute()
    provider = UnicodeAttribute()
    status = UnicodeAttribute()
    amount_minor = NumberAttribute()
    currency = UnicodeAttribute()
    captured_minor = NumberAttribute(null=True)
    reserved_minor = NumberAttribute(default=0)
    refunded_minor = NumberAttribute(default=0)
    disputed_minor = NumberAttribute(null=True)
    doc = DocumentAttribute[_PaymentDoc](_PaymentDoc)


def payment_row(payment: Payment) -> PaymentRow:
    """Return the row that keeps an attempt."""
    instruction = payment.instruction
    row = PaymentRow(
        purchase_id=payment.purchase_id,
        id=payment.payment_id,
        buyer_id=payment.buyer_id,
        provider=payment.provider,
        status=payment.status.value,
        amount_minor=payment.amount.minor,
        currency=payment.amount.currency,
        captured_minor=payment.captured.minor if payment.captured else None,
        reserved_minor=payment.reserved_minor,
        refunded_minor=payment.refunded_minor,
        disputed_minor=payment.disputed_minor or None,
        booked_on=rows.shelf(payment.booked_on, payment.payment_id),
        attention="surplus" if payment.status is PaymentStatus.SURPLUS else None,
        attention_ms=epoch_ms_or_none(payment.captured_at) if payment.status is PaymentStatus.SURPLUS else None,
        doc=_PaymentDoc(
            method=payment.method,
            created_ms=epoch_ms(payment.created_at),
            expires_ms=epoch_ms(payment.expires_at),
            intent=payment.intent,
            fingerprint=payment.fingerprint,
            chases=payment.polls,
            code=payment.surplus_reason or payment.failure_code,
            reference=payment.reference,
            transaction_id=payment.transaction_id,
            ended_ms=epoch_ms_or_none(payment.ended_at) or 0,
            captured_currency=payment.captured.currency if payment.captured else "",
            captured_ms=epoch_ms_or_none(payment.captured_at) or 0,
            refunded_ms=epoch_ms_or_none(payment.refunded_at) or 0,
            tries=payment.tries,
            questions_ms=tuple(epoch_ms(moment) for moment in payment.questions),
            silent_ms=epoch_ms_or_none(payment.silent_since) or 0,
            paid_offline=payment.paid_offline_minor,
            instruction=_InstructionDoc(
                instruction.action.value, instruction.url, dict(instruction.params), instruction.code
            )
            if instruction
            else None,
            payer=payment.payer_mark,
        ),
        version=payment.version,
    )
    row.set_due(payment.due_at, payment.payment_id)
    return row


def payment_of(row: PaymentRow) -> Payment:
    """Return the attempt that a row keeps."""
    doc = row.doc
    shown = doc.instruction
    is_surplus = PaymentStatus(row.status) in (PaymentStatus.SURPLUS, PaymentStatus.RETURNED)  # One field keeps both.
    return Payment(
        payment_id=row.id,
        purchase_id=row.purchase_id,
        buyer_id=row.buyer_id,
        provider=row.provider,
        method=doc.method,
        amount=Money(int(row.amount_minor), row.currency),
        status=PaymentStatus(row.status),
        created_at=from_epoch_ms(doc.created_ms),
        expires_at=from_epoch_ms(doc.expires_ms),
        due_at=due_time(row),
        intent=doc.intent,
        fingerprint=doc.fingerprint,
        polls=doc.chases,
        failure_code="" if is_surplus else doc.code,
        surplus_reason=doc.code if is_surplus else "",
        reference=doc.reference,
        transaction_id=doc.transaction_id,
        captured=Money(int(row.captured_minor), doc.captured_currency) if row.captured_minor is not None else None,
        ended_at=from_epoch_ms_or_none(doc.ended_ms),
        captured_at=from_epoch_ms_or_none(doc.captured_ms),
        reserved_minor=int(row.reserved_minor),
        refunded_minor=int(row.refunded_minor),
        paid_offline_minor=doc.paid_offline,
        disputed_minor=int(row.disputed_minor or 0),
        refunded_at=from_epoch_ms_or_none(doc.refunded_ms),
        tries=doc.tries,
        questions=tuple(from_epoch_ms(moment) for moment in doc.questions_ms),
        silent_since=from_epoch_ms_or_none(doc.silent_ms),
        instruction=Instruction(
            Outcome.PENDING, Action(shown.action), shown.url, shown.params, doc.reference, shown.code
        )
        if shown
        else None,
        booked_on=rows.booked_on(row),
        payer_mark=doc.payer,
        version=int(row.version),
    )
