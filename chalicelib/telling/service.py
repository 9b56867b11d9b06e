"""Telling a fact: into the inbox of everybody whom it concerns, and to where they are reached, together or not."""

from __future__ import annotations

from datetime import datetime

from chalicelib.auth import service as auth
from chalicelib.kernel.errors import AlreadyExists, NotFound
from chalicelib.kernel.events import Event
from chalicelib.notifications import service as notifications
from chalicelib.notifications.service import FactRow, Notice
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.telling.subscribing import subscribe
from chalicelib.telling.whom import Concerned, Reader

__all__ = ["subscribe", "tell"]


def tell(fact: Event, at: datetime) -> None:
    """Tell a fact to everybody whom it concerns, once each, however often it comes.

    Raises:
        NotFound: if it names a record that is not there: it comes again, for it may be ahead of what is read.
    """
    concerned = Concerned(fact)
    for row in notifications.rows_of(fact):
        for reader in concerned.readers(row):
            _tell(reader, row, fact, at, concerned.about(row))


def _tell(reader: Reader, row: FactRow, fact: Event, at: datetime, about: str) -> None:
    try:
        account = auth.account(reader.account_id)
    except NotFound:
        log.warning("reader of a fact has no account", event=fact.name)
        return
    notice = Notice(
        account_id=reader.account_id,
        fact=fact.event_id,
        row=row,
        at=at,
        values=reader.values,
        about=about,
        language=account.language,
        email=account.email or "",
        phone=account.phone or "",
    )
    try:
        with UnitOfWork() as work:
            notifications.note(work, notice)
    except AlreadyExists:  # This person was told of this fact before.
        return
    metrics.count("facts_told")
