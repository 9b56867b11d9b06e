"""Wire models of the ledger."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import StringConstraints, model_validator

from chalicelib.kernel.money import Money
from chalicelib.ledger.balances import Account, Books
from chalicelib.ledger.domain import Entry, Proof
from chalicelib.ledger.sums import Sum
from chalicelib.runtime.schema import Day, MoneyView, Schema, Timestamp, refusal


class PostingView(Schema):
    """One side of a movement: a debit if positive, a credit if negative."""

    account: str
    amount: MoneyView


class EntryView(Schema):
    """One fact and its movements."""

    entry_id: str
    at: Timestamp
    postings: list[PostingView]


class LedgerView(Schema):
    """All entries of a purchase, oldest first, and what they add up to."""

    purchase_id: str
    balanced: bool
    balances: list[PostingView]
    entries: list[EntryView]

    @classmethod
    def of(cls, purchase_id: str, entries: list[Entry], proof: Proof) -> LedgerView:
        """Return the wire form."""
        return cls(
            purchase_id=purchase_id,
            balanced=proof.balanced,
            balances=[PostingView(account=account, amount=MoneyView.of(sum_)) for account, sum_ in proof.balances],
            entries=[
                EntryView(
                    entry_id=entry.entry_id,
                    at=entry.at,
                    postings=[
                        PostingView(account=posting.account, amount=MoneyView.of(posting.amount))
                        for posting in entry.postings
                    ],
                )
                for entry in entries
            ],
        )


class SumView(Schema):
    """What an account took (debit) and gave (credit); ``balance`` is debits less credits."""

    account: str
    debit: MoneyView
    credit: MoneyView
    balance: MoneyView
    entries: int
    day: Day | None = None

    @classmethod
    def of(cls, found: Sum) -> SumView:
        """Return the wire form."""
        return cls(
            account=found.account,
            debit=MoneyView.of(found.debit),
            credit=MoneyView.of(found.credit),
            balance=MoneyView.of(found.balance),
            entries=found.entries,
            day=date.fromisoformat(found.day) if found.day else None,
        )


class BalancesView(Schema):
    """Every account, all merchants as one (``merchant``), and what they sum to: zero in each currency.

    They hold every entry that was written before ``as_of``, which is one to three minutes ago; it is missing while
    none was ever counted.
    """

    items: list[SumView]
    sums: list[MoneyView]
    balanced: bool
    as_of: Timestamp | None = None

    @classmethod
    def of(cls, found: Books) -> BalancesView:
        """Return the wire form."""
        sums: dict[str, int] = {}
        for each in found.sums:
            sums[each.balance.currency] = sums.get(each.balance.currency, 0) + each.balance.minor
        return cls(
            items=[SumView.of(each) for each in found.sums],
            sums=[MoneyView.of(Money(minor, currency)) for currency, minor in sorted(sums.items())],
            balanced=not any(sums.values()),
            as_of=found.as_of,
        )


class DaysQuery(Schema):
    """Which days (China's), the last included, of which currency."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "CNY"
    first: Day
    last: Day

    @model_validator(mode="after")
    def _bounded(self) -> DaysQuery:
        if not 0 <= (self.last - self.first).days <= 366:
            raise refusal("bad_period", "asks for less than one day, or more than a year")
        return self


class DaysView(Schema):
    """An account: what it sums to in all, and on each day. Every entry that was written before ``as_of`` is in it."""

    total: SumView
    days: list[SumView]
    as_of: Timestamp | None = None

    @classmethod
    def of(cls, found: Account) -> DaysView:
        """Return the wire form."""
        return cls(total=SumView.of(found.total), days=[SumView.of(each) for each in found.days], as_of=found.as_of)
