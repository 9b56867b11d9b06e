"""Whether a refund may be had: decided by what was read once, without storage, clock or provider."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel import ids
from chalicelib.kernel.money import Money
from chalicelib.orders.domain import Line, Order, OrderStatus, Stock
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_decision
from chalicelib.payments.domain.approval import ApprovalNeeded, DayLimitReached
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import Refund, RefundRefused, RefundStatus
from chalicelib.payments.domain.refund_decision import RefundContext, Reserved, Withheld
from chalicelib.payments.domain.refund_request import RefundRequest, Requester
from chalicelib.payments.ports import Limits

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
PURCHASE = ids.derived_id("pur", "decided")
ORDER = Order(
    order_id=ids.child_id("ord", PURCHASE, 1),
    purchase_id=PURCHASE,
    buyer_id="acc_1",
    merchant_id="mer_1",
    merchant_name="Tea House",
    status=OrderStatus.PAID,
    stock=Stock.COMMITTED,
    lines=(Line("1", "sku_1", "prd_1", "Tea", (), 3, Money(333), Money(1000)),),
    freight=Money(500),
    discount=Money(0),
    total=Money(1500),
    commission_bps=500,
    number="1-01",
    placed_at=NOON,
    since=NOON,
)
PAYMENT = Payment(
    payment_id=ids.child_id("pay", PURCHASE, 1),
    purchase_id=PURCHASE,
    buyer_id="acc_1",
    provider="sandbox",
    method="page",
    amount=Money(1500),
    status=PaymentStatus.CAPTURED,
    created_at=NOON,
    expires_at=NOON,
    due_at=None,
    intent="i",
    fingerprint="f",
    captured=Money(1500),
    captured_at=NOON,
)
BUYER = Requester("complaint#1", about="cmp_1")
OPERATOR = Requester("operator#1", by="acc_9")


def context(payment: Payment = PAYMENT, *refunds: Refund, **changed: Any) -> RefundContext:
    made = RefundContext(
        records=PaymentRecords(payments=(payment,), refunds=refunds),
        order=ORDER,
        payment=payment,
        limits=Limits(),
        now=NOON,
        alone={"CNY": 1000},
        alone_a_day={"CNY": 900},
    )
    return replace(made, **changed)


def wanted(minor: int | None = None, **more: Any) -> RefundRequest:
    return RefundRequest(ORDER.order_id, "r", amount=None if minor is None else Money(minor), **more)


def test_a_refund_by_amount_reserves_it_and_nothing_else_changes() -> None:
    decided = refund_decision.request(context(), wanted(700), BUYER)
    assert decided.payment == replace(PAYMENT, reserved_minor=700)
    refund = decided.refund
    assert (refund.amount, refund.status, refund.about) == (Money(700), RefundStatus.REQUESTED, "cmp_1")
    assert refund.refund_id == ids.child_id("ref", PURCHASE, 1)
    assert (decided.everything, decided.emptied, decided.withheld, decided.counted) == (False, (), None, None)


def test_units_are_worth_what_was_charged_in_whatever_parts_they_go_back() -> None:
    made: list[Refund] = []
    for _ in range(3):
        payment = replace(PAYMENT, reserved_minor=sum(one.amount.minor for one in made))
        decided = refund_decision.request(context(payment, *made), wanted(lines=(("1", 1),)), BUYER)
        made.append(decided.refund)
    assert [one.amount.minor for one in made] == [333, 333, 334]
    assert decided.emptied == ("1",)
    with pytest.raises(RefundRefused) as refused:
        refund_decision.request(context(replace(PAYMENT, reserved_minor=1000), *made), wanted(lines=(("1", 1),)), BUYER)
    assert refused.value.members()["why"] == "more_units_than_bought"


def test_an_amount_about_a_line_pays_back_its_whole_units_unless_it_is_compensation() -> None:
    about = wanted(700, line="1")
    assert refund_decision.request(context(), about, BUYER).refund.lines == (("1", 2),)
    assert refund_decision.request(context(), replace(about, compensation=True), BUYER).refund.lines == ()
    with pytest.raises(RefundRefused) as refused:
        refund_decision.request(context(), wanted(1001, line="1"), BUYER)
    assert refused.value.members()["why"] == "more_than_line"


@pytest.mark.parametrize(("minor", "refusal"), [(950, DayLimitReached), (1001, ApprovalNeeded)])
def test_one_operator_alone_gives_back_so_much_and_no_more(minor: int, refusal: type[Exception]) -> None:
    assert refund_decision.request(context(), wanted(900), OPERATOR).counted == Money(900)
    with pytest.raises(refusal):
        refund_decision.request(context(), wanted(minor), OPERATOR)
    by_two = replace(OPERATOR, approved_by="acc_8")
    assert refund_decision.request(context(), wanted(minor), by_two).counted is None


def test_what_the_provider_takes_no_more_is_owed_or_refused_as_it_was_chosen() -> None:
    late = context(limits=Limits(refund_window=timedelta(days=1)), now=NOON + timedelta(days=2))
    owed = refund_decision.request(late, wanted(700), BUYER)
    assert (owed.refund.status, owed.refund.code, owed.refund.unsent) == (RefundStatus.OWED, "window_closed", True)
    assert owed.payment.reserved_minor == 700
    with pytest.raises(RefundRefused) as refused:
        refund_decision.request(late, wanted(700), OPERATOR)
    assert refused.value.members()["why"] == "window_closed"
    assert refund_decision.request(late, wanted(700, offline=True), OPERATOR).refund.status is RefundStatus.OWED
    with pytest.raises(RefundRefused) as refused:
        refund_decision.request(context(), wanted(700, offline=True), OPERATOR)
    assert refused.value.members()["why"] == "provider_can_refund"


@pytest.mark.parametrize(
    ("disputed", "reserved", "expected"),
    [
        (0, 0, (1500, None)),
        (600, 0, (900, 600)),
        (1500, 0, Withheld(Money(1500))),
        (0, 1500, Withheld(Money(0))),
    ],
)
def test_what_an_order_still_owes_is_reserved_or_withheld(disputed: int, reserved: int, expected: Any) -> None:
    payment = replace(PAYMENT, disputed_minor=disputed, reserved_minor=reserved)
    before = refund_decision.request(context(), wanted(reserved), BUYER).refund if reserved else None
    decided = refund_decision.rest(context(payment, *([before] if before else [])), Requester("cancel#1"))
    if isinstance(decided, Reserved):
        withheld = decided.withheld.minor if decided.withheld else None
        assert (decided.refund.amount.minor, withheld) == expected
        assert decided.refund.freight
        assert decided.payment.reserved_minor == reserved + decided.refund.amount.minor
    else:
        assert decided == expected


def test_nobody_has_paid_so_nothing_goes_back() -> None:
    surplus = replace(PAYMENT, status=PaymentStatus.SURPLUS)
    for given, why in ((replace(context(), payment=None), "not_paid"), (context(surplus), "payment_surplus")):
        with pytest.raises(RefundRefused) as refused:
            refund_decision.request(given, wanted(1), BUYER)
        assert refused.value.members()["why"] == why


def test_a_refund_says_by_whom_when_why_and_under_which_key_it_was_asked_for() -> None:
    asked = Requester("operator#1", fingerprint="print", by="acc_9", approved_by="acc_8", about="cmp_1")
    request = RefundRequest(ORDER.order_id, "x" * 81, amount=Money(700), line="1", compensation=True)
    refund = refund_decision.request(context(), request, asked).refund
    assert (refund.purchase_id, refund.payment_id, refund.order_id) == (PURCHASE, PAYMENT.payment_id, ORDER.order_id)
    assert (refund.reason, refund.request_token, refund.fingerprint) == ("x" * 80, asked.token, "print")
    assert (refund.by, refund.approved_by, refund.about) == ("acc_9", "acc_8", "cmp_1")
    assert (refund.line, refund.compensation, refund.freight, refund.lines) == ("1", True, False, ())
    assert (refund.requested_at, refund.since) == (NOON, NOON)
    assert refund.due_at == refund_rules.first_due_at(NOON)
    assert (refund.code, refund.unsent) == ("", False)


def test_the_same_key_finds_the_refund_that_it_made_on_this_payment_alone() -> None:
    made = refund_decision.request(context(), wanted(700), BUYER).refund
    assert context(PAYMENT, made).known(BUYER) == made
    assert context(PAYMENT, made).known(OPERATOR) is None
    elsewhere = replace(made, payment_id=ids.child_id("pay", PURCHASE, 2))
    assert context(PAYMENT, elsewhere).known(BUYER) is None
    for asked in (replace(context(), payment=None).paid, lambda: replace(context(), payment=None).known(BUYER)):
        with pytest.raises(RefundRefused) as refused:
            asked()
        assert (refused.value.members()["why"], refused.value.members()["left"]) == ("not_paid", 0)


def test_what_is_left_of_a_line_is_told_with_and_without_what_is_under_way() -> None:
    made = refund_decision.request(context(), wanted(lines=(("1", 1),)), BUYER).refund
    underway = context(PAYMENT, made)
    assert (underway.left_of("1"), underway.left_of("1", done=True)) == (Money(667), Money(1000))
    done = context(PAYMENT, replace(made, status=RefundStatus.SUCCEEDED))
    assert (done.left_of("1"), done.left_of("1", done=True)) == (Money(667), Money(667))
    dollars = replace(ORDER, total=Money(1500, "USD"))
    assert context(order=dollars).left_of("1") == Money(1000, "USD")


def test_units_that_have_not_left_were_charged_what_was_not_paid_back() -> None:
    assert context().charged_unsent("1") == Money(1000)
    made = refund_decision.request(context(), wanted(lines=(("1", 1),)), BUYER).refund
    some = replace(ORDER, never_left=(("1", 1),))
    assert context(PAYMENT, made, order=some).charged_unsent("1") == Money(667)
    assert context().charged_unsent("2") == Money(0)
    ended = replace(ORDER, status=OrderStatus.CANCELLED)
    assert context(order=ended).charged_unsent("1") == Money(0)


def test_all_of_an_order_s_money_empties_it() -> None:
    whole = refund_decision.request(context(), wanted(lines=(("1", 3),), freight=True), BUYER)
    assert (whole.refund.amount, whole.refund.freight, whole.refund.lines) == (Money(1500), True, (("1", 3),))
    assert (whole.everything, whole.emptied) == (True, ("1",))
    less = refund_decision.request(context(), wanted(1499), BUYER)
    assert (less.everything, less.emptied) == (False, ())
    assert refund_decision.request(context(), wanted(1500), BUYER).everything


def test_an_amount_about_a_line_counts_units_that_never_left_or_never_came() -> None:
    gone = replace(ORDER, status=OrderStatus.CANCELLED)
    about = wanted(1000, line="1")
    assert refund_decision.request(context(), about, BUYER).refund.lines == (("1", 3),)
    assert refund_decision.request(context(order=gone), about, BUYER).refund.lines == ()
    never_came = replace(about, never_came=True)
    assert refund_decision.request(context(order=gone), never_came, BUYER).refund.lines == (("1", 3),)
    assert refund_decision.request(context(), wanted(332, line="1"), BUYER).refund.lines == ()
    assert refund_decision.request(context(), wanted(333, line="1"), BUYER).refund.lines == (("1", 1),)


def test_a_refusal_about_a_line_says_what_is_left_of_it() -> None:
    made = refund_decision.request(context(), wanted(600, line="1", compensation=True), BUYER).refund
    payment = replace(PAYMENT, reserved_minor=600)
    left = refund_decision.request(context(payment, made), wanted(400, line="1", compensation=True), BUYER)
    assert left.payment.reserved_minor == 1000
    with pytest.raises(RefundRefused) as refused:
        refund_decision.request(context(payment, made), wanted(401, line="1", compensation=True), BUYER)
    assert (refused.value.members()["why"], refused.value.members()["left"]) == ("more_than_line", 400)


def test_an_order_has_no_more_to_give_back_than_its_total() -> None:
    payment = replace(PAYMENT, amount=Money(9000), captured=Money(9000))
    with pytest.raises(RefundRefused) as refused:
        refund_decision.request(context(payment), wanted(1501), BUYER)
    assert (refused.value.members()["why"], refused.value.members()["left"]) == ("more_than_order", 1500)
    with pytest.raises(RefundRefused) as refused:
        refund_decision.check(context(payment), wanted(1501))
    assert (refused.value.members()["why"], refused.value.members()["left"]) == ("more_than_order", 1500)


def test_what_one_operator_gave_back_alone_counts_and_what_two_did_does_not() -> None:
    alone = replace(refund_decision.request(context(), wanted(400), OPERATOR).refund, status=RefundStatus.SUCCEEDED)
    payment = replace(PAYMENT, reserved_minor=400)
    assert refund_decision.request(context(payment, alone), wanted(600), OPERATOR).counted == Money(600)
    with pytest.raises(ApprovalNeeded) as needed:
        refund_decision.request(context(payment, alone), wanted(601), OPERATOR)
    assert (needed.value.members()["limit"], needed.value.members()["currency"]) == (1000, "CNY")
    for other in (
        replace(alone, approved_by="acc_8"),
        replace(alone, by=""),
        replace(alone, status=RefundStatus.REPLACED),
    ):
        assert refund_decision.request(context(payment, other), wanted(900), OPERATOR).counted == Money(900)
    with pytest.raises(DayLimitReached) as reached:
        refund_decision.request(context(), wanted(901), OPERATOR)
    assert (reached.value.members()["limit"], reached.value.members()["currency"]) == (900, "CNY")
    with pytest.raises(ApprovalNeeded):
        refund_decision.request(context(alone={}), wanted(1), OPERATOR)
    with pytest.raises(DayLimitReached):
        refund_decision.request(context(alone_a_day={}), wanted(1), OPERATOR)


def test_a_way_that_is_not_open_is_refused_with_what_is_left_on_the_payment() -> None:
    late = context(limits=Limits(refund_window=timedelta(days=1)), now=NOON + timedelta(days=2))
    taken = replace(PAYMENT, reserved_minor=200, disputed_minor=300)
    with pytest.raises(RefundRefused) as refused:
        refund_decision.way(late, taken, offline=False, must=True)
    assert (refused.value.members()["why"], refused.value.members()["left"]) == ("window_closed", 1000)
    with pytest.raises(RefundRefused) as refused:
        refund_decision.way(late, replace(taken, disputed_minor=1400), offline=False, must=True)
    assert refused.value.members()["left"] == 0
    assert refund_decision.way(late, taken, offline=True, must=True) == "window_closed"
    assert refund_decision.way(late, taken, offline=False, must=False) == "window_closed"
    assert refund_decision.way(context(), taken, offline=False, must=True) == ""


def test_what_a_second_person_is_asked_about_is_checked_as_it_would_be_done() -> None:
    assert refund_decision.check(context(), wanted(700)) == Money(700)
    assert refund_decision.check(context(), wanted(lines=(("1", 2),))) == Money(666)
    late = context(limits=Limits(refund_window=timedelta(days=1)), now=NOON + timedelta(days=2))
    assert refund_decision.check(late, wanted(700, offline=True)) == Money(700)
    for given, request, why in (
        (late, wanted(700), "window_closed"),
        (context(), wanted(700, offline=True), "provider_can_refund"),
        (context(replace(PAYMENT, reserved_minor=900)), wanted(700), "more_than_captured"),
    ):
        with pytest.raises(RefundRefused) as refused:
            refund_decision.check(given, request)
        assert refused.value.members()["why"] == why


def test_an_order_that_goes_on_owes_for_the_units_alone() -> None:
    decided = refund_decision.rest(context(), Requester("lack#1"), {"1": 2})
    assert isinstance(decided, Reserved)
    assert (decided.refund.amount, decided.refund.lines, decided.refund.freight) == (Money(666), (("1", 2),), False)
    assert decided.refund.reason == "lack"
    assert decided.refund.request_token == Requester("lack#1").token
    assert (decided.payment.reserved_minor, decided.withheld, decided.counted) == (666, None, None)
    assert refund_decision.rest(context(), Requester("lack#1"), {}) == Withheld(Money(0))


def test_an_order_that_ends_owes_what_did_not_go_back_before_and_freight_once() -> None:
    before = refund_decision.request(context(), wanted(freight=True), BUYER).refund
    assert before.amount == Money(500)
    decided = refund_decision.rest(context(replace(PAYMENT, reserved_minor=500), before), Requester("cancel#1"))
    assert isinstance(decided, Reserved)
    assert (decided.refund.amount, decided.refund.freight, decided.refund.lines) == (Money(1000), False, (("1", 3),))
    assert decided.payment.reserved_minor == 1500
    free = replace(ORDER, freight=Money(0), total=Money(1000))
    without = refund_decision.rest(context(order=free), Requester("cancel#1"))
    assert isinstance(without, Reserved)
    assert (without.refund.amount, without.refund.freight) == (Money(1000), False)


def test_an_order_that_ends_owes_no_more_than_its_payment_still_holds() -> None:
    decided = refund_decision.rest(context(replace(PAYMENT, reserved_minor=900)), Requester("cancel#1"))
    assert isinstance(decided, Reserved)
    assert (decided.refund.amount, decided.withheld) == (Money(600), None)
    contested = replace(PAYMENT, reserved_minor=900, disputed_minor=200)
    decided = refund_decision.rest(context(contested), Requester("cancel#1"))
    assert isinstance(decided, Reserved)
    assert (decided.refund.amount, decided.withheld) == (Money(400), Money(200))


def test_what_ends_an_order_is_owed_where_the_provider_takes_no_refund_any_more() -> None:
    late = context(limits=Limits(refund_window=timedelta(days=1)), now=NOON + timedelta(days=2))
    decided = refund_decision.rest(late, Requester("cancel#1"))
    assert isinstance(decided, Reserved)
    assert (decided.refund.status, decided.refund.code) == (RefundStatus.OWED, "window_closed")
    surplus = replace(PAYMENT, status=PaymentStatus.SURPLUS)
    with pytest.raises(RefundRefused) as refused:
        refund_decision.rest(context(surplus), Requester("cancel#1"))
    assert (refused.value.members()["why"], refused.value.members()["left"]) == ("payment_surplus", 0)
