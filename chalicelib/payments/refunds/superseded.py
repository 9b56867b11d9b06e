"""Refunds of ours whose money went back by the provider's console instead: what was made there takes their place.

Who refunds in the console and through our routes too has the provider refuse ours: the money is gone. Ours keeps its
reservation, waiting to be tried again or paid by hand, and would pay a second time. Only what the provider says did
not go through gives way; what more it was for than was made there is asked for anew, under another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, PaidBack
from chalicelib.payments import providers
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_numbers, reservation
from chalicelib.payments.domain.payment import Payment, ProviderSilent
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import Refund, RefundCause, RefundRefused, RefundStatus
from chalicelib.payments.domain.tally import tally
from chalicelib.payments.ports import RefundOutcome
from chalicelib.payments.refunds import execute, retry
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.store import records as store
from chalicelib.runtime.db.work import UnitOfWork

DEAD = (RefundStatus.FAILED, RefundStatus.CLOSED)
"""States of a refund that may give way: the provider said that it does not go through."""
MOST = 4
"""How many may give way to one: each is asked about in the same request."""
_NOT_THROUGH = (RefundOutcome.FAILED, RefundOutcome.CLOSED, RefundOutcome.ABSENT)


@dataclass(frozen=True, slots=True)
class GivingWay:
    """Refunds that give way to one made in the console, and how much of the last one's money is still to go back."""

    refunds: tuple[Refund, ...] = ()
    rest: int = 0

    @property
    def covered(self) -> tuple[Refund, ...]:
        """Return those of which nothing is left to go back."""
        return self.refunds[:-1] if self.rest else self.refunds

    @property
    def freed(self) -> int:
        """Return how much of the payment is not reserved any more."""
        return sum(refund.amount.minor for refund in self.refunds)


def in_the_way(records: PaymentRecords, payment: Payment, order: Order | None, amount: Money) -> GivingWay:
    """Return the dead refunds that hold what a refund made in the console takes; none if it fits, or never would.

    One of the very amount first, then the oldest. ``order`` is None for surplus money, which is no order's.
    """
    captured = payment.captured.minor if payment.captured else 0
    left = captured - payment.reserved_minor - payment.disputed_minor
    if order is not None:
        left = min(left, tally(order, records.refunds).left())
    short = amount.minor - left
    order_id = order.order_id if order else None
    dead = [one for one in records.refunds_of(payment.payment_id) if one.status in DEAD and one.order_id == order_id]
    dead.sort(key=lambda one: one.amount != amount)
    chosen: list[Refund] = []
    for refund in dead[:MOST]:
        if short <= 0:
            break
        chosen.append(refund)
        short -= refund.amount.minor
    return GivingWay(tuple(chosen), -short) if chosen and short <= 0 else GivingWay()


def check_dead(payment: Payment, giving: GivingWay) -> None:
    """Let the provider say of each that it did not go through: what our rows say may be long past.

    Raises:
        ProviderSilent: if it does not say so.
        RefundRefused: if one is under way, or went through after all.
    """
    adapter = providers.load(payment.provider)
    for refund in giving.refunds:
        retry.check_not_sending(refund)
        report = adapter.query_refund(execute.order_of(payment, refund))
        if report.outcome in _NOT_THROUGH:
            continue
        if report.outcome is RefundOutcome.UNKNOWN:
            raise ProviderSilent(provider=payment.provider)
        if report.outcome is RefundOutcome.SUCCEEDED:
            execute.apply_answer(refund.refund_id, report)
            raise RefundRefused(why="more_than_captured", left=0)
        raise RefundRefused(why="refund_under_way", left=0)


def without(records: PaymentRecords, giving: GivingWay, *, now: datetime) -> PaymentRecords:
    """Return the records in which they have given way."""
    gone = {
        one.refund_id: refund_rules.move(one, RefundCause.REPLACE, now=now, code=one.code) for one in giving.refunds
    }
    return replace(records, refunds=tuple(gone.get(one.refund_id, one) for one in records.refunds))


def heir(made: Refund, giving: GivingWay) -> Refund:
    """Return the console's refund as what it stands for: the units and the cause of those it covers."""
    covered = giving.covered
    if not covered:
        return made
    first, units = covered[0], dict[str, int]()
    for line_id, quantity in (part for refund in covered for part in refund.lines):
        units[line_id] = units.get(line_id, 0) + quantity
    alone = len(covered) == 1
    return replace(
        made,
        lines=tuple(units.items()),
        freight=any(refund.freight for refund in covered),
        line=first.line if alone else "",
        compensation=first.compensation and alone,
        about=first.about,
        renews=first.refund_id,
        origin=first.origin or first.refund_id,
        replaces=tuple(refund.refund_id for refund in covered[1:]),
    )


def rest_of(records: PaymentRecords, giving: GivingWay, *, by: str, now: datetime) -> Refund | None:
    """Return what is asked for anew because the console gave back less than the last one was for."""
    if not giving.rest:
        return None
    last = giving.refunds[-1]
    number = refund_numbers.next_refund_id(records, last.purchase_id)
    renewed = refund_rules.renew(last, number, now=now)
    return replace(renewed, amount=Money(giving.rest, last.amount.currency), retried_by=by)


def write(
    work: UnitOfWork, before: PaymentRecords, after: PaymentRecords, payment: Payment, rest: Refund | None
) -> None:
    """Add those that gave way, and the request of what is still to go back; what that reserves is the caller's.

    ``after`` is the records with what was made in the console.
    """
    known = {refund.refund_id: refund for refund in before.refunds}
    for refund in after.refunds:
        if refund.status is RefundStatus.REPLACED and known[refund.refund_id].status is not RefundStatus.REPLACED:
            store.save_refund(work, refund)
    if rest is None:
        return
    limits, earlier = providers.load(payment.provider).limits, after.sent_of(payment.payment_id)
    why = reservation.beyond_limits(payment, limits=limits, earlier=earlier, now=clock.now())
    if why:
        execute.owe(work, after, payment, refund_rules.owe(rest, now=rest.requested_at, why=why, unsent=True))
    else:
        refund_requests.write_request(work, payment, rest)


def note_on_order(
    work: UnitOfWork, order: Order, standing: Sequence[Refund], made: Refund, *, giving: GivingWay, rest: Refund | None
) -> None:
    """Note on the order what is under way now; the units of those that gave way were noted when they were asked for."""
    gone = {number for refund in giving.refunds for number in (refund.refund_id, refund.origin)}
    refunding = tuple(part for part in order.refunding if part[0] not in gone)
    counted = list(standing)
    if rest is not None:
        refunding += ((rest.origin, rest.amount.minor),)
        counted.append(rest)
    before = tally(order, counted)
    paid = PaidBack(made.refund_id, made.amount, (), before.emptied(made), before.left() <= made.amount.minor)
    freed = orders.freed(order, orders.pay_back(work, replace(order, refunding=refunding), paid))
    if freed:
        inventory.put_back(work, freed, buckets=order.buckets())
