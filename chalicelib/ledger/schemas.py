"""Wire models of the ledger."""

from __future__ import annotations

from chalicelib.ledger.domain import Entry, Proof
from chalicelib.runtime.schema import MoneyView, Schema, Timestamp


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
