"""What may be given back of a payment: what is left, and what its provider still takes. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import RefundRefused, RefundStatus
from chalicelib.payments.ports import Limits


def reserve(payment: Payment, amount: Money, *, limits: Limits, earlier: int, now: datetime) -> Payment:
    """Reserve a refund against what was captured, if the provider would take it.

    Raises:
        RefundRefused: if there is no such money left, or the provider would not take it.
    """
    held = hold(payment, amount)
    check_limits(payment, limits=limits, earlier=earlier, now=now)
    return held


def hold(payment: Payment, amount: Money) -> Payment:
    """Reserve money against what was captured, however it will be given back.

    Raises:
        RefundRefused: if there is no such money left.
    """
    if payment.captured is None or payment.captured_at is None:
        raise RefundRefused(why="not_captured", left=0)
    left = payment.captured.minor - payment.reserved_minor - payment.disputed_minor
    if amount.currency != payment.captured.currency:
        raise RefundRefused(why="other_currency", left=left)
    if amount.minor <= 0:
        raise RefundRefused(why="not_positive", left=left)
    if amount.minor > left:
        why = "disputed" if amount.minor <= left + payment.disputed_minor else "more_than_captured"
        raise RefundRefused(why=why, left=max(0, left))
    return replace(payment, reserved_minor=payment.reserved_minor + amount.minor)


def check_limits(payment: Payment, *, limits: Limits, earlier: int, now: datetime) -> None:
    """Check what the provider allows before another refund number is used, after so many ``earlier`` ones.

    Raises:
        RefundRefused: if it would not take it.
    """
    why = beyond_limits(payment, limits=limits, earlier=earlier, now=now)
    if why:
        left = payment.captured.minor - payment.reserved_minor - payment.disputed_minor if payment.captured else 0
        raise RefundRefused(why=why, left=max(0, left))


def beyond_limits(payment: Payment, *, limits: Limits, earlier: int, now: datetime) -> str:
    """Return why the provider would not take another refund of the payment, after so many; empty if it would."""
    if earlier >= limits.max_refunds:
        return "too_many_refunds"
    if payment.captured_at is None or now - payment.captured_at > limits.refund_window:
        return "window_closed"
    return ""


def check_uncontested(payment: Payment) -> None:
    """Check that a refund which was reserved before may be asked for again: contested money may be the payer's already.

    Raises:
        RefundRefused: if a dispute holds some of what is reserved.
    """
    left = payment.captured.minor - payment.disputed_minor if payment.captured else 0
    if payment.disputed_minor and payment.reserved_minor > left:
        raise RefundRefused(why="disputed", left=max(0, left - payment.refunded_minor))


def taken_of(records: PaymentRecords, order_id: str) -> int:
    """Return how much of an order's money went back or is on its way, in minor units."""
    return sum(
        refund.amount.minor
        for refund in records.refunds
        if refund.order_id == order_id and refund.status is not RefundStatus.REPLACED
    )


def within_order(records: PaymentRecords, order_id: str, total: Money, amount: Money) -> None:
    """Check that an order, not only the payment, has so much left of its total to give back.

    Raises:
        RefundRefused: if it has not.
    """
    left = total.minor - taken_of(records, order_id)
    if amount.minor > left:
        raise RefundRefused(why="more_than_order", left=left)
