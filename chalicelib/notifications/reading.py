"""Reading an inbox, marking what was read, and saying what one wants brought."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Page, Window
from chalicelib.notifications import inbox_store, templates
from chalicelib.notifications.inbox import Entry
from chalicelib.notifications.preferences import Choice, Preferences, Quiet
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

MOST_COUNTED = 100
"""Of so many entries, the newest, the unread ones are counted."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry in words."""

    entry: Entry
    title: str
    text: str


def inbox(account_id: str, window: Window) -> Page[Entry]:
    """Return one page of a person's inbox, newest first."""
    until = inbox_store.preferences(account_id).read_until
    page = inbox_store.newest(account_id, window)
    return Page([_as_read(entry, until) for entry in page.items], page.after)


def shown(entry: Entry, language: str) -> Shown | None:
    """Return an entry in words; None where its template is gone."""
    if entry.template not in templates.TEMPLATES:
        return None
    words = templates.fill(entry.template, language, entry.values)
    return Shown(entry, words.subject, words.body.strip())


def unread(account_id: str) -> int:
    """Return how many of the newest entries were not read."""
    until = inbox_store.preferences(account_id).read_until
    return inbox_store.unread(account_id, since=until, most=MOST_COUNTED)


def read_one(account_id: str, entry_id: str) -> Entry:
    """Note that an entry was read. Again changes nothing.

    Raises:
        NotFound: if this person has no such entry.
    """

    def attempt() -> Entry:
        before = inbox_store.load(account_id, entry_id)
        if before is None:
            raise NotFound(what="message")
        after = before.read(clock.now())
        if after is not before:
            with UnitOfWork() as work:
                inbox_store.add(work, after)
        return after

    return racing(attempt)


def read_all(account_id: str, until: datetime) -> None:
    """Note that everything up to a moment was read: what came later stays as it is."""
    _change(account_id, lambda before: before.reading(min(until, clock.now())))


def preferences(account_id: str) -> Preferences:
    """Return what a person wants brought to them."""
    return inbox_store.preferences(account_id, consistent=True)


def choose(account_id: str, off: Iterable[Choice], quiet: Quiet | None) -> Preferences:
    """Say what one wants, whole: ``off`` is all that is not to be brought.

    Raises:
        AlwaysTold: if that is about the account's safety.
    """
    wanted = tuple(off)
    return _change(account_id, lambda before: before.chosen(wanted, quiet))


def _change(account_id: str, change: Callable[[Preferences], Preferences]) -> Preferences:
    def attempt() -> Preferences:
        before = inbox_store.preferences(account_id, consistent=True)
        after = change(before)
        if after == before:
            return before
        with UnitOfWork() as work:
            inbox_store.save_preferences(work, after)
        return replace(after, version=before.version + 1)

    return racing(attempt)


def forget(account_id: str) -> bool:
    """Drop a person's inbox, and what they wanted of it; says whether there was any."""
    return inbox_store.drop_all(account_id)


def _as_read(entry: Entry, until: datetime | None) -> Entry:
    if entry.read_at is None and until is not None and entry.at <= until:
        return replace(entry, read_at=until)
    return entry
