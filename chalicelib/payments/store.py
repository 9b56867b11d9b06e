"""Rows of payments: attempts, refunds and quarantined notices of a purchase, all in its partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import from_epoch_s
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.payments.dispute_rules import Dispute, DisputeStatus, dispute_id
from chalicelib.payments.domain import (
    ATTENTION,
    Approval,
    ApprovalStatus,
    Payment,
    PaymentStatus,
    Quarantined,
    Refund,
    RefundStatus,
    Story,
    UnknownPayment,
    Wish,
)
from chalicelib.payments.ports import Action, Instruction, Outcome
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.rows import DUE_SHARDS, DocumentAttribute, DueIndex, DueRow, due_time, region
from chalicelib.runtime.db.work import UnitOfWork


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
    bounced_ms: int = 0


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


class _QuarantinedDoc(msgspec.Struct, omit_defaults=True):
    why: str
    at_ms: int
    said: dict[str, str]
    resolved: str = ""
    by: str = ""
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


class _DisputeDoc(msgspec.Struct, omit_defaults=True):
    provider: str
    number: str
    opened_ms: int
    since_ms: int
    reason: str = ""
    answer_by_ms: int = 0
    taken: int = 0
    moves: int = 0


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


class QuarantinedRow(RecordRow):
    """A genuine notice that does not fit."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    payment_id = UnicodeAttribute()
    doc = DocumentAttribute[_QuarantinedDoc](_QuarantinedDoc)


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


def load_story(purchase_id: str, *, consistent: bool = True) -> Story:
    """Read everything of a purchase's payments in one Query."""
    items: list[reads.Raw] = []
    start_key: reads.Raw | None = None
    while True:
        page = reads.query(RecordRow, purchase_id, consistent=consistent, start_key=start_key)
        items += page.items
        start_key = page.last_key
        if start_key is None:
            return _assemble(items)


def load_payment(payment_id: str, *, consistent: bool = True) -> Payment:
    """Read one attempt.

    Raises:
        UnknownPayment: if there is none.
    """
    row = None
    if ids.is_id("pay", payment_id):
        row = reads.get(PaymentRow, ids.parent_id("pur", payment_id), payment_id, consistent=consistent)
    if row is None:
        raise UnknownPayment(what="payment", payment_id=payment_id)
    return _payment(row)


def load_quarantined(purchase_id: str, quarantine_id: str) -> Quarantined | None:
    """Read one quarantined notice, or None."""
    if not ids.is_id("qua", quarantine_id):  # Other kinds of records stand beside it.
        return None
    row = reads.get(QuarantinedRow, purchase_id, quarantine_id, consistent=True)
    return _quarantined(row) if row is not None else None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of a list of records, and where it goes on."""

    story: Story
    last_key: reads.Raw | None


def list_attention(kind: str, *, until: datetime, limit: int, start_key: reads.Raw | None) -> RecordPage:
    """Read one page of what has waited for an operator since a moment or longer, oldest first."""
    page = reads.query(
        RecordRow,
        kind,
        index=RecordRow.attentions,
        range_condition=RecordRow.attention_ms <= _ms(until),
        limit=limit,
        start_key=start_key,
    )
    return RecordPage(_load(page.items), page.last_key)


def list_booked(
    day_key: str, *, shard: int, limit: int, start_key: reads.Raw | None
) -> tuple[list[str], reads.Raw | None]:
    """Read one page of the records of a provider's day, as ``payments`` know it; one of :data:`BOOKED_SHARDS`."""
    page = reads.query(RecordRow, f"{day_key}#{shard}", index=RecordRow.booked, limit=limit, start_key=start_key)
    return [item["id"]["S"] for item in page.items], page.last_key


def load_records(record_ids: Iterable[str]) -> dict[str, Payment | Refund]:
    """Read attempts and refunds by their ids, consistently, a hundred a call; missing ones are absent."""
    kinds: dict[str, type[RecordRow]] = {"pay": PaymentRow, "ref": RefundRow}
    wanted = [
        (kinds[record_id[:3]], ids.parent_id("pur", record_id), record_id)
        for record_id in record_ids
        if record_id[:3] in kinds and ids.is_id(record_id[:3], record_id)
    ]
    found: dict[str, Payment | Refund] = {}
    for row in reads.get_many(wanted, consistent=True).values():
        if isinstance(row, PaymentRow):
            found[row.id] = _payment(row)
        elif isinstance(row, RefundRow):
            found[row.id] = _refund(row)
    return found


def _shelf(booked_on: str, record_id: str) -> str | None:
    if not booked_on:
        return None
    return f"{booked_on}#{int.from_bytes(ids.digest(record_id).encode()[-2:]) % BOOKED_SHARDS}"


def _booked_on(row: RecordRow) -> str:
    return row.booked_on.rpartition("#")[0] if row.booked_on else ""


def list_due(*, limit: int, start_key: reads.Raw | None) -> RecordPage:
    """Read one page of what waits for a provider, shard by shard, the next to be asked first in each."""
    shard = int(start_key["due_shard"]["S"].removeprefix("due")) if start_key else 0
    items: list[reads.Raw] = []
    while True:
        page = reads.query(RecordRow, f"due{shard}", index=RecordRow.due, limit=limit - len(items), start_key=start_key)
        items += page.items
        start_key = page.last_key
        if start_key is not None or shard == DUE_SHARDS - 1:
            return RecordPage(_load(items), start_key)
        if len(items) >= limit:
            return RecordPage(_load(items), {**_keys_of(items[-1]), "due_shard": {"S": f"due{shard}"}})
        shard += 1


def _keys_of(item: reads.Raw) -> reads.Raw:
    return {name: item[name] for name in ("purchase_id", "id", "due_shard", "due_at")}


def _load(items: Sequence[reads.Raw]) -> Story:
    kinds: dict[str, type[RecordRow]] = dict(_KINDS)
    wanted = [(kinds[item["id"]["S"].split("_")[0]], item["purchase_id"]["S"], item["id"]["S"]) for item in items]
    found = reads.get_many(wanted)
    return _story(found[(hash_key, range_key)] for _, hash_key, range_key in wanted if (hash_key, range_key) in found)


def _lost(_: reads.Raw | None) -> Exception:
    return ConcurrentUpdate()


def save_payment(work: UnitOfWork, payment: Payment, events: Sequence[Event] = ()) -> None:
    """Add the attempt's row to the work; a rival's write first, or its creation by one, is a ``ConcurrentUpdate``."""
    work.save(_payment_row(payment), events=events, label=payment.payment_id, refuse=_lost)


def save_refund(work: UnitOfWork, refund: Refund, events: Sequence[Event] = ()) -> None:
    """Add the refund's row to the work; as :func:`save_payment`."""
    work.save(_refund_row(refund), events=events, label=refund.refund_id, refuse=_lost)


def save_quarantined(work: UnitOfWork, quarantined: Quarantined, events: Sequence[Event] = ()) -> None:
    """Add the quarantined notice to the work; refused with ``AlreadyExists`` if the same was said before."""
    work.save(_quarantined_row(quarantined), events=events, label=quarantined.quarantine_id)


def load_approval(purchase_id: str, approval_id: str) -> Approval | None:
    """Read one approval, or None."""
    if not ids.is_id("apr", approval_id):
        return None
    row = reads.get(ApprovalRow, purchase_id, approval_id, consistent=True)
    return _approval(row) if row is not None else None


def save_approval(work: UnitOfWork, approval: Approval) -> None:
    """Add the approval's row to the work; refused with ``AlreadyExists`` if the same request asked for it before."""
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
            order_number=int(wish.order_id.rsplit("_", 1)[1]),
            reason=wish.reason,
            by_amount=wish.amount is not None,
            asked_ms=_ms(approval.asked_at),
            since_ms=_ms(approval.since),
            fingerprint=approval.fingerprint,
            lines=wish.lines,
            freight=wish.freight,
            payment_number=int(wish.payment_id.rsplit("_", 1)[1]) if wish.payment_id else 0,
            decided_by=approval.decided_by,
            refund_id=approval.refund_id,
            note=approval.note,
            intent=approval.intent,
            decided_fingerprint=approval.decided_fingerprint,
        ),
        version=approval.version,
    )
    row.set_due(approval.due_at, approval.approval_id)
    work.save(row, label=approval.approval_id)


def _approval(row: ApprovalRow) -> Approval:
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
        asked_at=_time(doc.asked_ms),
        since=_time(doc.since_ms),
        fingerprint=doc.fingerprint,
        decided_by=doc.decided_by,
        refund_id=doc.refund_id,
        note=doc.note,
        intent=doc.intent,
        decided_fingerprint=doc.decided_fingerprint,
        version=int(row.version),
    )


def load_dispute(purchase_id: str, provider: str, number: str) -> Dispute | None:
    """Read one dispute by the provider's number, or None."""
    row = reads.get(DisputeRow, purchase_id, dispute_id(provider, number), consistent=True)
    return _dispute(row) if row is not None else None


def save_dispute(work: UnitOfWork, dispute: Dispute, events: Sequence[Event] = ()) -> None:
    """Add the dispute's row to the work; a rival's write first is a ``ConcurrentUpdate``."""
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
    work.save(row, events=events, label=dispute.dispute_id, refuse=_lost)


def _dispute(row: DisputeRow) -> Dispute:
    doc = row.doc
    return Dispute(
        dispute_id=row.id,
        purchase_id=row.purchase_id,
        payment_id=row.payment_id,
        provider=doc.provider,
        number=doc.number,
        status=DisputeStatus(row.status),
        amount=Money(int(row.amount_minor), row.currency),
        opened_at=_time(doc.opened_ms),
        since=_time(doc.since_ms),
        reason=doc.reason,
        answer_by=_time(doc.answer_by_ms) if doc.answer_by_ms else None,
        taken=doc.taken,
        moves=doc.moves,
        version=int(row.version),
    )


def _assemble(items: Iterable[reads.Raw]) -> Story:
    rows: list[RecordRow] = []
    for item in items:
        kind = item["id"]["S"].split("_")[0]
        model = _KINDS.get(kind, QuarantinedRow)
        rows.append(model.from_raw_data(item))
    return _story(rows)


def _story(rows: Iterable[object]) -> Story:
    payments: list[Payment] = []
    refunds: list[Refund] = []
    quarantined: list[Quarantined] = []
    approvals: list[Approval] = []
    disputes: list[Dispute] = []
    for row in rows:
        if isinstance(row, PaymentRow):
            payments.append(_payment(row))
        elif isinstance(row, RefundRow):
            refunds.append(_refund(row))
        elif isinstance(row, QuarantinedRow):
            quarantined.append(_quarantined(row))
        elif isinstance(row, ApprovalRow):
            approvals.append(_approval(row))
        elif isinstance(row, DisputeRow):
            disputes.append(_dispute(row))
    return Story(tuple(payments), tuple(refunds), tuple(quarantined), tuple(approvals), tuple(disputes))


_KINDS: dict[str, type[RecordRow]] = {
    "pay": PaymentRow,
    "ref": RefundRow,
    "qua": QuarantinedRow,
    "apr": ApprovalRow,
    "dsp": DisputeRow,
}


def _ms(moment: datetime | None) -> int:
    return round(moment.timestamp() * 1000) if moment else 0


def _time(milliseconds: float) -> datetime:
    return from_epoch_s(milliseconds / 1000)


def _payment_row(payment: Payment) -> PaymentRow:
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


def _payment(row: PaymentRow) -> Payment:
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
        created_at=_time(doc.created_ms),
        expires_at=_time(doc.expires_ms),
        due_at=due_time(row),
        intent=doc.intent,
        fingerprint=doc.fingerprint,
        chases=doc.chases,
        code=doc.code,
        reference=doc.reference,
        transaction_id=doc.transaction_id,
        captured=Money(int(row.captured_minor), doc.captured_currency) if row.captured_minor is not None else None,
        captured_at=_time(doc.captured_ms) if doc.captured_ms else None,
        reserved=int(row.reserved_minor),
        refunded=int(row.refunded_minor),
        disputed=int(row.disputed_minor or 0),
        refunded_at=_time(doc.refunded_ms) if doc.refunded_ms else None,
        instruction=Instruction(
            Outcome.PENDING, Action(shown.action), shown.url, shown.params, doc.reference, shown.code
        )
        if shown
        else None,
        booked_on=_booked_on(row),
        version=int(row.version),
    )


def _refund_row(refund: Refund) -> RefundRow:
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
            order_number=int(refund.order_id.rsplit("_", 1)[1]) if refund.order_id else 0,
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
            bounced_ms=_ms(refund.bounced_at),
        ),
        version=refund.version,
    )
    row.set_due(refund.due_at, refund.refund_id)
    return row


def _refund(row: RefundRow) -> Refund:
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
        requested_at=_time(doc.requested_ms),
        due_at=due_time(row),
        since=_time(doc.since_ms),
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
        bounced_at=_time(doc.bounced_ms) if doc.bounced_ms else None,
        booked_on=_booked_on(row),
        version=int(row.version),
    )


def _quarantined_row(quarantined: Quarantined) -> QuarantinedRow:
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


def _quarantined(row: QuarantinedRow) -> Quarantined:
    doc = row.doc
    return Quarantined(
        quarantine_id=row.id,
        purchase_id=row.purchase_id,
        payment_id=row.payment_id,
        why=doc.why,
        at=_time(doc.at_ms),
        said=doc.said,
        resolved=doc.resolved,
        by=doc.by,
        note=doc.note,
        intent=doc.intent,
        fingerprint=doc.fingerprint,
        version=int(row.version),
    )
