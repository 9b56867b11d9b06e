"""Rows that lie beside a purchase's payments because a person must look: quarantined notices, approvals, disputes."""

from __future__ import annotations

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.approval import Approval, ApprovalStatus
from chalicelib.payments.domain.dispute import Dispute, DisputeStatus
from chalicelib.payments.domain.payment_records import Quarantined
from chalicelib.payments.domain.refund_request import RefundRequest
from chalicelib.payments.store.refund_rows import OfflineDoc
from chalicelib.payments.store.rows import RecordRow
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, region

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
        attention_ms=None if quarantined.resolved else epoch_ms(quarantined.at),
        doc=_QuarantinedDoc(
            why=quarantined.why,
            at_ms=epoch_ms(quarantined.at),
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
    wished_offline: bool = False
    settles: str = ""
    offline: OfflineDoc | None = None
    payee: str = ""
    payee_mark: str = ""


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
    wanted = approval.request
    waits = approval.status is ApprovalStatus.PENDING
    row = ApprovalRow(
        purchase_id=approval.purchase_id,
        id=approval.approval_id,
        asked_by=approval.asked_by,
        status=approval.status.value,
        amount_minor=approval.amount.minor,
        currency=approval.amount.currency,
        attention="approval" if waits else None,
        attention_ms=epoch_ms(approval.since) if waits else None,
        doc=_ApprovalDoc(
            order_number=ids.child_number(wanted.order_id) if wanted.order_id else 0,
            reason=wanted.reason,
            by_amount=wanted.amount is not None,
            asked_ms=epoch_ms(approval.asked_at),
            since_ms=epoch_ms(approval.since),
            fingerprint=approval.fingerprint,
            lines=wanted.lines,
            freight=wanted.freight,
            payment_number=ids.child_number(wanted.payment_id) if wanted.payment_id else 0,
            decided_by=approval.decided_by,
            refund_id=approval.refund_id,
            note=approval.note,
            intent=approval.intent,
            decided_fingerprint=approval.decided_fingerprint,
            wished_offline=wanted.offline,
            settles=approval.settles,
            offline=OfflineDoc.of(approval.offline),
            payee=approval.payee,
            payee_mark=approval.payee_mark,
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
        request=RefundRequest(
            order_id=ids.child_id("ord", row.purchase_id, doc.order_number) if doc.order_number else "",
            reason=doc.reason,
            amount=amount if doc.by_amount else None,
            lines=doc.lines,
            freight=doc.freight,
            payment_id=ids.child_id("pay", row.purchase_id, doc.payment_number) if doc.payment_number else None,
            offline=doc.wished_offline,
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
        settles=doc.settles,
        offline=doc.offline.payment() if doc.offline else None,
        payee=doc.payee,
        payee_mark=doc.payee_mark,
        version=int(row.version),
    )


# Disputes


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
        attention_ms=epoch_ms(dispute.since) if waits else None,
        doc=_DisputeDoc(
            provider=dispute.provider,
            number=dispute.number,
            opened_ms=epoch_ms(dispute.opened_at),
            since_ms=epoch_ms(dispute.since),
            reason=dispute.reason,
            answer_by_ms=epoch_ms_or_none(dispute.answer_by) or 0,
            taken=dispute.taken_minor,
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
        answer_by=from_epoch_ms_or_none(doc.answer_by_ms),
        taken_minor=doc.taken,
        moves=doc.moves,
        version=int(row.version),
    )
