"""How a return is changed: read, checked for a repeat, decided, and written with all that goes with it in one go.

With it go, each once: the refund, what is in stock again or taken from it, the parcel, and its order's row, which lets
go of the units when the return ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from chalicelib.inventory import service as inventory
from chalicelib.inventory.service import OutOfStock
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.logistics import service as logistics
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.payments import service as payments
from chalicelib.payments.service import RefundContext, RefundRequest, Requester, Worth
from chalicelib.returns import domain, events, store
from chalicelib.returns.domain import Cause, Entry, Payer, Reason, Return, Turn
from chalicelib.runtime import metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = ["Case", "Change", "Party", "act", "exchanging", "load", "paying", "send", "settle", "worth"]


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: the side, the account, and the id by which records are theirs (an account's or a merchant's)."""

    side: Turn
    account_id: str
    owner_id: str = ""

    def owns(self, found: Return) -> bool:
        """Say whether the return is theirs to see."""
        if self.side is Turn.OPERATOR:
            return True
        return self.owner_id == (found.buyer_id if self.side is Turn.BUYER else found.merchant_id)


@dataclass(frozen=True)
class Case:
    """What a use case decides by, each read at most once: the return; its order and its money where they matter."""

    before: Return

    @cached_property
    def order(self) -> Order:
        """Return the order."""
        return orders.load_order(self.before.order_id)

    @cached_property
    def money(self) -> RefundContext:
        """Return what a refund on it is judged by."""
        return payments.refund_context(self.order)

    def free(self, units: Mapping[str, int]) -> dict[str, int]:
        """Return of these units those that the buyer had, and was not paid for."""
        free = orders.returnable(self.order, but=self.before.return_id)
        return {line_id: min(count, free.get(line_id, 0)) for line_id, count in units.items()}

    def worth(self, units: Mapping[str, int]) -> Worth:
        """Return what these units pay back by now."""
        return payments.worth(self.money.tally(), self.free(units), freight=self.before.payer is Payer.MERCHANT)


def worth(order: Order, units: Mapping[str, int], reason: Reason) -> Worth:
    """Return what units that are not in a return yet would pay back.

    Raises:
        RefundRefused: if nobody has paid.
    """
    freight = domain.payer_of(reason) is Payer.MERCHANT
    return payments.worth(payments.refund_context(order).tally(), units, freight=freight)


@dataclass(frozen=True, slots=True)
class Change:
    """What a use case wants to commit: the return as it will stand, and what goes with it."""

    after: Return
    pays: Worth | None = None
    restocks: Mapping[str, int] | None = None
    """Units by SKU that are in stock again."""
    takes: Mapping[str, int] | None = None
    """Units by SKU that are taken from it."""
    also: Callable[[UnitOfWork, Return], Return] | None = None
    """What else is written; returns the return to save."""
    otherwise: Callable[[], Change] | None = None
    """What is done instead where the units to take are sold out."""


Decide = Callable[[Case, Entry], Change]


def load(party: Party, return_id: str, *, consistent: bool = False) -> Return:
    """Return a return of this party.

    Raises:
        NotFound: if there is none of theirs.
    """
    found = store.load(return_id, consistent=consistent)
    if not party.owns(found):
        raise NotFound(what="return")
    return found


def act(party: Party, return_id: str, text: str, intent: Intent, decide: Decide) -> tuple[Return, bool]:
    """Load, check whose it is and whether this request did it before, decide, commit; again after a lost race.

    Raises:
        NotFound: if it is not theirs; Busy: if it kept changing; and as ``decide``.
    """
    return racing(lambda: inventory.placing(lambda: _once(party, return_id, text, intent, decide)), otherwise=Busy)


Send = Callable[[Case, Entry, logistics.Met], Change]


def send(party: Party, return_id: str, intent: Intent, decide: Send) -> tuple[Return, bool]:
    """Act as :func:`act` where a tracking number is taken with it.

    Raises:
        TrackingNumberUsed: if it is another parcel's; and as :func:`act`.
    """
    return logistics.sending(
        lambda met: _once(party, return_id, "", intent, lambda case, entry: decide(case, entry, met))
    )


def _once(party: Party, return_id: str, text: str, intent: Intent, decide: Decide) -> tuple[Return, bool]:
    before = load(party, return_id, consistent=True)
    if domain.remembered(before, intent.token, intent.fingerprint):
        return before, True
    entry = Entry(
        at=clock.now(), by=party.side, what="", text=text, intent=intent.token, fingerprint=intent.fingerprint
    )
    case = Case(before)
    return commit(case, decide(case, entry)), False


def settle(return_id: str, decide: Callable[[Case, Entry], Change | None]) -> Return:
    """Act for the clock, or for what others told; None where it no longer applies.

    Raises:
        NotFound: if there is no such return; Busy: if it kept changing.
    """

    def once() -> Return:
        before = store.load(return_id)
        case = Case(before)
        change = decide(case, Entry(at=clock.now(), by=Turn.PLATFORM, what=""))
        return before if change is None else commit(case, change)

    return racing(lambda: inventory.placing(once), otherwise=Busy)


def paying(case: Case, before: Return, cause: Cause, entry: Entry, units: Mapping[str, int]) -> Change:
    """Pay back what these units are worth by now; a return for which nothing is left to pay ends.

    What came as new is in stock again, where it was not yet, and what was held for an exchange. ``before`` is the
    case's return, perhaps inspected just now.
    """
    pays = case.worth(units)
    again = _restocked(case, before, units)
    goods = _by_sku(before, again)
    if before.holds_stock:
        for sku_id, count in before.replacements().items():
            goods[sku_id] = goods.get(sku_id, 0) + count
    if not pays.amount.minor:
        after = domain.move(before, Cause.SETTLE, entry)
        return Change(_noting(after, again, holds=False), restocks=goods)
    after = domain.move(before, cause, replace(entry, amount=pays.amount))
    paid = dict(pays.units)
    parts = tuple(replace(part, paid=paid.get(part.line_id, 0)) for part in after.parts)
    noted = _noting(replace(after, parts=parts, refund=pays.amount), again, holds=False)
    return Change(noted, pays=pays, restocks=goods)


def _noting(after: Return, again: Mapping[str, int], *, holds: bool) -> Return:
    parts = tuple(replace(part, restocked=part.restocked + again.get(part.line_id, 0)) for part in after.parts)
    return replace(after, parts=parts, holds_stock=holds)


def _by_sku(before: Return, units: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in before.parts:
        if units.get(part.line_id):
            found[part.sku_id] = found.get(part.sku_id, 0) + units[part.line_id]
    return found


def _restocked(case: Case, before: Return, taken: Mapping[str, int]) -> dict[str, int]:
    """Return by line what goes back into stock with this change: what came as new of what is taken, once.

    Never more than the buyer can have had: units that turned back, or were returned before, are not the buyer's.
    """
    if before.is_restocked:
        return {}
    kept, returned = case.order.kept(), dict(case.order.returned)
    had = {line_id: min(count, kept[line_id] - returned.get(line_id, 0)) for line_id, count in taken.items()}
    return before.as_new(had)


def exchanging(case: Case, before: Return, entry: Entry) -> Change:
    """Hold what replaces the units that came; they are paid back instead where it is sold out."""
    again, wanted = _restocked(case, before, before.accepted()), before.replacements()
    goods = _by_sku(before, again)
    both = {sku_id: goods.get(sku_id, 0) - wanted.get(sku_id, 0) for sku_id in {*goods, *wanted}}
    return Change(
        _noting(domain.move(before, Cause.EXCHANGE, entry), again, holds=True),
        restocks={sku_id: count for sku_id, count in both.items() if count > 0},
        takes={sku_id: -count for sku_id, count in both.items() if count < 0},
        otherwise=lambda: paying(case, before, Cause.PAY, entry, before.accepted()),
    )


def commit(case: Case, change: Change) -> Return:
    """Write a change with all that goes with it.

    Raises:
        RefundRefused: if the money is not there.
        ConcurrentUpdate, BucketContended: if a rival was faster.
    """
    try:
        return _write(case, change)
    except OutOfStock:
        if change.otherwise is None:
            raise
        metrics.count("returns_replacement_sold_out")
        return _write(case, change.otherwise())


def _write(case: Case, change: Change) -> Return:
    before, after = case.before, change.after
    with UnitOfWork() as work:
        if change.pays is not None:
            after = replace(after, refund_id=_refund(work, case, after, change.pays))
        elif not after.is_open:
            orders.end_return(work, case.order, after.return_id)
        elif not before.is_open:
            orders.hold(work, case.order, after.return_id)
        if change.restocks:
            inventory.put_back(work, change.restocks, buckets=case.order.buckets())
        if change.takes:
            inventory.take(work, change.takes, buckets={})
        if change.also is not None:
            after = change.also(work, after)
        store.save(work, after, [_fact(after)] if after.status is not before.status else [])
    return replace(after, version=before.version + 1)


def _fact(after: Return) -> events.ReturnEvent:
    subject: dict[str, Any] = {
        "return_id": after.return_id,
        "order_id": after.order_id,
        "number": len(after.history),
    }
    if not after.is_open:
        return events.ReturnClosed(**subject, status=after.status.value)
    return events.ReturnMoved(**subject, status=after.status.value, turn=after.turn.value)


def _refund(work: UnitOfWork, case: Case, after: Return, pays: Worth) -> str:
    wanted = RefundRequest(
        order_id=after.order_id,
        reason=f"return {after.return_id}",
        amount=pays.amount,
        lines=pays.units,
        freight=pays.freight,
        returned=True,
    )
    requester = Requester(f"return#{after.return_id}", about=after.return_id)
    return payments.request_refund(work, case.money, wanted, requester).refund_id
