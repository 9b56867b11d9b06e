"""Something that must be written down together with whatever a block changes: the audit's line of an operator's act.

The runtime does not know what is written. It lets the first unit of work of the block carry it, so that no act is
without its line, and no line without its act. What the block reads on its way is kept for it, so that what was there
before need not be read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from chalicelib.kernel import context

if TYPE_CHECKING:
    from chalicelib.runtime.db.work import UnitOfWork

Bear = Callable[["UnitOfWork"], None]


class Witness:
    """What has to be written, until it is, and for whose request: what that one sets off in others is theirs."""

    def __init__(self, bear: Bear) -> None:
        self.bear = bear
        self.heard = False
        self.cause = _cause()


def _cause() -> tuple[str, str]:
    where = context.current()
    return where.request_id, where.cause_id


Place = tuple[str, str, str | None]
"""Table, hash key and range key of a row."""

_kept: ContextVar[dict[Place, dict[str, Any]] | None] = ContextVar("biandan_read_before", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Keep the rows that the block reads, for :func:`read_before`."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def remembers() -> bool:
    """Say whether rows that are read are kept."""
    return _kept.get() is not None


def remember(place: Place, item: dict[str, Any]) -> None:
    """Keep a row that was read, if anybody wants it; of one that is read again, the later state."""
    kept = _kept.get()
    if kept is not None:
        kept[place] = item


def read_before(place: Place) -> dict[str, Any] | None:
    """Return a row as the block read it, or None."""
    return (_kept.get() or {}).get(place)


_present: ContextVar[Witness | None] = ContextVar("biandan_witness", default=None)


def pending() -> Witness | None:
    """Return the witness that still has to be heard, if the running block has one."""
    found = _present.get()
    return found if found is not None and not found.heard and found.cause == _cause() else None


@contextmanager
def using(bear: Bear) -> Iterator[None]:
    """Let the first unit of work that the block commits also write what ``bear`` adds to it."""
    token = _present.set(Witness(bear))
    try:
        yield
    finally:
        _present.reset(token)
