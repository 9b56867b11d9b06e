"""Refunds that had gone through and came back: what their success changed is taken back, once, and only on proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel.roles import Role
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.payments import service
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import Refund, RefundStatus
from chalicelib.payments.refunds import execute
from chalicelib.reconciliation import service as reconciliation
from chalicelib.runtime import outbound
from tests.support import dump, http, people
from tests.support.paying import Till, accounts, payment, story


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def give_back(till: Till, sale: orders.Sale, minor: int, *, order: int = 0) -> str:
    answer = till.operate(
        "POST",
        f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
        {
            "order_id": sale.orders[order].order_id,
            "amount": {"minor": minor, "currency": "CNY"},
            "reason": "goodwill",
        },
    )
    assert answer.status == 201, answer.body
    till.settle()
    return str(answer.json["refund_id"])


def refund_of(sale: orders.Sale, refund_id: str) -> Refund:
    return next(refund for refund in story(sale).refunds if refund.refund_id == refund_id)


def noted(sale: orders.Sale, order: int = 0) -> int:
    return orders.load_order(sale.orders[order].order_id).refunded.minor


def cases(till: Till) -> list[tuple[str, str]]:
    found = till.operate("GET", "/v1/operator/cases").json["items"]
    return [(case["kind"], case["said"]["reason"]) for case in found]


def test_the_books_are_as_before_the_refund_and_an_operator_is_told(till: Till) -> None:
    sale, payment_id = till.paid((1999,), commission_bps=700)
    before = accounts(sale)
    refund_id = give_back(till, sale, 1999)
    assert (payment(payment_id).status, payment(payment_id).refunded_minor) == (PaymentStatus.REFUNDED, 1999)
    assert (accounts(sale), noted(sale)) == ({}, 1999)

    till.sandbox.settle(refund_id, "closed")
    till.settle()

    bounced = refund_of(sale, refund_id)
    assert (bounced.status, bounced.code, bounced.bounced_at is not None) == (RefundStatus.CLOSED, "bounced", True)
    held = payment(payment_id)
    assert (held.status, held.refunded_minor, held.reserved_minor) == (PaymentStatus.CAPTURED, 0, 1999)
    assert (accounts(sale), noted(sale)) == (before, 0)
    assert cases(till) == [("refund_stuck", "bounced")]
    listed = till.operate("GET", "/v1/operator/payments?status=refund_closed").json["refunds"]
    assert [found["refund_id"] for found in listed] == [refund_id]


def test_a_renewed_refund_goes_back_under_another_number(till: Till) -> None:
    sale, payment_id = till.paid((1999,), commission_bps=700)
    refund_id = give_back(till, sale, 1999)
    till.sandbox.settle(refund_id, "closed")
    till.settle()

    renewed = till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry", {})
    assert renewed.status == 200, renewed.body
    till.settle()

    assert (renewed.json["retried_by"], renewed.json["by"]) == (till.operator.account_id,) * 2
    fresh = refund_of(sale, renewed.json["refund_id"])
    assert fresh.refund_id != refund_id
    assert (fresh.status, fresh.origin, fresh.bounced_at) == (RefundStatus.SUCCEEDED, refund_id, None)
    assert refund_of(sale, refund_id).status is RefundStatus.REPLACED
    assert payment(payment_id).status is PaymentStatus.REFUNDED
    assert (accounts(sale), noted(sale)) == ({}, 1999)
    assert till.sandbox.orders[payment_id].refunded == 1999


def test_one_of_several_comes_back_and_every_account_still_ends_at_nothing(till: Till) -> None:
    """Commission follows the running sum of what went back: taking one out of the middle must not move the rest."""
    sale, payment_id = till.paid((1001, 998), commission_bps=333)
    parts = [give_back(till, sale, minor) for minor in (7, 500, 493)]
    till.sandbox.settle(parts[1], "closed")
    till.settle()
    assert (payment(payment_id).refunded_minor, noted(sale)) == (500, 500)
    shares = ledger.Share(sale.orders[0].merchant_id, sale.orders[0].total, 333)
    ours = sum(
        posting.amount.minor
        for posting in ledger.refund_postings("sandbox", shares, before=shares.total * 0, amount=shares.total)
        if posting.account == "commission"
    )
    assert ours == 33
    service.retry_refund(parts[1])
    till.settle()
    give_back(till, sale, 1)
    give_back(till, sale, 998, order=1)
    assert (accounts(sale), noted(sale), noted(sale, 1)) == ({}, 1001, 998)


def test_an_old_answer_takes_nothing_back(till: Till) -> None:
    """A word that it failed, from before it went through: what the provider answers now decides."""
    sale, payment_id = till.paid()
    refund_id = give_back(till, sale, 700)
    before = dump.tables()
    for state in ("closed", "failed", "abnormal"):
        headers, body = till.sandbox.signed_notice(
            {
                "kind": "refund",
                "out_trade_no": payment_id,
                "out_refund_no": refund_id,
                "refund_id": "sbr00000001",
                "state": state,
                "amount": 700,
                "currency": "CNY",
                "notice_id": f"old-{state}",
                "merchant_id": till.sandbox.keys.merchant_id,
            }
        )
        assert till.post("/v1/webhooks/payments/sandbox", headers, body) == 200
    till.settle()
    assert dump.differences(before, dump.tables()) == []
    assert refund_of(sale, refund_id).status is RefundStatus.SUCCEEDED


def test_while_the_provider_is_silent_nothing_is_taken_back_and_its_word_waits(till: Till) -> None:
    sale, payment_id = till.paid()
    refund_id = give_back(till, sale, 700)
    before = dump.tables()
    till.sandbox.steer(payment_id, down=("query_refund",))
    till.sandbox.settle(refund_id, "closed")
    till.settle()
    assert dump.differences(before, dump.tables()) == []
    answer = till.operate("POST", f"/v1/operator/refunds/{refund_id}/query", {})
    assert (answer.status, answer.json["code"]) == (502, "provider_silent")

    till.sandbox.steer(payment_id, down=())
    till.wait(timedelta(minutes=2))
    assert refund_of(sale, refund_id).status is RefundStatus.CLOSED
    assert (payment(payment_id).refunded_minor, noted(sale)) == (0, 0)


def test_what_a_silent_provider_said_waits_until_it_answers(till: Till) -> None:
    """A refund that has ended is not polled: nobody but the notice would ask again."""
    sale, payment_id = till.paid()
    refund_id = give_back(till, sale, 700)
    till.sandbox.steer(payment_id, silent_before=("query_refund",) * 3)
    till.sandbox.settle(refund_id, "closed")
    till.settle()
    assert refund_of(sale, refund_id).status is RefundStatus.SUCCEEDED

    till.wait(timedelta(minutes=3))
    assert refund_of(sale, refund_id).status is RefundStatus.CLOSED
    assert (payment(payment_id).refunded_minor, accounts(sale)["clearing:sandbox"]) == (0, 1999)


def test_an_operator_who_asks_is_told_of_the_silence(till: Till) -> None:
    sale, payment_id = till.paid()
    refund_id = give_back(till, sale, 700)
    till.sandbox.steer(payment_id, notify=False)
    till.sandbox.settle(refund_id, "closed")
    before = dump.tables()
    real = outbound.request
    asked: list[str] = []

    def once(*args: Any, **more: Any) -> Any:
        asked.append("")
        till.sandbox.steer(payment_id, silent_before=("query_refund",) if len(asked) == 2 else ())
        return real(*args, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(outbound, "request", once)
        silent = till.operate("POST", f"/v1/operator/refunds/{refund_id}/query", {})
    assert (silent.status, silent.json["code"]) == (502, "provider_silent")
    assert dump.differences(before, dump.tables()) == []


def test_told_ten_times_and_by_two_at_the_same_moment_it_comes_back_once(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, payment_id = till.paid()
    refund_id = give_back(till, sale, 700)
    till.sandbox.steer(payment_id, duplicates=10)
    real: Callable[..., Refund] = execute._bounce
    rivals: list[RefundStatus] = []

    def bounce(*args: Any, **more: Any) -> Refund:
        if not rivals:
            rivals.append(RefundStatus.SUCCEEDED)
            rivals.append(service.query_refund_now(refund_id).status)
        return real(*args, **more)

    monkeypatch.setattr(execute, "_bounce", bounce)
    till.sandbox.settle(refund_id, "closed")
    till.settle()
    assert rivals[1] is RefundStatus.CLOSED
    entries = [entry.entry_id for entry in ledger.entries(sale.purchase.purchase_id)]
    assert entries.count(f"refund.bounced#{refund_id}") == 1
    assert (payment(payment_id).refunded_minor, noted(sale)) == (0, 0)
    assert accounts(sale)["clearing:sandbox"] == 1999


def test_the_order_hears_both_facts_in_any_order(till: Till) -> None:
    sale, _ = till.paid()
    order = sale.orders[0]
    amount = order.total
    from chalicelib.kernel.errors import RetryLater

    with pytest.raises(RetryLater):
        orders.take_back_refund(order.order_id, "ref_x", amount)
    assert noted(sale) == 0
    orders.record_refund(order.order_id, "ref_x", amount)
    for _ in range(2):
        orders.take_back_refund(order.order_id, "ref_x", amount)
        orders.record_refund(order.order_id, "ref_x", amount)
    assert noted(sale) == 0


def test_a_surplus_that_came_back_is_owed_again(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.expire(sale)
    till.sandbox.pay(payment_id)
    till.settle()
    assert payment(payment_id).status is PaymentStatus.RETURNED
    (refund,) = story(sale).refunds

    till.sandbox.settle(refund.refund_id, "closed")
    till.settle()
    assert payment(payment_id).status is PaymentStatus.SURPLUS
    assert accounts(sale) == {"clearing:sandbox": 1999, "surplus": -1999}
    service.retry_refund(refund.refund_id)
    till.settle()
    assert (payment(payment_id).status, accounts(sale)) == (PaymentStatus.RETURNED, {})
    till.wait(timedelta(minutes=5))
    assert len(story(sale).refunds) == 2


def test_who_had_a_refund_tried_again_is_kept_beside_who_asked_for_it(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="failed")
    refund_id = give_back(till, sale, 700)
    other = people.operator()
    token = people.token(other.account_id, Role.BUYER, Role.OPERATOR)
    till.sandbox.steer(payment_id, refund="succeeded")
    for same in (True, False):  # Under its own number; when that came back, under another.
        again = http.call("POST", f"/v1/operator/refunds/{refund_id}/retry", {}, token=token)
        assert (again.status, again.json["by"], again.json["retried_by"]) == (
            200,
            till.operator.account_id,
            other.account_id,
        )
        assert (again.json["refund_id"] == refund_id) is same
        till.settle()
        assert refund_of(sale, again.json["refund_id"]).status is RefundStatus.SUCCEEDED
        till.sandbox.settle(again.json["refund_id"], "closed")
        till.settle()
    told = till.operate("GET", f"/v1/operator/purchases/{sale.purchase.purchase_id}/story").json["items"]
    asked = [(item["record_id"], item["by"]) for item in told if item["what"] == "refund.requested" and "by" in item]
    assert asked == [(refund_id, till.operator.account_id), (again.json["refund_id"], other.account_id)]


def test_a_success_told_again_leaves_the_case_of_what_came_back_open(till: Till) -> None:
    sale, _ = till.paid()
    refund_id = give_back(till, sale, 700)
    till.sandbox.settle(refund_id, "closed")
    till.settle()
    reconciliation.refund_done(refund_id)
    assert cases(till) == [("refund_stuck", "bounced")]
    service.retry_refund(refund_id)
    till.settle()
    assert cases(till) == []


@pytest.mark.parametrize("wrong", [{"amount": 1}, {"currency": "USD"}])
def test_another_amount_in_a_notice_of_a_refund_only_makes_us_ask(
    till: Till, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    sale, payment_id = till.paid((1999,))
    told = till.sandbox._notify
    monkeypatch.setattr(till.sandbox, "_notify", lambda url, number, said: told(url, number, {**said, **wrong}))
    till.sandbox.steer(payment_id, refund="pending")
    refund_id = give_back(till, sale, 700)
    assert refund_of(sale, refund_id).status is RefundStatus.PENDING

    till.sandbox.settle(refund_id, "succeeded")
    till.settle()

    assert refund_of(sale, refund_id).status is RefundStatus.SUCCEEDED
    assert (payment(payment_id).refunded_minor, noted(sale)) == (700, 700)
    assert cases(till) == []
    assert [content["kind"] for _, content in till.sandbox.delivered][-1] == "refund"


def test_a_refund_of_another_amount_is_stuck_once_the_provider_itself_says_so(till: Till) -> None:
    sale, payment_id = till.paid((1999,))
    till.sandbox.steer(payment_id, refund="pending")
    refund_id = give_back(till, sale, 700)
    till.sandbox.refunds[refund_id].amount = 699

    till.sandbox.settle(refund_id, "succeeded")
    till.settle()

    assert refund_of(sale, refund_id).status is RefundStatus.ABNORMAL
    assert (payment(payment_id).refunded_minor, noted(sale)) == (0, 0)
