"""Whatever comes late, twice, unseen or in the middle of a crash: in the end balances are what a rebuild adds up to.

Played on storage in memory: an index that shows an entry late, clocks that are wrong, runs that die at any call, runs
at the same moment, readers put back, entries of the release before told any number of times.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.clock import Fixed
from chalicelib.kernel.money import Money
from chalicelib.ledger import balance_store, readers, service, store
from chalicelib.ledger.domain import Entry, Posting
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from infra.tables import table_specs
from tools.sim.storage import Key, Storage, Table

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SEEDS = 60
STEPS = 50


class Died(BaseException):
    """A process that ends between two instructions."""


class Shop:
    """A ledger whose entries become visible in the index when they do, and those who count them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.time = Fixed(NOON)
        self.visible: dict[Key, datetime] = {}
        self.entries: list[tuple[Entry, datetime]] = []
        """Each with the moment that its row says it was written."""
        self.wrong_s: tuple[int, ...] = (0, 0, 0, -40, 40, -300, 290)
        self.hidden_s: tuple[int, ...] = (0, 0, 0, 1, 20, 900, 40_000)
        specs = [{name: part for name, part in spec.items() if name != "ttl"} for spec in _specs()]
        self.storage = Storage(specs, now_s=self._now_s, late=self._late)
        self.calls_left = -1
        self.old: list[Entry] = []

    def _now_s(self) -> float:
        return self.time.moment.timestamp()

    def _late(self, _table: Table, key: Key) -> bool:
        return self.visible.get(key, self.time.moment) > self.time.moment

    def hook(self, _service: str, operation: str, params: Any, _proceed: Any) -> Any:
        self.calls_left -= 1
        if self.calls_left == 0:
            if self.chance.random() < 0.5:
                self.storage.call(operation, params)  # Done, and nobody heard of it.
            raise Died
        return self.storage.call(operation, params)

    # What happens

    def post(self) -> None:
        """Write an entry: seen at once, or late; by a clock that is right, or not; slowly, or not."""
        number = len(self.entries)
        minor = self.chance.randrange(2, 10_000)
        merchant = f"merchant:mer_{self.chance.randrange(4)}"
        sign = self.chance.choice((1, 1, -1))
        fact_at = self.time.moment - timedelta(hours=self.chance.choice((0, 0, 1, 30, 800)))
        made = Entry(f"payment.captured#pay_{number}", f"pur_{number // 3}", fact_at, (
            Posting(self.chance.choice(("clearing:sandbox", "clearing:wechatpay")), Money(sign * minor, "CNY")),
            Posting(merchant, Money(sign * (1 - minor), "CNY")),
            Posting("commission", Money(-sign, "CNY")),
        ))  # fmt: skip
        stamp = self.time.moment + timedelta(seconds=self.chance.choice(self.wrong_s))
        hidden = timedelta(seconds=self.chance.choice(self.hidden_s))
        self.visible[made.purchase_id, made.entry_id] = self.time.moment + hidden
        with clock.use(Fixed(stamp)), UnitOfWork() as work:
            store.add(work, made)
        self.entries.append((made, stamp))

    def post_as_before(self) -> None:
        """Write an entry as the release before did: it does not say when."""
        number = len(self.entries)
        made = Entry(f"old#{number}", f"pur_{number}", self.time.moment, (
            Posting("clearing:sandbox", Money(7, "CNY")), Posting("surplus", Money(-7, "CNY"))))  # fmt: skip
        with UnitOfWork() as work:
            store.add(work, made)
            row = work._operations[0].params["Item"]
            del row["written_on"], row["written_ms"]
        self.entries.append((made, self.time.moment))
        self.old.append(made)

    def tell(self) -> None:
        """Tell any entry, as often as one likes: of those that say when they were written, nothing comes of it."""
        if self.entries:
            told = self.chance.choice([*self.old, *(made for made, _ in self.entries)])
            self.dying(lambda: service.count_unstamped(told.purchase_id, told.entry_id))

    def run(self) -> None:
        """Let the readers go on; the process may die, another may run beside it."""
        self.dying(readers.run)

    def run_unharmed(self) -> None:
        """Let the readers go on."""
        readers.run()

    def beside(self) -> None:
        """Run twice at once: the second while the first has read and not yet counted."""
        real = store.written
        inner: list[Any] = []

        def reading(*arguments: Any) -> Any:
            found = real(*arguments)
            if not inner:
                inner.append(None)
                readers.run()
            return found

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store, "written", reading)
            readers.run()

    def put_back(self) -> None:
        """Put the readers back: reading again harms nothing."""
        row = balance_store.readers()
        places = balance_store.places_of(row)
        back = timedelta(seconds=self.chance.randrange(100_000))
        balance_store.save_places(row, {name: place - back for name, place in places.items()})

    def pass_time(self) -> None:
        self.time.advance(timedelta(seconds=self.chance.choice((1, 15, 60, 60, 600, 4000, 30_000))))

    def dying(self, act: Any) -> None:
        self.calls_left = self.chance.randrange(1, 14) if self.chance.random() < 0.4 else -1
        try:
            act()
        except Died:
            pass
        finally:
            self.calls_left = -1

    # What must hold

    def check(self) -> None:
        """Balances always sum to zero and never hold more than was written."""
        found = service.account_books()
        assert sum(each.balance.minor for each in found.sums) == 0
        assert counted() <= len(self.entries)

    def settle(self) -> None:
        """Let every reader pass everything, and every old entry be told."""
        for made in self.old:
            service.count_unstamped(made.purchase_id, made.entry_id)
        for _ in range(2):
            self.time.advance(timedelta(days=2))
            readers.run()


def counted() -> int:
    """Return how many entries are in the books: each debits or credits one clearing account."""
    found = {each.account: each.entries for each in service.account_books().sums}
    return sum(entries for account, entries in found.items() if account.startswith("clearing"))


def _specs() -> list[Any]:
    specs = table_specs()
    return [specs["ledger"], specs["balances"]]


@contextmanager
def opened(seed: int) -> Iterator[Shop]:
    shop = Shop(seed)
    with clock.use(shop.time), aws.hooked(shop.hook):
        yield shop


def rebuilt(entries: list[Entry]) -> dict[str, Counter[str]]:
    """Add up debits and credits by account, and by account and day, from the entries alone."""
    found: dict[str, Counter[str]] = {}
    for entry in entries:
        day = entry.at.astimezone(clock.CHINA).date().isoformat()
        for posting in entry.postings:
            names = [posting.account] + ["merchant"] * posting.account.startswith("merchant:")
            for name in names:
                sums = found.setdefault(name, Counter())
                for when in ("", day):
                    sums[f"{when} debit"] += max(posting.amount.minor, 0)
                    sums[f"{when} credit"] += max(-posting.amount.minor, 0)
    return found


def kept(account: str) -> Counter[str]:
    first, last = ((NOON + timedelta(days=days)).date() for days in (-100, 100))
    found = service.account(account, "CNY", first=first, last=last)
    sums: Counter[str] = Counter()
    for each in (found.total, *found.days):
        sums[f"{each.day} debit"] += each.debit.minor
        sums[f"{each.day} credit"] += each.credit.minor
    return sums


@pytest.mark.parametrize("seed", range(SEEDS))
def test_balances_are_what_a_rebuild_adds_up_to(seed: int) -> None:
    with opened(seed) as shop:
        acts = [shop.post] * 6 + [shop.run] * 5 + [shop.pass_time] * 4
        acts += [shop.tell, shop.post_as_before, shop.beside, shop.put_back]
        for _ in range(STEPS):
            shop.chance.choice(acts)()
            shop.check()
        shop.settle()
        expected = rebuilt([made for made, _ in shop.entries])
        assert {account: kept(account) for account in expected} == expected
        assert {each.account for each in service.account_books().sums} == {
            account for account in expected if not account.startswith("merchant:")
        }


@pytest.mark.parametrize("seed", range(20))
def test_an_answer_holds_exactly_what_was_written_before_it_says(seed: int) -> None:
    """While clocks are wrong, transactions slow and the index late by no more than the first reader's minute."""
    with opened(seed) as shop:
        shop.wrong_s, shop.hidden_s = (0, 0, -40, 40), (0, 1, 20)
        for _ in range(60):
            shop.chance.choice((shop.post, shop.post, shop.run_unharmed, shop.pass_time))()
            as_of = service.account_books().as_of
            if as_of is not None:
                assert counted() == sum(stamp < as_of for _, stamp in shop.entries)
