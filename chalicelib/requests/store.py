"""Rows of the ``requests`` table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Window
from chalicelib.requests.domain import Entry, File, Offer, Request, Side, Status
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class _OfferDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    number: int
    title: str
    price_minor: int
    currency: str
    quantity: int
    ready_by: date
    until_ms: int


class _EntryDoc(msgspec.Struct, omit_defaults=True):
    at_ms: int
    by: str
    what: str
    text: str = ""
    files: tuple[tuple[str, str, int], ...] = ()
    offer: _OfferDoc | None = None
    intent: str = ""
    fingerprint: str = ""


class _RequestDoc(msgspec.Struct, omit_defaults=True):
    product_id: str
    history: tuple[_EntryDoc, ...]
    sku_id: str = ""
    fingerprint: str = ""


class BuyerIndex(GlobalSecondaryIndex["RequestRow"]):
    """A buyer's requests, newest first."""

    class Meta:
        """Keys only."""

        index_name = "buyer"
        projection = KeysOnlyProjection()

    buyer_id = UnicodeAttribute(hash_key=True)
    made_ms = NumberAttribute(range_key=True)


class MerchantIndex(GlobalSecondaryIndex["RequestRow"]):
    """A merchant's requests, newest first."""

    class Meta:
        """Keys only."""

        index_name = "merchant"
        projection = KeysOnlyProjection()

    merchant_id = UnicodeAttribute(hash_key=True)
    made_ms = NumberAttribute(range_key=True)


class RequestRow(Row):
    """Key: request_id."""

    class Meta:
        """Table."""

        table_name = names.table_name("requests")
        region = region()

    request_id = UnicodeAttribute(hash_key=True)
    buyer_id = UnicodeAttribute()
    merchant_id = UnicodeAttribute()
    made_ms = NumberAttribute()
    status = UnicodeAttribute()
    doc = DocumentAttribute[_RequestDoc](_RequestDoc)
    buyer = BuyerIndex()
    merchant = MerchantIndex()


def load(request_id: str, *, consistent: bool = True) -> Request:
    """Read one request.

    Raises:
        NotFound: if there is none.
    """
    found = find(request_id, consistent=consistent)
    if found is None:
        raise NotFound(what="request")
    return found


def find(request_id: str, *, consistent: bool = True) -> Request | None:
    """Read one request, or None."""
    if not ids.is_id("req", request_id):
        return None
    row = reads.get(RequestRow, request_id, consistent=consistent)
    return _request(row) if row is not None else None


def list_for(side: Side, owner_id: str, window: Window) -> Page[Request]:
    """Read one page of a buyer's or a merchant's requests, newest first."""
    index = getattr(RequestRow, side.value)
    page = reads.windowed(RequestRow, owner_id, window, index=index, descending=True)
    wanted = [item["request_id"]["S"] for item in page.items]
    found = reads.get_many((RequestRow, request_id, None) for request_id in wanted) if wanted else {}
    rows = [found.get((request_id, None)) for request_id in wanted]
    return Page([_request(row) for row in rows if isinstance(row, RequestRow)], page.after)


def save(work: UnitOfWork, request: Request, events: Sequence[Event] = ()) -> None:
    """Add the request's row to the work."""
    row = RequestRow(
        request_id=request.request_id,
        buyer_id=request.buyer_id,
        merchant_id=request.merchant_id,
        made_ms=epoch_ms(request.made_at),
        status=request.status.value,
        doc=_RequestDoc(
            product_id=request.product_id,
            history=tuple(_entry_doc(entry) for entry in request.history),
            sku_id=request.sku_id,
            fingerprint=request.fingerprint,
        ),
        version=request.version,
    )
    work.save(row, events=events, label="request")


def _entry_doc(entry: Entry) -> _EntryDoc:
    return _EntryDoc(
        at_ms=epoch_ms(entry.at),
        by=entry.by.value,
        what=entry.what,
        text=entry.text,
        files=tuple((file.file_id, file.content_type, file.size) for file in entry.files),
        offer=_offer_doc(entry.offer) if entry.offer is not None else None,
        intent=entry.intent,
        fingerprint=entry.fingerprint,
    )


def _offer_doc(offer: Offer) -> _OfferDoc:
    return _OfferDoc(
        offer.number,
        offer.title,
        offer.price.minor,
        offer.price.currency,
        offer.quantity,
        offer.ready_by,
        epoch_ms(offer.until),
    )


def _offer(doc: _OfferDoc) -> Offer:
    price = Money(doc.price_minor, doc.currency)
    return Offer(doc.number, doc.title, price, doc.quantity, doc.ready_by, from_epoch_ms(doc.until_ms))


def _entry(doc: _EntryDoc) -> Entry:
    return Entry(
        at=from_epoch_ms(doc.at_ms),
        by=Side(doc.by),
        what=doc.what,
        text=doc.text,
        files=tuple(File(*file) for file in doc.files),
        offer=_offer(doc.offer) if doc.offer is not None else None,
        intent=doc.intent,
        fingerprint=doc.fingerprint,
    )


def _request(row: RequestRow) -> Request:
    doc = row.doc
    return Request(
        request_id=row.request_id,
        buyer_id=row.buyer_id,
        merchant_id=row.merchant_id,
        product_id=doc.product_id,
        status=Status(row.status),
        made_at=from_epoch_ms(row.made_ms),
        history=tuple(_entry(entry) for entry in doc.history),
        sku_id=doc.sku_id,
        fingerprint=doc.fingerprint,
        version=int(row.version),
    )
