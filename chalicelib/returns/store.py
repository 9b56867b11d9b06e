"""Rows of the ``returns`` table. Where a parcel goes back to stands sealed in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Window
from chalicelib.returns.domain import Address, Entry, Graded, Part, Reason, Return, Status, Turn, Wish
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, SealedDocument, region
from chalicelib.runtime.db.work import UnitOfWork

OPERATORS = "operator"
NOWHERE: Later[Address | None] = Later.of(None)


class _EntryDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    at_ms: int
    by: str
    what: str
    text: str = ""
    amount_minor: int | None = None
    intent: str = ""
    fingerprint: str = ""


class _PartDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    line_id: str
    quantity: int
    sku_id: str
    replacement: str = ""
    graded: tuple[int, int, int] | None = None
    paid: int = 0
    restocked: int = 0


class _ReturnDoc(msgspec.Struct, omit_defaults=True):
    order_id: str
    wish: str
    reason: str
    parts: tuple[_PartDoc, ...]
    fingerprint: str
    currency: str = "CNY"
    history: tuple[_EntryDoc, ...] = ()
    label: str = ""
    withholds: bool = False
    shipment_id: str = ""
    replacement_id: str = ""
    refund_id: str = ""
    refund_minor: int | None = None
    holds_stock: bool = False


class _ContactDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    recipient: str
    phone: str
    country: str
    province: str
    city: str
    district: str
    street: str
    postcode: str = ""


class BuyerIndex(GlobalSecondaryIndex["ReturnRow"]):
    """A buyer's returns, newest first."""

    class Meta:
        index_name = "buyer"
        projection = KeysOnlyProjection()

    buyer_id = UnicodeAttribute(hash_key=True)
    asked_ms = NumberAttribute(range_key=True)


class MerchantIndex(GlobalSecondaryIndex["ReturnRow"]):
    """A merchant's returns, newest first."""

    class Meta:
        index_name = "merchant"
        projection = KeysOnlyProjection()

    merchant_id = UnicodeAttribute(hash_key=True)
    asked_ms = NumberAttribute(range_key=True)


class DeskIndex(GlobalSecondaryIndex["ReturnRow"]):
    """Sparse: what waits for somebody (a buyer, a merchant, the operators), most urgent first."""

    class Meta:
        index_name = "desk"
        projection = KeysOnlyProjection()

    desk = UnicodeAttribute(hash_key=True)
    turn_due_s = NumberAttribute(range_key=True)


class ReturnRow(DueRow):
    """Key: return_id."""

    class Meta:
        table_name = names.table_name("returns")
        region = region()

    return_id = UnicodeAttribute(hash_key=True)
    buyer_id = UnicodeAttribute()
    merchant_id = UnicodeAttribute()
    asked_ms = NumberAttribute()
    status = UnicodeAttribute()
    since_ms = NumberAttribute()
    desk = UnicodeAttribute(null=True)
    turn_due_s = NumberAttribute(null=True)
    doc = DocumentAttribute[_ReturnDoc](_ReturnDoc)
    address = SealedDocument[_ContactDoc](_ContactDoc, null=True)
    due = DueIndex()
    buyer = BuyerIndex()
    merchant = MerchantIndex()
    by_desk = DeskIndex()


def load(return_id: str, *, consistent: bool = True) -> Return:
    """Read one return.

    Raises:
        NotFound: if there is none.
    """
    found = find(return_id, consistent=consistent)
    if found is None:
        raise NotFound(what="return")
    return found


def find(return_id: str, *, consistent: bool = True) -> Return | None:
    """Read one return, or None."""
    if not ids.is_id("rtn", return_id):
        return None
    row = reads.get(ReturnRow, return_id, consistent=consistent)
    return _return(row) if row is not None else None


def save(work: UnitOfWork, found: Return, events: Sequence[Event] = ()) -> None:
    """Add the return's row to the work."""
    work.save(_row(found), events=events, label="return")


def list_for(index: str, hash_key: str, window: Window) -> Page[Return]:
    """Read one page of ``buyer``, ``merchant`` (newest first) or ``by_desk`` (most urgent first)."""
    page = reads.windowed(ReturnRow, hash_key, window, index=getattr(ReturnRow, index), descending=index != "by_desk")
    wanted = [item["return_id"]["S"] for item in page.items]
    found = reads.get_many((ReturnRow, return_id, None) for return_id in wanted) if wanted else {}
    rows = [found.get((return_id, None)) for return_id in wanted]
    return Page([_return(row) for row in rows if isinstance(row, ReturnRow)], page.after)


class _Kept(Later[Address | None]):
    """Where it goes back to, unopened, with the document that keeps it: a return that moves on keeps it as it is."""

    def __init__(self, doc: Later[_ContactDoc]) -> None:
        super().__init__(lambda: Address(**msgspec.structs.asdict(doc())))
        self.doc = doc


def _sealed(address: Later[Address | None]) -> Later[_ContactDoc] | None:
    if isinstance(address, _Kept):
        return address.doc
    contact = address()
    return Later.of(_ContactDoc(**asdict(contact))) if contact is not None else None


def _desk(found: Return) -> str | None:
    return {Turn.BUYER: found.buyer_id, Turn.MERCHANT: found.merchant_id, Turn.OPERATOR: OPERATORS}.get(found.turn)


def _row(found: Return) -> ReturnRow:
    desk, due_at = _desk(found), found.due_at
    row = ReturnRow(
        return_id=found.return_id,
        buyer_id=found.buyer_id,
        merchant_id=found.merchant_id,
        asked_ms=epoch_ms(found.asked_at),
        status=found.status.value,
        since_ms=epoch_ms(found.since),
        desk=desk,
        turn_due_s=int(due_at.timestamp()) if desk and due_at else None,
        doc=_ReturnDoc(
            order_id=found.order_id,
            wish=found.wish.value,
            reason=found.reason.value,
            parts=tuple(_part_doc(part) for part in found.parts),
            fingerprint=found.fingerprint,
            currency=_currency(found),
            history=tuple(_entry_doc(entry) for entry in found.history),
            label=found.label,
            withholds=found.withholds,
            shipment_id=found.shipment_id,
            replacement_id=found.replacement_id,
            refund_id=found.refund_id,
            refund_minor=found.refund.minor if found.refund else None,
            holds_stock=found.holds_stock,
        ),
        address=_sealed(found.address),
        version=found.version,
    )
    row.set_due(due_at, found.return_id)
    return row


def _currency(found: Return) -> str:
    amounts = [entry.amount for entry in found.history if entry.amount]
    return amounts[0].currency if amounts else "CNY"


def _return(row: ReturnRow) -> Return:
    doc = row.doc
    return Return(
        return_id=row.return_id,
        order_id=doc.order_id,
        buyer_id=row.buyer_id,
        merchant_id=row.merchant_id,
        wish=Wish(doc.wish),
        reason=Reason(doc.reason),
        status=Status(row.status),
        parts=tuple(_part(part) for part in doc.parts),
        asked_at=from_epoch_ms(row.asked_ms),
        since=from_epoch_ms(row.since_ms),
        history=tuple(_entry(entry, doc.currency) for entry in doc.history),
        address=_Kept(row.unopened("address")) if "address" in row.attribute_values else NOWHERE,
        label=doc.label,
        withholds=doc.withholds,
        shipment_id=doc.shipment_id,
        replacement_id=doc.replacement_id,
        refund_id=doc.refund_id,
        refund=Money(doc.refund_minor, doc.currency) if doc.refund_minor is not None else None,
        holds_stock=doc.holds_stock,
        fingerprint=doc.fingerprint,
        version=int(row.version),
    )


def _part_doc(part: Part) -> _PartDoc:
    counted = part.graded
    grades = (counted.as_new, counted.open_box, counted.damaged) if counted is not None else None
    return _PartDoc(part.line_id, part.quantity, part.sku_id, part.replacement, grades, part.paid, part.restocked)


def _part(doc: _PartDoc) -> Part:
    counted = Graded(*doc.graded) if doc.graded is not None else None
    return Part(doc.line_id, doc.quantity, doc.sku_id, doc.replacement, counted, doc.paid, doc.restocked)


def _entry_doc(entry: Entry) -> _EntryDoc:
    return _EntryDoc(
        at_ms=epoch_ms(entry.at),
        by=entry.by.value,
        what=entry.what,
        text=entry.text,
        amount_minor=entry.amount.minor if entry.amount else None,
        intent=entry.intent,
        fingerprint=entry.fingerprint,
    )


def _entry(doc: _EntryDoc, currency: str) -> Entry:
    return Entry(
        at=from_epoch_ms(doc.at_ms),
        by=Turn(doc.by),
        what=doc.what,
        text=doc.text,
        amount=Money(doc.amount_minor, currency) if doc.amount_minor is not None else None,
        intent=doc.intent,
        fingerprint=doc.fingerprint,
    )
