"""Rows of refunds, and what they mean: row <-> domain."""

from __future__ import annotations

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.redirect import Redirect
from chalicelib.payments.domain.refund import ATTENTION, Refund, RefundStatus
from chalicelib.payments.store import rows
from chalicelib.payments.store.rows import RecordRow
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, due_time, region

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
        booked_on=rows.shelf(refund.booked_on, refund.refund_id),
        doc=_RefundDoc(
            reason=refund.reason,
            cause=refund.request_token,
            requested_ms=epoch_ms(refund.requested_at),
            since_ms=epoch_ms(refund.since),
            order_number=ids.child_number(refund.order_id) if refund.order_id else 0,
            chases=refund.polls,
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
            foreign=refund.external_number,
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
        request_token=doc.cause,
        requested_at=from_epoch_ms(doc.requested_ms),
        due_at=due_time(row),
        since=from_epoch_ms(doc.since_ms),
        polls=doc.chases,
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
        external_number=doc.foreign,
        past=tuple((RefundStatus(status), from_epoch_ms(ms)) for status, ms in doc.past),
        bounced_at=from_epoch_ms_or_none(doc.bounced_ms),
        shorts=doc.shorts,
        unsent=doc.unsent,
        offline=doc.offline.payment() if doc.offline else None,
        redirect=doc.redirect.redirect() if doc.redirect else None,
        booked_on=rows.booked_on(row),
        version=int(row.version),
    )
