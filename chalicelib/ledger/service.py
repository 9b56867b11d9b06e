"""Posting into the ledger inside somebody's unit of work, and reading what it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from chalicelib.ledger import balance_store, balances, counting, store
from chalicelib.ledger.balances import Account, AccountNotFound, Books
from chalicelib.ledger.domain import (
    Entry,
    Posting,
    Proof,
    Share,
    Unbalanced,
    borne_postings,
    capture_postings,
    commission_of,
    discount_postings,
    dispute_postings,
    fee_postings,
    made_after_all_postings,
    merchant,
    offline_postings,
    owed,
    prove,
    refund_postings,
    surplus_postings,
    suspense_postings,
)
from chalicelib.ledger.sums import Sum
from chalicelib.runtime.db.work import UnitOfWork

__all__ = [
    "Account",
    "AccountNotFound",
    "Books",
    "Entry",
    "Posting",
    "Proof",
    "Share",
    "Sum",
    "Unbalanced",
    "borne_postings",
    "capture_postings",
    "commission_of",
    "discount_postings",
    "dispute_postings",
    "entries",
    "fee_postings",
    "made_after_all_postings",
    "merchant",
    "offline_postings",
    "owed",
    "post",
    "proof",
    "prove",
    "refund_postings",
    "surplus_postings",
    "suspense_postings",
]


def post(work: UnitOfWork, *, entry_id: str, purchase_id: str, at: datetime, postings: Sequence[Posting]) -> None:
    """Add a balanced entry to the work. Refused with ``AlreadyExists`` if this fact was posted before.

    Raises:
        Unbalanced: if the postings do not sum to zero.
    """
    store.add(work, Entry(entry_id=entry_id, purchase_id=purchase_id, at=at, postings=tuple(postings)))


def entries(purchase_id: str) -> list[Entry]:
    """Return all entries of a purchase, oldest first."""
    return store.entries(purchase_id)


def proof(purchase_id: str) -> Proof:
    """Return what the entries of a purchase add up to."""
    return prove(store.entries(purchase_id))


def account_books() -> Books:
    """Return the sums of every account, all merchants as one. They follow the entries within two minutes."""
    return balances.books()


def account(account: str, currency: str, *, first: date, last: date) -> Account:
    """Return one account's sums, in all and day by day.

    Raises:
        AccountNotFound: if nothing was posted to it.
    """
    return balances.account(account, currency, first=first, last=last)


def count_unstamped(purchase_id: str, entry_id: str) -> None:
    """Count an entry that does not say when it was written, which no reader finds. Once, however often it is told."""
    found = store.unstamped(purchase_id, entry_id)
    if found is not None:
        counting.count([found], balance_store.generation_of(balance_store.readers()))
