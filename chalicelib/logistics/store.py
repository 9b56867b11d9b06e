"""Rows of the ``shipments`` table: an order's shipments under the order's id, and the codes that were given away."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import ids
from chalicelib.kernel.clock import (
    epoch_ms,
    epoch_ms_or_none,
    epoch_s,
    from_epoch_ms,
    from_epoch_ms_or_none,
    from_epoch_s,
)
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.logistics.domain import Scan, Shipment, Status, Word, order_of
from chalicelib.logistics.refusals import CodeAlreadyGiven
from chalicelib.logistics.watch import Watch
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class _ScanDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    at_s: int
    text: str
    status: str = ""
    place: str = ""
    detail: int = 0


class _WordDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    status: str
    by: str
    at_ms: int
    reason: str = ""
    intent: str = ""
    fingerprint: str = ""


class _ShipmentDoc(msgspec.Struct, omit_defaults=True):
    merchant_id: str
    lines: tuple[tuple[str, int], ...]
    shipped_ms: int
    intent: str = ""
    fingerprint: str = ""
    phone_tail: str = ""
    note: str = ""
    code: str = ""
    coded: bool = False
    carrier_given: str | None = None
    delivered_ms: int | None = None
    subscriptions: int = 0
    tries: int = 0
    hub: str = ""
    subscribed_ms: int | None = None
    quiet: int = 0
    missed: int = 0
    asked_ms: int | None = None
    heard_ms: int | None = None
    paid_s: int | None = None
    """Rows without it are of the days when nobody held numbers."""
    corrections: tuple[str, ...] = ()
    shared: bool = False
    detached: bool = False
    unclaimed: bool = False
    word: _WordDoc | None = None
    before_s: int | None = None
    purpose: str = ""
    about: str = ""


class ShipmentRow(DueRow):
    """Key: order_id, shipment_id as id."""

    class Meta:
        table_name = names.table_name("shipments")
        region = region()

    order_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    watch = UnicodeAttribute()
    since_ms = NumberAttribute()
    carrier = UnicodeAttribute(null=True)
    number = UnicodeAttribute(null=True)
    doc = DocumentAttribute[_ShipmentDoc](_ShipmentDoc)
    scans = DocumentAttribute[tuple[_ScanDoc, ...]](tuple[_ScanDoc, ...], null=True)
    due = DueIndex()


class GivenCodeRow(Row):
    """A merchant's digital code that was given to a buyer. Key: ``code_<digest>``; the code itself is not here."""

    class Meta:
        table_name = names.table_name("shipments")
        region = region()

    order_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    shipment_id = UnicodeAttribute()


def of_order(order_id: str, *, consistent: bool = False) -> list[Shipment]:
    """Read an order's shipments, in the order they were made: one Query."""
    return [_shipment(row) for row in reads.query_rows(ShipmentRow, order_id, consistent=consistent)]


def load(shipment_id: str) -> Shipment:
    """Read one shipment, consistently.

    Raises:
        NotFound: if there is none.
    """
    order_id = order_of(shipment_id)
    row = reads.get(ShipmentRow, order_id, shipment_id, consistent=True) if order_id else None
    if row is None:
        raise NotFound(what="shipment")
    return _shipment(row)


def save(work: UnitOfWork, shipment: Shipment, events: Sequence[Event] = ()) -> None:
    """Add the shipment's row to the work."""
    work.save(_row(shipment), events=events, label="shipment")


def give_code(work: UnitOfWork, shipment: Shipment, code: str) -> None:
    """Claim the shipment's code for it in the same work; refused as ``CodeAlreadyGiven``."""
    claim = GivenCodeRow(
        order_id=f"code_{ids.digest(shipment.merchant_id, code)}", id="given", shipment_id=shipment.shipment_id
    )
    work.save(claim, refuse=lambda item: CodeAlreadyGiven(), label="code")  # noqa: ARG005


def _row(shipment: Shipment) -> ShipmentRow:
    row = ShipmentRow(
        order_id=shipment.order_id,
        id=shipment.shipment_id,
        status=shipment.status.value,
        watch=shipment.watch.value,
        since_ms=epoch_ms(shipment.since),
        carrier=shipment.carrier,
        number=shipment.number,
        doc=_ShipmentDoc(
            merchant_id=shipment.merchant_id,
            lines=shipment.lines,
            shipped_ms=epoch_ms(shipment.shipped_at),
            intent=shipment.intent,
            fingerprint=shipment.fingerprint,
            phone_tail=shipment.phone_tail,
            note=shipment.note,
            code=shipment.code,
            coded=shipment.coded,
            carrier_given=shipment.carrier_given,
            delivered_ms=epoch_ms_or_none(shipment.delivered_at),
            subscriptions=shipment.subscriptions,
            tries=shipment.tries,
            hub=shipment.hub,
            subscribed_ms=epoch_ms_or_none(shipment.subscribed_at),
            quiet=shipment.quiet,
            missed=shipment.missed,
            asked_ms=epoch_ms_or_none(shipment.asked_at),
            heard_ms=epoch_ms_or_none(shipment.heard_at),
            paid_s=epoch_s(shipment.paid_at) if shipment.paid_at is not None else None,
            corrections=shipment.corrections,
            shared=shipment.shared,
            detached=shipment.detached,
            unclaimed=shipment.paid_at is not None and not shipment.claimed,
            word=_word_doc(shipment.word),
            before_s=epoch_s(shipment.seen_before) if shipment.seen_before is not None else None,
            purpose=shipment.purpose,
            about=shipment.about,
        ),
        scans=tuple(_scan_doc(scan) for scan in shipment.scans) or None,
        version=shipment.version,
    )
    row.set_due(shipment.due_at, shipment.shipment_id)
    return row


def _shipment(row: ShipmentRow) -> Shipment:
    doc = row.doc
    return Shipment(
        shipment_id=row.id,
        order_id=row.order_id,
        merchant_id=doc.merchant_id,
        lines=doc.lines,
        shipped_at=from_epoch_ms(doc.shipped_ms),
        watch=Watch(row.watch),
        since=from_epoch_ms(row.since_ms),
        status=Status(row.status),
        carrier=row.carrier,
        number=row.number,
        phone_tail=doc.phone_tail,
        note=doc.note,
        code=doc.code,
        coded=doc.coded,
        delivered_at=from_epoch_ms_or_none(doc.delivered_ms),
        carrier_given=doc.carrier_given,
        scans=tuple(_scan(doc) for doc in row.scans or ()),
        subscriptions=doc.subscriptions,
        tries=doc.tries,
        hub=doc.hub,
        subscribed_at=from_epoch_ms_or_none(doc.subscribed_ms),
        quiet=doc.quiet,
        missed=doc.missed,
        asked_at=from_epoch_ms_or_none(doc.asked_ms),
        heard_at=from_epoch_ms_or_none(doc.heard_ms),
        paid_at=from_epoch_s(doc.paid_s) if doc.paid_s is not None else None,
        corrections=doc.corrections,
        claimed=doc.paid_s is not None and not doc.unclaimed,
        shared=doc.shared,
        detached=doc.detached,
        word=_word(doc.word),
        seen_before=from_epoch_s(doc.before_s) if doc.before_s is not None else None,
        purpose=doc.purpose,
        about=doc.about,
        intent=doc.intent,
        fingerprint=doc.fingerprint,
        version=int(row.version),
    )


def _word_doc(word: Word | None) -> _WordDoc | None:
    if word is None:
        return None
    return _WordDoc(word.status.value, word.by, epoch_ms(word.at), word.reason, word.intent, word.fingerprint)


def _word(doc: _WordDoc | None) -> Word | None:
    if doc is None:
        return None
    return Word(Status(doc.status), doc.by, from_epoch_ms(doc.at_ms), doc.reason, doc.intent, doc.fingerprint)


def _scan_doc(scan: Scan) -> _ScanDoc:
    status = scan.status.value if scan.status else ""
    return _ScanDoc(int(scan.at.timestamp()), scan.text, status, scan.place, scan.detail)


def _scan(doc: _ScanDoc) -> Scan:
    status = Status(doc.status) if doc.status else None
    return Scan(from_epoch_s(doc.at_s), doc.text, status, doc.place, doc.detail)
