"""Rows of purchases and orders, all of one purchase in one partition: one Query reads a whole sale.

An order's lines never change. Where they would push the row over a write unit they stand in a row of their own, right
behind the head (``ord_…_01~lines``), written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.orders.domain import (
    Change,
    Contact,
    Line,
    Order,
    OrderStatus,
    Parcel,
    Purchase,
    PurchaseStatus,
    Sale,
    Stock,
)
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, region
from chalicelib.runtime.db.work import UnitOfWork

INLINE_LINES_BYTES = 300
"""Three or four lines. More would push the head over one write unit at each of its half dozen changes."""
_LINES = "~lines"


class _ChangeDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    status: str
    at_ms: int
    by: str
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


class _LineDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    sku_number: str
    product: str
    title: str
    options: tuple[str, ...]
    quantity: int
    unit_minor: int
    total_minor: int
    kind: str = "physical"
    bucket_count: int = 1


class _ParcelDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    shipment_id: str
    lines: tuple[tuple[str, int], ...]
    delivered_ms: int = 0


class _PurchaseDoc(msgspec.Struct, omit_defaults=True):
    orders: int
    number: str
    fingerprint: str
    history: tuple[_ChangeDoc, ...] = ()
    contact: Contact | None = None
    note: str = ""


class _OrderDoc(msgspec.Struct, omit_defaults=True):
    number: str
    merchant_name: str
    freight_minor: int = 0
    discount_minor: int = 0
    commission_bps: int = 0
    history: tuple[_ChangeDoc, ...] = ()
    parcels: tuple[_ParcelDoc, ...] = ()
    refunded_minor: int = 0
    refunds: tuple[str, ...] = ()


class BuyerIndex(GlobalSecondaryIndex["OrderRow"]):
    """A buyer's orders, newest first."""

    class Meta:
        index_name = "buyer"
        projection = KeysOnlyProjection()

    buyer_id = UnicodeAttribute(hash_key=True)
    placed_ms = NumberAttribute(range_key=True)


class MerchantIndex(GlobalSecondaryIndex["OrderRow"]):
    """A merchant's orders, newest first."""

    class Meta:
        index_name = "merchant"
        projection = KeysOnlyProjection()

    merchant_id = UnicodeAttribute(hash_key=True)
    placed_ms = NumberAttribute(range_key=True)


class ToShipIndex(GlobalSecondaryIndex["OrderRow"]):
    """Sparse: orders of a merchant that wait to be shipped."""

    class Meta:
        index_name = "to_ship"
        projection = KeysOnlyProjection()

    to_ship_merchant_id = UnicodeAttribute(hash_key=True)
    placed_ms = NumberAttribute(range_key=True)


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
    due = DueIndex()


class OrderRow(DueRow):
    """Key: purchase_id, order_id as id."""

    class Meta:
        table_name = names.table_name("orders")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    buyer_id = UnicodeAttribute()
    merchant_id = UnicodeAttribute()
    to_ship_merchant_id = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    stock = UnicodeAttribute()
    total_minor = NumberAttribute()
    currency = UnicodeAttribute()
    placed_ms = NumberAttribute()
    since_ms = NumberAttribute()
    doc = DocumentAttribute[_OrderDoc](_OrderDoc)
    lines = DocumentAttribute[tuple[_LineDoc, ...]](tuple[_LineDoc, ...], null=True)
    due = DueIndex()
    buyer = BuyerIndex()
    merchant = MerchantIndex()
    to_ship = ToShipIndex()


class LinesRow(Row):
    """The lines of a large order. Key: purchase_id, ``<order_id>~lines``."""

    class Meta:
        table_name = names.table_name("orders")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    lines = DocumentAttribute[tuple[_LineDoc, ...]](tuple[_LineDoc, ...])


def load_sale(purchase_id: str) -> Sale:
    """Read a purchase and its orders, consistently, in one Query.

    Raises:
        NotFound: if there is none.
    """
    purchase, orders = _assemble(_partition(purchase_id))
    if purchase is None:
        raise NotFound(what="purchase")
    return Sale(purchase, tuple(orders))


def load_purchase(purchase_id: str, *, consistent: bool = True) -> Purchase:
    """Read a purchase alone.

    Raises:
        NotFound: if there is none.
    """
    row = reads.get(PurchaseRow, purchase_id, purchase_id, consistent=consistent)
    if row is None:
        raise NotFound(what="purchase")
    return _purchase(row)


def load_order(order_id: str, *, consistent: bool = True) -> Order:
    """Read one order with its lines, in one Query.

    Raises:
        NotFound: if there is none.
    """
    if not ids.is_child_id("ord", order_id):  # Without its number it would be a prefix of all the purchase's orders.
        raise NotFound(what="order")
    page = reads.query(
        OrderRow,
        ids.parent_id("pur", order_id),
        range_condition=OrderRow.id.startswith(order_id),
        consistent=consistent,
    )
    _, orders = _assemble(page.items)
    if not orders:
        raise NotFound(what="order")
    return orders[0]


def load_orders(order_ids: Sequence[str]) -> list[Order]:
    """Read orders by id, in that order; one call for up to a hundred (a second for those whose lines stand apart)."""
    found = reads.get_many((OrderRow, ids.parent_id("pur", order_id), order_id) for order_id in order_ids)
    rows = [
        row
        for order_id in order_ids
        if isinstance(row := found.get((ids.parent_id("pur", order_id), order_id)), OrderRow)
    ]
    apart = [row for row in rows if row.lines is None]
    lines = reads.get_many((LinesRow, row.purchase_id, row.id + _LINES) for row in apart) if apart else {}
    return [_order(row, lines.get((row.purchase_id, row.id + _LINES))) for row in rows]


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of a list, and where it goes on."""

    orders: list[Order]
    last_key: reads.Raw | None


def list_orders(index: str, hash_key: str, *, limit: int, start_key: reads.Raw | None) -> OrderPage:
    """Read one page of ``buyer``, ``merchant`` or ``to_ship``: one Query of keys, one read of the orders."""
    page = reads.query(
        OrderRow,
        hash_key,
        index=getattr(OrderRow, index),
        limit=limit,
        start_key=start_key,
        descending=index != "to_ship",
    )
    return OrderPage(load_orders([item["id"]["S"] for item in page.items]), page.last_key)


def save_purchase(work: UnitOfWork, purchase: Purchase, events: Sequence[Event] = ()) -> None:
    """Add the purchase's row to the work."""
    work.save(_purchase_row(purchase), events=events, label="purchase")


def save_order(work: UnitOfWork, order: Order, events: Sequence[Event] = ()) -> None:
    """Add the order's row to the work; on creation also the row of its lines, where they stand apart."""
    lines = tuple(_line_doc(line) for line in order.lines)
    inline = len(msgspec.json.encode(lines)) <= INLINE_LINES_BYTES
    work.save(_order_row(order, lines if inline else None), events=events, label=f"order {order.order_id}")
    if not inline and not order.version:
        apart = LinesRow(purchase_id=order.purchase_id, id=order.order_id + _LINES, lines=lines)
        work.save(apart, label=f"lines {order.order_id}")


def existing_purchase(item: reads.Raw) -> Purchase:
    """Return the purchase of raw attributes: what a refused creation hands back."""
    return _purchase(PurchaseRow.from_raw_data(item))


def _partition(purchase_id: str) -> list[reads.Raw]:
    items: list[reads.Raw] = []
    start_key: reads.Raw | None = None
    while True:
        page = reads.query(PurchaseRow, purchase_id, consistent=True, start_key=start_key)
        items += page.items
        start_key = page.last_key
        if start_key is None:
            return items


def _assemble(items: Iterable[reads.Raw]) -> tuple[Purchase | None, list[Order]]:
    purchase: Purchase | None = None
    heads: list[OrderRow] = []
    lines: dict[str, LinesRow] = {}
    for item in items:
        record_id = item["id"]["S"]
        if record_id.startswith("pur_"):
            purchase = _purchase(PurchaseRow.from_raw_data(item))
        elif record_id.endswith(_LINES):
            lines[record_id.removesuffix(_LINES)] = LinesRow.from_raw_data(item)
        else:
            heads.append(OrderRow.from_raw_data(item))
    return purchase, [_order(row, lines.get(row.id)) for row in heads]


def _change_doc(change: Change) -> _ChangeDoc:
    return _ChangeDoc(change.status, epoch_ms(change.at), change.by, change.note, change.intent, change.fingerprint)


def _change(doc: _ChangeDoc) -> Change:
    return Change(doc.status, from_epoch_ms(doc.at_ms), doc.by, doc.note, doc.intent, doc.fingerprint)


def _line_doc(line: Line) -> _LineDoc:
    return _LineDoc(
        sku_number=line.sku_id.rsplit("_", 1)[1],
        product=ids.body(line.product_id),
        title=line.title,
        options=line.options,
        quantity=line.quantity,
        unit_minor=line.unit.minor,
        total_minor=line.total.minor,
        kind=line.kind,
        bucket_count=line.bucket_count,
    )


def _line(doc: _LineDoc, line_id: str, currency: str) -> Line:
    return Line(
        line_id=line_id,
        sku_id=f"sku_{doc.product}_{doc.sku_number}",
        product_id=f"prd_{doc.product}",
        title=doc.title,
        options=doc.options,
        quantity=doc.quantity,
        unit=Money(doc.unit_minor, currency),
        total=Money(doc.total_minor, currency),
        kind=doc.kind,
        bucket_count=doc.bucket_count,
    )


def _purchase_row(purchase: Purchase) -> PurchaseRow:
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
            history=tuple(_change_doc(change) for change in purchase.history),
            contact=purchase.contact,
            note=purchase.note,
        ),
        version=purchase.version,
    )
    row.set_due(purchase.due_at, purchase.purchase_id)
    return row


def _purchase(row: PurchaseRow) -> Purchase:
    doc = row.doc
    return Purchase(
        purchase_id=row.purchase_id,
        buyer_id=row.owner_id,
        status=PurchaseStatus(row.status),
        total=Money(int(row.total_minor), row.currency),
        order_ids=tuple(ids.child_id("ord", row.purchase_id, number) for number in range(1, doc.orders + 1)),
        number=doc.number,
        contact=doc.contact,
        note=doc.note,
        placed_at=from_epoch_ms(row.placed_ms),
        since=from_epoch_ms(row.since_ms),
        fingerprint=doc.fingerprint,
        payment_attempts=int(row.attempts),
        settled_by=row.settled_by,
        history=tuple(_change(change) for change in doc.history),
        version=int(row.version),
    )


def _order_row(order: Order, lines: tuple[_LineDoc, ...] | None) -> OrderRow:
    to_ship = order.status in (OrderStatus.PAID, OrderStatus.PARTLY_SHIPPED)
    row = OrderRow(
        purchase_id=order.purchase_id,
        id=order.order_id,
        buyer_id=order.buyer_id,
        merchant_id=order.merchant_id,
        to_ship_merchant_id=order.merchant_id if to_ship else None,
        status=order.status.value,
        stock=order.stock.value,
        total_minor=order.total.minor,
        currency=order.total.currency,
        placed_ms=epoch_ms(order.placed_at),
        since_ms=epoch_ms(order.since),
        doc=_OrderDoc(
            number=order.number,
            merchant_name=order.merchant_name,
            freight_minor=order.freight.minor,
            discount_minor=order.discount.minor,
            commission_bps=order.commission_bps,
            history=tuple(_change_doc(change) for change in order.history),
            parcels=tuple(
                _ParcelDoc(
                    parcel.shipment_id, parcel.lines, epoch_ms(parcel.delivered_at) if parcel.delivered_at else 0
                )
                for parcel in order.parcels
            ),
            refunded_minor=order.refunded.minor,
            refunds=order.refunds,
        ),
        lines=lines,
        version=order.version,
    )
    row.set_due(order.due_at, order.order_id)
    return row


def _order(row: OrderRow, apart: Row | None) -> Order:
    doc = row.doc
    lines = row.lines if row.lines is not None else (apart.lines if isinstance(apart, LinesRow) else ())
    currency = row.currency
    return Order(
        order_id=row.id,
        purchase_id=row.purchase_id,
        buyer_id=row.buyer_id,
        merchant_id=row.merchant_id,
        merchant_name=doc.merchant_name,
        status=OrderStatus(row.status),
        stock=Stock(row.stock),
        lines=tuple(_line(line, str(number), currency) for number, line in enumerate(lines, start=1)),
        freight=Money(doc.freight_minor, currency),
        discount=Money(doc.discount_minor, currency),
        total=Money(int(row.total_minor), currency),
        commission_bps=doc.commission_bps,
        number=doc.number,
        placed_at=from_epoch_ms(row.placed_ms),
        since=from_epoch_ms(row.since_ms),
        refunded=Money(doc.refunded_minor, currency),
        refunds=doc.refunds,
        parcels=tuple(
            Parcel(
                parcel.shipment_id, parcel.lines, from_epoch_ms(parcel.delivered_ms) if parcel.delivered_ms else None
            )
            for parcel in doc.parcels
        ),
        history=tuple(_change(change) for change in doc.history),
        version=int(row.version),
    )
