"""Use cases of consents: give, withdraw, look, and the one question that others ask."""

from __future__ import annotations

from contextlib import suppress

from chalicelib.consents import domain, store
from chalicelib.consents.domain import Consent, NotForChildren, Source, WordsChanged
from chalicelib.consents.purposes import MARKETING, PERSONALISATION, PURPOSES, Purpose
from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

__all__ = ["MARKETING", "PERSONALISATION", "PURPOSES", "Consent", "NotForChildren", "Purpose", "Source", "WordsChanged"]


def may(account_id: str, purpose: str) -> bool:
    """Say whether a person agrees to a purpose at this moment, in the words of today. One read; never kept in mind.

    A purpose that nobody is asked for, an account that is gone, a consent to older words: all are no.
    """
    found = store.last(account_id, purpose) if purpose in PURPOSES else None
    return found is not None and found.is_in_force()


def give(account_id: str, purpose: str, *, version: int, source: Source) -> Consent:
    """Note that a person agrees. Again changes nothing; after a withdrawal, or to new words, it is another consent.

    Raises:
        NotFound: if nobody is asked for that.
        WordsChanged: if other words are in force than those that were agreed to.
        NotForChildren: if the account is a child's.
        ConcurrentUpdate: if it kept changing.
    """
    wanted = domain.purpose_of(purpose)

    def attempt() -> Consent:
        if store.is_barred(account_id):
            raise NotForChildren
        before = store.last(account_id, purpose)
        new = domain.given(account_id, wanted, before, version=version, source=source, at=clock.now())
        if before is not None and before.is_in_force():
            return before
        with UnitOfWork() as work:
            store.save(work, new)
            if before is not None and before.withdrawn_at is None:  # To older words: those are over.
                store.save(work, domain.withdrawn(before, source=source, at=new.given_at))
        log.info("consent given", purpose=purpose, version=version)
        return new

    return racing(attempt)


def withdraw(account_id: str, purpose: str, *, source: Source) -> Consent | None:
    """Note that a person does not agree any more; returns the last consent. Again, or without any, changes nothing.

    Raises:
        NotFound: if nobody is asked for that.
        ConcurrentUpdate: if it kept changing.
    """
    domain.purpose_of(purpose)

    def attempt() -> Consent | None:
        before = store.last(account_id, purpose)
        if before is None or before.withdrawn_at is not None:
            return before
        after = domain.withdrawn(before, source=source, at=clock.now())
        with UnitOfWork() as work:
            store.save(work, after)
        log.info("consent withdrawn", purpose=purpose)
        return after

    return racing(attempt)


def current(account_id: str) -> list[tuple[Purpose, Consent | None]]:
    """Return for each purpose the last consent of a person, in force or not."""
    return [(purpose, store.last(account_id, purpose.name)) for purpose in PURPOSES.values()]


def history(account_id: str, window: Window) -> Page[Consent]:
    """Return one page of all that a person ever agreed to."""
    return store.page_of(account_id, window)


def bar(account_id: str) -> None:
    """Withdraw all, and ask for nothing any more: the account is a child's. Again changes nothing."""
    if not store.is_barred(account_id):
        with suppress(ConcurrentUpdate, AlreadyExists), UnitOfWork() as work:
            store.bar(work, account_id)
    forget(account_id)


def unbar(account_id: str) -> None:
    """Ask again: its person is a child no more. Again changes nothing."""
    if store.is_barred(account_id):
        with suppress(ConcurrentUpdate), UnitOfWork() as work:
            store.unbar(work, account_id)


def forget(account_id: str) -> None:
    """Withdraw all: the account is closed. That they were given stays, under a number that leads to nobody."""
    for purpose in PURPOSES:
        withdraw(account_id, purpose, source=Source.ERASURE)
