"""Asking for a refund: what is left to give back, who may give it, and reserving it in one conditional write."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.payments import domain, events, providers, quarantine, refunds, store
from chalicelib.payments.domain import (
    REFUND,
    ApprovalNeeded,
    Payment,
    PaymentStatus,
    Refund,
    RefundCause,
    RefundRefused,
    RefundStatus,
    Story,
    Wish,
)
from chalicelib.runtime import log
from chalicelib.runtime.config import setting
from chalicelib.runtime.db.races import racing
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
    by: str = "",
    approved_by: str = "",
    about: str = "",
    offline: bool = False,
) -> str:
    """Reserve a refund against the captured amount in the caller's own work; returns its number.

    Where the provider takes no refund of this payment any more, the refund is booked as owed, and an operator pays it
    another way (:mod:`chalicelib.payments.offline`): what ends an order or a complaint never fails over that. An
    operator's own wish is refused then, unless it says ``offline``.

    The same cause again is the same refund. One call a work: two would write the payment's row twice.
    ``up_to``: what other refunds have left of the order and the payment, at most ``amount``; no refund ("") if nothing.
    What a dispute withholds of it is kept for an operator, who gives it back if the bank decides for us.
    Losing a race against another refund is a ``ConcurrentUpdate`` of the work: read again and repeat.

    Raises:
        UnknownPayment: if there is no such payment.
        RefundRefused: if there is no such money left on the payment or the order, or (for an operator's wish) the
            provider would not take it, or would take what is to be paid ``offline``.
    """
    story = store.load_story(purchase_id)
    payment = story.payment(payment_id)
    token = ids.digest(cause)
    earlier = story.refunds_of(payment_id)
    for refund in earlier:
        if refund.cause == token:
            return refund.refund_id
    if up_to:
        owed = _left(story, payment, order_id, amount)
        amount = _undisputed(payment, owed)
        if amount != owed:  # Nobody asks for it again: should the bank decide for us, the buyer has neither.
            told = {"order_id": order_id or "", "amount": (owed - amount).text(), "cause": cause}
            quarantine.put_aside_with(work, payment, "refund_withheld", **told)
        if not amount:
            return ""
    if payment.status is not PaymentStatus.CAPTURED:
        raise RefundRefused(why=f"payment_{payment.status.value}", left=0)
    if by and not approved_by:
        _check_limit(story, amount)
    given = Wish(order_id or "", reason, lines=lines, freight=freight)
    if (lines or freight) and worth_of(story, purchase_id, given) != amount:
        raise ConcurrentUpdate  # Units went back since: judge by the refunds under whose version this one is written.
    now = clock.now()
    wished = bool(by) and not about
    reserved = domain.hold(payment, amount)
    why = check_way(story, payment, offline=offline, must=wished)
    within_order(story, purchase_id, order_id, amount)
    refund = Refund(
        refund_id=domain.next_refund_id(story, purchase_id, wished=wished),
        purchase_id=purchase_id,
        payment_id=payment_id,
        order_id=order_id,
        amount=amount,
        status=REFUND.initial,
        reason=reason[:80],
        cause=token,
        requested_at=now,
        due_at=REFUND.due_at(REFUND.initial, now),
        since=now,
        fingerprint=fingerprint,
        lines=lines,
        freight=freight,
        by=by,
        approved_by=approved_by,
        about=about,
    )
    store.save_payment(work, reserved)
    if why:
        refunds.owe(work, story, reserved, domain.owed(refund, now=now, why=why, unsent=True))
    else:
        write_request(work, reserved, refund)
    return refund.refund_id


def check_way(story: Story, payment: Payment, *, offline: bool, must: bool) -> str:
    """Return why the provider cannot give the money back, so that it is owed; empty if it can.

    ``must``: it goes the way that was asked for, or not at all.

    Raises:
        RefundRefused: then, if it cannot go that way.
    """
    limits, earlier = providers.load(payment.provider).limits, story.sent_of(payment.payment_id)
    why = domain.beyond_limits(payment, limits=limits, earlier=earlier, now=clock.now())
    if must and bool(why) is not offline:
        captured = payment.captured.minor if payment.captured else 0
        left = max(0, captured - payment.reserved - payment.disputed)
        raise RefundRefused(why=why or "provider_can_refund", left=left)
    return why


def _check_limit(story_: Story, amount: Money) -> None:
    """Refuse what exceeds the limit together with what was refunded on the purchase before without a second person."""
    alone = sum(
        refund.amount.minor
        for refund in story_.refunds
        if refund.by and not refund.approved_by and refund.status is not RefundStatus.REPLACED
    )
    limit = approval_limit(amount.currency)
    if alone + amount.minor > limit:
        raise ApprovalNeeded(limit=limit, currency=amount.currency)


def approval_limit(currency: str) -> int:
    """Return up to which sum on one purchase an operator may refund alone, in minor units; 0 where nothing is set.

    The setting ``BIANDAN_REFUND_ALONE`` lists it by currency: ``CNY:100000,USD:15000``.
    """
    for part in setting("BIANDAN_REFUND_ALONE", DEFAULT_ALONE).split(","):
        name, _, minor = part.strip().partition(":")
        if name == currency and minor.isdigit():
            return int(minor)
    return 0


DEFAULT_ALONE = "CNY:100000,USD:15000,EUR:15000,JPY:20000"


def within_order(story: Story, purchase_id: str, order_id: str | None, amount: Money) -> None:
    """Check that an order, not only the payment, has so much left to give back.

    Raises:
        RefundRefused: if it has not.
    """
    if order_id is None or ids.parent_id("pur", order_id) != purchase_id:
        raise RefundRefused(why="no_order", left=0)
    left = orders.load_order(order_id).total.minor - _taken(story, order_id)
    if amount.minor > left:
        raise RefundRefused(why="more_than_order", left=left)


def _taken(story: Story, order_id: str) -> int:
    return sum(
        refund.amount.minor
        for refund in story.refunds
        if refund.order_id == order_id and refund.status is not RefundStatus.REPLACED
    )


def _left(story: Story, payment: Payment, order_id: str | None, wanted: Money) -> Money:
    """Return what may still be refunded of what is wanted: refunds under way count, though no order knows them yet."""
    captured = payment.captured.minor if payment.captured else 0
    left = min(wanted.minor, captured - payment.reserved)
    if order_id is not None:
        left = min(left, orders.load_order(order_id).total.minor - _taken(story, order_id))
    return Money(max(0, left), wanted.currency)


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
    sold = domain.Sold(
        lines={line.line_id: (line.quantity, line.total.minor) for line in order.lines},
        freight=order.freight.minor,
        total=order.total,
    )
    return domain.worth(sold, wish, [refund for refund in story_.refunds if refund.order_id == wish.order_id])


def write_request(work: UnitOfWork, payment: Payment, refund: Refund) -> None:
    """Add a requested refund and the fact that sends it to the caller's work; what it reserves is the caller's."""
    store.save_refund(work, refund, [refunds.refund_fact(events.RefundRequested, refund, round=refund.version)])
    log.info("refund requested", refund_id=refund.refund_id, payment_id=payment.payment_id)


def retry_refund(refund_id: str, *, by: str = "") -> Refund:
    """Try a stuck refund again as an operator: under its own number, or, where the provider closed it, under a new one.

    Raises:
        NotFound: if there is no such refund.
        IllegalTransition: if it is not stuck.
        RefundRefused: if the payer's bank took the money meanwhile, or it needs a new number and the provider takes
            none for this payment any more.
    """

    def retry() -> Refund:
        story_, payment, refund = refunds.load_refund(refund_id)
        now = clock.now()
        with UnitOfWork() as work:
            if refund.status is not RefundStatus.CLOSED:
                again = replace(domain.moved(refund, RefundCause.RETRY, now=now), retried_by=by)
                hold_uncontested(work, payment)
                write_request(work, payment, again)
                result = replace(again, version=again.version + 1)
            else:
                earlier = story_.sent_of(payment.payment_id)
                domain.check_limits(payment, limits=providers.load(payment.provider).limits, earlier=earlier, now=now)
                store.save_refund(work, domain.moved(refund, RefundCause.REPLACE, now=now))
                hold_uncontested(work, payment)
                renewed = domain.renewed(refund, domain.next_refund_id(story_, refund.purchase_id), now=now)
                renewed = replace(renewed, retried_by=by)
                write_request(work, payment, renewed)
                result = replace(renewed, version=1)
        return result

    return racing(retry)


def hold_uncontested(work: UnitOfWork, payment: Payment) -> None:
    """Check that what is reserved is not contested, and let no dispute be booked before the work is committed."""
    domain.check_uncontested(payment)
    store.save_payment(work, payment)
