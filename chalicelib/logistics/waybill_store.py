"""Rows of drawn waybills, in the ``shipments`` table beside an order's parcels: without names, addresses and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Waybill:
    """A waybill that was asked for; without a number it is not known to have been drawn."""

    waybill_id: str
    order_id: str
    carrier: str
    asked_at: datetime
    number: str = ""
    fingerprint: str = ""
    version: int = 0


class WaybillRow(Row):
    """Key: ``waybills_`` and the order; the waybill's id, which is our number at the hub."""

    class Meta:
        table_name = names.table_name("shipments")
        region = region()

    order_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    carrier = UnicodeAttribute()
    number = UnicodeAttribute(null=True)
    asked_ms = NumberAttribute()
    fingerprint = UnicodeAttribute()


def find(order_id: str, waybill_id: str) -> Waybill | None:
    """Read a waybill, consistently."""
    row = reads.get(WaybillRow, f"waybills_{order_id}", waybill_id, consistent=True)
    if row is None:
        return None
    return Waybill(
        waybill_id,
        order_id,
        row.carrier,
        from_epoch_ms(int(row.asked_ms)),
        row.number or "",
        row.fingerprint,
        int(row.version),
    )


def save(work: UnitOfWork, waybill: Waybill) -> None:
    """Add the waybill to the work."""
    row = WaybillRow(
        order_id=f"waybills_{waybill.order_id}",
        id=waybill.waybill_id,
        carrier=waybill.carrier,
        number=waybill.number or None,
        asked_ms=epoch_ms(waybill.asked_at),
        fingerprint=waybill.fingerprint,
        version=waybill.version,
    )
    work.save(row, label="waybill")


def saved(waybill: Waybill) -> Waybill:
    """Return the waybill as it stands once it was written."""
    return replace(waybill, version=waybill.version + 1)


def numbered(waybill: Waybill, number: str) -> Waybill:
    """Return the waybill with its number."""
    return replace(waybill, number=number)
