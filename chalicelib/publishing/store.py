"""What has to be published again, and what is being published: rows of shards, and one of what passes owe to lists.

A shard's row is for what is published whole, and for walks. It is idle, marked (``ids``), or at work (``taken``;
``ids`` then gathers what comes meanwhile). It tells ``shard.marked`` when it becomes marked from idle, and when work
ends that left marks behind: so a shard has one message on its way however much is marked, and marks become one pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import clock, ids
from chalicelib.kernel.clock import epoch_ms
from chalicelib.kernel.errors import Busy, RetryLater
from chalicelib.publishing.events import ShardMarked
from chalicelib.runtime import names
from chalicelib.runtime.db import dynamo, reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

MARKS_CAP: Final = 500
"""A row of 500 ids is 16 KB. Who has more to mark waits until some are published."""
FULL_WAIT_S: Final = 5
LOST_MS: Final = 20 * 60_000
"""A message that was told so long ago and led to nothing gave up: its dead letter may wait for days."""
OWED: Final = "owed"
"""The row of what passes owe: an attribute a pass, so that many at once need no condition and no repeat."""
_ENTRY: Final = "pass_"
ABANDONED_MS: Final = 180_000
"""What is owed for so long nobody is working on any more: a function ends after a minute."""


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
    told_ms = NumberAttribute(default=0)
    """When ``shard.marked`` was told last."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one pass is about."""

    shard: str
    ids: tuple[str, ...]


def _load(shard: str) -> ShardRow:
    found = reads.get(ShardRow, shard, consistent=True)
    return found if found is not None else ShardRow(shard=shard, ids=(), taken=(), version=0)


def _save(row: ShardRow, *, tell: bool) -> None:
    if tell:
        row.told_ms = epoch_ms(clock.now())
    with UnitOfWork() as work:
        work.save(row, events=[ShardMarked(row.shard, number=int(row.version) + 1)] if tell else [])


def mark(shard: str, ids: Sequence[str]) -> None:
    """Have a shard published again. What is marked already, and not being published yet, costs one read.

    A shard whose message gave up is told again, also if there is nothing new to mark.

    Raises:
        RetryLater: if so much waits there that no more can be marked.
        Busy: if others marked it all the time.
    """

    def attempt() -> None:
        row = _load(shard)
        fresh = [one for one in dict.fromkeys(ids) if one not in set(row.ids)]
        left = bool(row.ids or row.taken) and epoch_ms(clock.now()) - int(row.told_ms) > LOST_MS
        if not fresh and not left:
            return
        if fresh and row.ids and len(row.ids) + len(fresh) > MARKS_CAP and not left:
            raise RetryLater("the shard has its hands full", delay_s=FULL_WAIT_S)
        idle = not row.ids and not row.taken
        row.ids = (*row.ids, *fresh)
        _save(row, tell=idle or left)

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


# What passes owe to lists


@dataclass(frozen=True, slots=True)
class Owed:
    """Lists that were to hear of products, of passes that did not come to their end. ``entries``: all of it is here."""

    lists: Mapping[str, set[str]]
    entries: tuple[str, ...]


def owed(product_ids: Iterable[str]) -> Owed:
    """Return what is owed for these products, and all that has been left alone."""
    wanted = set(product_ids)
    row = reads.get_raw(ShardRow, OWED, consistent=True) or {}
    lists: dict[str, set[str]] = {}
    entries: list[str] = []
    for name, value in row.items():
        if not name.startswith(_ENTRY):
            continue
        found: dict[str, Any] = json.loads(value["S"])
        abandoned = epoch_ms(clock.now()) - found["ms"] > ABANDONED_MS
        ours = {one: places for one, places in found["products"].items() if abandoned or one in wanted}
        for product_id, places in ours.items():
            lists.setdefault(product_id, set()).update(found["lists"][place] for place in places)
        if len(ours) == len(found["products"]):
            entries.append(name)
    return Owed(lists, tuple(entries))


def owe(lists: Mapping[str, Iterable[str]]) -> str:
    """Write down which lists have to hear of which products, before the products are published; returns its name."""
    names_ = sorted({name for found in lists.values() for name in found})
    at = {name: place for place, name in enumerate(names_)}
    products = {product_id: sorted(at[name] for name in found) for product_id, found in lists.items()}
    text = json.dumps({"ms": epoch_ms(clock.now()), "lists": names_, "products": products}, separators=(",", ":"))
    entry = _ENTRY + ids.random_bytes(8).hex()
    _change_owed("SET #0 = :0", [entry], {":0": {"S": text}})
    return entry


def settle(entries: Iterable[str]) -> None:
    """Take away what is owed no more."""
    found = sorted(entries)
    if found:
        _change_owed("REMOVE " + ", ".join(f"#{number}" for number in range(len(found))), found, None)


def _change_owed(expression: str, entries: Sequence[str], values: dict[str, Any] | None) -> None:
    params: dict[str, Any] = {
        "TableName": ShardRow.Meta.table_name,
        "Key": {"shard": {"S": OWED}},
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {f"#{number}": entry for number, entry in enumerate(entries)},
    }
    dynamo.call("UpdateItem", params if values is None else {**params, "ExpressionAttributeValues": values})
