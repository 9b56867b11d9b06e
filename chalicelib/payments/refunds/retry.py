"""A refund is tried again: by the clock where the provider held too little of our money, else by an operator."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock
from chalicelib.payments import providers
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_numbers, reservation
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.refund import Refund, RefundCause, RefundRefused, RefundStatus
from chalicelib.payments.refunds import execute
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.store import records as store
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def time_out_refund(refund_id: str) -> Refund:
    """Do what a refund's deadline is for: try one again that fell short, ask about any other.

    Raises:
        RetryLater: as :func:`execute.poll_refund`.
    """
    _, _, refund = execute.load_refund(refund_id)
    if refund.status is not RefundStatus.FAILED:
        return execute.poll_refund(refund_id)
    return racing(lambda: _try_again(refund_id))


def _try_again(refund_id: str) -> Refund:
    """Ask for it again, under its own number. Contested money stays where it is, for an operator."""
    _, payment, refund = execute.load_refund(refund_id)
    now = clock.now()
    if refund.status is not RefundStatus.FAILED or refund.due_at is None or refund.due_at > now:
        return refund
    again = refund_rules.move(refund, RefundCause.RETRY, now=now)
    try:
        with UnitOfWork() as work:
            hold_uncontested(work, payment)
            refund_requests.write_request(work, payment, again)
    except RefundRefused:
        again = replace(refund, due_at=None)
        with UnitOfWork() as work:
            store.save_refund(work, again)
    return replace(again, version=again.version + 1)


def retry_refund(refund_id: str, *, by: str = "") -> Refund:
    """Try a stuck refund again as an operator: under its own number, or, where the provider closed it, under a new one.

    Raises:
        NotFound: if there is no such refund.
        IllegalTransition: if it is not stuck.
        RefundRefused: if the payer's bank took the money meanwhile, it is being sent to a card, or it needs a new
            number and the provider takes none for this payment any more.
    """

    def retry() -> Refund:
        story_, payment, refund = execute.load_refund(refund_id)
        now = clock.now()
        check_not_sending(refund)
        with UnitOfWork() as work:
            if refund.status is not RefundStatus.CLOSED:
                again = replace(refund_rules.move(refund, RefundCause.RETRY, now=now), retried_by=by, shorts=0)
                hold_uncontested(work, payment)
                refund_requests.write_request(work, payment, again)
                result = replace(again, version=again.version + 1)
            else:
                earlier = story_.sent_of(payment.payment_id)
                reservation.check_limits(
                    payment, limits=providers.load(payment.provider).limits, earlier=earlier, now=now
                )
                store.save_refund(work, refund_rules.move(refund, RefundCause.REPLACE, now=now))
                hold_uncontested(work, payment)
                renewed = refund_rules.renew(refund, refund_numbers.next_refund_id(story_, refund.purchase_id), now=now)
                renewed = replace(renewed, retried_by=by)
                refund_requests.write_request(work, payment, renewed)
                result = replace(renewed, version=1)
        return result

    return racing(retry)


def check_not_sending(refund: Refund) -> None:
    """Check that nobody is about to have the provider send it to a card.

    Raises:
        RefundRefused: if the call may still come.
    """
    stuck, sending = refund.status in refund_rules.STUCK, refund.redirect
    if stuck and sending is not None and sending.under_way(clock.now()):
        raise RefundRefused(why="refund_under_way", left=0)


def hold_uncontested(work: UnitOfWork, payment: Payment) -> None:
    """Check that what is reserved is not contested, and let no dispute be booked before the work is committed."""
    reservation.check_uncontested(payment)
    store.save_payment(work, payment)
