"""Rows of orders, and what they mean: row <-> domain. Those of purchases stand in ``purchase_rows``; here are
all that the table has.

An order's lines never change. Where they would push the row over a write unit they stand in a row of their own, right
behind the head (``ord_…_01~lines``), written once; not so where the placing transaction has no row to spare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, epoch_s, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.money import Money
from chalicelib.orders.agreed import Appointment
from chalicelib.orders.change_rows import ChangeDoc, change_doc, change_of
from chalicelib.orders.domain import (
    Change,
    Line,
    Order,
    OrderStatus,
    Parcel,
    Stock,
)
from chalicelib.orders.purchase_rows import PurchaseRow, purchase_of, purchase_row
from chalicelib.orders.texts import REFUNDED
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, entry_of, region

__all__ = [
    "INLINE_LINES_BYTES",
    "LINES",
    "NO_PARCEL",
    "BuyerIndex",
    "LinesRow",
    "MerchantIndex",
    "OrderRow",
    "PurchaseRow",
    "ToShipIndex",
    "order_of",
    "order_rows",
    "purchase_of",
    "purchase_row",
    "unpaid_of",
]

INLINE_LINES_BYTES = 300
"""Three or four lines. More would push the head over one write unit at each of its half dozen changes."""
LINES = "~lines"


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
    no_return: str = ""


class _ParcelDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    shipment_id: str
    lines: tuple[tuple[str, int], ...]
    delivered_ms: int = 0
    turned_back_ms: int = 0
    lost: bool = False


class _AppointmentDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    booking_id: str
    line_id: str
    quantity: int
    fixed_ms: int
    ends_ms: int


NO_PARCEL = "none"
"""Rows of old keep units that were given up in a parcel of this name; they never went back to stock."""


class _OrderDoc(msgspec.Struct, omit_defaults=True):
    number: str
    merchant_name: str
    freight_minor: int = 0
    discount_minor: int = 0
    commission_bps: int = 0
    history: tuple[ChangeDoc, ...] = ()
    parcels: tuple[_ParcelDoc, ...] = ()
    refunded_minor: int = 0
    refunds: tuple[str, ...] = ()
    never_left: tuple[tuple[str, int], ...] = ()
    came_back: tuple[tuple[str, int], ...] = ()
    refunded_units: tuple[tuple[str, int], ...] = ()
    paid_lines: tuple[str, ...] = ()
    refunding: tuple[tuple[str, int], ...] = ()
    returning: tuple[tuple[str, str, int], ...] = ()
    returned: tuple[tuple[str, int], ...] = ()
    held_by: tuple[str, ...] = ()
    held_ms: int = 0
    longer_s: int = 0
    by_refund: tuple[int, ...] = ()
    """Which changes of the history a refund made."""
    seen_ms: int = 0
    ship_s: int = 0
    late: int = 0
    appointments: tuple[_AppointmentDoc, ...] = ()


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
    """Sparse: orders of a merchant of which something waits to be sent, and under :func:`unpaid_of` those that wait for
    money.
    """

    class Meta:
        index_name = "to_ship"
        projection = KeysOnlyProjection()

    to_ship_merchant_id = UnicodeAttribute(hash_key=True)
    placed_ms = NumberAttribute(range_key=True)


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


def _order_changes(doc: _OrderDoc) -> Iterator[Change]:
    """Yield an order's changes. Rows of old say by the note alone that a refund made one; a request's is any word."""
    for count, entry in enumerate(doc.history):
        by_refund = count in doc.by_refund or (entry.note == REFUNDED and not entry.intent)
        yield replace(change_of(entry), by_refund=by_refund)


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
        no_return=line.no_return,
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
        no_return=doc.no_return,
    )


def _appointment_doc(one: Appointment) -> _AppointmentDoc:
    return _AppointmentDoc(one.booking_id, one.line_id, one.quantity, epoch_ms(one.fixed_at), epoch_ms(one.ends_at))


def _appointment(doc: _AppointmentDoc) -> Appointment:
    fixed_at, ends_at = from_epoch_ms(doc.fixed_ms), from_epoch_ms(doc.ends_ms)
    return Appointment(doc.booking_id, doc.line_id, doc.quantity, fixed_at, ends_at)


def order_rows(order: Order) -> tuple[OrderRow, LinesRow | None]:
    """Return the row that keeps an order, and for a new one that of its lines where they stand apart."""
    lines = tuple(_line_doc(line) for line in order.lines)
    if order.lines_inside or len(msgspec.json.encode(lines)) <= INLINE_LINES_BYTES:
        return _order_row(order, lines), None
    apart = None
    if not order.version:
        apart = LinesRow(purchase_id=order.purchase_id, id=order.order_id + LINES, lines=lines)
    return _order_row(order, None), apart


def unpaid_of(merchant_id: str) -> str:
    """Return under which key a merchant's orders that hold stock unpaid stand in the index of what waits."""
    return f"unpaid#{merchant_id}"


def _waits_for(order: Order) -> str | None:
    if order.stock is Stock.HELD:
        return unpaid_of(order.merchant_id)
    return order.merchant_id if order.may_be_sent and order.unshipped() else None


def _order_row(order: Order, lines: tuple[_LineDoc, ...] | None) -> OrderRow:
    row = OrderRow(
        purchase_id=order.purchase_id,
        id=order.order_id,
        buyer_id=order.buyer_id,
        merchant_id=order.merchant_id,
        to_ship_merchant_id=_waits_for(order),
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
            history=tuple(change_doc(change) for change in order.history),
            by_refund=tuple(count for count, change in enumerate(order.history) if change.by_refund),
            parcels=tuple(
                _ParcelDoc(
                    parcel.shipment_id,
                    parcel.lines,
                    epoch_ms_or_none(parcel.delivered_at) or 0,
                    epoch_ms_or_none(parcel.turned_back_at) or 0,
                    parcel.lost,
                )
                for parcel in order.parcels
            ),
            refunded_minor=order.refunded.minor,
            refunds=order.refunds,
            never_left=order.never_left,
            came_back=order.came_back,
            refunded_units=order.refunded_units,
            paid_lines=order.paid_lines,
            refunding=order.refunding,
            returning=order.returning,
            returned=order.returned,
            held_by=order.held_by,
            held_ms=epoch_ms_or_none(order.held_since) or 0,
            longer_s=-int(-order.longer.total_seconds() // 1),
            seen_ms=epoch_ms_or_none(order.seen_at) or 0,
            ship_s=int(order.ship_within.total_seconds()),
            late=order.told_late,
            appointments=tuple(_appointment_doc(one) for one in order.appointments),
        ),
        lines=lines,
        version=order.version,
    )
    row.set_due(_told_at(order), order.order_id, entry_s=_entry_left(order), first=order.first_look_at)
    return row


def _told_at(order: Order) -> datetime | None:
    """Return when somebody must look at it at the latest: at its deadline, or as the promise to send it runs out."""
    moments = [moment for moment in (order.due_at, order.tells_at) if moment is not None]
    return min(moments, default=None)


def _entry_left(order: Order) -> int | None:
    """Return where the entry stands, if it may be left there.

    One that waited for a promise to run out is not: the order was sent, and the look would be for nothing.
    """
    looks_at = order.first_look_at
    promised = order.ship_within and not order.waits_to_be_sent and order.entry_s is not None and looks_at is not None
    return None if promised and (order.entry_s or 0) < epoch_s(looks_at or order.since) else order.entry_s


def order_of(row: OrderRow, apart: Row | None) -> Order:
    """Return the order that a row keeps; its lines may stand in a row of their own."""
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
                parcel.shipment_id,
                parcel.lines,
                from_epoch_ms_or_none(parcel.delivered_ms),
                from_epoch_ms_or_none(parcel.turned_back_ms),
                parcel.lost,
            )
            for parcel in doc.parcels
            if parcel.shipment_id != NO_PARCEL
        ),
        lines_inside=row.lines is not None,
        history=tuple(_order_changes(doc)),
        version=int(row.version),
        never_left=doc.never_left or _given_up_of_old(doc),
        came_back=doc.came_back,
        refunded_units=doc.refunded_units,
        paid_lines=doc.paid_lines,
        refunding=doc.refunding,
        returning=doc.returning,
        returned=doc.returned,
        held_by=doc.held_by,
        held_since=from_epoch_ms_or_none(doc.held_ms),
        longer=timedelta(seconds=doc.longer_s),
        seen_at=from_epoch_ms_or_none(doc.seen_ms),
        entry_s=entry_of(row),
        ship_within=timedelta(seconds=doc.ship_s),
        told_late=doc.late,
        appointments=tuple(_appointment(one) for one in doc.appointments),
    )


def _given_up_of_old(doc: _OrderDoc) -> tuple[tuple[str, int], ...]:
    return tuple(line for parcel in doc.parcels if parcel.shipment_id == NO_PARCEL for line in parcel.lines)
