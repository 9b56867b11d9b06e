"""Rows of payments, and what they mean: row <-> domain. What all share, attempts and refunds."""

from __future__ import annotations

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import BOOKED_SHARDS
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.redirect import Redirect
from chalicelib.payments.domain.refund import ATTENTION, Refund, RefundStatus
from chalicelib.payments.ports import Action, Instruction, Outcome
from chalicelib.runtime import names
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, due_time, region


class AttentionIndex(GlobalSecondaryIndex["RecordRow"]):
    """Sparse: what waits for an operator (refunds, surplus, kept notices, approvals, disputes), oldest first."""

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
    return f"{booked_on}#{ids.shard(record_id, BOOKED_SHARDS)}"


def _booked_on(row: RecordRow) -> str:
    return row.booked_on.rpartition("#")[0] if row.booked_on else ""


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
        attention_ms=epoch_ms_or_none(payment.captured_at) if payment.status is PaymentStatus.SURPLUS else None,
        doc=_PaymentDoc(
            method=payment.method,
            created_ms=epoch_ms(payment.created_at),
            expires_ms=epoch_ms(payment.expires_at),
            intent=payment.intent,
            fingerprint=payment.fingerprint,
            chases=payment.chases,
            code=payment.code,
            reference=payment.reference,
            transaction_id=payment.transaction_id,
            ended_ms=epoch_ms_or_none(payment.ended_at) or 0,
            captured_currency=payment.captured.currency if payment.captured else "",
            captured_ms=epoch_ms_or_none(payment.captured_at) or 0,
            refunded_ms=epoch_ms_or_none(payment.refunded_at) or 0,
            tries=payment.tries,
            questions_ms=tuple(epoch_ms(moment) for moment in payment.questions),
            silent_ms=epoch_ms_or_none(payment.silent_since) or 0,
            paid_offline=payment.paid_offline,
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
        ended_at=from_epoch_ms_or_none(doc.ended_ms),
        captured_at=from_epoch_ms_or_none(doc.captured_ms),
        reserved=int(row.reserved_minor),
        refunded=int(row.refunded_minor),
        paid_offline=doc.paid_offline,
        disputed=int(row.disputed_minor or 0),
        refunded_at=from_epoch_ms_or_none(doc.refunded_ms),
        tries=doc.tries,
        questions=tuple(from_epoch_ms(moment) for moment in doc.questions_ms),
        silent_since=from_epoch_ms_or_none(doc.silent_ms),
        instruction=Instruction(
            Outcome.PENDING, Action(shown.action), shown.url, shown.params, doc.reference, shown.code
        )
        if shown
        else None,
        booked_on=_booked_on(row),
        version=int(row.version),
    )


# Refunds


class OfflineDoc(msgspec.Struct, omit_defaults=True):
    """How a refund was paid by hand."""

    reference: str
    paid_ms: int
    note: str = ""
    by: str = ""
    approved_by: str = ""
    intent: str = ""
    fingerprint: str = ""

    @classmethod
    def of(cls, paid: OfflinePayment | None) -> OfflineDoc | None:
        """Return what a row keeps of it."""
        if paid is None:
            return None
        return cls(
            reference=paid.reference,
            paid_ms=epoch_ms(paid.paid_at),
            note=paid.note,
            by=paid.by,
            approved_by=paid.approved_by,
            intent=paid.intent,
            fingerprint=paid.fingerprint,
        )

    def payment(self) -> OfflinePayment:
        """Return what was kept."""
        return OfflinePayment(
            reference=self.reference,
            paid_at=from_epoch_ms(self.paid_ms),
            note=self.note,
            by=self.by,
            approved_by=self.approved_by,
            intent=self.intent,
            fingerprint=self.fingerprint,
        )


class RedirectDoc(msgspec.Struct, omit_defaults=True):
    """That a refund was sent to another card, as rows keep it."""

    payee: str
    by: str
    at_ms: int
    approved_by: str = ""
    intent: str = ""
    fingerprint: str = ""
    over: bool = False

    @classmethod
    def of(cls, sent: Redirect | None) -> RedirectDoc | None:
        """Return the kept form."""
        if sent is None:
            return None
        at_ms = epoch_ms(sent.at)
        return cls(sent.payee, sent.by, at_ms, sent.approved_by, sent.intent, sent.fingerprint, sent.over)

    def redirect(self) -> Redirect:
        """Return what it keeps."""
        at = from_epoch_ms(self.at_ms)
        return Redirect(self.payee, self.by, at, self.approved_by, self.intent, self.fingerprint, self.over)


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
    line: str = ""
    compensation: bool = False
    by: str = ""
    approved_by: str = ""
    retried_by: str = ""
    about: str = ""
    renews: str = ""
    origin: str = ""
    replaces: tuple[str, ...] = ()
    foreign: str = ""
    bounced_ms: int = 0
    past: tuple[tuple[str, int], ...] = ()
    shorts: int = 0
    unsent: bool = False
    offline: OfflineDoc | None = None
    redirect: RedirectDoc | None = None


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
        attention_ms=epoch_ms(refund.since) if waits else None,
        booked_on=_shelf(refund.booked_on, refund.refund_id),
        doc=_RefundDoc(
            reason=refund.reason,
            cause=refund.cause,
            requested_ms=epoch_ms(refund.requested_at),
            since_ms=epoch_ms(refund.since),
            order_number=ids.child_number(refund.order_id) if refund.order_id else 0,
            chases=refund.chases,
            code=refund.code,
            provider_refund_id=refund.provider_refund_id,
            fingerprint=refund.fingerprint,
            lines=refund.lines,
            freight=refund.freight,
            line=refund.line,
            compensation=refund.compensation,
            by=refund.by,
            approved_by=refund.approved_by,
            retried_by=refund.retried_by,
            about=refund.about,
            renews=refund.renews,
            origin=refund.origin,
            replaces=refund.replaces,
            foreign=refund.foreign,
            past=tuple((status.value, epoch_ms(moment)) for status, moment in refund.past),
            bounced_ms=epoch_ms_or_none(refund.bounced_at) or 0,
            shorts=refund.shorts,
            unsent=refund.unsent,
            offline=OfflineDoc.of(refund.offline),
            redirect=RedirectDoc.of(refund.redirect),
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
        line=doc.line,
        compensation=doc.compensation,
        by=doc.by,
        approved_by=doc.approved_by,
        retried_by=doc.retried_by,
        about=doc.about,
        renews=doc.renews,
        origin=doc.origin,
        replaces=doc.replaces,
        foreign=doc.foreign,
        past=tuple((RefundStatus(status), from_epoch_ms(ms)) for status, ms in doc.past),
        bounced_at=from_epoch_ms_or_none(doc.bounced_ms),
        shorts=doc.shorts,
        unsent=doc.unsent,
        offline=doc.offline.payment() if doc.offline else None,
        redirect=doc.redirect.redirect() if doc.redirect else None,
        booked_on=_booked_on(row),
        version=int(row.version),
    )
