"""Rows of the ``conversations`` table: a thread's head, its entries, and which requests wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.conversations.domain import About, Cause, Entry, Picture, Queue, Side, Status, Thread
from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Place, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, SealedDocument, region
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


class _ThreadDoc(msgspec.Struct, omit_defaults=True):
    about: str
    subject_id: str
    title: str
    since_ms: int
    opened_ms: int
    count: int = 0
    said: dict[str, int] = {}
    read: dict[str, int] = {}
    last_side: str = ""
    in_a_row: int = 0
    asked_ms: int | None = None
    called_ms: int | None = None
    chased: int = 0
    is_paid: bool = False


class _PictureDoc(msgspec.Struct, array_like=True):
    picture_id: str
    content_type: str
    size: int


class BuyerIndex(GlobalSecondaryIndex["ThreadRow"]):
    """A buyer's conversations, the one that moved last first."""

    class Meta:
        index_name = "buyer"
        projection = KeysOnlyProjection()

    buyer_id = UnicodeAttribute(hash_key=True)
    moved_ms = NumberAttribute(range_key=True)


class MerchantIndex(GlobalSecondaryIndex["ThreadRow"]):
    """A merchant's conversations, the one that moved last first."""

    class Meta:
        index_name = "merchant"
        projection = KeysOnlyProjection()

    merchant_id = UnicodeAttribute(hash_key=True)
    moved_ms = NumberAttribute(range_key=True)


class DeskIndex(GlobalSecondaryIndex["ThreadRow"]):
    """Sparse: what waits for a merchant, in a queue of the service, or is in somebody's hand; the oldest first."""

    class Meta:
        index_name = "desk"
        projection = KeysOnlyProjection()

    desk = UnicodeAttribute(hash_key=True)
    desk_ms = NumberAttribute(range_key=True)


class ThreadRow(DueRow):
    """Key: conversation_id, and the same once more."""

    class Meta:
        table_name = names.table_name("conversations")
        region = region()

    conversation_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    buyer_id = UnicodeAttribute()
    merchant_id = UnicodeAttribute()
    moved_ms = NumberAttribute()
    status = UnicodeAttribute()
    queue = UnicodeAttribute()
    agent = UnicodeAttribute(null=True)
    desk = UnicodeAttribute(null=True)
    desk_ms = NumberAttribute(null=True)
    doc = DocumentAttribute[_ThreadDoc](_ThreadDoc)
    due = DueIndex()
    buyer = BuyerIndex()
    merchant = MerchantIndex()
    by_desk = DeskIndex()


class EntryRow(Row):
    """Key: conversation_id, ``m#<number>``. What was said is sealed."""

    class Meta:
        table_name = names.table_name("conversations")
        region = region()

    conversation_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    at_ms = NumberAttribute()
    side = UnicodeAttribute()
    author = UnicodeAttribute()
    cause = UnicodeAttribute(null=True)
    words = SealedDocument[str](str, null=True)
    pictures = DocumentAttribute[tuple[_PictureDoc, ...]](tuple[_PictureDoc, ...], null=True)
    masked = NumberAttribute(null=True)
    inner = NumberAttribute(null=True)


class SentRow(Row):
    """Key: conversation_id, ``i#<intent>``. Which request wrote which entry: a repeat writes none."""

    class Meta:
        table_name = names.table_name("conversations")
        region = region()

    conversation_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    fingerprint = UnicodeAttribute()
    number = NumberAttribute()


class OpenedRow(Row):
    """Key: ``opened_<account's body>``, ``day``. How many an account opened on a day; the next writes over it."""

    class Meta:
        table_name = names.table_name("conversations")
        region = region()

    conversation_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    day = UnicodeAttribute()
    number = NumberAttribute()


def find(conversation_id: str) -> Thread | None:
    """Read a conversation's head as it is now."""
    if not ids.is_id("cnv", conversation_id):
        return None
    row = reads.get(ThreadRow, conversation_id, conversation_id, consistent=True)
    return _thread(row) if row is not None else None


def load(conversation_id: str) -> Thread:
    """Read a conversation's head as it is now.

    Raises:
        NotFound: if there is none.
    """
    found = find(conversation_id)
    if found is None:
        raise NotFound(what="conversation")
    return found


def with_sent(conversation_id: str, intent: Intent) -> tuple[Thread | None, int | None]:
    """Read the head, and which entry a request wrote before, in one call.

    Raises:
        IdempotencyKeyReused: if its key wrote another.
    """
    if not ids.is_id("cnv", conversation_id):
        return None, None
    sent = f"i#{intent.token}"
    found = reads.get_many(
        [(ThreadRow, conversation_id, conversation_id), (SentRow, conversation_id, sent)], consistent=True
    )
    head, before = found.get((conversation_id, conversation_id)), found.get((conversation_id, sent))
    number = None
    if isinstance(before, SentRow):
        intent.check(before.fingerprint)
        number = int(before.number)
    return (_thread(head) if isinstance(head, ThreadRow) else None), number


def save(work: UnitOfWork, thread: Thread, events: Sequence[Event] = ()) -> None:
    """Write a conversation's head in the caller's work; a rival's write is a lost race."""
    desk, desk_at = _desk(thread)
    row = ThreadRow(
        conversation_id=thread.conversation_id,
        id=thread.conversation_id,
        buyer_id=thread.buyer_id,
        merchant_id=thread.merchant_id,
        moved_ms=epoch_ms(thread.moved_at),
        status=thread.status.value,
        queue=thread.queue.value,
        agent=thread.agent or None,
        desk=desk,
        desk_ms=desk_at,
        doc=_ThreadDoc(
            about=thread.about.value,
            subject_id=thread.subject_id,
            title=thread.title,
            since_ms=epoch_ms(thread.since),
            opened_ms=epoch_ms(thread.opened_at),
            count=thread.count,
            said=_plain(thread.said),
            read=_plain(thread.read),
            last_side=thread.last_side.value if thread.last_side else "",
            in_a_row=thread.in_a_row,
            asked_ms=epoch_ms_or_none(thread.asked_at),
            called_ms=epoch_ms_or_none(thread.called_at),
            chased=thread.chased,
            is_paid=thread.is_paid,
        ),
        version=thread.version,
    )
    row.set_due(thread.due_at, thread.conversation_id)
    work.save(row, events=events, refuse=lost, label="conversation")


def add(work: UnitOfWork, thread: Thread, entry: Entry, intent: Intent | None) -> None:
    """Write an entry and, where a request wrote it, which one."""
    work.save(_entry_row(thread.conversation_id, entry, 0), refuse=lost, label="entry")
    if intent is not None:
        sent = SentRow(
            conversation_id=thread.conversation_id,
            id=f"i#{intent.token}",
            fingerprint=intent.fingerprint,
            number=entry.number,
        )
        work.save(sent, refuse=lost, label="request")


def opened(account_id: str, today: str) -> OpenedRow:
    """Read how many conversations an account opened today."""
    key = f"opened_{ids.body(account_id)}"
    row = reads.get(OpenedRow, key, "day", consistent=True)
    if row is None:
        return OpenedRow(conversation_id=key, id="day", day=today, number=0)
    if row.day != today:
        row.day, row.number = today, 0
    return row


def count_opened(work: UnitOfWork, row: OpenedRow) -> None:
    """Count one more."""
    row.number = int(row.number) + 1
    work.save(row, refuse=lost, label="opened")


def entries(conversation_id: str, window: Window) -> Page[Entry]:
    """Return one page of what was said, the last first."""
    between = EntryRow.id.between("m#", "m$")
    page = reads.windowed(
        EntryRow, conversation_id, window, range_condition=between, descending=True, consistent=window.after is None
    )
    return Page([_entry(EntryRow.from_raw_data(item)) for item in page.items], page.after)


def entry(conversation_id: str, number: int) -> Entry | None:
    """Read one entry."""
    row = reads.get(EntryRow, conversation_id, _entry_key(number), consistent=True)
    return _entry(row) if row is not None else None


def list_for(index: str, hash_key: str, window: Window) -> Page[Thread]:
    """Read one page of ``buyer``, ``merchant`` (what moved last first) or ``by_desk`` (what waits longest first)."""
    page = reads.windowed(ThreadRow, hash_key, window, index=getattr(ThreadRow, index), descending=index != "by_desk")
    wanted = [item["conversation_id"]["S"] for item in page.items]
    found = reads.get_many((ThreadRow, one, one) for one in wanted) if wanted else {}
    rows = [found.get((one, one)) for one in wanted]
    return Page([_thread(row) for row in rows if isinstance(row, ThreadRow)], page.after)


def written(conversation_id: str) -> Iterator[EntryRow]:
    """Yield the rows of all entries, a page at a time, for whoever forgets them."""
    after: Place | None = None
    while True:
        page = reads.query(
            EntryRow, conversation_id, range_condition=EntryRow.id.between("m#", "m$"), limit=100, start_key=after
        )
        yield from (EntryRow.from_raw_data(item) for item in page.items)
        after = page.after
        if after is None:
            return


def pictures_of(row: EntryRow) -> tuple[str, ...]:
    """Return the numbers of an entry's pictures."""
    return tuple(one.picture_id for one in row.pictures or ())


def blank(row: EntryRow) -> bool:
    """Take words and pictures off an entry's row; says whether it had any."""
    had = bool(row.attribute_values.get("words")) or bool(row.pictures)
    row.words, row.pictures = None, None
    return had


def waits_for(merchant_id: str) -> str:
    """Return the desk where what waits for a merchant stands."""
    return f"turn#{merchant_id}"


def in_queue(queue: Queue) -> str:
    """Return the desk where what waits in a queue stands."""
    return f"queue#{queue}"


def in_hand(account_id: str) -> str:
    """Return the desk where what somebody has in hand stands."""
    return f"agent#{account_id}"


def _desk(thread: Thread) -> tuple[str | None, int | None]:
    at = epoch_ms(thread.since)
    if thread.status is Status.ASKED:
        return waits_for(thread.merchant_id), at
    if thread.status is Status.CALLED:
        return in_queue(thread.queue), epoch_ms(thread.called_at or thread.since)
    if thread.status in (Status.HELD, Status.WAITING):
        return in_hand(thread.agent), at
    return None, None


def _plain(marks: Mapping[Side, int]) -> dict[str, int]:
    return {side.value: number for side, number in marks.items()}


def _marks(plain: Mapping[str, int]) -> dict[Side, int]:
    return {Side(side): number for side, number in plain.items()}


def _entry_key(number: int) -> str:
    return f"m#{number:06d}"


def _entry_row(conversation_id: str, entry: Entry, version: int) -> EntryRow:
    pictures = tuple(_PictureDoc(one.picture_id, one.content_type, one.size) for one in entry.pictures)
    return EntryRow(
        conversation_id=conversation_id,
        id=_entry_key(entry.number),
        at_ms=epoch_ms(entry.at),
        side=entry.side.value,
        author=entry.author,
        cause=entry.cause.value if entry.cause else None,
        words=entry.text or None,
        pictures=pictures or None,
        masked=1 if entry.masked else None,
        inner=1 if entry.inner else None,
        version=version,
    )


def _entry(row: EntryRow) -> Entry:
    return Entry(
        number=int(row.id.removeprefix("m#")),
        at=from_epoch_ms(row.at_ms),
        side=Side(row.side),
        author=row.author,
        cause=Cause(row.cause) if row.cause else None,
        text=row.words if row.attribute_values.get("words") else "",
        pictures=tuple(Picture(one.picture_id, one.content_type, one.size) for one in row.pictures or ()),
        masked=bool(row.masked),
        inner=bool(row.inner),
    )


def _thread(row: ThreadRow) -> Thread:
    doc = row.doc
    return Thread(
        conversation_id=row.conversation_id,
        buyer_id=row.buyer_id,
        merchant_id=row.merchant_id,
        about=About(doc.about),
        subject_id=doc.subject_id,
        title=doc.title,
        status=Status(row.status),
        queue=Queue(row.queue),
        opened_at=from_epoch_ms(doc.opened_ms),
        since=from_epoch_ms(doc.since_ms),
        moved_at=from_epoch_ms(row.moved_ms),
        count=doc.count,
        said=_marks(doc.said),
        read=_marks(doc.read),
        last_side=Side(doc.last_side) if doc.last_side else None,
        in_a_row=doc.in_a_row,
        agent=row.agent or "",
        asked_at=from_epoch_ms_or_none(doc.asked_ms),
        called_at=from_epoch_ms_or_none(doc.called_ms),
        chased=doc.chased,
        is_paid=doc.is_paid,
        version=int(row.version),
    )
