"""Something that must be written down together with whatever a block changes: the audit's line of an operator's act.

The runtime does not know what is written. It lets the first unit of work of the block carry it, so that no act is
without its line, and no line without its act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

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
