"""Counting what a buyer holds unpaid, in the very transactions that place, pay and call off."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.kernel import clock
from chalicelib.orders import hold_rules, hold_store, store
from chalicelib.orders.domain import Purchase, PurchaseStatus, Sale
from chalicelib.orders.hold_rules import Hold, Holds, HoldState, Limits
from chalicelib.runtime.config import setting
from chalicelib.runtime.db.lookups import Lookup
from chalicelib.runtime.db.work import UnitOfWork

SETTING = "BIANDAN_UNPAID_LIMITS"
"""As ``hold_rules.limits_of`` reads them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account holds: as it was read, and without what does not count any more."""

    read: Holds
    kept: Holds

    @property
    def is_fresh(self) -> bool:
        """Say whether the account never paid anything."""
        return self.kept.is_fresh


def limits(of: str) -> Limits:
    """Return the limits of ``fresh`` or ``known`` accounts, or of a ``network``."""
    return hold_rules.limits_of(setting(SETTING))[of]


def lookup(account_id: str) -> Lookup[Holds]:
    """Say how it is read what an account holds, for :func:`standing`."""
    return hold_store.lookup(account_id)


def standing(read: Holds) -> Standing:
    """Return what of an account's holds still counts: one call more where something's time is over.

    A purchase still counts whose expiry waits for a silent provider, however long ago its time was over.
    """
    over = hold_rules.lapsed(read, now=clock.now())
    open_ids = store.unpaid_among([hold.purchase_id for hold in over if hold.state is HoldState.UNPAID])
    return Standing(read, hold_rules.without(read, {hold.purchase_id for hold in over} - open_ids))


def check_size(account_id: str, units: int) -> None:
    """Refuse where it is quoted what this account could never place. Reads only where a new account's most is passed.

    Raises:
        TooManyUnits: if it is too much at once.
    """
    if units > limits("fresh").units:
        hold_rules.check_size(units, limits("fresh" if hold_store.load(account_id).is_fresh else "known"))


def hold(work: UnitOfWork, standing: Standing, purchase: Purchase, *, units: int, quote: str) -> None:
    """Count a purchase in the work that places it; refused as ``ConcurrentUpdate`` if the account's row changed.

    Raises:
        TooManyUnits, TooManyUnpaid, TooManyUnpaidUnits, TooManyCalledOff: now.
        TooManyUnpaidHere: when the work is committed.
    """
    hold_rules.admit(standing.kept, units, limits("fresh" if standing.is_fresh else "known"))
    made = Hold(purchase.purchase_id, units, purchase.placed_at, quote)
    hold_store.add(work, standing.read, made, kept=standing.kept)
    if purchase.network:
        hold_store.count(work, purchase.network, units, limits("network"))


def paid(work: UnitOfWork, sale: Sale) -> None:
    """Stop counting a purchase in the work that settles it.

    One that had expired stays counted on its network's row until the day is over: it held its units for nothing.
    """
    purchase = sale.purchase
    hold_store.mark(work, purchase.buyer_id, purchase.purchase_id, HoldState.PAID)
    if purchase.network and purchase.status is PurchaseStatus.AWAITING_PAYMENT:
        hold_store.uncount(work, purchase.network, sale.units)


def called_off(work: UnitOfWork, sale: Sale) -> None:
    """Count a purchase among those called off, in the work that ends it."""
    purchase = sale.purchase
    hold_store.mark(work, purchase.buyer_id, purchase.purchase_id, HoldState.CALLED_OFF)
    if purchase.network:
        hold_store.uncount(work, purchase.network, sale.units, called_off=True)


def network_row(network: str) -> str:
    """Return the key of the row that counts what a network places today."""
    return hold_store.networks_day(network)
