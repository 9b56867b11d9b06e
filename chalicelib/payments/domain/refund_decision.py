"""Whether a refund may be had: judged by what was read once, decided without reading any more. Pure.

A refund that the provider cannot give back is owed: an operator pays it another way. What ends an order or settles a
complaint never fails over that; what an operator chose freely is refused then, unless it was to be paid ``offline``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.kernel.money import Money
from chalicelib.orders.domain import Order
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_numbers, refund_request, reservation
from chalicelib.payments.domain.approval import ApprovalNeeded, DayLimitReached
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import REFUND, Refund, RefundRefused, RefundStatus
from chalicelib.payments.domain.refund_request import RefundRequest, Requester, Sold
from chalicelib.payments.domain.tally import Tally, owed_for, tally, units_for
from chalicelib.payments.ports import Limits


@dataclass(frozen=True, slots=True)
class RefundContext:
    """All that a refund on an order is judged by, as it was read once; the versions of it guard what is written."""

    records: PaymentRecords
    order: Order
    payment: Payment | None
    """The one it goes back on; none where nobody has paid."""
    limits: Limits
    """What its provider allows."""
    now: datetime
    alone: Mapping[str, int] = field(default_factory=dict)
    """How much one operator may give back alone on a purchase, by currency."""
    alone_a_day: Mapping[str, int] = field(default_factory=dict)

    def paid(self) -> Payment:
        """Return the payment.

        Raises:
            RefundRefused: if there is none.
        """
        if self.payment is None:
            raise RefundRefused(why="not_paid", left=0)
        return self.payment

    def known(self, requester: Requester) -> Refund | None:
        """Return the refund of the payment that the same cause made before."""
        mine = self.records.refunds_of(self.paid().payment_id)
        return next((refund for refund in mine if refund.request_token == requester.token), None)

    def tally(self, *, done: bool = False) -> Tally:
        """Return what went back on the order; refunds under way count unless only ``done`` ones do."""
        return tally(self.order, [one for one in self.records.refunds if not done or one.status in refund_rules.DONE])

    def left_of(self, line_id: str, *, done: bool = False) -> Money:
        """Return how much is left to give back for a line; refunds under way count unless only ``done`` ones do."""
        return Money(self.tally(done=done).left_of(line_id), self.order.total.currency)

    def charged_unsent(self, line_id: str) -> Money:
        """Return what the units of a line that have not left were charged, of those that were not paid back."""
        made = self.tally()
        unsent = self.order.unsent().get(line_id, 0) if self.order.may_be_sent else 0
        found = [made.charged(line, unsent) for line in self.order.lines if line.line_id == line_id]
        return Money(sum(found), self.order.total.currency)


@dataclass(frozen=True, slots=True)
class Reserved:
    """A refund that is to be written, and what it changes beside itself."""

    refund: Refund
    """Requested; or owed at once, where the provider cannot give it back."""
    payment: Payment
    """With what the refund reserves."""
    emptied: tuple[str, ...] = ()
    """The order's lines whose money is all back with it."""
    everything: bool = False
    """Whether the order's money is all back with it."""
    withheld: Money | None = None
    """What a dispute withholds of what an order owes; an operator gives it back if the bank decides for us."""
    counted: Money | None = None
    """What it adds to what one operator gave back alone today."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """There is nothing to give back now: a dispute withholds all of it, or (``amount`` is zero) nothing is owed."""

    amount: Money


def amount_of(context: RefundContext, request: RefundRequest) -> Money:
    """Return what a request comes to, given the refunds that were read.

    Raises:
        RefundRefused: as :func:`refund_request.amount_of`.
    """
    order = context.order
    sold = Sold(
        lines={line.line_id: (line.quantity, line.total.minor) for line in order.lines},
        freight=order.freight.minor,
        total=order.total,
    )
    earlier = [refund for refund in context.records.refunds if refund.order_id == order.order_id]
    return refund_request.amount_of(sold, request, earlier)


def request(context: RefundContext, wanted: RefundRequest, requester: Requester) -> Reserved:
    """Decide about a refund that somebody asks for.

    Raises:
        RefundRefused: if there is no such money left on the payment, the order or the line, or (for an operator's
            choice) the provider would not take it, or would take what is to be paid ``offline``.
        ApprovalNeeded, DayLimitReached: if one operator alone may not give back so much on it, or on this day.
    """
    payment, amount = context.paid(), amount_of(context, wanted)
    _check_captured(payment)
    if requester.is_alone:
        _check_alone(context, amount)
    reserved = reservation.hold(payment, amount)
    why = way(context, payment, offline=wanted.offline, must=requester.is_choice)
    made = context.tally()
    refund = replace(
        _new(context, payment, amount, reason=wanted.reason, cause=requester.token, chosen=requester.is_choice),
        fingerprint=requester.fingerprint,
        lines=_units(made, wanted, amount),
        freight=wanted.freight,
        line=wanted.line,
        compensation=wanted.compensation,
        by=requester.by,
        approved_by=requester.approved_by,
        about=requester.about,
    )
    reservation.within_order(context.records, context.order.order_id, context.order.total, amount)
    _within_lines(made, refund)
    return Reserved(
        refund=_owed(context, refund, why),
        payment=reserved,
        emptied=made.emptied(refund),
        everything=made.left() <= amount.minor,
        counted=amount if requester.is_alone else None,
    )


def rest(context: RefundContext, requester: Requester, units: Mapping[str, int] | None = None) -> Reserved | Withheld:
    """Decide about what an order that ends still owes its buyer; where it goes on without some ``units``, about those.

    Neither an operator's earlier refund nor a complaint's may stop the order, or be paid twice: what went back before
    is set against it. What a dispute withholds is kept for an operator.

    Raises:
        RefundRefused: if the payment takes no refund.
    """
    payment, order, made = context.paid(), context.order, context.tally()
    everything = {line.line_id: line.quantity for line in order.lines}
    minor, lines = owed_for(made, units if units is not None else everything)
    if units is None:
        minor = made.left()
    owed = _left(context, payment, Money(minor, order.total.currency))
    amount = _undisputed(payment, owed)
    if not amount:
        return Withheld(owed)
    _check_captured(payment)
    reason = requester.key.split("#", maxsplit=1)[0]
    refund = replace(
        _new(context, payment, amount, reason=reason, cause=requester.token),
        lines=lines,
        freight=units is None and bool(order.freight) and not made.freight,
    )
    return Reserved(
        refund=_owed(context, refund, way(context, payment, offline=False, must=False)),
        payment=reservation.hold(payment, amount),
        withheld=owed - amount if amount != owed else None,
    )


def check(context: RefundContext, wanted: RefundRequest) -> Money:
    """Check that a refund could be had even now, before a second person is asked; returns what it comes to.

    Raises:
        RefundRefused: if it could not.
    """
    amount = amount_of(context, wanted)
    reservation.hold(context.paid(), amount)
    way(context, context.paid(), offline=wanted.offline, must=True)
    reservation.within_order(context.records, context.order.order_id, context.order.total, amount)
    return amount


def way(context: RefundContext, payment: Payment, *, offline: bool, must: bool) -> str:
    """Return why the provider cannot give the money back, so that it is owed; empty if it can.

    ``must``: it goes the way that was asked for, or not at all.

    Raises:
        RefundRefused: then, if it cannot go that way.
    """
    earlier = context.records.sent_of(payment.payment_id)
    why = reservation.beyond_limits(payment, limits=context.limits, earlier=earlier, now=context.now)
    if must and bool(why) is not offline:
        captured = payment.captured.minor if payment.captured else 0
        left = max(0, captured - payment.reserved_minor - payment.disputed_minor)
        raise RefundRefused(why=why or "provider_can_refund", left=left)
    return why


def _new(
    context: RefundContext, payment: Payment, amount: Money, *, reason: str, cause: str, chosen: bool = False
) -> Refund:
    order = context.order
    return Refund(
        refund_id=refund_numbers.next_refund_id(context.records, order.purchase_id, chosen=chosen),
        purchase_id=order.purchase_id,
        payment_id=payment.payment_id,
        order_id=order.order_id,
        amount=amount,
        status=REFUND.initial,
        reason=reason[:80],
        request_token=cause,
        requested_at=context.now,
        due_at=refund_rules.first_due_at(context.now),
        since=context.now,
    )


def _owed(context: RefundContext, refund: Refund, why: str) -> Refund:
    return refund_rules.owe(refund, now=context.now, why=why, unsent=True) if why else refund


def _check_captured(payment: Payment) -> None:
    if payment.status is not PaymentStatus.CAPTURED:
        raise RefundRefused(why=f"payment_{payment.status.value}", left=0)


def _check_alone(context: RefundContext, amount: Money) -> None:
    """Refuse what exceeds the limit together with what was refunded on the purchase before without a second person."""
    before = sum(
        refund.amount.minor
        for refund in context.records.refunds
        if refund.by and not refund.approved_by and refund.status is not RefundStatus.REPLACED
    )
    limit = context.alone.get(amount.currency, 0)
    if before + amount.minor > limit:
        raise ApprovalNeeded(limit=limit, currency=amount.currency)
    limit = context.alone_a_day.get(amount.currency, 0)
    if amount.minor > limit:
        raise DayLimitReached(limit=limit, currency=amount.currency)


def _units(made: Tally, wanted: RefundRequest, amount: Money) -> tuple[tuple[str, int], ...]:
    """Return the units that a refund pays back: those asked for, or those that an amount about a line is worth."""
    if not wanted.line or wanted.compensation:
        return wanted.lines
    order = made.order
    unsent = order.unsent().get(wanted.line, 0) if order.may_be_sent else 0
    for line in order.lines:
        if line.line_id == wanted.line:
            count = units_for(made, line, amount, most=line.quantity if wanted.never_came else unsent)
            return ((wanted.line, count),) if count else ()
    return ()


def _within_lines(made: Tally, refund: Refund) -> None:
    """Check that the lines a refund is about, not only the order, have so much left to give back.

    Raises:
        RefundRefused: if one has not.
    """
    after = tally(made.order, (), start=made)
    after.add(refund)
    about = {refund.line, *(line_id for line_id, _ in refund.lines)}
    for line in made.order.lines:
        if line.line_id in about and after.of_line(line) > line.total.minor:
            raise RefundRefused(why="more_than_line", left=made.left_of(line.line_id))


def _left(context: RefundContext, payment: Payment, wanted: Money) -> Money:
    """Return what may still be refunded of what is wanted: refunds under way count as those that are done."""
    captured = payment.captured.minor if payment.captured else 0
    taken = reservation.taken_of(context.records, context.order.order_id)
    left = min(wanted.minor, captured - payment.reserved_minor, context.order.total.minor - taken)
    return Money(max(0, left), wanted.currency)


def _undisputed(payment: Payment, owed: Money) -> Money:
    """Return what of it the payer's bank does not hold: what it holds cannot be given back besides."""
    captured = payment.captured.minor if payment.captured else 0
    return Money(max(0, min(owed.minor, captured - payment.reserved_minor - payment.disputed_minor)), owed.currency)
