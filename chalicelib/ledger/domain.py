"""Double entry: an entry's postings sum to zero in each currency, or there is no entry. Debits are positive.

Accounts: ``clearing:<provider>`` (what a provider holds for us), ``merchant:<id>`` (what a merchant is owed),
``commission`` (ours), ``surplus`` (captured, owed back to the payer), ``fees:<provider>`` (what it keeps for its
service), ``goodwill`` (what we bear of refunds that we decided at our own cost), ``disputes:<provider>`` (what it holds
back because payers' banks contest it), ``discounts:<provider>`` (what we bear of the discounts that it gave to buyers),
``offline`` (owed back to buyers another way than through the provider), ``bank`` (our own
account at a bank: what left it by hand).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money

BASIS = 10_000
COMMISSION = "commission"
SURPLUS = "surplus"
GOODWILL = "goodwill"
OFFLINE = "offline"
BANK = "bank"
SUSPENSE = "suspense"
"""Money on a provider's account whose number is none of ours: in the books until somebody says whose it is."""
_ACCOUNT = re.compile(r"[a-z]+(:[a-z0-9_]+)?")


class Unbalanced(ShopError):
    """A fault of ours: the postings do not sum to zero. Nothing is written."""

    code, status = "unbalanced_entry", 500
    en, zh = "The postings of {entry_id} do not balance.", "分录 {entry_id} 借贷不平衡。"


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a movement: a debit if positive, a credit if negative."""

    account: str
    amount: Money

    def __post_init__(self) -> None:
        if not _ACCOUNT.fullmatch(self.account):
            raise ValueError(f"not an account: {self.account!r}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact's movements. ``entry_id`` is the fact (``payment.captured#pay_…``), so none is posted twice."""

    entry_id: str
    purchase_id: str
    at: datetime
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if len(self.postings) < 2 or any(balances(self.postings, by_account=False).values()):
            raise Unbalanced(entry_id=self.entry_id)


@dataclass(frozen=True, slots=True)
class Share:
    """What the ledger needs to know of an order to split its money."""

    merchant_id: str
    total: Money
    commission_bps: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What the entries of a purchase add up to. ``balanced`` can only be false if a row was changed behind our back."""

    entries: int
    balanced: bool
    balances: tuple[tuple[str, Money], ...]


def clearing(provider: str) -> str:
    """Return the account of what a provider holds for us."""
    return f"clearing:{provider}"


def merchant(merchant_id: str) -> str:
    """Return the account of what a merchant is owed."""
    return f"merchant:{merchant_id}"


def commission_of(total: Money, commission_bps: int) -> Money:
    """Return our commission on an order: the largest-remainder split of its total between merchant and us."""
    return total.split([BASIS - commission_bps, commission_bps])[1]


def capture_postings(provider: str, shares: Sequence[Share]) -> tuple[Posting, ...]:
    """Return the postings of a capture that pays for these orders."""
    postings: list[Posting] = []
    whole = sum(share.total.minor for share in shares)
    currency = shares[0].total.currency
    kept = 0
    for share in shares:
        ours = commission_of(share.total, share.commission_bps)
        kept += ours.minor
        postings.append(Posting(merchant(share.merchant_id), ours - share.total))
    postings.append(Posting(COMMISSION, Money(-kept, currency)))
    return (Posting(clearing(provider), Money(whole, currency)), *_moving(postings))


def refund_postings(provider: str, share: Share, *, before: Money, amount: Money) -> tuple[Posting, ...]:
    """Return the postings of a refund on an order of which ``before`` was refunded already.

    The commission given back follows the refunded part of the total, rounded down on the running sum: whatever the
    parts and their order, once everything is refunded exactly the whole commission has been given back.
    """
    ours = _given_back(share, before + amount) - _given_back(share, before)
    return (
        Posting(clearing(provider), -amount),
        *_moving([Posting(merchant(share.merchant_id), amount - ours), Posting(COMMISSION, ours)]),
    )


def _given_back(share: Share, refunded: Money) -> Money:
    whole = commission_of(share.total, share.commission_bps)
    return Money(whole.minor * refunded.minor // share.total.minor if share.total else 0, whole.currency)


def _moving(postings: Sequence[Posting]) -> tuple[Posting, ...]:
    return tuple(posting for posting in postings if posting.amount)


def borne_postings(merchant_id: str, amount: Money) -> tuple[Posting, ...]:
    """Return the postings by which we bear what a refund took from a merchant (negative: the merchant does again)."""
    return (Posting(GOODWILL, amount), Posting(merchant(merchant_id), -amount))


def surplus_postings(provider: str, amount: Money) -> tuple[Posting, ...]:
    """Return the postings of money that nobody waited for (negative: that went back)."""
    return (Posting(clearing(provider), amount), Posting(SURPLUS, -amount))


def owed(provider: str, postings: Sequence[Posting]) -> tuple[Posting, ...]:
    """Return the postings of a refund that the provider cannot make: we owe what it would have paid."""
    return tuple(
        Posting(OFFLINE, posting.amount) if posting.account == clearing(provider) else posting for posting in postings
    )


def offline_postings(amount: Money) -> tuple[Posting, ...]:
    """Return the postings of an owed refund that was paid by hand."""
    return (Posting(OFFLINE, amount), Posting(BANK, -amount))


def made_after_all_postings(provider: str, amount: Money) -> tuple[Posting, ...]:
    """Return the postings of an owed refund that the provider made after all."""
    return (Posting(OFFLINE, amount), Posting(clearing(provider), -amount))


def suspense_postings(provider: str, amount: Money) -> tuple[Posting, ...]:
    """Return the postings of money under a number of nobody's (negative: it was placed, or is gone)."""
    return (Posting(clearing(provider), amount), Posting(SUSPENSE, -amount))


def disputes(provider: str) -> str:
    """Return the account of what a provider holds back because payers' banks contest it, or took for good."""
    return f"disputes:{provider}"


def dispute_postings(provider: str, amount: Money) -> tuple[Posting, ...]:
    """Return the postings of money that a provider holds back over a dispute (negative: that it gives back)."""
    return (Posting(clearing(provider), -amount), Posting(disputes(provider), amount))


def fees(provider: str) -> str:
    """Return the account of what a provider keeps for its service."""
    return f"fees:{provider}"


def fee_postings(provider: str, amount: Money) -> tuple[Posting, ...]:
    """Return the postings of a fee that the provider kept (negative: that it gave back)."""
    return (Posting(clearing(provider), -amount), Posting(fees(provider), amount))


def discounts(provider: str) -> str:
    """Return the account of what we bear of the discounts that a provider gave to buyers."""
    return f"discounts:{provider}"


def discount_postings(provider: str, amount: Money) -> tuple[Posting, ...]:
    """Return the postings of a discount that the provider keeps from us (negative: that it gives back)."""
    return (Posting(clearing(provider), -amount), Posting(discounts(provider), amount))


def balances(postings: Sequence[Posting], *, by_account: bool = True) -> dict[tuple[str, str], int]:
    """Return the sums by (account or "", currency)."""
    sums: dict[tuple[str, str], int] = {}
    for posting in postings:
        key = (posting.account if by_account else "", posting.amount.currency)
        sums[key] = sums.get(key, 0) + posting.amount.minor
    return sums


def prove(entries: Sequence[Entry]) -> Proof:
    """Add up all entries of a purchase."""
    postings = [posting for entry in entries for posting in entry.postings]
    sums = balances(postings)
    return Proof(
        entries=len(entries),
        balanced=not any(balances(postings, by_account=False).values()),
        balances=tuple((account, Money(minor, currency)) for (account, currency), minor in sorted(sums.items())),
    )
