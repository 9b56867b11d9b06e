"""Use cases of merchants, and the terms that catalog and checkout ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, NotFound
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.merchants import domain, events, store
from chalicelib.merchants.domain import Contact, Merchant, MerchantSuspended, Status, Terms
from chalicelib.merchants.standing import is_suspended
from chalicelib.runtime import caches
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = ["Contact", "Merchant", "MerchantSuspended", "Status", "Terms", "is_suspended"]

KEEP_S = 60
"""A change of terms reaches every warm process within this time."""
STANDING_KEEP_S = 5
"""A suspension reaches what every warm process shows within this time."""
REMEMBERED = 10_000

_terms: dict[str, tuple[float, Terms]] = {}
_changes = [0]
"""Counts this process's own changes: whoever remembers what follows from terms asks again after one."""


@dataclass(frozen=True, slots=True)
class NewMerchant:
    """What an operator says of a new merchant."""

    name: str
    contact: Contact
    freight: Money
    free_freight_from: Money | None = None
    commission_bps: int = 0
    currency: str = "CNY"
    description: str = ""
    logo: str | None = None


def create(new: NewMerchant, *, intent: Intent) -> tuple[Merchant, bool]:
    """Create a merchant. Returns it, and whether this intent had created it before.

    Raises:
        BadTerms, CurrencyMismatch: if freight or commission are out of bounds.
        IdempotencyKeyReused: if the key created another merchant.
    """
    merchant = domain.checked(
        Merchant(
            merchant_id=intent.record_id("mer"),
            name=new.name,
            reached_at=Later.of(new.contact),
            freight=new.freight,
            free_freight_from=new.free_freight_from,
            commission_bps=new.commission_bps,
            currency=new.currency,
            created_at=clock.now(),
            description=new.description,
            logo=new.logo,
            fingerprint=intent.fingerprint,
        )
    )
    try:
        with UnitOfWork(f"create#{merchant.merchant_id}") as work:
            work.save(store.row(merchant), events=[events.MerchantCreated(merchant_id=merchant.merchant_id)])
    except AlreadyExists as refusal:
        before = store.existing(refusal)
        intent.check(before.fingerprint)
        return before, True
    return replace(merchant, version=1), False


def load(merchant_id: str) -> Merchant:
    """Return one merchant.

    Raises:
        NotFound: if there is none.
    """
    merchant = store.load(merchant_id)
    if merchant is None:
        raise NotFound(what="merchant")
    return merchant


def change(merchant_id: str, changes: dict[str, Any]) -> Merchant:
    """Set the named fields of a merchant (those of :class:`NewMerchant`, and ``status``).

    Raises:
        NotFound: if there is none.
        BadTerms, CurrencyMismatch: if freight or commission are out of bounds.
    """
    fields = {name: value for name, value in changes.items() if name not in ("status", "contact")}
    if "contact" in changes:
        fields["reached_at"] = Later.of(changes["contact"])

    def apply(merchant: Merchant) -> Merchant:
        moved = domain.move(merchant, Status(changes.get("status", merchant.status)))
        return domain.checked(replace(moved, **fields))

    return racing(lambda: _change(merchant_id, apply))


def _change(merchant_id: str, apply: Callable[[Merchant], Merchant]) -> Merchant:
    merchant = store.load(merchant_id, consistent=True)
    if merchant is None:
        raise NotFound(what="merchant")
    changed = apply(merchant)
    if changed == merchant:
        return merchant
    told: list[events.MerchantChanged | events.MerchantSuspended | events.MerchantReinstated] = []
    if changed.status is merchant.status:
        told.append(events.MerchantChanged(merchant_id=merchant_id, change=merchant.version + 1))
    else:
        kind = events.MerchantSuspended if changed.status is Status.SUSPENDED else events.MerchantReinstated
        told.append(kind(merchant_id=merchant_id, change=changed.status_changes))
    with UnitOfWork() as work:
        work.save(store.row(changed), events=told)
        work.after_commit(lambda: _forget_one(merchant_id))
    return replace(changed, version=merchant.version + 1)


def currency_of(merchant_id: str) -> str:
    """Return the currency a merchant sells in, remembered with its terms; the platform's for one that is unknown."""
    known = terms([merchant_id]).get(merchant_id)
    return known.freight.currency if known is not None else Money(0).currency


def terms(merchant_ids: Iterable[str]) -> dict[str, Terms]:
    """Return the terms of those merchants that exist, remembered for a minute.

    Unknown ids are absent, and asked again the next time.
    """
    return _terms_of(merchant_ids, keep_s=KEEP_S)


def _terms_of(merchant_ids: Iterable[str], *, keep_s: int) -> dict[str, Terms]:
    now_s = clock.now().timestamp()
    old_s = KEEP_S - keep_s
    wanted = dict.fromkeys(merchant_ids)
    found = {key: held[1] for key in wanted if (held := _terms.get(key)) is not None and now_s < held[0] - old_s}
    missing = [key for key in wanted if key not in found]
    if missing:
        for merchant in store.load_many(missing):
            found[merchant.merchant_id] = domain.terms_of(merchant)
            if len(_terms) >= REMEMBERED:
                _terms.clear()
            _terms[merchant.merchant_id] = (now_s + KEEP_S, found[merchant.merchant_id])
    return found


def suspended(merchant_ids: Iterable[str]) -> set[str]:
    """Return which of the merchants are suspended: their goods are shown to nobody. Remembered for seconds."""
    found = _terms_of(merchant_ids, keep_s=STANDING_KEEP_S)
    return {merchant_id for merchant_id, terms_ in found.items() if terms_.status == Status.SUSPENDED}


def suspended_now(merchant_ids: Iterable[str]) -> set[str]:
    """Return which of the merchants are suspended, read anew: what is published stays so for long."""
    found = store.load_many(merchant_ids, consistent=True)
    return {merchant.merchant_id for merchant in found if merchant.status is Status.SUSPENDED}


def load_now(merchant_id: str) -> Merchant | None:
    """Return a merchant as it is at this moment."""
    return store.load(merchant_id, consistent=True)


def changes() -> int:
    """Return a number that is another one after each change this process made."""
    return _changes[0]


def _forget_one(merchant_id: str) -> None:
    _terms.pop(merchant_id, None)
    _changes[0] += 1


@caches.register
def forget() -> None:
    """Drop the remembered terms."""
    _terms.clear()
