"""The balances' clock in the simulator: it runs now and then, dies, meets itself, and the index shows entries late.

It draws from a random source of its own, so that what else a seed plays does not depend on it. After each run: every
sum is what the marked entries add up to, all sums of a currency are zero, and what ``as_of`` promises is in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.ledger import balance_store, readers, service, sums
from chalicelib.ledger import store as ledger_store
from chalicelib.ledger.store import EntryRow, as_written
from chalicelib.ledger.sums import Key, Written
from chalicelib.runtime import names
from tools.sim.apart import Apart, run_beside
from tools.sim.faults import Crash
from tools.sim.storage import Key as RowKey
from tools.sim.storage import Table

if TYPE_CHECKING:
    from tools.sim.world import World

CHANCE = 0.06
LATE_S = (0, 0, 0, 0, 0, 5, 20, 45, 900, 40_000)
"""How long after an entry was written the index shows it: mostly at once, seldom after hours."""
IN_TIME_S = 45
PROMISE = "balances"


class Books:
    """Runs the balances' readers of a world, and judges what they wrote."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._own = Apart(world, "books")
        self._has_begun = False
        world.hidden = self._is_hidden

    def step(self) -> None:
        """Let the clock of the balances run, or not; it may run twice at once, and die."""
        if self._own.chance.random() >= CHANCE and self._has_begun:
            return
        self._own.faults.armed = self._own.faults.rate > 0 and self._has_begun
        self._has_begun = True  # As it does in a shop: before anything is sold.
        with self._own.playing():
            twice = self._own.chance.random() < 0.2
            try:
                run_beside(readers.run, ledger_store, "written") if twice else readers.run()
            except Crash:
                self._world.say("      the balances' clock dies")
            except Exception as error:  # It runs again in a minute.
                self._world.say(f"      the balances' clock: {type(error).__name__}")
        self.check()

    def finish(self) -> None:
        """Days later every entry is in."""
        self._own.faults.armed = False
        with self._own.playing():
            for _ in range(2):
                self._world.clock.advance(timedelta(days=2))
                readers.run()
        self.check()
        for entry in self._entries():
            if not self._is_marked(entry):
                self._world.oracle.broken(PROMISE, "an entry was never counted", entry.entry_id)

    def check(self) -> None:
        """Compare the balances with the entries."""
        with self._own.playing():
            self._own.faults.armed, armed = False, self._own.faults.armed
            for problem in self._problems():
                self._world.oracle.broken(PROMISE, problem)
            self._own.faults.armed = armed

    def _problems(self) -> Iterator[str]:
        entries = self._entries()
        marked = [entry for entry in entries if self._is_marked(entry)]
        for key, rebuilt in sums.changes(marked).items():
            kept = balance_store.load([key], 0)[key].totals
            for name in {*rebuilt, *kept}:
                if rebuilt.get(name) != kept.get(name):
                    yield f"{key[1]} {name}: kept {kept.get(name)}, the entries add up to {rebuilt.get(name)}"
        books = service.account_books()
        by_currency: dict[str, int] = {}
        for each in books.sums:
            by_currency[each.debit.currency] = by_currency.get(each.debit.currency, 0) + each.balance.minor
        if any(by_currency.values()):
            yield f"all accounts together are {by_currency}"
        if books.as_of is not None:
            yield from self._broken_words(entries, books.as_of)

    def _broken_words(self, entries: list[Written], as_of: datetime) -> Iterator[str]:
        for entry in entries:
            promised = entry.written_at is not None and entry.written_at < as_of
            if promised and self._late_s(entry.purchase_id, entry.entry_id) <= IN_TIME_S and not self._is_marked(entry):
                yield f"{entry.entry_id} was written before {as_of} and is not in"

    # --- what is there ------------------------------------------------------------------------------------------------

    def _entries(self) -> list[Written]:
        rows = self._world.storage.tables[names.table_name("ledger")].items.values()
        return [as_written(EntryRow.from_raw_data(dict(row))) for row in rows]

    def _is_marked(self, entry: Written) -> bool:
        slices = self._world.storage.tables[names.table_name("balances")].items
        row = slices.get(_row_key(entry.slice))
        return row is not None and entry.mark in _marks(row["marks"]["S"])

    def _is_hidden(self, table: Table, key: RowKey) -> bool:
        if table.name != names.table_name("ledger"):
            return False
        written_s = int(table.items[key]["written_ms"]["N"]) / 1000
        return self._world.now_s() < written_s + self._late_s(*key)

    def _late_s(self, purchase_id: str, entry_id: str) -> int:
        return random.Random(f"{self._world.seed}:{purchase_id}:{entry_id}").choice(LATE_S)  # noqa: S311


def _row_key(key: Key) -> RowKey:
    return key


def _marks(text: str) -> set[str]:
    return {text[start : start + sums.MARK] for start in range(0, len(text), sums.MARK)}


__all__ = ["Books"]
