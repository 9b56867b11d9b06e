from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.kernel.errors import IllegalTransition
from chalicelib.kernel.money import Money
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain import polling, refund_numbers, reservation
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain.payment import PAYMENT, Payment, PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import REFUND, Refund, RefundCause, RefundRefused, RefundStatus
from chalicelib.payments.ports import Limits

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
BODY = "0123456789abcdefghjkmnpq"

started = Payment(
    payment_id=f"pay_{BODY}_01",
    purchase_id=f"pur_{BODY}",
    buyer_id="acc_x",
    provider="sandbox",
    method="page",
    amount=Money(1000),
    status=PaymentStatus.STARTED,
    created_at=NOON,
    expires_at=NOON + timedelta(minutes=30),
    due_at=NOON + timedelta(seconds=30),
    intent="i",
    fingerprint="f",
)
captured = payment_rules.capture(started, amount=Money(1000), transaction_id="t", at=NOON)


def refund(number: int, amount: int = 1) -> Refund:
    return Refund(
        refund_id=f"ref_{BODY}_{number:02d}",
        purchase_id=started.purchase_id,
        payment_id=started.payment_id,
        order_id=f"ord_{BODY}_01",
        amount=Money(amount),
        status=RefundStatus.REQUESTED,
        reason="r",
        request_token="c",
        requested_at=NOON,
        due_at=None,
        since=NOON,
    )


def test_reservations_add_up_to_the_capture_and_no_further() -> None:
    limits = Limits()
    once = reservation.reserve(captured, Money(600), limits=limits, earlier=0, now=NOON)
    assert reservation.reserve(once, Money(400), limits=limits, earlier=1, now=NOON).reserved_minor == 1000
    with pytest.raises(RefundRefused) as refused:
        reservation.reserve(once, Money(401), limits=limits, earlier=1, now=NOON)
    assert refused.value.members() == {"why": "more_than_captured", "left": 400}


@pytest.mark.parametrize(
    ("amount", "earlier", "after", "why"),
    [
        (Money(1, "USD"), 0, timedelta(), "other_currency"),
        (Money(0), 0, timedelta(), "not_positive"),
        (Money(1), 50, timedelta(), "too_many_refunds"),
        (Money(1), 0, timedelta(days=366), "window_closed"),
    ],
)
def test_what_the_provider_would_refuse_is_refused_before_the_call(
    amount: Money, earlier: int, after: timedelta, why: str
) -> None:
    limits = Limits(refund_window=timedelta(days=365), max_refunds=50)
    with pytest.raises(RefundRefused) as refused:
        reservation.reserve(captured, amount, limits=limits, earlier=earlier, now=NOON + after)
    assert refused.value.params["why"] == why
    with pytest.raises(RefundRefused):
        reservation.reserve(started, Money(1), limits=limits, earlier=0, now=NOON)


def test_money_is_taken_once_whatever_the_state() -> None:
    for status in PaymentStatus:
        attempt = replace(started, status=status)
        if attempt.holds_money:
            with pytest.raises(IllegalTransition):
                payment_rules.capture(attempt, amount=Money(1), transaction_id="t", at=NOON)
        else:
            assert payment_rules.capture(
                attempt, amount=Money(1), transaction_id="t", at=NOON, surplus="late"
            ).holds_money
    assert not any(PAYMENT.is_terminal(status) for status in PaymentStatus)
    assert [status for status in RefundStatus if REFUND.is_terminal(status)] == ["replaced", "paid_offline"]


def test_only_a_refund_that_came_back_leads_out_of_what_went_back() -> None:
    assert dict(PAYMENT.edges[PaymentStatus.REFUNDED]) == {"refill": "captured"}
    assert dict(PAYMENT.edges[PaymentStatus.RETURNED]) == {"refill": "surplus"}
    assert dict(REFUND.edges[RefundStatus.SUCCEEDED]) == {"bounce": "closed"}
    whole = payment_rules.take_refund(replace(captured, reserved_minor=1000), Money(1000), now=NOON)
    part = payment_rules.take_refund(replace(captured, reserved_minor=1000), Money(400), now=NOON)
    for payment, amount, left in ((whole, 1000, 0), (whole, 400, 600), (part, 400, 0)):
        back = payment_rules.undo_refund(payment, Money(amount))
        assert (back.status, back.refunded_minor, back.reserved_minor) == (PaymentStatus.CAPTURED, left, 1000)


def test_questions_are_spaced_and_the_last_one_falls_on_the_expiry() -> None:
    attempt, now, gaps = started, NOON, []
    for _ in range(26):
        attempt = payment_rules.keep_polling(attempt, now=attempt.due_at or now, known=True)
        assert attempt.due_at is not None
        gaps.append(attempt.due_at - NOON)
    seconds = [int(gap.total_seconds()) for gap in gaps]
    assert seconds[:20] == list(range(90, 1801, 90))
    assert seconds[20:] == [1860, 1920, 1980, 2160, 2340, 2640]  # 1860: a minute past the 30 minutes to pay.
    assert sum(second <= 1860 for second in seconds) + 1 <= polling.MOST_QUESTIONS  # The first is asked after 30 s.
    assert attempt.status is PaymentStatus.PENDING


def test_however_long_a_provider_was_silent_it_is_asked_again_within_ten_minutes_of_being_back() -> None:
    refund = Refund(
        refund_id=f"ref_{BODY}_01",
        purchase_id=started.purchase_id,
        payment_id=started.payment_id,
        order_id=None,
        amount=Money(1000),
        status=RefundStatus.REQUESTED,
        reason="surplus",
        request_token="c",
        requested_at=NOON,
        due_at=NOON,
        since=NOON,
    )
    attempt, now = replace(started, expires_at=NOON), NOON + timedelta(hours=1)
    missed_run_of_the_job = timedelta(minutes=1)
    for _ in range(20):
        attempt = payment_rules.keep_polling(attempt, now=now, known=False)
        refund = refund_rules.move(refund, RefundCause.POLL, now=now)
        for due_at in (attempt.due_at, refund.due_at):
            assert due_at is not None
            assert due_at - now + missed_run_of_the_job <= timedelta(minutes=10)
        now += timedelta(minutes=10)


def test_refund_numbers_count_up_and_surplus_ones_count_down() -> None:
    assert refund_numbers.surplus_refund_id(f"pay_{BODY}_01") == f"ref_{BODY}_99"
    assert refund_numbers.surplus_refund_id(f"pay_{BODY}_40") == f"ref_{BODY}_60"
    used = PaymentRecords(refunds=(refund(1), refund(3), refund(99), refund(60)))
    assert refund_numbers.next_refund_id(used, started.purchase_id) == f"ref_{BODY}_04"
    beyond = PaymentRecords(refunds=(refund(59), refund(60)))
    assert refund_numbers.next_refund_id(beyond, started.purchase_id) == f"ref_{BODY}_100"
    last = PaymentRecords(refunds=(refund(899), refund(60)))
    assert refund_numbers.next_refund_id(last, started.purchase_id) == f"ref_{BODY}_900"
    with pytest.raises(RefundRefused):
        refund_numbers.next_refund_id(last, started.purchase_id, chosen=True)
    with pytest.raises(RefundRefused):
        refund_numbers.next_refund_id(PaymentRecords(refunds=(refund(999),)), started.purchase_id)


def test_only_a_number_that_did_not_go_through_is_replaced() -> None:
    for status in RefundStatus:
        assert REFUND.takes(status, RefundCause.REPLACE) is (status in (RefundStatus.FAILED, RefundStatus.CLOSED))
        assert REFUND.takes(status, RefundCause.RETRY) is (status in (RefundStatus.FAILED, RefundStatus.ABNORMAL))
