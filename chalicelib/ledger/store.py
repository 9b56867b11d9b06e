"""Rows of the ledger: one entry each, created once and never written again."""

from __future__ import annotations

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel.clock import from_epoch_s
from chalicelib.kernel.money import Money
from chalicelib.ledger.domain import Entry, Posting
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class _PostingDoc(msgspec.Struct, array_like=True):
    account: str
    minor: int
    currency: str


class EntryRow(Row):
    """Key: purchase_id, entry_id as id."""

    class Meta:
        table_name = names.table_name("ledger")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    at_ms = NumberAttribute()
    postings = DocumentAttribute[tuple[_PostingDoc, ...]](tuple[_PostingDoc, ...])


class SumRow(Row):
    """Key: ``<account>#<currency>``, ``total#<shard>`` or ``<day>#<shard>``; also marks, and the list of accounts."""

    class Meta:
        table_name = names.table_name("balances")
        region = region()

    account = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    debit_minor = NumberAttribute(default=0)
    credit_minor = NumberAttribute(default=0)
    entries = NumberAttribute(default=0)


def add(work: UnitOfWork, entry: Entry) -> None:
    """Add the entry to the work; refused with ``AlreadyExists`` if the fact was posted before."""
    row = EntryRow(
        purchase_id=entry.purchase_id,
        id=entry.entry_id,
        at_ms=round(entry.at.timestamp() * 1000),
        postings=tuple(
            _PostingDoc(posting.account, posting.amount.minor, posting.amount.currency) for posting in entry.postings
        ),
    )
    work.save(row, label=f"ledger {entry.entry_id}")


def entries(purchase_id: str) -> list[Entry]:
    """Read all entries of a purchase, oldest first."""
    rows = reads.query_rows(EntryRow, purchase_id, consistent=True)
    return sorted((_entry(row) for row in rows), key=lambda entry: (entry.at, entry.entry_id))


def _entry(row: EntryRow) -> Entry:
    return Entry(
        entry_id=row.id,
        purchase_id=row.purchase_id,
        at=from_epoch_s(row.at_ms / 1000),
        postings=tuple(Posting(doc.account, Money(doc.minor, doc.currency)) for doc in row.postings),
    )
