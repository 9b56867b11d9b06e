"""A story is told by time, and never an effect before its cause, though providers tell whole seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.money import Money
from chalicelib.ledger.domain import Entry, Posting
from chalicelib.orders.domain import NOWHERE, Change, Order, OrderStatus, Purchase, PurchaseStatus, Sale, Stock
from chalicelib.orders.service import REFUNDED
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords, Quarantined
from chalicelib.payments.domain.refund import Refund, RefundStatus
from chalicelib.payments.domain.story_order import Told, in_order
from chalicelib.payments.reviews.story import Happening, told

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PURCHASE, ORDER, PAYMENT, REFUND = "pur_a", "ord_a_01", "pay_a_01", "ref_a_01"
TOTAL = Money(1000)

CHAIN = (
    ("purchase.placed", ""),
    ("payment.started", ""),
    ("payment.captured", ""),
    ("purchase.changed", "paid"),
    ("order.changed", "paid"),
    ("order.changed", "cancelled"),
    ("refund.requested", ""),
    ("refund.pending", ""),
    ("refund.succeeded", "succeeded"),
    ("ledger.posted", "refund.succeeded#ref_a_01"),
)
"""Each led to the next."""


def told_of(moments: Sequence[datetime], *, by_hand: bool = False) -> list[Happening]:
    """Tell the story whose ten facts bear these times; ``by_hand``: an operator's refund ended the order."""
    placed, started, captured, paid, order_paid, cancelled, requested, pending, succeeded, posted = moments
    order = Order(
        order_id=ORDER,
        purchase_id=PURCHASE,
        buyer_id="acc_a",
        merchant_id="mer_a",
        merchant_name="Tea",
        status=OrderStatus.CANCELLED,
        stock=Stock.RELEASED,
        lines=(),
        freight=Money(0),
        discount=Money(0),
        total=TOTAL,
        commission_bps=0,
        number="1",
        placed_at=placed,
        since=cancelled,
        history=(
            Change("paid", order_paid, "system"),
            Change("cancelled", cancelled, "acc_a", REFUNDED if by_hand else "", by_refund=by_hand),
        ),
    )
    purchase = Purchase(
        purchase_id=PURCHASE,
        buyer_id="acc_a",
        status=PurchaseStatus.PAID,
        total=TOTAL,
        order_ids=(ORDER,),
        number="1",
        delivery=NOWHERE,
        placed_at=placed,
        since=paid,
        fingerprint="",
        settled_by=PAYMENT,
        history=(Change("paid", paid, "system"),),
    )
    payment = Payment(
        payment_id=PAYMENT,
        purchase_id=PURCHASE,
        buyer_id="acc_a",
        provider="sandbox",
        method="page",
        amount=TOTAL,
        status=PaymentStatus.CAPTURED,
        created_at=started,
        expires_at=started + timedelta(minutes=30),
        due_at=None,
        intent="",
        fingerprint="",
        captured=TOTAL,
        captured_at=captured,
    )
    refund = Refund(
        refund_id=REFUND,
        purchase_id=PURCHASE,
        payment_id=PAYMENT,
        order_id=ORDER,
        amount=TOTAL,
        status=RefundStatus.SUCCEEDED,
        reason="operator" if by_hand else "cancel",
        by="acc_o" if by_hand else "",
        request_token="",
        requested_at=requested,
        due_at=None,
        since=succeeded,
        past=((RefundStatus.REQUESTED, requested), (RefundStatus.PENDING, pending)),
    )
    entries = [
        Entry("payment.captured#pay_a_01", PURCHASE, paid, _postings()),
        Entry("refund.succeeded#ref_a_01", PURCHASE, posted, _postings()),
    ]
    strange = Quarantined("quarantine#1", PURCHASE, PAYMENT, "amount", captured)
    return in_order(told(Sale(purchase, (order,)), PaymentRecords((payment,), (refund,), (strange,)), entries))


def _postings() -> tuple[Posting, ...]:
    return Posting("clearing:sandbox", TOTAL), Posting("buyers", Money(-TOTAL.minor))


def _place(found: list[Happening], what: str, status: str) -> int:
    (number,) = [
        number
        for number, one in enumerate(found)
        if one.what == what and status in ("", one.status or one.record_id, one.record_id)
    ]
    return number


@settings(deadline=None, max_examples=300)
@given(
    gaps=st.lists(st.integers(0, 2500), min_size=10, max_size=10),
    whole=st.sets(st.sampled_from([2, 3, 4, 7, 8])),
    ahead=st.integers(-3, 3),
)
def test_no_effect_is_told_before_its_cause_and_no_time_is_invented(
    gaps: list[int], whole: set[int], ahead: int
) -> None:
    moments, now = [], BEGIN
    for number, gap in enumerate(gaps):
        now += timedelta(milliseconds=gap)
        theirs = now.replace(microsecond=0) + timedelta(seconds=ahead)
        moments.append(theirs if number in whole else now)

    found = told_of(moments)

    places = [_place(found, what, status) for what, status in CHAIN]
    assert places == sorted(places), [(one.what, one.status, one.at) for one in found]
    assert [found[place].at for place in places] == moments
    assert len(found) == len(CHAIN) + 2
    booked = _place(found, "ledger.posted", "payment.captured#pay_a_01")
    assert booked > places[2]
    assert _place(found, "quarantine.opened", "") > places[1]


def test_a_capture_of_whole_seconds_stands_behind_the_attempt_it_belongs_to() -> None:
    moments = [BEGIN + timedelta(milliseconds=400 + 10 * number) for number in range(10)]
    moments[2] = moments[3] = BEGIN
    assert [one.what for one in told_of(moments)][:4] == [
        "purchase.placed",
        "payment.started",
        "payment.captured",
        "purchase.changed",
    ]


def test_an_order_that_a_refund_ended_stands_behind_it() -> None:
    moments = [BEGIN + timedelta(seconds=number) for number in range(10)]
    moments[5] = moments[6]
    found = told_of(moments, by_hand=True)
    assert _place(found, "refund.requested", "") < _place(found, "order.changed", "cancelled")
    found = told_of(moments)
    assert _place(found, "order.changed", "cancelled") < _place(found, "refund.requested", "")


@given(st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 11), max_size=3)), max_size=12))
@settings(deadline=None, max_examples=300)
def test_every_fact_is_told_once_behind_its_causes(facts: list[tuple[int, set[int]]]) -> None:
    made = [
        Told(number, BEGIN + timedelta(seconds=second), str(number), tuple(str(one) for one in causes if one < number))
        for number, (second, causes) in enumerate(facts)
    ]
    found = in_order(made)
    assert sorted(found) == list(range(len(facts)))
    for number, (_, causes) in enumerate(facts):
        assert all(found.index(cause) < found.index(number) for cause in causes if cause < number)


@pytest.mark.parametrize("times", [(0, 1), (1, 0), (0, 0)])
def test_facts_that_lead_to_each_other_are_told_all_the_same(times: tuple[int, int]) -> None:
    first, second = (
        Told(number, BEGIN + timedelta(seconds=times[number]), str(number), (str(1 - number),)) for number in (0, 1)
    )
    assert sorted(in_order([first, second])) == [0, 1]
    apart = replace(first, after=())
    assert in_order([second, apart]) == [0, 1]
