"""Rows of the ledger: one entry each, created once and never written again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from chalicelib.kernel import clock
from chalicelib.kernel.clock import from_epoch_s
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Place, Window
from chalicelib.ledger.domain import Entry, Posting
from chalicelib.ledger.sums import Written
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class _PostingDoc(msgspec.Struct, array_like=True):
    account: str
    minor: int
    currency: str


class WrittenIndex(GlobalSecondaryIndex["EntryRow"]):
    """The entries of a day (UTC) in the order in which their rows were made, with what balances need of them."""

    class Meta:
        index_name = "written"
        projection = IncludeProjection(["at_ms", "postings"])

    written_on = UnicodeAttribute(hash_key=True)
    written_ms = NumberAttribute(range_key=True)


PAGE = 1000
"""Entries read in one call."""


class EntryRow(Row):
    """Key: purchase_id, entry_id as id. ``written_on`` and ``written_ms`` are missing in rows of old."""

    class Meta:
        table_name = names.table_name("ledger")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    at_ms = NumberAttribute()
    postings = DocumentAttribute[tuple[_PostingDoc, ...]](tuple[_PostingDoc, ...])
    written_on = UnicodeAttribute(null=True)
    written_ms = NumberAttribute(null=True)
    written = WrittenIndex()


def add(work: UnitOfWork, entry: Entry) -> None:
    """Add the entry to the work; refused with ``AlreadyExists`` if the fact was posted before."""
    now = clock.now()
    row = EntryRow(
        purchase_id=entry.purchase_id,
        id=entry.entry_id,
        at_ms=round(entry.at.timestamp() * 1000),
        postings=tuple(
            _PostingDoc(posting.account, posting.amount.minor, posting.amount.currency) for posting in entry.postings
        ),
        written_on=now.astimezone(UTC).date().isoformat(),
        written_ms=clock.epoch_ms(now),
    )
    work.save(row, label=f"ledger {entry.entry_id}")


def entries(purchase_id: str) -> list[Entry]:
    """Read all entries of a purchase, oldest first."""
    rows = reads.query_rows(EntryRow, purchase_id, consistent=True)
    return sorted((_entry(row) for row in rows), key=lambda entry: (entry.at, entry.entry_id))


def written(day: date, first: datetime, until: datetime, after: Place | None) -> Page[Written]:
    """Read a page of the entries of a day that were written from ``first`` to before ``until``, in that order.

    An index is read: what was written a moment ago may be missing.
    """
    page = reads.windowed(
        EntryRow,
        day.isoformat(),
        Window(PAGE, after),
        index=EntryRow.written,
        range_condition=WrittenIndex.written_ms.between(
            clock.epoch_ms(first), clock.epoch_ms(until - timedelta(milliseconds=1))
        ),
    )
    return Page([as_written(EntryRow.from_raw_data(item)) for item in page.items], page.after)


def unstamped(purchase_id: str, entry_id: str) -> Written | None:
    """Read an entry that does not say when it was written; None if it does, or is not there."""
    row = reads.get(EntryRow, purchase_id, entry_id, consistent=True)
    return as_written(row) if row is not None and row.written_on is None else None


def as_written(row: EntryRow) -> Written:
    """Return a row as counting needs it."""
    return Written(
        purchase_id=row.purchase_id,
        entry_id=row.id,
        at=clock.from_epoch_ms(row.at_ms),
        postings=tuple((doc.account, doc.minor, doc.currency) for doc in row.postings),
        written_at=clock.from_epoch_ms_or_none(row.written_ms),
    )


def _entry(row: EntryRow) -> Entry:
    return Entry(
        entry_id=row.id,
        purchase_id=row.purchase_id,
        at=from_epoch_s(row.at_ms / 1000),
        postings=tuple(Posting(doc.account, Money(doc.minor, doc.currency)) for doc in row.postings),
    )
