"""Known bugs of the balances: what is passed before it can be seen, counted twice, or half counted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("balances go past an entry that cannot be seen yet")
def _never_look_back() -> AbstractContextManager[Any]:
    from chalicelib.ledger import readers

    return patch.object(readers, "READERS", (readers.FIRST,))


@BUGS.called("balances say that they are exact up to now")
def _read_too_early() -> AbstractContextManager[Any]:
    from chalicelib.ledger import readers

    return patch.object(readers, "READERS", (replace(readers.FIRST, behind=timedelta()), *readers.READERS[1:]))


@BUGS.called("an entry is counted each time it is read")
def _count_again() -> AbstractContextManager[Any]:
    from chalicelib.ledger import sums

    return patch.object(sums, "marks", lambda _text: set[str]())


@BUGS.called("entries are marked in one write and counted in another")
def _mark_first() -> AbstractContextManager[Any]:
    from chalicelib.ledger import balance_store, counting, sums
    from chalicelib.runtime.db.work import UnitOfWork

    def halves(part: Sequence[sums.Written], generation: int) -> int:
        slices = balance_store.load(dict.fromkeys(entry.slice for entry in part), generation)
        known = {key: sums.marks(row.marks or "") for key, row in slices.items()}
        fresh = [entry for entry in part if entry.mark not in known[entry.slice]]
        with UnitOfWork() as work:
            for key, row in slices.items():
                balance_store.save_marks(work, row, "".join(e.mark for e in fresh if e.slice == key))
        changes = sums.changes(fresh)
        rows = balance_store.load(changes, generation)
        with UnitOfWork() as work:
            for key, added in changes.items():
                balance_store.save_sums(work, rows[key], added)
        return len(fresh)

    return patch.object(counting, "_count", halves)
