"""Rows of inboxes: one an entry, which is found by its person and fact, and listed newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pynamodb.attributes import TTLAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Page, Window
from chalicelib.notifications.domain import Kind
from chalicelib.notifications.inbox import KEPT, Entry
from chalicelib.notifications.preferences import CHINA_MIN, Preferences, Quiet
from chalicelib.notifications.topics import Topic
from chalicelib.runtime import names
from chalicelib.runtime.db import dynamo, reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
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


@dataclass(frozen=True, slots=True)
class _Wishes:
    off: tuple[tuple[str, str], ...] = ()
    quiet: tuple[int, int, int] | None = (22 * 60, 8 * 60, CHINA_MIN)
    read_ms: int = 0


class PreferencesRow(Row):
    """Key: account_id, ``~preferences``."""

    class Meta:
        table_name = names.table_name("inboxes")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    wishes = DocumentAttribute[_Wishes](_Wishes)


PREFERENCES = "~preferences"


def preferences(account_id: str, *, consistent: bool = False) -> Preferences:
    """Read what a person wants: what everybody does, where they never said. Choices of no meaning today are dropped."""
    return preferences_of(account_id, reads.get(PreferencesRow, account_id, PREFERENCES, consistent=consistent))


def preferences_of(account_id: str, row: PreferencesRow | None) -> Preferences:
    """Return what a row says that a person wants."""
    if row is None:
        return Preferences(account_id)
    wishes: _Wishes = row.wishes
    known = {(topic.value, kind.value): (topic, kind) for topic in Topic for kind in Kind}
    return Preferences(
        account_id,
        off=frozenset(known[one] for one in wishes.off if one in known),
        quiet=Quiet(*wishes.quiet) if wishes.quiet else None,
        read_until=clock.from_epoch_ms_or_none(wishes.read_ms),
        version=int(row.version),
    )


def save_preferences(work: UnitOfWork, wanted: Preferences) -> None:
    """Add what a person wants to the work."""
    quiet = wanted.quiet
    wishes = _Wishes(
        off=tuple(sorted((topic.value, kind.value) for topic, kind in wanted.off)),
        quiet=(quiet.begins_min, quiet.ends_min, quiet.offset_min) if quiet else None,
        read_ms=clock.epoch_ms_or_none(wanted.read_until) or 0,
    )
    row = PreferencesRow(account_id=wanted.account_id, id=PREFERENCES, wishes=wishes, version=wanted.version)
    work.save(row, refuse=lost, label="preferences")


def add(work: UnitOfWork, entry: Entry) -> None:
    """Add an entry to the work: a new one is refused as ``AlreadyExists`` where its person has it, one that was read
    as ``ConcurrentUpdate`` where it changed.
    """
    work.save(_row(entry), label="entry")


def load(account_id: str, entry_id: str) -> Entry | None:
    """Read one entry as it is now."""
    row = reads.get(EntryRow, account_id, entry_id, consistent=True)
    return _entry(row) if row is not None else None


def unread(account_id: str, *, since: datetime | None, most: int) -> int:
    """Count the newest entries that were not read one by one, from a moment on, among so many."""
    condition = EntryRow.at_ms > clock.epoch_ms(since) if since is not None else None
    page = reads.query(
        EntryRow, account_id, index=EntryRow.newest, range_condition=condition, limit=most, descending=True
    )
    return sum("read_ms" not in item for item in page.items)


def newest(account_id: str, window: Window) -> Page[Entry]:
    """Read one page of a person's inbox, newest first."""
    page = reads.windowed(EntryRow, account_id, window, index=EntryRow.newest, descending=True)
    now_s = clock.epoch_s(clock.now())
    return Page(
        [_entry(EntryRow.from_raw_data(item)) for item in page.items if int(item["expires"]["N"]) > now_s], page.after
    )


def drop_all(account_id: str) -> bool:
    """Delete a person's whole inbox, and what they wanted of it; says whether there was any."""
    found = reads.query_items(EntryRow, account_id, consistent=True)
    for item in found:
        key = {name: item[name] for name in EntryRow.key_names() if name is not None}
        dynamo.call("DeleteItem", {"TableName": EntryRow.Meta.table_name, "Key": key})
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
