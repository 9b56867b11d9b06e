"""Rows of the ``virtual`` table. A pool with its codes is one partition (``pool_<sku>``), an order with all that was
delivered of it another: what is shown to a buyer takes one Query.

A code's row moves from the one to the other in the transaction that gives it, sealed anew for its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel.clock import (
    epoch_ms,
    epoch_ms_or_none,
    from_epoch_ms,
    from_epoch_ms_or_none,
)
from chalicelib.kernel.events import Event
from chalicelib.kernel.later import Later
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, SealedDocument, region
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.virtual.domain import OPEN, Content, Delivery, FileRef, Form, Part, Pool, Status, Upload

HEAD = "pool"
CODES = "cod_"
SECRETS = "sec_"
LOOKS = "look_"
UPLOADS = "upl_"


class _ContentDoc(msgspec.Struct, omit_defaults=True):
    form: str
    text: str = ""
    file: tuple[str, str, str, int] | None = None


class _PoolDoc(msgspec.Struct, omit_defaults=True):
    merchant_id: str
    form: str
    within_s: int
    low_mark: int = 0
    free: int = 0
    numbered: int = 0
    given: int = 0
    withdrawn: int = 0
    warned: bool = False


class _PartDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    number: int
    at_ms: int
    quantity: int = 1
    code_number: int = 0
    seen_ms: int = 0
    revoked: int = 0
    went_back: bool = False
    by: str = ""


class _DeliveryDoc(msgspec.Struct, omit_defaults=True):
    line_id: str
    sku_id: str
    merchant_id: str
    buyer_id: str
    form: str
    promised_ms: int = 0
    parts: tuple[_PartDoc, ...] = ()
    missed_ms: int = 0
    looks: int = 0
    looked_ms: int = 0
    looks_today: int = 0
    longer_s: int = 0
    confirmed_by: str = ""


class DeskIndex(GlobalSecondaryIndex["PoolRow"]):
    """A merchant's pools (``pools_<merchant>``), and sparse what it owes (``owed_<merchant>``), most urgent first."""

    class Meta:
        index_name = "desk"
        projection = KeysOnlyProjection()

    desk = UnicodeAttribute(hash_key=True)
    desk_ms = NumberAttribute(range_key=True)


class PoolRow(Row):
    """Key: ``pool_<sku>``, ``pool``. ``content`` is what stands ready for every buyer, where there is such a thing."""

    class Meta:
        table_name = names.table_name("virtual")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    desk = UnicodeAttribute(null=True)
    desk_ms = NumberAttribute(null=True)
    doc = DocumentAttribute[_PoolDoc](_PoolDoc)
    content = SealedDocument[_ContentDoc](_ContentDoc, null=True)
    by_desk = DeskIndex()


class CodeRow(Row):
    """A code that is free. Key: ``pool_<sku>``, ``cod_<number>``: the oldest is given first."""

    class Meta:
        table_name = names.table_name("virtual")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    secret = SealedDocument[_ContentDoc](_ContentDoc)


class SecretRow(Row):
    """What a buyer was given. Key: the order, ``sec_<line>_<part>``."""

    class Meta:
        table_name = names.table_name("virtual")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    secret = SealedDocument[_ContentDoc](_ContentDoc)


class DeliveryRow(DueRow):
    """Key: the order, the delivery."""

    class Meta:
        table_name = names.table_name("virtual")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    since_ms = NumberAttribute()
    desk = UnicodeAttribute(null=True)
    desk_ms = NumberAttribute(null=True)
    doc = DocumentAttribute[_DeliveryDoc](_DeliveryDoc)
    due = DueIndex()


class LookRow(Row):
    """One look of the buyer's, written once in the work that shows. Key: the order, ``look_<line>_<intent>``."""

    class Meta:
        table_name = names.table_name("virtual")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    at_ms = NumberAttribute()
    buyer_id = UnicodeAttribute()
    parts = DocumentAttribute[tuple[int, ...]](tuple[int, ...])
    fingerprint = UnicodeAttribute()


class KnownRow(Row):
    """A code that some pool or order of a merchant has. Key: ``known_<keyed digest>``, ``known``; never the code."""

    class Meta:
        table_name = names.table_name("virtual")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    place = UnicodeAttribute()
    """The pool, or the order, that it came to first."""


class UploadRow(Row):
    """How far an upload has come. Key: ``pool_<sku>``, ``upl_<intent>``."""

    class Meta:
        table_name = names.table_name("virtual")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    at_ms = NumberAttribute()
    done = NumberAttribute()
    accepted = NumberAttribute()
    fingerprint = UnicodeAttribute()
    refused = DocumentAttribute[tuple[tuple[int, str], ...]](tuple[tuple[int, str], ...])


def _owner(sku_id: str) -> str:
    return f"pool_{sku_id}"


def _code_key(number: int) -> str:
    return f"{CODES}{number:09d}"


def _secret_key(line_id: str, part: int) -> str:
    return f"{SECRETS}{line_id}_{part:03d}"


# --- pools ------------------------------------------------------------------------------------------------------------


def pool(sku_id: str, *, consistent: bool = True) -> Pool | None:
    """Read a pool, or None."""
    row = reads.get(PoolRow, _owner(sku_id), HEAD, consistent=consistent)
    return _pool(row) if row is not None else None


Ready = Later[Content]
"""What stands ready for every buyer of a SKU, unopened."""


def pool_and_ready(sku_id: str) -> tuple[Pool | None, Ready | None]:
    """Read a pool with what stands ready for every buyer, unopened."""
    row = reads.get(PoolRow, _owner(sku_id), HEAD, consistent=True)
    if row is None:
        return None, None
    return _pool(row), _Kept(row.unopened("content")) if _has_content(row) else None


class _Kept(Later[Content]):
    """A pool's content as its row holds it: written back as it came."""

    __slots__ = ("raw",)

    def __init__(self, raw: Later[_ContentDoc]) -> None:
        super().__init__(lambda: _content(raw()))
        self.raw = raw


def save_pool(work: UnitOfWork, wanted: Pool, ready: Ready | None, events: Sequence[Event] = ()) -> None:
    """Add the pool's row to the work, with what stands ready (it is written whole)."""
    row = PoolRow(
        owner=_owner(wanted.sku_id),
        id=HEAD,
        desk=f"pools_{wanted.merchant_id}",
        desk_ms=epoch_ms(wanted.created_at),
        doc=_PoolDoc(
            merchant_id=wanted.merchant_id,
            form=wanted.form.value,
            within_s=int(wanted.within.total_seconds()),
            low_mark=wanted.low_mark,
            free=wanted.free,
            numbered=wanted.numbered,
            given=wanted.given,
            withdrawn=wanted.withdrawn,
            warned=wanted.warned,
        ),
        content=_unopened(ready),
        version=wanted.version,
    )
    work.save(row, events=events, refuse=lost, label="pool")


def pools_of(merchant_id: str, window: Window) -> Page[Pool]:
    """Read one page of a merchant's pools, newest first: one Query of keys, one read of the rows."""
    page = reads.windowed(PoolRow, f"pools_{merchant_id}", window, index=PoolRow.by_desk, descending=True)
    wanted = [item["owner"]["S"] for item in page.items]
    found = reads.get_many((PoolRow, owner, HEAD) for owner in wanted) if wanted else {}
    rows = [found.get((owner, HEAD)) for owner in wanted]
    return Page([_pool(row) for row in rows if isinstance(row, PoolRow)], page.after)


def free_codes(sku_id: str, count: int) -> list[CodeRow]:
    """Read the oldest free codes, unopened, at most so many."""
    return reads.query_rows(
        CodeRow, _owner(sku_id), range_condition=CodeRow.id.startswith(CODES), limit=count, consistent=True
    )


def number_of(row: CodeRow) -> int:
    """Return the number of a code in its pool."""
    return int(row.id.removeprefix(CODES))


def content_of(row: CodeRow | SecretRow) -> Content:
    """Open what a row holds."""
    return _content(row.secret)


def add_code(work: UnitOfWork, sku_id: str, number: int, content: Content) -> None:
    """Put a code into its pool."""
    row = CodeRow(owner=_owner(sku_id), id=_code_key(number), secret=_content_doc(content))
    work.save(row, refuse=lost, label="code")


def take_code(work: UnitOfWork, row: CodeRow) -> None:
    """Take a code out of its pool, exactly as it was read."""
    work.delete(row, refuse=lost, label="code")


def known(marks: Iterable[str]) -> set[str]:
    """Return those of these keyed digests that are known."""
    found = reads.get_many(((KnownRow, f"known_{mark}", "known") for mark in marks), consistent=True)
    return {owner.removeprefix("known_") for owner, _ in found}


def add_known(work: UnitOfWork, mark: str, place: str) -> None:
    """Remember a code by its keyed digest; refused as a lost race where it is known."""
    work.save(KnownRow(owner=f"known_{mark}", id="known", place=place), refuse=lost, label="known code")


# --- uploads ----------------------------------------------------------------------------------------------------------


def upload(sku_id: str, upload_id: str) -> Upload | None:
    """Read how far an upload has come, or None."""
    row = reads.get(UploadRow, _owner(sku_id), upload_id, consistent=True)
    if row is None:
        return None
    return Upload(
        upload_id=row.id,
        sku_id=sku_id,
        fingerprint=row.fingerprint,
        at=from_epoch_ms(row.at_ms),
        done=int(row.done),
        accepted=int(row.accepted),
        refused=row.refused,
        version=int(row.version),
    )


def save_upload(work: UnitOfWork, wanted: Upload) -> None:
    """Add the upload's row to the work."""
    row = UploadRow(
        owner=_owner(wanted.sku_id),
        id=wanted.upload_id,
        at_ms=epoch_ms(wanted.at),
        done=wanted.done,
        accepted=wanted.accepted,
        fingerprint=wanted.fingerprint,
        refused=wanted.refused,
        version=wanted.version,
    )
    work.save(row, refuse=lost, label="upload")


# --- deliveries -------------------------------------------------------------------------------------------------------


def delivery(order_id: str, delivery_id: str) -> Delivery | None:
    """Read one delivery, consistently, or None."""
    row = reads.get(DeliveryRow, order_id, delivery_id, consistent=True)
    return _delivery(row) if row is not None else None


def of_order(order_id: str, *, consistent: bool = False) -> list[Delivery]:
    """Read all deliveries of an order."""
    rows = reads.query_rows(
        DeliveryRow, order_id, range_condition=DeliveryRow.id.startswith("vdl_"), consistent=consistent
    )
    return sorted((_delivery(row) for row in rows), key=lambda one: int(one.line_id))


def owed(merchant_id: str, window: Window) -> Page[Delivery]:
    """Read one page of what a merchant owes, most urgent first."""
    page = reads.windowed(DeliveryRow, f"owed_{merchant_id}", window, index=PoolRow.by_desk)
    wanted = [(item["owner"]["S"], item["id"]["S"]) for item in page.items]
    found = reads.get_many((DeliveryRow, *key) for key in wanted) if wanted else {}
    rows = [found.get(key) for key in wanted]
    return Page([_delivery(row) for row in rows if isinstance(row, DeliveryRow)], page.after)


def save_delivery(work: UnitOfWork, wanted: Delivery, events: Sequence[Event] = ()) -> None:
    """Add the delivery's row to the work."""
    is_owed = wanted.status in OPEN
    row = DeliveryRow(
        owner=wanted.order_id,
        id=wanted.delivery_id,
        status=wanted.status.value,
        since_ms=epoch_ms(wanted.since),
        desk=f"owed_{wanted.merchant_id}" if is_owed else None,
        desk_ms=epoch_ms(wanted.promised_at or wanted.since) if is_owed else None,
        doc=_DeliveryDoc(
            line_id=wanted.line_id,
            sku_id=wanted.sku_id,
            merchant_id=wanted.merchant_id,
            buyer_id=wanted.buyer_id,
            form=wanted.form.value,
            promised_ms=epoch_ms_or_none(wanted.promised_at) or 0,
            parts=tuple(_part_doc(part) for part in wanted.parts),
            missed_ms=epoch_ms_or_none(wanted.missed_at) or 0,
            looks=wanted.looks,
            looked_ms=epoch_ms_or_none(wanted.looked_at) or 0,
            looks_today=wanted.looks_today,
            longer_s=int(wanted.longer.total_seconds()),
            confirmed_by=wanted.confirmed_by,
        ),
        version=wanted.version,
    )
    row.set_due(wanted.due_at, wanted.delivery_id)
    work.save(row, events=events, refuse=lost, label="delivery")


def secrets(order_id: str, line_id: str) -> dict[int, SecretRow]:
    """Read what was delivered of a line by the numbers of its parts, unopened."""
    prefix = f"{SECRETS}{line_id}_"
    rows = reads.query_rows(SecretRow, order_id, range_condition=SecretRow.id.startswith(prefix), consistent=True)
    return {int(row.id.removeprefix(prefix)): row for row in rows}


def add_secret(work: UnitOfWork, order_id: str, line_id: str, part: int, content: Content) -> None:
    """Give something to a buyer."""
    row = SecretRow(owner=order_id, id=_secret_key(line_id, part), secret=_content_doc(content))
    work.save(row, refuse=lost, label="secret")


def take_secret(work: UnitOfWork, row: SecretRow) -> None:
    """Take something from a buyer, exactly as it was read."""
    work.delete(row, refuse=lost, label="secret")


def look(order_id: str, line_id: str, token: str) -> str | None:
    """Return the fingerprint of a look that was written down under this intent, or None."""
    row = reads.get(LookRow, order_id, f"{LOOKS}{line_id}_{token}", consistent=True)
    return str(row.fingerprint) if row is not None else None


def add_look(
    work: UnitOfWork, found: Delivery, parts: Sequence[int], *, token: str, fingerprint: str, at: datetime
) -> None:
    """Write a look down."""
    row = LookRow(
        owner=found.order_id,
        id=f"{LOOKS}{found.line_id}_{token}",
        at_ms=epoch_ms(at),
        buyer_id=found.buyer_id,
        parts=tuple(parts),
        fingerprint=fingerprint,
    )
    work.save(row, refuse=lost, label="look")


def looks(order_id: str) -> list[tuple[datetime, str, tuple[int, ...]]]:
    """Return every look at an order's goods, the oldest first: when, at which line, at which parts."""
    rows = reads.query_rows(LookRow, order_id, range_condition=LookRow.id.startswith(LOOKS))
    found = [(from_epoch_ms(row.at_ms), row.id.removeprefix(LOOKS).split("_")[0], row.parts) for row in rows]
    return sorted(found)


# --- row <-> domain ---------------------------------------------------------------------------------------------------


def _content_doc(content: Content) -> _ContentDoc:
    file = content.file
    return _ContentDoc(
        form=content.form.value,
        text=content.text,
        file=(file.file_id, file.name, file.content_type, file.size) if file else None,
    )


def _content(doc: _ContentDoc) -> Content:
    return Content(Form(doc.form), doc.text, FileRef(*doc.file) if doc.file else None)


def _has_content(row: PoolRow) -> bool:
    return row.attribute_values.get("content") is not None


def _unopened(ready: Ready | None) -> _ContentDoc | Later[_ContentDoc] | None:
    if ready is None:
        return None
    return ready.raw if isinstance(ready, _Kept) else _content_doc(ready())


def _pool(row: PoolRow) -> Pool:
    doc = row.doc
    return Pool(
        sku_id=row.owner.removeprefix("pool_"),
        merchant_id=doc.merchant_id,
        form=Form(doc.form),
        within=timedelta(seconds=doc.within_s),
        created_at=from_epoch_ms(row.desk_ms or 0),
        low_mark=doc.low_mark,
        free=doc.free,
        numbered=doc.numbered,
        given=doc.given,
        withdrawn=doc.withdrawn,
        warned=doc.warned,
        has_content=_has_content(row),
        version=int(row.version),
    )


def _part_doc(part: Part) -> _PartDoc:
    return _PartDoc(
        number=part.number,
        at_ms=epoch_ms(part.at),
        quantity=part.quantity,
        code_number=part.code_number,
        seen_ms=epoch_ms_or_none(part.seen_at) or 0,
        revoked=part.revoked,
        went_back=part.went_back,
        by=part.by,
    )


def _part(doc: _PartDoc) -> Part:
    return Part(
        number=doc.number,
        at=from_epoch_ms(doc.at_ms),
        quantity=doc.quantity,
        code_number=doc.code_number,
        seen_at=from_epoch_ms_or_none(doc.seen_ms),
        revoked=doc.revoked,
        went_back=doc.went_back,
        by=doc.by,
    )


def _delivery(row: DeliveryRow) -> Delivery:
    doc = row.doc
    return Delivery(
        delivery_id=row.id,
        order_id=row.owner,
        line_id=doc.line_id,
        sku_id=doc.sku_id,
        merchant_id=doc.merchant_id,
        buyer_id=doc.buyer_id,
        form=Form(doc.form),
        status=Status(row.status),
        since=from_epoch_ms(row.since_ms),
        promised_at=from_epoch_ms_or_none(doc.promised_ms),
        parts=tuple(_part(part) for part in doc.parts),
        missed_at=from_epoch_ms_or_none(doc.missed_ms),
        looks=doc.looks,
        looked_at=from_epoch_ms_or_none(doc.looked_ms),
        looks_today=doc.looks_today,
        longer=timedelta(seconds=doc.longer_s),
        confirmed_by=doc.confirmed_by,
        version=int(row.version),
    )
