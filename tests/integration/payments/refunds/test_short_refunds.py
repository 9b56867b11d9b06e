"""A provider that holds too little of our money for a refund: tried again by itself with back-off, then a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.orders.service import Sale
from chalicelib.payments.domain.refund import SHORT_WAITS, Refund, RefundStatus
from chalicelib.payments.ports import RefundOutcome, RefundReport
from chalicelib.payments.store import records as store
from chalicelib.runtime import outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support.paying import Till, payment, story


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def refund(till: Till, sale: Sale) -> str:
    body = {
        "order_id": sale.orders[0].order_id,
        "amount": {"minor": 500, "currency": "CNY"},
        "reason": "broken",
    }
    answer = till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body)
    assert answer.status == 201, answer.body
    till.settle()
    return str(answer.json["refund_id"])


def only(sale: Sale) -> Refund:
    (found,) = story(sale).refunds
    return found


def cases(till: Till, status: str = "open") -> list[Any]:
    found = till.operate("GET", f"/v1/operator/cases?status={status}").json["items"]
    return [case for case in found if case["kind"] == "refund_stuck"]


def counted(till: Till) -> list[str]:
    return [event for event in till.pump.log if event.startswith("payments:refund.requested")]


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("NOT_ENOUGH", True),
        ("ACQ.SELLER_BALANCE_NOT_ENOUGH", True),
        ("ACQ.TXN_RESULT_ACCOUNT_BALANCE_NOT_ENOUGH", True),
        ("NOTENOUGH", True),
        ("balance_insufficient", True),
        ("insufficient_funds", True),
        ("CARD_CLOSED", False),
        ("ACQ.TRADE_HAS_FINISHED", False),
        ("", False),
    ],
)
def test_every_providers_word_for_it_is_known(code: str, short: bool) -> None:
    assert RefundReport(RefundOutcome.FAILED, code=code).is_short is short
    assert not RefundReport(RefundOutcome.CLOSED, code=code).is_short
    assert not RefundReport(RefundOutcome.UNKNOWN, code=code).is_short


def test_it_goes_through_by_itself_once_the_balance_is_filled_up(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="failed")  # BALANCE_NOT_ENOUGH
    refund_id = refund(till, sale)
    assert (only(sale).status, only(sale).code) == (RefundStatus.FAILED, "BALANCE_NOT_ENOUGH")
    assert only(sale).due_at == clock.now() + timedelta(minutes=10)
    assert [case["subject"] for case in cases(till)] == [refund_id]  # Somebody has to fill it up.
    till.wait(timedelta(minutes=45), step=timedelta(minutes=1))
    assert (only(sale).status, only(sale).shorts) == (RefundStatus.FAILED, 3)

    till.sandbox.steer(payment_id, refund="succeeded")
    till.wait(timedelta(minutes=70), step=timedelta(minutes=5))
    assert only(sale).status is RefundStatus.SUCCEEDED
    assert till.sandbox.orders[payment_id].refunded == 500
    assert (payment(payment_id).reserved_minor, payment(payment_id).refunded_minor) == (500, 500)
    assert (cases(till), [case["subject"] for case in cases(till, "settled")]) == ([], [refund_id])


def test_it_is_tried_so_often_and_no_more_then_it_waits_for_a_person(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="failed")
    refund(till, sale)
    for tried, wait in enumerate(SHORT_WAITS, start=1):
        assert len(counted(till)) == tried
        till.wait(wait, step=wait / 2)
    till.wait(timedelta(days=9), step=timedelta(hours=12))
    assert len(counted(till)) == 1 + len(SHORT_WAITS)
    assert (only(sale).status, only(sale).due_at) == (RefundStatus.FAILED, None)
    (case,) = till.operate("GET", "/v1/operator/cases?status=escalated").json["items"]
    assert (case["kind"], case["opened_at"]) == ("refund_stuck", "2026-11-22T04:00:00.000Z")

    till.sandbox.steer(payment_id, refund="succeeded")
    answer = till.operate("POST", f"/v1/operator/refunds/{only(sale).refund_id}/retry")
    assert (answer.status, answer.json["status"]) == (200, "requested")
    till.settle()
    assert only(sale).status is RefundStatus.SUCCEEDED


def test_any_other_failure_waits_for_a_person_at_once(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refuse=("refund",))
    refund(till, sale)
    assert (only(sale).status, only(sale).due_at, only(sale).shorts) == (RefundStatus.FAILED, None, 0)
    till.wait(timedelta(hours=2), step=timedelta(minutes=10))
    assert len(counted(till)) == 1


def test_contested_money_is_not_tried_again_by_the_clock(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="failed")
    refund(till, sale)
    from dataclasses import replace

    with UnitOfWork() as work:
        store.save_payment(work, replace(payment(payment_id), disputed_minor=1999))
    till.wait(timedelta(hours=1), step=timedelta(minutes=5))
    assert (only(sale).status, only(sale).due_at) == (RefundStatus.FAILED, None)
    assert len(counted(till)) == 1


def test_an_operators_retry_and_the_clocks_at_the_same_moment_are_one(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="failed")
    refund_id = refund(till, sale)
    till.sandbox.steer(payment_id, refund="succeeded")
    till.clock.advance(timedelta(minutes=11))
    till.pump.due()
    assert till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry").json["code"] == "illegal_transition"
    till.settle()
    assert till.sandbox.orders[payment_id].refunded == 500
