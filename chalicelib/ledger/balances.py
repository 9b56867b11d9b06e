"""Balances of accounts, kept by counting each entry exactly once: no scan, nothing added to a capture's transaction.

A batch of entries is one transaction: a mark for each entry (refused if it is there) and the sums of each account it
touches, for the day and for ever. Sums are spread over shards, so that two batches at once rarely meet. All merchants
together are an account of their own (``merchant``): the accounts listed are few, and they sum to zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, NotFound
from chalicelib.kernel.money import Money
from chalicelib.ledger.events import LedgerPosted
from chalicelib.ledger.store import SumRow
from chalicelib.runtime import caches
from chalicelib.runtime.db import races, reads
from chalicelib.runtime.db.work import MAX_OPERATIONS, UnitOfWork

SHARDS = 4
MERCHANTS = "merchant"
"""The account of all merchants together."""
_TOTAL = "total"
_ACCOUNTS = "accounts"
_MARKED = "counted#"


class AccountNotFound(NotFound):
    """Nothing was ever posted to such an account."""

    code = "account_not_found"
    en, zh = "Nothing was posted to account {account}.", "账户 {account} 没有任何分录。"
    shown = ("account",)


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


def accounts_of(posted: LedgerPosted) -> dict[tuple[str, str], tuple[int, int]]:
    """Return debit and credit by (account, currency) of one entry; a merchant counts for itself and for all."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for account, minor, currency in posted.postings:
        kinds = [account, MERCHANTS] if account.startswith(f"{MERCHANTS}:") else [account]
        for name in kinds:
            debit, credit = found.get((name, currency), (0, 0))
            found[(name, currency)] = (debit + max(minor, 0), credit + max(-minor, 0))
    return found


def count(posted: Sequence[LedgerPosted]) -> int:
    """Count entries that were not counted before; returns how many. All of a batch or none, once however often told.

    Raises:
        ConcurrentUpdate: if another batch counted one of them at the same moment: count again.
    """
    unique = {entry.entry_id: entry for entry in posted}
    marks = {mark_of(entry_id): entry_id for entry_id in unique}
    known = reads.get_many([(SumRow, mark, "mark") for mark in marks], consistent=True)
    fresh = [unique[entry_id] for mark, entry_id in marks.items() if (mark, "mark") not in known]
    for batch in _batches(fresh):
        _count(batch)
    return len(fresh)


def mark_of(entry_id: str) -> str:
    """Return the account under which an entry's mark stands: it is there once the entry was counted."""
    return _MARKED + ids.digest(entry_id)


def _batches(entries: Sequence[LedgerPosted]) -> Iterable[list[LedgerPosted]]:
    """Cut so that each part fits one transaction: a mark an entry, and three writes an account at most."""
    batch: list[LedgerPosted] = []
    touched: set[tuple[str, ...]] = set()
    for entry in entries:
        day = _day(entry)
        more = {(name, currency, when) for name, currency in accounts_of(entry) for when in (day, _TOTAL)}
        if batch and len(batch) + 1 + len(touched | more) > MAX_OPERATIONS:
            yield batch
            batch, touched = [], set()
        batch.append(entry)
        touched |= more
    if batch:
        yield batch


def _day(entry: LedgerPosted) -> str:
    return entry.at.astimezone(clock.CHINA).date().isoformat()


def _count(batch: Sequence[LedgerPosted]) -> None:
    sums: dict[tuple[str, str, str], list[int]] = {}
    for entry in batch:
        for (name, currency), (debit, credit) in accounts_of(entry).items():
            for when in (_day(entry), _TOTAL):
                held = sums.setdefault((name, currency, when), [0, 0, 0])
                held[0] += debit
                held[1] += credit
                held[2] += 1
    shard = ids.shard(batch[0].entry_id, SHARDS)
    _list_accounts({(name, currency) for name, currency, _ in sums})
    with UnitOfWork(f"count#{batch[0].entry_id}") as work:
        for entry in batch:
            mark = SumRow(account=mark_of(entry.entry_id), id="mark")
            work.save(mark, refuse=races.lost, label=f"mark {entry.entry_id}")
        for (name, currency, when), (debit, credit, entries) in sorted(sums.items()):
            work.update(
                SumRow(account=f"{name}#{currency}", id=f"{when}#{shard}"),
                [
                    SumRow.debit_minor.add(debit),
                    SumRow.credit_minor.add(credit),
                    SumRow.entries.add(entries),
                ],
                condition=SumRow.version.does_not_exist() | (SumRow.version > 0),
                refuse=races.lost,
                label=f"{name} {when}",
            )


_listed: set[tuple[str, str]] = set()
"""Accounts this process has seen in the list: it only grows."""


@caches.register
def forget() -> None:
    """Drop what the process remembers: when accounts change in tests."""
    _listed.clear()


def _list_accounts(wanted: set[tuple[str, str]]) -> None:
    """Put accounts on the list before they are counted: an account listed too early has a sum of nothing."""
    few = {(name, currency) for name, currency in wanted if not name.startswith(f"{MERCHANTS}:")}
    for name, currency in sorted(few - _listed):
        try:
            with UnitOfWork() as work:
                work.save(SumRow(account=_ACCOUNTS, id=f"{name}#{currency}"), label="account")
        except AlreadyExists:
            pass
        _listed.add((name, currency))


def balances() -> list[Sum]:
    """Return the sums of every account, all merchants as one: a handful, whatever was posted."""
    listed = [row.id for row in reads.query_rows(SumRow, _ACCOUNTS)]
    wanted = [(SumRow, account, f"{_TOTAL}#{shard}") for account in listed for shard in range(SHARDS)]
    found = [row for row in reads.get_many(wanted, consistent=True).values() if isinstance(row, SumRow)]
    return [_summed(account, [row for row in found if row.account == account]) for account in listed]


def balance(account: str, currency: str) -> Sum:
    """Return the sum of one account.

    Raises:
        AccountNotFound: if nothing was posted to it.
    """
    key = f"{account}#{currency}"
    rows = reads.get_many([(SumRow, key, f"{_TOTAL}#{shard}") for shard in range(SHARDS)], consistent=True)
    found = [row for row in rows.values() if isinstance(row, SumRow)]
    if not found:
        raise AccountNotFound(what="account", account=account)
    return _summed(key, found)


def days(account: str, currency: str, *, first: date, last: date) -> list[Sum]:
    """Return an account's sums of each day between two, in China's days; days without entries are absent."""
    rows = reads.query_rows(
        SumRow,
        f"{account}#{currency}",
        range_condition=SumRow.id.between(f"{first.isoformat()}#", f"{last.isoformat()}#~"),
    )
    by_day: dict[str, list[SumRow]] = {}
    for row in rows:
        by_day.setdefault(row.id.partition("#")[0], []).append(row)
    return [_summed(f"{account}#{currency}", found, day) for day, found in sorted(by_day.items())]


def _summed(key: str, rows: Sequence[SumRow], day: str = "") -> Sum:
    account, _, currency = key.rpartition("#")
    return Sum(
        account=account,
        debit=Money(sum(int(row.debit_minor) for row in rows), currency),
        credit=Money(sum(int(row.credit_minor) for row in rows), currency),
        entries=sum(int(row.entries) for row in rows),
        day=day,
    )
