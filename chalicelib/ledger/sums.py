"""What entries add to the sums of accounts, and how each is known by: pure, the same for whoever adds, and whenever.

Accounts are few but for merchants', so all of them together are one row, and one row more a day. A merchant has a row a
month of its own. Beside its own, a merchant counts in ``merchant``, the account of all merchants together: so what is
listed is short, and sums to zero.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money

MERCHANTS = "merchant"
"""The account of all merchants together."""
BOOKS = "books"
"""Hash key of the rows that hold every account but single merchants'."""
TOTAL = "total"
DAY, MONTH = "day#", "month#"
MARK = 16
"""Characters of an entry's mark: 96 bits, unlike those of the few thousand that share its slice."""

Key = tuple[str, str]
"""A row's hash and range key."""
Totals = tuple[int, int, int]
"""Debit, credit, entries."""
Posted = tuple[str, int, str]
"""Account, minor units, currency."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What an account took and gave, of one currency: ``balance`` is debits less credits."""

    account: str
    debit: Money
    credit: Money
    entries: int
    day: str = ""

    @property
    def balance(self) -> Money:
        """Return debits less credits."""
        return self.debit - self.credit


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as counting needs it. ``written_at`` is when the row was made; rows of old do not say."""

    purchase_id: str
    entry_id: str
    at: datetime
    postings: tuple[Posted, ...]
    written_at: datetime | None

    @property
    def mark(self) -> str:
        """Return what it is known by in its slice."""
        hashed = hashlib.sha256(f"{self.purchase_id}\n{self.entry_id}".encode()).digest()
        return base64.urlsafe_b64encode(hashed[: MARK * 6 // 8]).decode()

    @property
    def slice(self) -> Key:
        """Return the row that says whether it was counted: that of the ten seconds it was written in, always the same.

        One that does not say when it was written has its place by its fact's time, apart from the others.
        """
        name, moment = ("slice", self.written_at) if self.written_at is not None else ("unstamped", self.at)
        text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return f"{name}#{text[:10]}", f"{text[11:18]}0"


def marks(text: str) -> set[str]:
    """Return the marks that a slice's row holds."""
    return {text[start : start + MARK] for start in range(0, len(text), MARK)}


def changes(entries: Iterable[Written]) -> dict[Key, dict[str, Totals]]:
    """Return what entries add: to which rows, under which of their names."""
    found: dict[Key, dict[str, Totals]] = {}
    for entry in entries:
        day = entry.at.astimezone(clock.CHINA).date().isoformat()
        for (account, currency), more in _added(entry).items():
            for key, name in _places(account, currency, day):
                row = found.setdefault(key, {})
                row[name] = plus(row.get(name), more)
    return found


def _added(entry: Written) -> dict[tuple[str, str], Totals]:
    """Return what one entry adds, by account and currency; a merchant counts for itself and for all."""
    found: dict[tuple[str, str], Totals] = {}
    for account, minor, currency in entry.postings:
        for name in (account, MERCHANTS) if is_merchant(account) else (account,):
            debit, credit, _ = found.get((name, currency), (0, 0, 0))
            found[name, currency] = (debit + max(minor, 0), credit + max(-minor, 0), 1)
    return found


def _places(account: str, currency: str, day: str) -> Iterator[tuple[Key, str]]:
    name = f"{account}#{currency}"
    if is_merchant(account):
        yield (name, MONTH + day[:7]), day[8:]
        return
    yield (BOOKS, TOTAL), name
    yield (BOOKS, DAY + day), name


def is_merchant(account: str) -> bool:
    """Say whether an account is a single merchant's."""
    return account.startswith(f"{MERCHANTS}:")


def plus(one: Totals | None, other: Totals) -> Totals:
    """Add two totals."""
    return other if one is None else (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def together(one: Mapping[str, Totals], other: Mapping[str, Totals]) -> dict[str, Totals]:
    """Add two rows' totals, name by name."""
    return {**one, **{name: plus(one.get(name), more) for name, more in other.items()}}


def shown(name: str, totals: Totals, day: str = "") -> Sum:
    """Return totals under the name ``<account>#<currency>`` as a sum."""
    account, _, currency = name.rpartition("#")
    debit, credit, entries = totals
    return Sum(account=account, debit=Money(debit, currency), credit=Money(credit, currency), entries=entries, day=day)
