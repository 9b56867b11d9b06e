"""Counting what a buyer holds unpaid, in the transactions that place and call off; paying leaves it to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.kernel import clock
from chalicelib.orders import hold_rules, hold_store, store
from chalicelib.orders.domain import Purchase, PurchaseStatus, Sale
from chalicelib.orders.hold_rules import Hold, Holds, HoldState, Limits, TooManyUnpaid, TooManyUnpaidUnits
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
    looked: bool
    """Whether the purchases themselves said which of them are unpaid."""

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
    """Return what an account holds: one call more where its purchases have to say what became of them."""
    now = clock.now()
    found = Standing(read, hold_rules.kept(read, now=now), looked=False)
    return _looked(found) if hold_rules.must_look(found.kept, now=now) else found


def _looked(standing: Standing) -> Standing:
    """Return what the account holds once its purchases said what became of them.

    Whoever pays one of them meanwhile makes it only less. Whoever calls one off changes the account's row.
    """
    found = store.purchases([hold.purchase_id for hold in standing.kept.unpaid()])
    kept = hold_rules.known(
        standing.kept,
        paid={one.purchase_id for one in found if one.status is PurchaseStatus.PAID},
        waiting={one.purchase_id for one in found if one.status is PurchaseStatus.AWAITING_PAYMENT},
        now=clock.now(),
    )
    return Standing(standing.read, kept, looked=True)


def check_size(account_id: str, units: int) -> None:
    """Refuse where it is quoted what this account could never place. Reads only where a new account's most is passed.

    Raises:
        TooManyUnits: if it is too much at once.
    """
    if units > limits("fresh").units:
        hold_rules.check_size(units, limits("fresh" if standing(hold_store.load(account_id)).is_fresh else "known"))


def hold(
    work: UnitOfWork, standing: Standing, purchase: Purchase, *, units: int, quote: str, crowded: bool = False
) -> None:
    """Count a purchase in the work that places it; refused as ``ConcurrentUpdate`` if the account's row changed.

    ``crowded`` says that its network seemed to hold too much: then its purchases are asked what became of them.

    Raises:
        TooManyUnits, TooManyUnpaid, TooManyUnpaidUnits, TooManyCalledOff: now.
        TooManyUnpaidHere: when the work is committed, or now where it is ``crowded``.
    """
    admitted = _admitted(standing, units)
    made = Hold(purchase.purchase_id, units, purchase.placed_at, quote)
    hold_store.add(work, admitted.read, made, kept=admitted.kept)
    if not purchase.network:
        return
    if crowded:
        _hold_in_a_crowd(work, purchase, units)
    else:
        hold_store.count(work, purchase.network, purchase.purchase_id, units, limits("network"))


def _admitted(standing: Standing, units: int) -> Standing:
    """Return the standing that has room for so many units: if it seems to have none, once somebody looked."""
    try:
        hold_rules.admit(standing.kept, units, _limits_of(standing))
    except (TooManyUnpaid, TooManyUnpaidUnits):
        if standing.looked:
            raise
        standing = _looked(standing)
        hold_rules.admit(standing.kept, units, _limits_of(standing))
    return standing


def _limits_of(standing: Standing) -> Limits:
    return limits("fresh" if standing.is_fresh else "known")


def _hold_in_a_crowd(work: UnitOfWork, purchase: Purchase, units: int) -> None:
    read = hold_store.load_crowd(purchase.network)
    kept = read.without(_paid_in_time(read.listed))
    hold_rules.admit_here(kept, units, limits("network"), wait_s=hold_store.window_left_s())
    hold_store.recount(work, read, kept, purchase.purchase_id, units)


def _paid_in_time(purchase_ids: Iterable[str]) -> list[str]:
    """Return which of the purchases were paid in time: one that ran out first held its units for nothing."""
    return [
        one.purchase_id
        for one in store.purchases(list(purchase_ids))
        if one.status is PurchaseStatus.PAID
        and PurchaseStatus.EXPIRED.value not in {change.status for change in one.history}
    ]


def paid(work: UnitOfWork, sale: Sale) -> None:
    """Note a purchase as paid in the work that settles it, if it had run out; one paid in time is learned of later.

    Late money may come when nobody remembers the hold any more, and it says of the account all the same that it paid.
    The network counts it on until the day is over: it held its units for nothing.
    """
    purchase = sale.purchase
    if purchase.status is not PurchaseStatus.AWAITING_PAYMENT:
        hold_store.mark(work, purchase.buyer_id, purchase.purchase_id, HoldState.PAID)


def called_off(work: UnitOfWork, sale: Sale) -> None:
    """Count a purchase among those called off, in the work that ends it."""
    purchase = sale.purchase
    hold_store.mark(work, purchase.buyer_id, purchase.purchase_id, HoldState.CALLED_OFF)
    if purchase.network:
        hold_store.call_off(work, purchase.network, purchase.purchase_id, sale.units)


def network_row(network: str) -> str:
    """Return the key of the row that counts what a network places today."""
    return hold_store.networks_day(network)
