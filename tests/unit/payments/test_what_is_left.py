"""What may still be given back of a payment, to the minor unit, and what a refund remembers of its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.kernel import ids
from chalicelib.kernel.money import Money
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain import polling, refund_numbers, reservation
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import PAST_KEPT, RefundCause, RefundRefused, RefundStatus
from chalicelib.payments.ports import Limits
from tests.unit.payments.test_payments_domain import BODY, NOON, captured, refund, started

contested = replace(captured, reserved_minor=300, disputed_minor=200)
"""Of 1,000 captured 500 are left: 300 are on their way back, 200 are contested."""


def test_every_unit_that_is_left_can_be_given_back_and_not_one_more() -> None:
    assert reservation.hold(contested, Money(500)).reserved_minor == 800
    assert reservation.hold(contested, Money(1)).reserved_minor == 301


@pytest.mark.parametrize(
    ("amount", "why", "left"),
    [
        (Money(501), "disputed", 500),
        (Money(700), "disputed", 500),
        (Money(701), "more_than_captured", 500),
        (Money(0), "not_positive", 500),
        (Money(-1), "not_positive", 500),
        (Money(10, "USD"), "other_currency", 500),
    ],
)
def test_what_is_not_left_is_refused_with_what_is(amount: Money, why: str, left: int) -> None:
    with pytest.raises(RefundRefused) as refused:
        reservation.hold(contested, amount)
    assert refused.value.members() == {"why": why, "left": left}


def test_nothing_is_left_where_more_is_contested_than_is_there_or_nothing_was_captured() -> None:
    with pytest.raises(RefundRefused) as refused:
        reservation.hold(replace(captured, reserved_minor=900, disputed_minor=300), Money(1))
    assert refused.value.members() == {"why": "disputed", "left": 0}
    for payment in (started, replace(captured, captured=None), replace(captured, captured_at=None)):
        with pytest.raises(RefundRefused) as refused:
            reservation.hold(payment, Money(1))
        assert refused.value.members() == {"why": "not_captured", "left": 0}


def test_the_providers_limits_are_told_with_what_is_left() -> None:
    limits = Limits(refund_window=timedelta(days=10), max_refunds=2)
    last = NOON + timedelta(days=10)
    reservation.check_limits(contested, limits=limits, earlier=1, now=last)
    late = last + timedelta(milliseconds=1)
    for earlier, now, why in ((2, NOON, "too_many_refunds"), (1, late, "window_closed")):
        with pytest.raises(RefundRefused) as refused:
            reservation.check_limits(contested, limits=limits, earlier=earlier, now=now)
        assert refused.value.members() == {"why": why, "left": 500}
    for payment in (started, replace(captured, reserved_minor=900, disputed_minor=300)):
        with pytest.raises(RefundRefused) as refused:
            reservation.check_limits(payment, limits=limits, earlier=2, now=NOON)
        assert refused.value.members()["left"] == 0


def test_a_refund_that_was_reserved_before_a_dispute_waits_where_the_dispute_holds_its_money() -> None:
    reservation.check_uncontested(replace(captured, reserved_minor=800, disputed_minor=200))
    reservation.check_uncontested(replace(captured, reserved_minor=1000))
    with pytest.raises(RefundRefused) as refused:
        reservation.check_uncontested(replace(captured, reserved_minor=801, disputed_minor=200, refunded_minor=100))
    assert refused.value.members() == {"why": "disputed", "left": 700}
    with pytest.raises(RefundRefused) as refused:
        reservation.check_uncontested(replace(captured, reserved_minor=900, disputed_minor=200, refunded_minor=900))
    assert refused.value.members() == {"why": "disputed", "left": 0}


def test_an_orders_money_is_given_back_once_over_all_its_refunds() -> None:
    order_id = f"ord_{BODY}_01"
    others = replace(refund(3, 500), order_id=f"ord_{BODY}_02")
    replaced = replace(refund(4, 90), status=RefundStatus.REPLACED)
    story = PaymentRecords(refunds=(refund(1, 100), refund(2, 20), others, replaced))

    assert reservation.taken_of(story, order_id) == 120
    reservation.within_order(story, order_id, Money(200), Money(80))
    with pytest.raises(RefundRefused) as refused:
        reservation.within_order(story, order_id, Money(200), Money(81))
    assert refused.value.members() == {"why": "more_than_order", "left": 80}


def test_a_refund_counts_its_questions_and_remembers_what_it_was() -> None:
    later = NOON + timedelta(minutes=5)
    asked = refund_rules.move(refund(1), RefundCause.POLL, now=later)
    assert (asked.status, asked.polls, asked.since, asked.past) == (RefundStatus.REQUESTED, 1, NOON, ())
    assert asked.due_at == later + polling.refund_wait(1)
    again = refund_rules.move(asked, RefundCause.POLL, now=later)
    assert again.polls == 2

    accepted = refund_rules.move(again, RefundCause.ACCEPT, now=later, code="c" * 65, number="re_1")
    assert (accepted.polls, accepted.since, accepted.past) == (0, later, ((RefundStatus.REQUESTED, NOON),))
    assert accepted.due_at == later + polling.refund_wait(0)
    assert (accepted.code, accepted.provider_refund_id) == ("c" * 64, "re_1")
    assert refund_rules.move(accepted, RefundCause.POLL, now=later).provider_refund_id == "re_1"

    done = refund_rules.move(accepted, RefundCause.SUCCEED, now=later)
    assert done.due_at is None


def test_a_refund_remembers_so_many_states_the_last_ones() -> None:
    moved = refund(1)
    for _ in range(PAST_KEPT):
        moved = refund_rules.move(moved, RefundCause.FAIL, now=NOON)
        moved = refund_rules.move(moved, RefundCause.RETRY, now=NOON)
    assert len(moved.past) == PAST_KEPT
    assert moved.past[-1][0] is RefundStatus.FAILED


def test_waits_grow_and_the_last_is_repeated() -> None:
    waits = [polling.refund_wait(polls) for polls in range(len(polling.REFUNDS) + 2)]
    assert tuple(waits[: len(polling.REFUNDS)]) == polling.REFUNDS
    assert set(waits[len(polling.REFUNDS) :]) == {polling.REFUNDS[-1]}


def test_a_capture_that_nobody_waits_for_is_surplus_and_asked_about_no_more() -> None:
    asked = replace(started, polls=7)
    whole = payment_rules.capture(asked, amount=Money(1000), transaction_id="t", at=NOON)
    over = payment_rules.capture(asked, amount=Money(1000), transaction_id="t", at=NOON, surplus="late")
    assert (whole.status, whole.surplus_reason, whole.polls, whole.due_at) == (PaymentStatus.CAPTURED, "", 0, None)
    assert (over.status, over.surplus_reason, over.polls) == (PaymentStatus.SURPLUS, "late", 0)


def test_a_payment_is_refunded_with_its_last_unit_and_not_before() -> None:
    nearly = payment_rules.take_refund(captured, Money(999), now=NOON)
    assert (nearly.status, nearly.refunded_minor) == (PaymentStatus.CAPTURED, 999)
    gone = payment_rules.take_refund(nearly, Money(1), now=NOON)
    assert (gone.status, gone.refunded_minor, gone.refunded_at) == (PaymentStatus.REFUNDED, 1000, NOON)


def test_refund_numbers_end_where_ids_end() -> None:
    first = refund_numbers.next_refund_id(PaymentRecords(refunds=()), started.purchase_id)
    assert first == f"ref_{BODY}_01"
    last = refund_numbers.next_refund_id(PaymentRecords(refunds=(refund(ids.MAX_CHILDREN - 1),)), started.purchase_id)
    assert last == f"ref_{BODY}_{ids.MAX_CHILDREN}"
    with pytest.raises(RefundRefused) as refused:
        refund_numbers.next_refund_id(PaymentRecords(refunds=(refund(ids.MAX_CHILDREN),)), started.purchase_id)
    assert refused.value.members() == {"why": "too_many_refunds", "left": 0}
