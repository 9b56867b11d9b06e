"""Rows of strays: they lie in the ``payments`` table, in a partition of their own each."""

from __future__ import annotations

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.stray import Stray, StrayKind, StrayStatus
from chalicelib.payments.store.rows import RecordRow
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, region

_LISTS = {StrayKind.MONEY: "suspense", StrayKind.CLAIM: "suspense", StrayKind.EVENT: "unknown_event"}


class _StrayDoc(msgspec.Struct, omit_defaults=True):
    heard_ms: int
    since_ms: int
    transaction_id: str = ""
    at_ms: int = 0
    said: dict[str, str] = {}
    billed_on: str = ""
    by: str = ""
    note: str = ""
    intent: str = ""
    fingerprint: str = ""
    seen_by: str = ""


class StrayRow(RecordRow):
    """A stray. Key: its id, twice: it belongs to no purchase."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    kind = UnicodeAttribute()
    status = UnicodeAttribute()
    provider = UnicodeAttribute()
    number = UnicodeAttribute()
    amount_minor = NumberAttribute(null=True)
    currency = UnicodeAttribute(null=True)
    doc = DocumentAttribute[_StrayDoc](_StrayDoc)


def stray_row(stray: Stray) -> StrayRow:
    """Return the row that keeps a stray."""
    row = StrayRow(
        purchase_id=stray.stray_id,
        id=stray.stray_id,
        kind=stray.kind.value,
        status=stray.status.value,
        provider=stray.provider,
        number=stray.number,
        amount_minor=stray.amount.minor if stray.amount else None,
        currency=stray.amount.currency if stray.amount else None,
        attention=_LISTS[stray.kind] if stray.is_open else None,
        attention_ms=epoch_ms(stray.heard_at) if stray.is_open else None,
        doc=_StrayDoc(
            heard_ms=epoch_ms(stray.heard_at),
            since_ms=epoch_ms(stray.since),
            transaction_id=stray.transaction_id,
            at_ms=epoch_ms_or_none(stray.at) or 0,
            said=dict(stray.said),
            billed_on=stray.billed_on,
            by=stray.by,
            note=stray.note,
            intent=stray.intent,
            fingerprint=stray.fingerprint,
            seen_by=stray.seen_by,
        ),
        version=stray.version,
    )
    row.set_due(None, stray.stray_id)
    return row


def stray_of(row: StrayRow) -> Stray:
    """Return the stray that a row keeps."""
    doc = row.doc
    return Stray(
        stray_id=row.id,
        kind=StrayKind(row.kind),
        status=StrayStatus(row.status),
        provider=row.provider,
        number=row.number,
        heard_at=from_epoch_ms(doc.heard_ms),
        since=from_epoch_ms(doc.since_ms),
        amount=Money(int(row.amount_minor), row.currency) if row.amount_minor is not None else None,
        transaction_id=doc.transaction_id,
        at=from_epoch_ms_or_none(doc.at_ms),
        said=doc.said,
        billed_on=doc.billed_on,
        by=doc.by,
        note=doc.note,
        intent=doc.intent,
        fingerprint=doc.fingerprint,
        seen_by=doc.seen_by,
        version=int(row.version),
    )
