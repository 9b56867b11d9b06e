"""Rows of the ``bookings`` table: a SKU's slots, an order's bookings, a merchant's codes and its wrong ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.bookings.domain import Booking, Change, Slot, SlotRefused, Status
from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_s, from_epoch_ms, from_epoch_s
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, region
from chalicelib.runtime.db.work import Refusal, UnitOfWork

_SLOT = "slot_"
_DIGITS = 12
"""Of the second a slot begins at, so that keys sort as times do."""


class SlotRow(Row):
    """Key: sku_id as owner, ``slot_`` and the second it begins at."""

    class Meta:
        """Table."""

        table_name = names.table_name("bookings")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    merchant_id = UnicodeAttribute()
    ends_s = NumberAttribute()
    capacity = NumberAttribute()
    taken = NumberAttribute(default=0)
    change_s = NumberAttribute()
    moves = NumberAttribute()


class _ChangeDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    at_ms: int
    what: str
    by: str
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


class _BookingDoc(msgspec.Struct, omit_defaults=True):
    line_id: str
    sku_id: str
    quantity: int
    ends_s: int
    code: str
    change_s: int
    moves: int
    moved: int = 0
    fingerprint: str = ""
    history: tuple[_ChangeDoc, ...] = ()


class CalendarIndex(GlobalSecondaryIndex["BookingRow"]):
    """A merchant's bookings by the time they begin."""

    class Meta:
        """Keys only."""

        index_name = "calendar"
        projection = KeysOnlyProjection()

    merchant_id = UnicodeAttribute(hash_key=True)
    starts_s = NumberAttribute(range_key=True)


class BookingRow(DueRow):
    """Key: order_id as owner, booking_id."""

    class Meta:
        """Table."""

        table_name = names.table_name("bookings")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    buyer_id = UnicodeAttribute()
    merchant_id = UnicodeAttribute()
    status = UnicodeAttribute()
    since_ms = NumberAttribute()
    starts_s = NumberAttribute()
    doc = DocumentAttribute[_BookingDoc](_BookingDoc)
    due = DueIndex()
    calendar = CalendarIndex()


class CodeRow(Row):
    """Key: merchant_id as owner, ``code_`` and the code. Whose it is; it stays when the booking is over."""

    class Meta:
        """Table."""

        table_name = names.table_name("bookings")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    order_id = UnicodeAttribute()
    booking_id = UnicodeAttribute()


class MissesRow(Row):
    """Key: merchant_id as owner, ``misses_`` and the hour. How many wrong codes were tried in it."""

    class Meta:
        """Table."""

        table_name = names.table_name("bookings")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    misses = NumberAttribute(default=0)


def _slot_key(starts_at: datetime) -> str:
    return f"{_SLOT}{epoch_s(starts_at):0{_DIGITS}d}"


def slot(sku_id: str, starts_at: datetime) -> Slot:
    """Read one slot, consistently.

    Raises:
        NotFound: if there is none.
    """
    row = reads.get(SlotRow, sku_id, _slot_key(starts_at), consistent=True)
    if row is None:
        raise NotFound(what="time")
    return _slot(row)


def slots(sku_id: str, since: datetime, until: datetime, *, limit: int) -> list[Slot]:
    """Read a SKU's slots that begin from one moment until before another, perhaps stale, in order."""
    last = until - timedelta(seconds=1)
    between = SlotRow.id.between(_slot_key(since), _slot_key(last))
    return [_slot(row) for row in reads.query_rows(SlotRow, sku_id, range_condition=between, limit=limit)]


def slots_at(sku_id: str, moments: Iterable[datetime]) -> dict[datetime, Slot]:
    """Read a SKU's slots at given moments, consistently; those that are not there are absent."""
    found = reads.get_many([(SlotRow, sku_id, _slot_key(one)) for one in moments], consistent=True)
    known = [_slot(row) for row in found.values() if isinstance(row, SlotRow)]
    return {one.starts_at: one for one in known}


def save_slot(work: UnitOfWork, slot: Slot) -> None:
    """Add a slot's row to the work, exactly on the version it was read at."""
    row = SlotRow(
        owner=slot.sku_id,
        id=_slot_key(slot.starts_at),
        merchant_id=slot.merchant_id,
        ends_s=epoch_s(slot.ends_at),
        capacity=slot.capacity,
        taken=slot.taken,
        change_s=int(slot.change_within.total_seconds()),
        moves=slot.moves,
        version=slot.version,
    )
    work.save(row, refuse=lost, label="slot")


def take(work: UnitOfWork, slot: Slot, quantity: int) -> None:
    """Take places of a slot, if it has them still and is as it was read but for that: nobody books what is full.

    The places are counted by the store itself, so bookings of one slot do not lose races to each other.
    """
    key = SlotRow(owner=slot.sku_id, id=_slot_key(slot.starts_at))
    room = (SlotRow.taken <= slot.capacity - quantity) & (SlotRow.capacity == slot.capacity)
    same = room & (SlotRow.ends_s == epoch_s(slot.ends_at))
    work.update(key, [SlotRow.taken.add(quantity)], condition=same, refuse=_refused(quantity), label="slot")


def _refused(quantity: int) -> Refusal:
    def refuse(item: reads.Raw | None) -> Exception:
        if item is None:
            return NotFound(what="time")
        left = _slot(SlotRow.from_raw_data(item)).left
        return SlotRefused(why="full", left=left) if left < quantity else ConcurrentUpdate()

    return refuse


def give_back(work: UnitOfWork, booking: Booking) -> None:
    """Free the places of a booking, in the work that ends or moves it: exactly once, as the booking's row is."""
    key = SlotRow(owner=booking.sku_id, id=_slot_key(booking.starts_at))
    enough = SlotRow.taken >= booking.quantity
    work.update(key, [SlotRow.taken.add(-booking.quantity)], condition=enough, refuse=lost, label="slot before")


def load(order_id: str, booking_id: str) -> Booking:
    """Read a booking, consistently.

    Raises:
        NotFound: if there is none.
    """
    found = find(order_id, booking_id)
    if found is None:
        raise NotFound(what="booking")
    return found


def find(order_id: str, booking_id: str) -> Booking | None:
    """Read a booking, consistently, or None."""
    if not ids.is_id("bkg", booking_id):
        return None
    row = reads.get(BookingRow, order_id, booking_id, consistent=True)
    return _booking(row) if row is not None else None


def of_order(order_id: str, *, consistent: bool = False) -> list[Booking]:
    """Read an order's bookings, the first to begin first."""
    found = reads.query_rows(
        BookingRow, order_id, range_condition=BookingRow.id.startswith("bkg_"), consistent=consistent
    )
    return sorted((_booking(row) for row in found), key=lambda one: (one.starts_at, one.booking_id))


def calendar(merchant_id: str, since: datetime, until: datetime, window: Window) -> Page[Booking]:
    """Read one page of a merchant's bookings that begin from one moment until before another."""
    between = BookingRow.starts_s.between(epoch_s(since), epoch_s(until) - 1)
    page = reads.windowed(BookingRow, merchant_id, window, index=BookingRow.calendar, range_condition=between)
    keys = [(item["owner"]["S"], item["id"]["S"]) for item in page.items]
    found = reads.get_many((BookingRow, *key) for key in keys) if keys else {}
    rows = [found.get(key) for key in keys]
    return Page([_booking(row) for row in rows if isinstance(row, BookingRow)], page.after)


def save(work: UnitOfWork, booking: Booking, events: Sequence[Event] = ()) -> None:
    """Add a booking's row to the work."""
    row = BookingRow(
        owner=booking.order_id,
        id=booking.booking_id,
        buyer_id=booking.buyer_id,
        merchant_id=booking.merchant_id,
        status=booking.status.value,
        since_ms=epoch_ms(booking.since),
        starts_s=epoch_s(booking.starts_at),
        doc=_BookingDoc(
            line_id=booking.line_id,
            sku_id=booking.sku_id,
            quantity=booking.quantity,
            ends_s=epoch_s(booking.ends_at),
            code=booking.code,
            change_s=int(booking.change_within.total_seconds()),
            moves=booking.moves,
            moved=booking.moved,
            fingerprint=booking.fingerprint,
            history=tuple(_change_doc(one) for one in booking.history),
        ),
        version=booking.version,
    )
    row.set_due(booking.due_at, booking.booking_id)
    work.save(row, events=events, label="booking")


def save_code(work: UnitOfWork, booking: Booking) -> None:
    """Add the row of a booking's code to the work; one that somebody has already is a lost race: another is drawn."""
    row = CodeRow(
        owner=booking.merchant_id,
        id=f"code_{booking.code}",
        order_id=booking.order_id,
        booking_id=booking.booking_id,
    )
    work.save(row, refuse=lost, label="code")


def place_of(merchant_id: str, code: str, hour: datetime) -> tuple[tuple[str, str] | None, int]:
    """Read order and number of the booking that a merchant's code is of, if any, and how many wrong ones were tried."""
    code_key, misses_key = f"code_{code}", _hour_key(hour)
    wanted = [(CodeRow, merchant_id, code_key), (MissesRow, merchant_id, misses_key)]
    found = reads.get_many(wanted, consistent=True)
    row, misses = found.get((merchant_id, code_key)), found.get((merchant_id, misses_key))
    place = (row.order_id, row.booking_id) if isinstance(row, CodeRow) else None
    return place, int(misses.misses) if isinstance(misses, MissesRow) else 0


def count_miss(merchant_id: str, hour: datetime) -> None:
    """Count one more wrong code."""
    key = MissesRow(owner=merchant_id, id=_hour_key(hour))
    anyhow = MissesRow.version.does_not_exist() | (MissesRow.version >= 0)
    with UnitOfWork() as work:
        work.update(key, [MissesRow.misses.add(1)], condition=anyhow, refuse=lost, label="misses")


def _hour_key(hour: datetime) -> str:
    return f"misses_{hour.astimezone(UTC):%Y%m%d%H}"


def _slot(row: SlotRow) -> Slot:
    return Slot(
        sku_id=row.owner,
        merchant_id=row.merchant_id,
        starts_at=from_epoch_s(int(row.id.removeprefix(_SLOT))),
        ends_at=from_epoch_s(row.ends_s),
        capacity=int(row.capacity),
        taken=int(row.taken or 0),
        change_within=timedelta(seconds=int(row.change_s)),
        moves=int(row.moves),
        version=int(row.version),
    )


def _change_doc(change: Change) -> _ChangeDoc:
    return _ChangeDoc(epoch_ms(change.at), change.what, change.by, change.note, change.intent, change.fingerprint)


def _booking(row: BookingRow) -> Booking:
    doc = row.doc
    return Booking(
        booking_id=row.id,
        order_id=row.owner,
        line_id=doc.line_id,
        sku_id=doc.sku_id,
        buyer_id=row.buyer_id,
        merchant_id=row.merchant_id,
        quantity=doc.quantity,
        status=Status(row.status),
        starts_at=from_epoch_s(row.starts_s),
        ends_at=from_epoch_s(doc.ends_s),
        code=doc.code,
        since=from_epoch_ms(row.since_ms),
        change_within=timedelta(seconds=doc.change_s),
        moves=doc.moves,
        moved=doc.moved,
        fingerprint=doc.fingerprint,
        history=tuple(
            Change(from_epoch_ms(one.at_ms), one.what, one.by, one.note, one.intent, one.fingerprint)
            for one in doc.history
        ),
        version=int(row.version),
    )
