"""Asking for a refund: what is left to give back, and reserving it in one conditional write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, PaidBack
from chalicelib.payments import events, providers
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_numbers, refund_request, reservation
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.refund import REFUND, Refund, RefundRefused, RefundStatus
from chalicelib.payments.domain.refund_request import Wish
from chalicelib.payments.domain.story import Story
from chalicelib.payments.refunds import execute
from chalicelib.payments.refunds import limits as refund_limits
from chalicelib.payments.refunds.tally import Tally, owed_for, tally, units_for
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.store import operator_limits
from chalicelib.payments.store import records as store
from chalicelib.runtime import log
from chalicelib.runtime.db.work import UnitOfWork


def request_refund(
    work: UnitOfWork,
    *,
    purchase_id: str,
    order_id: str | None,
    payment_id: str,
    amount: Money,
    reason: str,
    cause: str,
    fingerprint: str = "",
    up_to: bool = False,
    lines: tuple[tuple[str, int], ...] = (),
    freight: bool = False,
    line: str = "",
    compensation: bool = False,
    left_too: bool = False,
    order: Order | None = None,
    by: str = "",
    approved_by: str = "",
    about: str = "",
    offline: bool = False,
) -> str:
    """Reserve a refund against the captured amount in the caller's own work; returns its number.

    Where the provider takes no refund of this payment any more, the refund is booked as owed, and an operator pays it
    another way (``refunds.offline``): what ends an order or a complaint never fails over that. An operator's own wish
    is refused then, unless it says ``offline``.

    The same cause again is the same refund. One call a work: two would write the payment's row twice. The order's row
    is written too: units that it pays back before they have left will not be sent and are in stock again.
    ``up_to``: what other refunds have left of the order and the payment, at most ``amount``; no refund ("") if nothing.
    What a dispute withholds of it is kept for an operator, who gives it back if the bank decides for us.
    ``line``: what the amount is about. Unless it is ``compensation`` it pays back as many whole units of the line as it
    is worth: those that have not left, and, with ``left_too``, others of which the buyer says that they never came.
    ``order``: as it was read when the amount was judged; the write is refused if it has changed since.
    Losing a race against another refund is a ``ConcurrentUpdate`` of the work: read again and repeat.

    Raises:
        UnknownPayment: if there is no such payment.
        RefundRefused: if there is no such money left on the payment, the order or the line, or (for an operator's wish)
            the provider would not take it, or would take what is to be paid ``offline``.
        ApprovalNeeded, DayLimitReached: if one operator alone may not give back so much on it, or on this day.
    """
    story = store.load_story(purchase_id)
    payment = story.payment(payment_id)
    token = ids.digest(cause)
    for refund in story.refunds_of(payment_id):
        if refund.cause == token:
            return refund.refund_id
    order = order or order_of(purchase_id, order_id)
    if up_to:
        amount = _withholding(work, payment, order, _left(story, payment, order, amount), cause)
        if not amount:
            return ""
    if payment.status is not PaymentStatus.CAPTURED:
        raise RefundRefused(why=f"payment_{payment.status.value}", left=0)
    if by and not approved_by:
        refund_limits.check_alone(story, amount)
        operator_limits.count(work, by, amount, limit=refund_limits.day_limit(amount.currency), now=clock.now())
    given = Wish(order.order_id, reason, lines=lines, freight=freight)
    if (lines or freight) and worth_of(story, purchase_id, given) != amount:
        raise ConcurrentUpdate  # Units went back since: judge by the refunds under whose version this one is written.
    made = tally(order, story.refunds)
    if line and not compensation:
        lines = _units_of(made, line, amount, left_too=left_too)
    wished = bool(by) and not about
    reserved = reservation.hold(payment, amount)
    why = check_way(story, payment, offline=offline, must=wished)
    refund = _new(story, payment, order, amount, reason=reason, cause=token, wished=wished)
    refund = replace(
        refund,
        fingerprint=fingerprint,
        lines=lines,
        freight=freight,
        line=line,
        compensation=compensation,
        by=by,
        approved_by=approved_by,
        about=about,
    )
    within_order(story, purchase_id, order_id, amount, order)
    within_lines(made, refund)
    _write(work, story, reserved, refund, why=why)
    note_on_order(work, order, made, refund)
    return refund.refund_id


def request_rest(
    work: UnitOfWork, order: Order, *, payment_id: str, cause: str, units: Mapping[str, int] | None = None
) -> PaidBack | None:
    """Ask for what an order that ends still owes its buyer, or, where it goes on without some ``units``, for those.

    Neither an operator's earlier refund nor a complaint's may stop the order, or be paid twice: what went back before
    is set against it. None if nothing is owed. The caller writes the order's row.

    Raises:
        UnknownPayment, RefundRefused: as :func:`request_refund`.
    """
    story = store.load_story(order.purchase_id)
    payment = story.payment(payment_id)
    made = tally(order, story.refunds)
    everything = {line.line_id: line.quantity for line in order.lines}
    owed, lines = owed_for(made, units if units is not None else everything)
    if units is None:
        owed = made.left()
    wanted = Money(owed, order.total.currency)
    amount = _withholding(work, payment, order, _left(story, payment, order, wanted), cause)
    if not amount:
        return None
    if payment.status is not PaymentStatus.CAPTURED:
        raise RefundRefused(why=f"payment_{payment.status.value}", left=0)
    refund = _new(story, payment, order, amount, reason=cause.split("#", maxsplit=1)[0], cause=ids.digest(cause))
    refund = replace(refund, lines=lines, freight=units is None and bool(order.freight) and not made.freight)
    why = check_way(story, payment, offline=False, must=False)
    _write(work, story, reservation.hold(payment, amount), refund, why=why)
    return PaidBack(refund.refund_id, amount, lines)


def order_of(purchase_id: str, order_id: str | None) -> Order:
    """Return the order that a refund is for.

    Raises:
        RefundRefused: if it is none of the purchase's.
    """
    if order_id is None or ids.parent_id("pur", order_id) != purchase_id:
        raise RefundRefused(why="no_order", left=0)
    return orders.load_order(order_id)


def _withholding(work: UnitOfWork, payment: Payment, order: Order, owed: Money, cause: str) -> Money:
    """Return what of a sum that is owed no dispute withholds; the rest is kept for an operator."""
    amount = _undisputed(payment, owed)
    if amount != owed:  # Nobody asks for it again: should the bank decide for us, the buyer has neither.
        told = {"order_id": order.order_id, "amount": (owed - amount).text(), "cause": cause}
        quarantine.put_aside_with(work, payment, "refund_withheld", **told)
    return amount


def _units_of(made: Tally, line_id: str, amount: Money, *, left_too: bool) -> tuple[tuple[str, int], ...]:
    """Return the units of a line that an amount about it pays back."""
    order = made.order
    unsent = order.unsent().get(line_id, 0) if order.may_be_sent else 0
    for line in order.lines:
        if line.line_id == line_id:
            count = units_for(made, line, amount, most=line.quantity if left_too else unsent)
            return ((line_id, count),) if count else ()
    return ()


def _new(
    story: Story, payment: Payment, order: Order, amount: Money, *, reason: str, cause: str, wished: bool = False
) -> Refund:
    now = clock.now()
    return Refund(
        refund_id=refund_numbers.next_refund_id(story, order.purchase_id, wished=wished),
        purchase_id=order.purchase_id,
        payment_id=payment.payment_id,
        order_id=order.order_id,
        amount=amount,
        status=REFUND.initial,
        reason=reason[:80],
        cause=cause,
        requested_at=now,
        due_at=REFUND.due_at(REFUND.initial, now),
        since=now,
    )


def _write(work: UnitOfWork, story: Story, reserved: Payment, refund: Refund, *, why: str) -> None:
    """Write the refund and what it reserves; ``why`` says that the provider cannot give it back: then it is owed."""
    store.save_payment(work, reserved)
    if why:
        execute.owe(work, story, reserved, refund_rules.owed(refund, now=refund.requested_at, why=why, unsent=True))
    else:
        write_request(work, reserved, refund)


def note_on_order(work: UnitOfWork, order: Order, made: Tally, refund: Refund) -> None:
    """Note a refund on its order: that it is under way, and which units are not sent any more and in stock again."""
    everything = made.left() <= refund.amount.minor
    paid = PaidBack(refund.refund_id, refund.amount, refund.lines, made.emptied(refund), everything)
    freed = orders.freed(order, orders.pay_back(work, order, paid))
    if freed:
        inventory.put_back(work, freed, buckets=order.buckets())


def within_lines(made: Tally, refund: Refund) -> None:
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


def check_way(story: Story, payment: Payment, *, offline: bool, must: bool) -> str:
    """Return why the provider cannot give the money back, so that it is owed; empty if it can.

    ``must``: it goes the way that was asked for, or not at all.

    Raises:
        RefundRefused: then, if it cannot go that way.
    """
    limits, earlier = providers.load(payment.provider).limits, story.sent_of(payment.payment_id)
    why = reservation.beyond_limits(payment, limits=limits, earlier=earlier, now=clock.now())
    if must and bool(why) is not offline:
        captured = payment.captured.minor if payment.captured else 0
        left = max(0, captured - payment.reserved - payment.disputed)
        raise RefundRefused(why=why or "provider_can_refund", left=left)
    return why


def within_order(
    story: Story, purchase_id: str, order_id: str | None, amount: Money, order: Order | None = None
) -> None:
    """Check that an order, not only the payment, has so much left to give back; ``order`` if it was read.

    Raises:
        RefundRefused: if it has not.
    """
    found = order or order_of(purchase_id, order_id)
    left = found.total.minor - _taken(story, found.order_id)
    if amount.minor > left:
        raise RefundRefused(why="more_than_order", left=left)


def _taken(story: Story, order_id: str) -> int:
    return sum(
        refund.amount.minor
        for refund in story.refunds
        if refund.order_id == order_id and refund.status is not RefundStatus.REPLACED
    )


def _left(story: Story, payment: Payment, order: Order, wanted: Money) -> Money:
    """Return what may still be refunded of what is wanted: refunds under way count as those that are done."""
    captured = payment.captured.minor if payment.captured else 0
    left = min(wanted.minor, captured - payment.reserved, order.total.minor - _taken(story, order.order_id))
    return Money(max(0, left), wanted.currency)


def worth_unsent(order: Order, line_id: str) -> Money:
    """Return what the units of a line that have not left were charged, of those that were not paid back."""
    made = tally(order, store.load_story(order.purchase_id).refunds)
    unsent = order.unsent().get(line_id, 0) if order.may_be_sent else 0
    found = [made.worth(line, unsent) for line in order.lines if line.line_id == line_id]
    return Money(sum(found), order.total.currency)


def left_for(order: Order, line_id: str, *, done: bool = False) -> Money:
    """Return how much is left to give back for a line of an order; refunds under way count unless only ``done`` do."""
    refunds_ = store.load_story(order.purchase_id).refunds
    counted = [one for one in refunds_ if not done or one.status in refund_rules.DONE]
    return Money(tally(order, counted).left_of(line_id), order.total.currency)


def _undisputed(payment: Payment, owed: Money) -> Money:
    """Return what of it the payer's bank does not hold: what it holds cannot be given back besides."""
    captured = payment.captured.minor if payment.captured else 0
    return Money(max(0, min(owed.minor, captured - payment.reserved - payment.disputed)), owed.currency)


def worth_of(story_: Story, purchase_id: str, wish: Wish) -> Money:
    """Return what a wish comes to, given the refunds that were read."""
    if wish.amount is not None:
        return wish.amount
    if ids.parent_id("pur", wish.order_id) != purchase_id:
        raise RefundRefused(why="no_order", left=0)
    order = orders.load_order(wish.order_id)
    sold = refund_request.Sold(
        lines={line.line_id: (line.quantity, line.total.minor) for line in order.lines},
        freight=order.freight.minor,
        total=order.total,
    )
    return refund_request.worth(sold, wish, [refund for refund in story_.refunds if refund.order_id == wish.order_id])


def write_request(work: UnitOfWork, payment: Payment, refund: Refund) -> None:
    """Add a requested refund and the fact that sends it to the caller's work; what it reserves is the caller's."""
    store.save_refund(work, refund, [execute.refund_fact(events.RefundRequested, refund, round=refund.version)])
    log.info("refund requested", refund_id=refund.refund_id, payment_id=payment.payment_id)
