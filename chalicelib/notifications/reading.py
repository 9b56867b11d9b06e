"""Reading an inbox, and marking what was read."""

from __future__ import annotations

from chalicelib.kernel.pages import Page, Window
from chalicelib.notifications import inbox_store
from chalicelib.notifications.inbox import Entry


def inbox(account_id: str, window: Window) -> Page[Entry]:
    """Return one page of a person's inbox, newest first."""
    return inbox_store.newest(account_id, window)


def forget(account_id: str) -> bool:
    """Drop a person's inbox; says whether there was any."""
    return inbox_store.drop_all(account_id)
