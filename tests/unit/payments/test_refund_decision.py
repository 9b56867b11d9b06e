"""Whether a refund may be had: decided by what was read once, without storage, clock or provider."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel import ids
from chalicelib.kernel.money import Money
from chalicelib.orders.domain import Line, Order, OrderStatus, Stock
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
