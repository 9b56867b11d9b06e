"""Rows of inboxes: one an entry, which is found by its person and fact, and listed newest first."""

from __future__ import annotations

from pynamodb.attributes import TTLAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Page, Window
from chalicelib.notifications.inbox import KEPT, Entry
from chalicelib.notifications.topics import Topic
from chalicelib.runtime import names
from chalicelib.runtime.db import dynamo, reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class NewestIndex(GlobalSecondaryIndex["EntryRow"]):
    """A person's entries, newest first. Whole: a list needs all of them, and they are short."""

    class Meta:
        index_name = "newest"
        projection = AllProjection()

    account_id = UnicodeAttribute(hash_key=True)
    at_ms = NumberAttribute(range_key=True)


class EntryRow(Row):
    """Key: account_id, entry_id. ``expires`` only collects."""

    class Meta:
        table_name = names.table_name("inboxes")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    at_ms = NumberAttribute()
    template = UnicodeAttribute()
    topic = UnicodeAttribute()
    filling = DocumentAttribute[dict[str, str]](dict[str, str], null=True)
    about = UnicodeAttribute(null=True)
    read_ms = NumberAttribute(null=True)
    expires = TTLAttribute()
    newest = NewestIndex()


def add(work: UnitOfWork, entry: Entry) -> None:
    """Add an entry to the work: a new one is refused as ``AlreadyExists`` where its person has it, one that was read
    as ``ConcurrentUpdate`` where it changed.
    """
    work.save(_row(entry), label="entry")


def load(account_id: str, entry_id: str) -> Entry | None:
    """Read one entry as it is now."""
    row = reads.get(EntryRow, account_id, entry_id, consistent=True)
    return _entry(row) if row is not None else None


def newest(account_id: str, window: Window) -> Page[Entry]:
    """Read one page of a person's inbox, newest first."""
    page = reads.windowed(EntryRow, account_id, window, index=EntryRow.newest, descending=True)
    now_s = clock.epoch_s(clock.now())
    return Page(
        [_entry(EntryRow.from_raw_data(item)) for item in page.items if int(item["expires"]["N"]) > now_s], page.after
    )


def drop_all(account_id: str) -> bool:
    """Delete a person's whole inbox; says whether there was any."""
    found = reads.query_rows(EntryRow, account_id, consistent=True)
    for row in found:
        dynamo.call("DeleteItem", {"TableName": EntryRow.Meta.table_name, "Key": row.key()})
    return bool(found)


def _row(entry: Entry) -> EntryRow:
    return EntryRow(
        account_id=entry.account_id,
        id=entry.entry_id,
        at_ms=clock.epoch_ms(entry.at),
        template=entry.template,
        topic=entry.topic.value,
        filling=entry.values or None,
        about=entry.about or None,
        read_ms=clock.epoch_ms_or_none(entry.read_at),
        expires=entry.at + KEPT,
        version=entry.version,
    )


def _entry(row: EntryRow) -> Entry:
    return Entry(
        account_id=row.account_id,
        entry_id=row.id,
        template=row.template,
        topic=Topic(row.topic),
        at=clock.from_epoch_ms(row.at_ms),
        values=row.filling or {},
        about=row.about or "",
        read_at=clock.from_epoch_ms_or_none(row.read_ms),
        version=int(row.version),
    )
