"""Three readers walk the entries in the order in which they were written, and count what was not counted.

The first is a minute behind the clock: by then what was written is there to be read, but for what its transaction or
the index holds up, or a clock that is wrong. So a second reads the same again when nothing written then can still come
(AWS refuses whoever's clock is off by minutes, and no function of ours runs for half an hour), and a third a day later,
whatever the index went through. What they find is counted like the rest, once, and rings: reading again never harms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.kernel.pages import Place
from chalicelib.ledger import balance_store, counting, store
from chalicelib.ledger.sums import Written
from chalicelib.runtime import lifetime, log, metrics


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads up to ``behind`` the clock, and not before there are ``every`` to read."""

    name: str
    behind: timedelta
    every: timedelta


FIRST = Reader("first", timedelta(minutes=1), timedelta())
SECOND = Reader("second", timedelta(minutes=30), timedelta(minutes=10))
THIRD = Reader("third", timedelta(hours=26), timedelta(hours=1))
READERS = (FIRST, SECOND, THIRD)

BEGIN = timedelta(days=30)
"""So far back a reader begins that never read: a day without entries costs it one call."""
BEHIND = timedelta(minutes=15)
"""The first reader rings when it is so much later than it should be."""
ENOUGH_S = 8.0
"""With less than this left a run stops where it is; the next goes on there."""


def run() -> dict[str, int]:
    """Let each reader go on from where it is; returns what each counted.

    Raises:
        ConcurrentUpdate: if another began at the same moment, the first time of all.
        Exception: the first of what stopped a reader; the others have gone on all the same.
    """
    row, now = balance_store.readers(), clock.now()
    begun = balance_store.places_of(row)
    places = {reader.name: begun.get(reader.name, now - BEGIN) for reader in READERS}
    if places != begun:  # Noted first: however long it takes to come through, what is written meanwhile is read.
        balance_store.save_places(row, places)
    generation = balance_store.generation_of(row)
    before = dict(places)
    counted: dict[str, int] = {}
    failed: list[Exception] = []
    for reader in READERS:
        try:
            counted[reader.name] = _go_on(reader, places, generation, now)
        except Exception as error:  # What stops one of them is no reason for the others to wait.
            log.error("ledger entries could not be counted", trace=True, reader=reader.name, kind=type(error).__name__)
            failed.append(error)
    if places != before:
        try:
            balance_store.save_places(row, places)
        except ConcurrentUpdate:
            log.info("balances were counted by another run already")
    _tell(counted, places, now)
    if failed:
        raise failed[0]
    return counted


def _go_on(reader: Reader, places: dict[str, datetime], generation: int, now: datetime) -> int:
    """Read and count up to where this reader may; notes how far it came, also where it is stopped half-way."""
    until = now - reader.behind
    place = places[reader.name]
    if until - place < reader.every:
        return 0
    counted = 0
    for entries, read_until in _pages(place, until):
        counted += counting.count(entries, generation)
        places[reader.name] = max(place, read_until)
        if lifetime.left_s() < ENOUGH_S:
            break
    return counted


def _pages(first: datetime, until: datetime) -> Iterator[tuple[list[Written], datetime]]:
    """Yield the entries written from ``first`` to before ``until``, and up to when there are none but those so far."""
    day = first
    while day < until:
        tomorrow = day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        end = min(until, tomorrow)
        after: Place | None = None
        while True:
            page = store.written(day.date(), first, end, after)
            entries, after = list(page.items), page.after
            if after is None:
                yield entries, end
                break
            yield entries, entries[-1].written_at or first  # Others of the same millisecond may follow.
        day = tomorrow


def _tell(counted: dict[str, int], places: dict[str, datetime], now: datetime) -> None:
    if any(counted.values()):
        metrics.count("ledger_entries_counted", sum(counted.values()))
    late = sum(fresh for name, fresh in counted.items() if name != FIRST.name)
    if late:
        log.warning("ledger entries arrived late", **counted)
        metrics.count("ledger_entries_late", late)
    if places.get(FIRST.name, now) < now - FIRST.behind - BEHIND:
        metrics.count("balances_behind")
