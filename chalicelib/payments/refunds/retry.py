"""Refunds that failed because the provider holds too little of our money: tried again by the clock, with back-off."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain.refund import Refund, RefundCause, RefundRefused, RefundStatus
from chalicelib.payments.refunds import execute
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.store import records as store
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def chase_refund(refund_id: str) -> Refund:
    """Do what a refund's deadline is for: try one again that fell short, ask about any other.

    Raises:
        RetryLater: as :func:`refunds.chase_refund`.
    """
    _, _, refund = execute.load_refund(refund_id)
    if refund.status is not RefundStatus.FAILED:
        return execute.chase_refund(refund_id)
    return racing(lambda: _try_again(refund_id))


def _try_again(refund_id: str) -> Refund:
    """Ask for it again, under its own number. Contested money stays where it is, for an operator."""
    _, payment, refund = execute.load_refund(refund_id)
    now = clock.now()
    if refund.status is not RefundStatus.FAILED or refund.due_at is None or refund.due_at > now:
        return refund
    again = refund_rules.moved(refund, RefundCause.RETRY, now=now)
    try:
        with UnitOfWork() as work:
            refund_requests.hold_uncontested(work, payment)
            refund_requests.write_request(work, payment, again)
    except RefundRefused:
        again = replace(refund, due_at=None)
        with UnitOfWork() as work:
            store.save_refund(work, again)
    return replace(again, version=again.version + 1)
