"""Known bugs of virtual goods: a code that is given apart from its order, sold after it was seen, or shown too late."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("a code is taken out of its pool before its order has it")
def _take_apart() -> AbstractContextManager[Any]:
    """A process that ends in between has lost it; one that loses the race has, too."""
    from chalicelib.runtime.db.work import UnitOfWork
    from chalicelib.virtual import store

    real = store.take_code

    def take_code(_work: Any, row: Any) -> None:
        with UnitOfWork() as apart:
            real(apart, row)

    return patch.object(store, "take_code", take_code)


@BUGS.called("a code that was seen is sold again")
def _sell_again() -> AbstractContextManager[Any]:
    from chalicelib.virtual import domain

    return patch.object(domain, "goes_back", lambda part: part.code_number > 0)


@BUGS.called("a look does not mind the refund of the same moment")
def _show_all_the_same() -> AbstractContextManager[Any]:
    from chalicelib.orders import service

    return patch.object(service, "demand_unchanged", lambda _work, _order: None)
