"""What conversations forget of their buyer, and what they hand out: words and pictures of all who spoke in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.complaints import service as complaints
from chalicelib.conversations import domain, store
from chalicelib.conversations.domain import Cause, Entry, Side, Thread
from chalicelib.kernel import clock
from chalicelib.kernel.pages import Page, Place, Window
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation with all that was said in it, and its pictures: name, where it lies, how long it is."""

    thread: Thread
    entries: tuple[Entry, ...]
    files: tuple[tuple[str, str, int], ...]


def kept_of(buyer_id: str, after: Place | None, *, limit: int) -> Page[Kept]:
    """Return one page of a buyer's conversations, whole."""
    page = store.list_for("buyer", buyer_id, Window(limit=limit, after=after))
    return Page([_whole(thread) for thread in page.items], page.after)


def _whole(thread: Thread) -> Kept:
    found: list[Entry] = []
    window = Window(100)
    while True:
        page = store.entries(thread.conversation_id, window)
        found += page.items
        if page.after is None:
            break
        window = Window(window.limit, page.after)
    files = tuple(
        (*complaints.place_of_copy(thread.conversation_id, one.picture_id, one.content_type), one.size)
        for entry in found
        for one in entry.pictures
    )
    return Kept(thread, tuple(found[::-1]), files)


def forget(buyer_id: str) -> list[str]:
    """Forget what was said in a buyer's conversations; returns those that the service still has before it.

    Pictures first: as long as an entry names them, a run that was cut off finds them again.
    """
    held: list[str] = []
    after: Place | None = None
    while True:
        page = store.list_for("buyer", buyer_id, Window(limit=25, after=after))
        for thread in page.items:
            if racing(lambda thread=thread: _close(thread.conversation_id)):  # type: ignore[misc]
                _blank(thread.conversation_id)
            else:
                held.append(thread.conversation_id)
        after = page.after
        if after is None:
            return held


def _close(conversation_id: str) -> bool:
    """End a conversation that nobody of the service has before them; says whether it is over."""
    before = store.load(conversation_id)
    if not before.is_open:
        return True
    if before.status in domain.WITH_SERVICE:
        return False
    entry = Entry(before.count + 1, clock.now(), Side.PLATFORM, "", Cause.CLOSE)
    with UnitOfWork() as work:
        store.save(work, domain.with_entry(before, entry))
        store.add(work, before, entry, None)
    return True


def _blank(conversation_id: str) -> None:
    for row in store.written(conversation_id):
        for picture_id in store.pictures_of(row):
            complaints.erase_copy(conversation_id, picture_id)
        if store.blank(row):
            with UnitOfWork() as work:
                work.save(row, label="entry")
    racing(lambda: _untitle(conversation_id))


def _untitle(conversation_id: str) -> None:
    """Take off what the thing was called: what somebody looked at says something of them."""
    before = store.load(conversation_id)
    if before.title:
        with UnitOfWork() as work:
            store.save(work, replace(before, title=""))
