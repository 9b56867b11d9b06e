"""Rows of purchases, and what they mean: row <-> domain. Where a purchase goes stands sealed in them."""

from __future__ import annotations

from dataclasses import asdict

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.orders.change_rows import ChangeDoc, change_doc, change_of
from chalicelib.orders.domain import (
    NOWHERE,
    Contact,
    Delivery,
    Purchase,
    PurchaseStatus,
)
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, SealedDocument, region
from chalicelib.runtime.db.sealed import kept_plain


class _PurchaseDoc(msgspec.Struct, omit_defaults=True):
    orders: int
    number: str
    fingerprint: str
    history: tuple[ChangeDoc, ...] = ()
    contact: Contact | None = None
    note: str = ""
    """Both in rows of before, where they stood unsealed."""
    network: str = ""


class _ContactDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    recipient: str
    phone: str
    country: str
    province: str
    city: str
    district: str
    street: str
    postcode: str = ""


class _DeliveryDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    contact: _ContactDoc | None = None
    note: str = ""
    asked: str = ""
    changes: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


class PurchaseRow(DueRow):
    """Key: purchase_id, and the same again as id. The buyer is ``owner_id`` here, so that only orders are listed."""

    class Meta:
        table_name = names.table_name("orders")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    owner_id = UnicodeAttribute()
    status = UnicodeAttribute()
    total_minor = NumberAttribute()
    currency = UnicodeAttribute()
    placed_ms = NumberAttribute()
    since_ms = NumberAttribute()
    attempts = NumberAttribute(default=0)
    settled_by = UnicodeAttribute(null=True)
    doc = DocumentAttribute[_PurchaseDoc](_PurchaseDoc)
    delivery = SealedDocument[_DeliveryDoc](_DeliveryDoc, null=True)
    due = DueIndex()


def purchase_row(purchase: Purchase) -> PurchaseRow:
    """Return the row that keeps a purchase."""
    sealed = _sealed_delivery(purchase.delivery)
    plain = purchase.delivery() if sealed is None else kept_plain(purchase.delivery)
    row = PurchaseRow(
        purchase_id=purchase.purchase_id,
        id=purchase.purchase_id,
        owner_id=purchase.buyer_id,
        status=purchase.status.value,
        total_minor=purchase.total.minor,
        currency=purchase.total.currency,
        placed_ms=epoch_ms(purchase.placed_at),
        since_ms=epoch_ms(purchase.since),
        attempts=purchase.payment_attempts,
        settled_by=purchase.settled_by,
        doc=_PurchaseDoc(
            orders=len(purchase.order_ids),
            number=purchase.number,
            fingerprint=purchase.fingerprint,
            history=tuple(change_doc(change) for change in purchase.history),
            contact=plain.contact if plain is not None else None,
            note=plain.note if plain is not None else "",
            network=purchase.network,
        ),
        delivery=sealed,
        version=purchase.version,
    )
    row.set_due(purchase.due_at, purchase.purchase_id)
    return row


def purchase_of(row: PurchaseRow) -> Purchase:
    """Return the purchase that a row keeps."""
    doc = row.doc
    return Purchase(
        purchase_id=row.purchase_id,
        buyer_id=row.owner_id,
        status=PurchaseStatus(row.status),
        total=Money(int(row.total_minor), row.currency),
        order_ids=tuple(ids.child_id("ord", row.purchase_id, number) for number in range(1, doc.orders + 1)),
        number=doc.number,
        delivery=_delivery(row),
        placed_at=from_epoch_ms(row.placed_ms),
        since=from_epoch_ms(row.since_ms),
        fingerprint=doc.fingerprint,
        payment_attempts=int(row.attempts),
        settled_by=row.settled_by,
        network=doc.network,
        history=tuple(change_of(change) for change in doc.history),
        version=int(row.version),
    )


class _Kept(Later[Delivery]):
    """Where a purchase goes, unopened, with the document that keeps it: a purchase that moves on keeps it as it is."""

    def __init__(self, doc: Later[_DeliveryDoc]) -> None:
        super().__init__(lambda: _delivery_of(doc()))
        self.doc = doc


class _Plain(Later[Delivery]):
    """Where a purchase of before goes. It stays as it is: who moves it on may not be able to seal."""


def _delivery(row: PurchaseRow) -> Later[Delivery]:
    if "delivery" in row.attribute_values:
        return _Kept(row.unopened("delivery"))
    if row.doc.contact is None and not row.doc.note:
        return NOWHERE
    return _Plain.of(Delivery(row.doc.contact, row.doc.note))


def _sealed_delivery(delivery: Later[Delivery]) -> Later[_DeliveryDoc] | None:
    if isinstance(delivery, _Kept):
        return delivery.doc
    if isinstance(delivery, _Plain):
        return None
    told = delivery()
    if told == Delivery():
        return None
    contact = told.contact
    kept = _ContactDoc(**asdict(contact)) if contact is not None else None
    return Later.of(_DeliveryDoc(kept, told.note, told.asked, told.changes, told.asks))


def _delivery_of(doc: _DeliveryDoc) -> Delivery:
    contact = Contact(**msgspec.structs.asdict(doc.contact)) if doc.contact is not None else None
    return Delivery(contact, doc.note, doc.asked, doc.changes, doc.asks)
