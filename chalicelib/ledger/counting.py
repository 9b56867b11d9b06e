"""Counts entries into the sums of accounts: each exactly once, whoever tells of it, in whatever order, however often.

The slice that an entry was written in says whether it was counted. Slice and sums change in one transaction, each under
the version that was read: whoever counts beside somebody else, or again after a crash, is refused or finds it done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from chalicelib.ledger import balance_store, sums
from chalicelib.ledger.sums import Key, Written
from chalicelib.runtime.db import races
from chalicelib.runtime.db.work import MAX_OPERATIONS, UnitOfWork


def count(entries: Sequence[Written], generation: int) -> int:
    """Count those entries that were not counted before; returns how many. Each part is counted whole or not at all.

    ``generation`` says into which sums: those that the readers' row names, or those that a rebuild makes.

    Raises:
        ConcurrentUpdate: if somebody else counted at the same moment, again and again: count again.
    """
    return sum(races.racing(partial(_count, part, generation)) for part in _parts(entries))


def _parts(entries: Sequence[Written]) -> Iterator[list[Written]]:
    """Cut so that each part fits one transaction: the slices and the rows of sums it touches."""
    part: list[Written] = []
    touched: set[Key] = set()
    for entry in entries:
        more = {entry.slice, *sums.changes([entry])}
        if part and len(touched | more) > MAX_OPERATIONS:
            yield part
            part, touched = [], set()
        part.append(entry)
        touched |= more
    if part:
        yield part


def _count(part: Sequence[Written], generation: int) -> int:
    slices = balance_store.load(dict.fromkeys(entry.slice for entry in part), generation)
    known = {key: sums.marks(row.marks or "") for key, row in slices.items()}
    fresh = {(entry.slice, entry.mark): entry for entry in part if entry.mark not in known[entry.slice]}
    if not fresh:
        return 0
    changes = sums.changes(fresh.values())
    rows = balance_store.load(changes, generation)
    with UnitOfWork() as work:
        for key, row in slices.items():
            more = "".join(mark for of, mark in fresh if of == key)
            if more:
                balance_store.save_marks(work, row, more)
        for key, added in changes.items():
            balance_store.save_sums(work, rows[key], added)
    return len(fresh)
