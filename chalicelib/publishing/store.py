"""The rows of shards: what has to be published again, and what is being published.

A row is idle, marked (``ids``), or at work (``taken``; ``ids`` then gathers what comes meanwhile). It tells
``shard.marked`` when it becomes marked from idle, and when work ends that left marks behind: so a shard has one message
on its way however much changes, and a burst becomes passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_ms
from chalicelib.kernel.errors import Busy, RetryLater
from chalicelib.publishing.events import ShardMarked
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

MARKS_CAP: Final = 500
"""A row of 500 ids is 16 KB. Who has more to mark waits until some are published."""
FULL_WAIT_S: Final = 5


class ShardRow(Row):
    """Key: shard."""

    class Meta:
        """Table."""

        table_name = names.table_name("publishing")
        region = region()

    shard = UnicodeAttribute(hash_key=True)
    ids: DocumentAttribute[tuple[str, ...]] = DocumentAttribute(tuple[str, ...])
    taken: DocumentAttribute[tuple[str, ...]] = DocumentAttribute(tuple[str, ...])
    passed_ms = NumberAttribute(default=0)
    """When the last pass ended."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one pass is about."""

    shard: str
    ids: tuple[str, ...]


def _load(shard: str) -> ShardRow:
    found = reads.get(ShardRow, shard, consistent=True)
    return found if found is not None else ShardRow(shard=shard, ids=(), taken=(), version=0)


def _save(row: ShardRow, *, tell: bool) -> None:
    with UnitOfWork() as work:
        work.save(row, events=[ShardMarked(row.shard, number=int(row.version) + 1)] if tell else [])


def mark(shard: str, ids: Sequence[str]) -> None:
    """Have a shard published again. What is marked already, and not being published yet, costs one read.

    Raises:
        RetryLater: if so much waits there that no more can be marked.
        Busy: if others marked it all the time.
    """

    def attempt() -> None:
        row = _load(shard)
        fresh = [one for one in dict.fromkeys(ids) if one not in set(row.ids)]
        if not fresh:
            return
        if row.ids and len(row.ids) + len(fresh) > MARKS_CAP:
            raise RetryLater("the shard has its hands full", delay_s=FULL_WAIT_S)
        idle = not row.ids and not row.taken
        row.ids = (*row.ids, *fresh)
        _save(row, tell=idle)

    racing(attempt, otherwise=Busy)


def take(shard: str, *, limit: int, rest_s: float) -> Work | None:
    """Take up to ``limit`` marks to work on; what a pass took that never ended comes first. None: nothing to do.

    Raises:
        RetryLater: if the last pass ended less than ``rest_s`` ago: what changes until then is published with it.
        Busy: if others marked it all the time.
    """

    def attempt() -> Work | None:
        row = _load(shard)
        if row.taken:
            return Work(shard, row.taken)
        if not row.ids:
            return None
        rested_ms = epoch_ms(clock.now()) - int(row.passed_ms)
        if 0 <= rested_ms < rest_s * 1000:
            raise RetryLater("published a moment ago", delay_s=max(1, round(rest_s - rested_ms / 1000)))
        row.taken, row.ids = row.ids[:limit], row.ids[limit:]
        _save(row, tell=False)
        return Work(shard, row.taken)

    return racing(attempt, otherwise=Busy)


def finish(work: Work, *, again: Iterable[str] = ()) -> bool:
    """End a pass; ``again`` is marked for the next one. Says whether a pass has to follow.

    Raises:
        Busy: if others marked it all the time.
    """

    def attempt() -> bool:
        row = _load(work.shard)
        if row.taken != work.ids:
            return False  # Another delivery of the message did the same work and was faster.
        row.taken = ()
        row.ids = tuple(dict.fromkeys((*row.ids, *again)))
        row.passed_ms = epoch_ms(clock.now())
        _save(row, tell=bool(row.ids))
        return bool(row.ids)

    return racing(attempt, otherwise=Busy)


def waiting(shard: str) -> tuple[str, ...]:
    """Return what is marked and not published yet, at work or not."""
    row = _load(shard)
    return (*row.taken, *row.ids)
