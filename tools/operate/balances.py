"""Compares the balances with the ledger's entries, counts what was never counted, or makes them anew from the entries.

    BIANDAN_STAGE=prod python -m tools.operate.balances             # adds up all entries, says which balances differ
    BIANDAN_STAGE=prod python -m tools.operate.balances --mend      # counts what is not counted (docs/upgrading.md)
    BIANDAN_STAGE=prod python -m tools.operate.balances --anew      # makes others from all entries, then has them read

Each reads the whole ledger, and does no harm to a shop that is open: entries are counted once, whoever counts them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.ledger import balance_store, counting, store, sums
from chalicelib.ledger.readers import FIRST, THIRD
from chalicelib.ledger.store import EntryRow, as_written
from chalicelib.ledger.sums import Key, Totals, Written
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import races
from tools.shared import place

Say = Callable[[str], None]
Sums = dict[Key, dict[str, Totals]]

PAGE = 200
TELL_EVERY = 20_000


@dataclass(slots=True)
class Differs:
    """A sum that is not what its entries add up to."""

    key: Key
    name: str
    kept: Totals
    rebuilt: Totals


def entries(
    rows_per_second: float, say: Say, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[list[Written]]:
    """Read every entry there is, a page at a time, no faster than told."""
    params: dict[str, Any] = {"TableName": names.table_name("ledger"), "Limit": PAGE, "ConsistentRead": True}
    begun, seen = time.monotonic(), 0
    while True:
        answer = aws.call("dynamodb", "Scan", params)
        yield [as_written(EntryRow.from_raw_data(item)) for item in answer["Items"]]
        before, seen = seen, seen + len(answer["Items"])
        if seen // TELL_EVERY != before // TELL_EVERY:
            say(f"{seen} entries read")
        if "LastEvaluatedKey" not in answer:
            return
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        sleep(max(0.0, seen / rows_per_second - (time.monotonic() - begun)))


def mend(pages: Iterator[list[Written]], generation: int) -> int:
    """Count what is not counted; returns how many entries that were."""
    return sum(counting.count(page, generation) for page in pages)


def anew(pages: Iterator[list[Written]]) -> int:
    """Make other sums from all entries and have them read; returns how many entries they hold.

    The readers are put back to before it began: what was written meanwhile is counted by them.

    Raises:
        ConcurrentUpdate: if another did the same at the same moment.
    """
    begun = clock.now()
    generation = balance_store.generation_of(balance_store.readers()) + 1
    counted = mend(pages, generation)
    balance_store.save_generation(generation, back_to=begun - THIRD.behind)
    return counted


def differences(pages: Iterator[list[Written]]) -> list[Differs]:
    """Add up the entries that are counted by now, and return what differs.

    Raises:
        ConcurrentUpdate: if balances were counted at every moment at which they were looked at.
    """
    row = balance_store.readers()
    generation = balance_store.generation_of(row)
    as_of = balance_store.places_of(row).get(FIRST.name, clock.now())
    rebuilt: Sums = {}
    for page in pages:
        _add(rebuilt, [entry for entry in page if entry.written_at is None or entry.written_at < as_of])
    # What was written since is counted, or is not yet: its slices say. Nothing may be counted while they are asked.
    return races.racing(lambda: _compared_between(rebuilt, as_of, generation))


def _compared_between(rebuilt: Sums, as_of: datetime, generation: int) -> list[Differs]:
    total = (sums.BOOKS, sums.TOTAL)
    version = balance_store.load([total], generation)[total].version
    both = dict(rebuilt)
    for day in _days(as_of, clock.now()):
        page = store.written(day.date(), as_of, day + timedelta(days=1), None)
        _add(both, _counted(page.items, generation))
        while page.after is not None:
            page = store.written(day.date(), as_of, day + timedelta(days=1), page.after)
            _add(both, _counted(page.items, generation))
    found_differing = list(_compare(both, generation))
    if balance_store.load([total], generation)[total].version != version:
        raise ConcurrentUpdate
    return found_differing


def _days(first: datetime, last: datetime) -> Iterator[datetime]:
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= last:
        yield day
        day += timedelta(days=1)


def _counted(young: Sequence[Written], generation: int) -> list[Written]:
    slices = balance_store.load(dict.fromkeys(entry.slice for entry in young), generation)
    marked = {key: sums.marks(row.marks or "") for key, row in slices.items()}
    return [entry for entry in young if entry.mark in marked[entry.slice]]


def _add(to: Sums, more: list[Written]) -> None:
    for key, totals in sums.changes(more).items():
        to[key] = sums.together(to.get(key, {}), totals)


def _compare(rebuilt: Sums, generation: int) -> Iterator[Differs]:
    nothing: Totals = (0, 0, 0)
    keys = list(rebuilt)
    for start in range(0, len(keys), 100):
        rows = balance_store.load(keys[start : start + 100], generation)
        for key, row in rows.items():
            for name in sorted({*rebuilt[key], *row.totals}):
                kept, wanted = row.totals.get(name, nothing), rebuilt[key].get(name, nothing)
                if kept != wanted:
                    yield Differs(key, name, kept, wanted)


def main(arguments: list[str] | None = None) -> int:
    """Compare, mend or make anew; exits with 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--mend", action="store_true", help="count what was never counted")
    what.add_argument("--anew", action="store_true", help="make the balances anew from all entries")
    parser.add_argument("--rows-per-second", type=float, default=500.0)
    options = parser.parse_args(arguments)
    if options.rows_per_second <= 0:
        parser.error("the rate is more than nothing")

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    try:
        say(place.settle())
    except place.Nowhere as error:
        say(f"balances: {error}")
        return 1
    pages = entries(options.rows_per_second, say)
    if options.mend:
        print(
            f"{mend(pages, balance_store.generation_of(balance_store.readers()))} entries were not counted, and are now"
        )
        return 0
    if options.anew:
        print(f"the balances are made anew from {anew(pages)} entries")
        return 0
    found = differences(pages)
    for each in found:
        print(f"{each.key[0]} {each.key[1]} {each.name}: kept {each.kept}, the entries add up to {each.rebuilt}")
    print("balances are what the entries add up to" if not found else f"{len(found)} sums differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
