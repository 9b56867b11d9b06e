"""Balances of accounts, as far as they are counted: no scan, and nothing added to a capture's transaction.

Entries are counted behind the ledger by the clock (``readers``). Each answer says up to when it is exact: it holds
every entry that was written before ``as_of``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from chalicelib.kernel.errors import NotFound
from chalicelib.ledger import balance_store, sums
from chalicelib.ledger.readers import FIRST
from chalicelib.ledger.sums import Sum, Totals


class AccountNotFound(NotFound):
    """Nothing was ever posted to such an account, or nothing of it is counted yet."""

    code = "account_not_found"
    en, zh = "Nothing was posted to account {account}.", "账户 {account} 没有任何分录。"
    shown = ("account",)


@dataclass(frozen=True, slots=True)
class Books:
    """The sums of every account, all merchants as one, and up to when they are exact (None: none was counted yet)."""

    sums: tuple[Sum, ...]
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Account:
    """One account: in all, on each day that was asked for (China's; days without entries are absent), exact to when."""

    total: Sum
    days: tuple[Sum, ...]
    as_of: datetime | None


def books() -> Books:
    """Return the sums of every account: one moment's, whatever is counted meanwhile."""
    as_of, generation = _kept()
    totals = balance_store.books(generation)
    return Books(tuple(sums.shown(name, totals[name]) for name in sorted(totals)), as_of)


def account(account: str, currency: str, *, first: date, last: date) -> Account:
    """Return one account's sums, in all and day by day.

    Raises:
        AccountNotFound: if nothing was posted to it.
    """
    name = f"{account}#{currency}"
    as_of, generation = _kept()
    if sums.is_merchant(account):
        by_day = balance_store.merchant_by_day(account, currency, generation)
        total = _together(by_day)
    else:
        total = balance_store.books(generation).get(name)
        by_day = {} if total is None else _of(name, balance_store.books_by_day(first, last, generation))
    if total is None:
        raise AccountNotFound(what="account", account=account)
    wanted = sorted(day for day in by_day if first.isoformat() <= day <= last.isoformat())
    return Account(
        total=sums.shown(name, total),
        days=tuple(sums.shown(name, by_day[day], day) for day in wanted),
        as_of=as_of,
    )


def _kept() -> tuple[datetime | None, int]:
    """Say up to when everything is counted, and into which generation of sums.

    Asked before the sums are read: what is counted in between is in them.
    """
    row = balance_store.readers()
    return balance_store.places_of(row).get(FIRST.name), balance_store.generation_of(row)


def _of(name: str, by_day: dict[str, dict[str, Totals]]) -> dict[str, Totals]:
    return {day: totals[name] for day, totals in by_day.items() if name in totals}


def _together(by_day: dict[str, Totals]) -> Totals | None:
    total: Totals | None = None
    for totals in by_day.values():
        total = sums.plus(total, totals)
    return total
