"""Rows of payments, and what they mean: row <-> domain. Attempts, refunds, quarantined notices and approvals."""

from __future__ import annotations

from datetime import datetime

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.money import Money
from chalicelib.payments.dispute_rules import Dispute, DisputeStatus
from chalicelib.payments.domain import (
    ATTENTION,
    Approval,
    ApprovalStatus,
    Payment,
    PaymentStatus,
    Quarantined,
    Refund,
    RefundStatus,
    Wish,
)
from chalicelib.payments.ports import Action, Instruction, Outcome
from chalicelib.runtime import names
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, due_time, region


class AttentionIndex(GlobalSecondaryIndex["RecordRow"]):
    """Sparse: refunds and quarantined notices that wait for an operator, oldest first."""

    class Meta:
        index_name = "attention"
        projection = KeysOnlyProjection()

    attention = UnicodeAttribute(hash_key=True)
    attention_ms = NumberAttribute(range_key=True)


class BookedIndex(GlobalSecondaryIndex["RecordRow"]):
    """Sparse: captures and refunds that are done, by the provider's day whose bill should hold them."""

    class Meta:
        index_name = "booked"
        projection = KeysOnlyProjection()

    booked_on = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


BOOKED_SHARDS = 4


class RecordRow(DueRow):
    """Base of what the table keeps. Key: purchase_id, the record's id."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    attention = UnicodeAttribute(null=True)
    attention_ms = NumberAttribute(null=True)
    due = DueIndex()
    booked_on = UnicodeAttribute(null=True)
    attentions = AttentionIndex()
    booked = BookedIndex()


def _shelf(booked_on: str, record_id: str) -> str | None:
    if not booked_on:
        return None
    return f"{booked_on}#{int.from_bytes(ids.digest(record_id).encode()[-2:]) % BOOKED_SHARDS}"


def _booked_on(row: RecordRow) -> str:
    return row.booked_on.rpartition("#")[0] if row.booked_on else ""


def _ms(moment: datetime | None) -> int:
    return epoch_ms(moment) if moment else 0


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
    refunded_ms: int = 0
    instruction: _InstructionDoc | None = None


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
        reserved_minor=payment.reserved,
        refunded_minor=payment.refunded,
        disputed_minor=payment.disputed or None,
        booked_on=_shelf(payment.booked_on, payment.payment_id),
        attention="surplus" if payment.status is PaymentStatus.SURPLUS else None,
        attention_ms=_ms(payment.captured_at) if payment.status is PaymentStatus.SURPLUS else None,
        doc=_PaymentDoc(
            method=payment.method,
            created_ms=_ms(payment.created_at),
            expires_ms=_ms(payment.expires_at),
            intent=payment.intent,
            fingerprint=payment.fingerprint,
            chases=payment.chases,
            code=payment.code,
            reference=payment.reference,
            transaction_id=payment.transaction_id,
            captured_currency=payment.captured.currency if payment.captured else "",
            captured_ms=_ms(payment.captured_at),
            refunded_ms=_ms(payment.refunded_at),
            instruction=_InstructionDoc(
                instruction.action.value, instruction.url, dict(instruction.params), instruction.code
            )
            if instruction
            else None,
        ),
        version=payment.version,
    )
    row.set_due(payment.due_at, payment.payment_id)
    return row


def payment_of(row: PaymentRow) -> Payment:
    """Return the attempt that a row keeps."""
    doc = row.doc
    shown = doc.instruction
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
        chases=doc.chases,
        code=doc.code,
        reference=doc.reference,
        transaction_id=doc.transaction_id,
        captured=Money(int(row.captured_minor), doc.captured_currency) if row.captured_minor is not None else None,
        captured_at=from_epoch_ms(doc.captured_ms) if doc.captured_ms else None,
        reserved=int(row.reserved_minor),
        refunded=int(row.refunded_minor),
        disputed=int(row.disputed_minor or 0),
        refunded_at=from_epoch_ms(doc.refunded_ms) if doc.refunded_ms else None,
        instruction=Instruction(
            Outcome.PENDING, Action(shown.action), shown.url, shown.params, doc.reference, shown.code
        )
        if shown
        else None,
        booked_on=_booked_on(row),
        version=int(row.version),
    )


# Refunds


class _RefundDoc(msgspec.Struct, omit_defaults=True):
    reason: str
    cause: str
    requested_ms: int
    since_ms: int
    order_number: int = 0
    chases: int = 0
    code: str = ""
    provider_refund_id: str | None = None
    fingerprint: str = ""
    lines: tuple[tuple[str, int], ...] = ()
    freight: bool = False
    by: str = ""
    approved_by: str = ""
    about: str = ""
    origin: str = ""
    foreign: str = ""
    bounced_ms: int = 0


class RefundRow(RecordRow):
    """A refund."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    payment_id = UnicodeAttribute()
    status = UnicodeAttribute()
    amount_minor = NumberAttribute()
    currency = UnicodeAttribute()
    doc = DocumentAttribute[_RefundDoc](_RefundDoc)


def refund_row(refund: Refund) -> RefundRow:
    """Return the row that keeps a refund."""
    waits = refund.status in ATTENTION
    row = RefundRow(
        purchase_id=refund.purchase_id,
        id=refund.refund_id,
        payment_id=refund.payment_id,
        status=refund.status.value,
        amount_minor=refund.amount.minor,
        currency=refund.amount.currency,
        attention=f"refund_{refund.status.value}" if waits else None,
        attention_ms=_ms(refund.since) if waits else None,
        booked_on=_shelf(refund.booked_on, refund.refund_id),
        doc=_RefundDoc(
            reason=refund.reason,
            cause=refund.cause,
            requested_ms=_ms(refund.requested_at),
            since_ms=_ms(refund.since),
            order_number=ids.child_number(refund.order_id) if refund.order_id else 0,
            chases=refund.chases,
            code=refund.code,
            provider_refund_id=refund.provider_refund_id,
            fingerprint=refund.fingerprint,
            lines=refund.lines,
            freight=refund.freight,
            by=refund.by,
            approved_by=refund.approved_by,
            about=refund.about,
            origin=refund.origin,
            foreign=refund.foreign,
            bounced_ms=_ms(refund.bounced_at),
        ),
        version=refund.version,
    )
    row.set_due(refund.due_at, refund.refund_id)
    return row


def refund_of(row: RefundRow) -> Refund:
    """Return the refund that a row keeps."""
    doc = row.doc
    return Refund(
        refund_id=row.id,
        purchase_id=row.purchase_id,
        payment_id=row.payment_id,
        order_id=ids.child_id("ord", row.purchase_id, doc.order_number) if doc.order_number else None,
        amount=Money(int(row.amount_minor), row.currency),
        status=RefundStatus(row.status),
        reason=doc.reason,
        cause=doc.cause,
        requested_at=from_epoch_ms(doc.requested_ms),
        due_at=due_time(row),
        since=from_epoch_ms(doc.since_ms),
        chases=doc.chases,
        code=doc.code,
        provider_refund_id=doc.provider_refund_id,
        fingerprint=doc.fingerprint,
        lines=doc.lines,
        freight=doc.freight,
        by=doc.by,
        approved_by=doc.approved_by,
        about=doc.about,
        origin=doc.origin,
        foreign=doc.foreign,
        bounced_at=from_epoch_ms(doc.bounced_ms) if doc.bounced_ms else None,
        booked_on=_booked_on(row),
        version=int(row.version),
    )


# Notices that do not fit


class _QuarantinedDoc(msgspec.Struct, omit_defaults=True):
    why: str
    at_ms: int
    said: dict[str, str]
    resolved: str = ""
    by: str = ""
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


class QuarantinedRow(RecordRow):
    """A genuine notice that does not fit."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    payment_id = UnicodeAttribute()
    doc = DocumentAttribute[_QuarantinedDoc](_QuarantinedDoc)


def quarantined_row(quarantined: Quarantined) -> QuarantinedRow:
    """Return the row that keeps a quarantined notice."""
    row = QuarantinedRow(
        purchase_id=quarantined.purchase_id,
        id=quarantined.quarantine_id,
        payment_id=quarantined.payment_id,
        attention=None if quarantined.resolved else "quarantined",
        attention_ms=None if quarantined.resolved else _ms(quarantined.at),
        doc=_QuarantinedDoc(
            why=quarantined.why,
            at_ms=_ms(quarantined.at),
            said=quarantined.said,
            resolved=quarantined.resolved,
            by=quarantined.by,
            note=quarantined.note,
            intent=quarantined.intent,
            fingerprint=quarantined.fingerprint,
        ),
        version=quarantined.version,
    )
    row.set_due(None, quarantined.quarantine_id)
    return row


def quarantined_of(row: QuarantinedRow) -> Quarantined:
    """Return the quarantined notice that a row keeps."""
    doc = row.doc
    return Quarantined(
        quarantine_id=row.id,
        purchase_id=row.purchase_id,
        payment_id=row.payment_id,
        why=doc.why,
        at=from_epoch_ms(doc.at_ms),
        said=doc.said,
        resolved=doc.resolved,
        by=doc.by,
        note=doc.note,
        intent=doc.intent,
        fingerprint=doc.fingerprint,
        version=int(row.version),
    )


# Refunds that wait for a second person


class _ApprovalDoc(msgspec.Struct, omit_defaults=True):
    order_number: int
    reason: str
    by_amount: bool
    asked_ms: int
    since_ms: int
    fingerprint: str
    lines: tuple[tuple[str, int], ...] = ()
    freight: bool = False
    payment_number: int = 0
    decided_by: str = ""
    refund_id: str | None = None
    note: str = ""
    intent: str = ""
    decided_fingerprint: str = ""


class ApprovalRow(RecordRow):
    """A refund that waits for a second person."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    asked_by = UnicodeAttribute()
    status = UnicodeAttribute()
    amount_minor = NumberAttribute()
    currency = UnicodeAttribute()
    doc = DocumentAttribute[_ApprovalDoc](_ApprovalDoc)


def approval_row(approval: Approval) -> ApprovalRow:
    """Return the row that keeps an approval."""
    wish = approval.wish
    waits = approval.status is ApprovalStatus.PENDING
    row = ApprovalRow(
        purchase_id=approval.purchase_id,
        id=approval.approval_id,
        asked_by=approval.asked_by,
        status=approval.status.value,
        amount_minor=approval.amount.minor,
        currency=approval.amount.currency,
        attention="approval" if waits else None,
        attention_ms=_ms(approval.since) if waits else None,
        doc=_ApprovalDoc(
            order_number=ids.child_number(wish.order_id),
            reason=wish.reason,
            by_amount=wish.amount is not None,
            asked_ms=_ms(approval.asked_at),
            since_ms=_ms(approval.since),
            fingerprint=approval.fingerprint,
            lines=wish.lines,
            freight=wish.freight,
            payment_number=ids.child_number(wish.payment_id) if wish.payment_id else 0,
            decided_by=approval.decided_by,
            refund_id=approval.refund_id,
            note=approval.note,
            intent=approval.intent,
            decided_fingerprint=approval.decided_fingerprint,
        ),
        version=approval.version,
    )
    row.set_due(approval.due_at, approval.approval_id)
    return row


def approval_of(row: ApprovalRow) -> Approval:
    """Return the approval that a row keeps."""
    doc = row.doc
    amount = Money(int(row.amount_minor), row.currency)
    return Approval(
        approval_id=row.id,
        purchase_id=row.purchase_id,
        wish=Wish(
            order_id=ids.child_id("ord", row.purchase_id, doc.order_number),
            reason=doc.reason,
            amount=amount if doc.by_amount else None,
            lines=doc.lines,
            freight=doc.freight,
            payment_id=ids.child_id("pay", row.purchase_id, doc.payment_number) if doc.payment_number else None,
        ),
        amount=amount,
        status=ApprovalStatus(row.status),
        asked_by=row.asked_by,
        asked_at=from_epoch_ms(doc.asked_ms),
        since=from_epoch_ms(doc.since_ms),
        fingerprint=doc.fingerprint,
        decided_by=doc.decided_by,
        refund_id=doc.refund_id,
        note=doc.note,
        intent=doc.intent,
        decided_fingerprint=doc.decided_fingerprint,
        version=int(row.version),
    )


class _DisputeDoc(msgspec.Struct, omit_defaults=True):
    provider: str
    number: str
    opened_ms: int
    since_ms: int
    reason: str = ""
    answer_by_ms: int = 0
    taken: int = 0
    moves: int = 0


class DisputeRow(RecordRow):
    """A dispute of one of the purchase's payments."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    payment_id = UnicodeAttribute()
    status = UnicodeAttribute()
    amount_minor = NumberAttribute()
    currency = UnicodeAttribute()
    doc = DocumentAttribute[_DisputeDoc](_DisputeDoc)


def dispute_row(dispute: Dispute) -> DisputeRow:
    """Return the row that keeps a dispute."""
    waits = dispute.status is DisputeStatus.OPEN
    row = DisputeRow(
        purchase_id=dispute.purchase_id,
        id=dispute.dispute_id,
        payment_id=dispute.payment_id,
        status=dispute.status.value,
        amount_minor=dispute.amount.minor,
        currency=dispute.amount.currency,
        attention="disputed" if waits else None,
        attention_ms=_ms(dispute.since) if waits else None,
        doc=_DisputeDoc(
            provider=dispute.provider,
            number=dispute.number,
            opened_ms=_ms(dispute.opened_at),
            since_ms=_ms(dispute.since),
            reason=dispute.reason,
            answer_by_ms=_ms(dispute.answer_by),
            taken=dispute.taken,
            moves=dispute.moves,
        ),
        version=dispute.version,
    )
    row.set_due(None, dispute.dispute_id)
    return row


def dispute_of(row: DisputeRow) -> Dispute:
    """Return the dispute that a row keeps."""
    doc = row.doc
    return Dispute(
        dispute_id=row.id,
        purchase_id=row.purchase_id,
        payment_id=row.payment_id,
        provider=doc.provider,
        number=doc.number,
        status=DisputeStatus(row.status),
        amount=Money(int(row.amount_minor), row.currency),
        opened_at=from_epoch_ms(doc.opened_ms),
        since=from_epoch_ms(doc.since_ms),
        reason=doc.reason,
        answer_by=from_epoch_ms(doc.answer_by_ms) if doc.answer_by_ms else None,
        taken=doc.taken,
        moves=doc.moves,
        version=int(row.version),
    )


KINDS: dict[str, type[RecordRow]] = {
    "pay": PaymentRow,
    "ref": RefundRow,
    "qua": QuarantinedRow,
    "apr": ApprovalRow,
    "dsp": DisputeRow,
}
