"""Refunded in the console and through our routes too: what was made there takes the place of what was refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.orders import service as orders
from chalicelib.orders.service import Sale
from chalicelib.payments import providers
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import Refund, RefundStatus
from chalicelib.payments.ports import RefundOutcome
from chalicelib.payments.refunds import retry, superseded
from chalicelib.runtime import outbound
from tests.integration.payments.refunds.test_console_refunds import TOTAL, a_day_later, adopt, cases, kept
from tests.support.hosts import METHODS, bought, opened
from tests.support.paying import Till, accounts, payment, story


@pytest.fixture(params=list(METHODS))
def till(request: pytest.FixtureRequest, cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    yield opened(str(request.param), noon, monkeypatch)
    outbound.install(None)


@pytest.fixture
def sandbox(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Till:
    return opened("sandbox", noon, monkeypatch)


def refused(till: Till, there: int, *ours: int) -> tuple[Sale, str]:
    """Return a purchase refunded in the console, and then by us, who were refused."""
    sale, payment_id = bought(till, TOTAL)
    till.clock.advance(timedelta(minutes=2))
    till.sandbox.console_refund(payment_id, there)
    for minor in ours:
        till.clock.advance(timedelta(minutes=2))
        body = {"payment_id": payment_id, "order_id": sale.orders[0].order_id, "reason": "x"}
        body["amount"] = {"minor": minor, "currency": "CNY"}
        path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds"
        assert till.operate("POST", path, body).status == 201
        till.settle()
    a_day_later(till)
    assert [one.status for one in story(sale).refunds] == [RefundStatus.FAILED] * len(ours)
    return sale, payment_id


def stuck(till: Till) -> list[Any]:
    found = till.operate("GET", "/v1/operator/cases?status=open&limit=100").json["items"]
    return [case["subject"] for case in found if case["kind"] == "refund_stuck"]


def all_is_back(till: Till, sale: Sale, payment_id: str) -> None:
    held, order = payment(payment_id), orders.load_order(sale.orders[0].order_id)
    assert (held.status, held.refunded_minor, held.reserved_minor) == (PaymentStatus.REFUNDED, TOTAL, TOTAL)
    assert (order.refunded.minor, order.refunding) == (TOTAL, ())
    left, provider = accounts(sale), held.provider
    fees = left.pop(f"fees:{provider}", 0)  # The bill's.
    assert left == ({f"clearing:{provider}": -fees} if fees else {})
    assert (cases(till), stuck(till)) == ([], [])


def test_it_takes_the_place_of_ours_once(till: Till) -> None:
    sale, payment_id = refused(till, TOTAL, TOTAL)
    (dead,), (one,) = story(sale).refunds, kept(sale)
    assert stuck(till) == [dead.refund_id]
    answer = adopt(till, sale, one)
    assert answer.status == 200, answer.body
    gone, made = story(sale).refunds
    assert answer.json["resolved"] == f"adopted: {made.refund_id} in place of {dead.refund_id}"
    assert (gone.status, gone.due_at) == (RefundStatus.REPLACED, None)
    assert (made.status, made.renews, made.origin) == (RefundStatus.SUCCEEDED, dead.refund_id, dead.refund_id)
    all_is_back(till, sale, payment_id)
    assert adopt(till, sale, one).status == 409
    for act in ("retry", "offline"):
        assert till.operate("POST", f"/v1/operator/refunds/{dead.refund_id}/{act}", {}).status == 409, act
    till.wait(timedelta(hours=3), step=timedelta(minutes=30))
    assert len(story(sale).refunds) == 2
    all_is_back(till, sale, payment_id)


def test_what_was_not_made_there_is_asked_for_anew(till: Till) -> None:
    sale, payment_id = refused(till, 300, TOTAL)
    (one,) = kept(sale)
    answer = adopt(till, sale, one)
    assert answer.status == 200, answer.body
    till.wait(timedelta(minutes=30), step=timedelta(minutes=2))
    gone, made, rest = story(sale).refunds
    assert [each.status for each in (gone, made)] == [RefundStatus.REPLACED, RefundStatus.SUCCEEDED]
    assert (rest.amount.minor, rest.renews, rest.external_number) == (TOTAL - 300, gone.refund_id, "")
    if rest.status is RefundStatus.PENDING:
        till.sandbox.settle(rest.refund_id, "succeeded")
        till.settle()
    all_is_back(till, sale, payment_id)


def test_several_give_way(till: Till) -> None:
    sale, payment_id = refused(till, TOTAL, 1200, 800)
    (one,) = kept(sale)
    assert adopt(till, sale, one).status == 200
    assert [each.status for each in story(sale).refunds] == [RefundStatus.REPLACED] * 2 + [RefundStatus.SUCCEEDED]
    all_is_back(till, sale, payment_id)


@pytest.mark.parametrize("said", [RefundOutcome.PENDING, RefundOutcome.UNKNOWN, RefundOutcome.SUCCEEDED])
def test_none_gives_way_that_the_provider_does_not_say_is_dead(
    till: Till, said: RefundOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, payment_id = refused(till, TOTAL, TOTAL)
    (dead,), (one,) = story(sale).refunds, kept(sale)
    adapter: Any = providers.load("sandbox")
    ask = adapter.query_refund

    def answers(order: Any) -> Any:
        report = ask(order)
        return replace(report, outcome=said, amount=order.amount) if order.refund_id == dead.refund_id else report

    monkeypatch.setattr(type(adapter), "query_refund", lambda self, order: answers(order))
    assert adopt(till, sale, one).status == (502 if said is RefundOutcome.UNKNOWN else 409)
    (now,) = story(sale).refunds
    assert now.status is (RefundStatus.SUCCEEDED if said is RefundOutcome.SUCCEEDED else RefundStatus.FAILED)
    assert payment(payment_id).reserved_minor == TOTAL
    assert not kept(sale)[0].resolved


def test_a_retry_that_was_faster_is_not_replaced(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = refused(till, TOTAL, TOTAL)
    (dead,), (one,) = story(sale).refunds, kept(sale)
    check = superseded.check_dead
    tried: list[Refund] = []

    def slow(*args: Any) -> None:
        check(*args)
        if not tried:
            tried.append(retry.retry_refund(dead.refund_id))

    monkeypatch.setattr(superseded, "check_dead", slow)
    assert adopt(till, sale, one, settle=False).status == 409
    assert [each.status for each in story(sale).refunds] == [RefundStatus.REQUESTED]
    till.settle()
    assert [each.status for each in story(sale).refunds] == [RefundStatus.FAILED]
    assert adopt(till, sale, one).status == 200
    all_is_back(till, sale, payment_id)


def test_adopted_twice_at_once_it_is_booked_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = refused(till, TOTAL, TOTAL)
    (one,) = kept(sale)
    check = superseded.check_dead
    inside: list[int] = []

    def slow(*args: Any) -> None:
        check(*args)
        if not inside:
            inside.append(0)
            inside[0] = adopt(till, sale, one, settle=False).status

    monkeypatch.setattr(superseded, "check_dead", slow)
    assert (adopt(till, sale, one).status, inside) == (409, [200])
    assert [each.status for each in story(sale).refunds] == [RefundStatus.REPLACED, RefundStatus.SUCCEEDED]
    all_is_back(till, sale, payment_id)


def test_one_that_came_back_gives_way(sandbox: Till) -> None:
    sale, payment_id = bought(sandbox, TOTAL)
    body = {"payment_id": payment_id, "order_id": sale.orders[0].order_id, "reason": "x"}
    body["amount"] = {"minor": TOTAL, "currency": "CNY"}
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds"
    number = sandbox.operate("POST", path, body).json["refund_id"]
    sandbox.settle()
    sandbox.sandbox.settle(number, "closed")
    sandbox.settle()
    assert [one.status for one in story(sale).refunds] == [RefundStatus.CLOSED]
    sandbox.sandbox.console_refund(payment_id, TOTAL)
    sandbox.settle()
    a_day_later(sandbox)
    (one,) = kept(sale)
    assert adopt(sandbox, sale, one).status == 200
    assert [each.status for each in story(sale).refunds] == [RefundStatus.REPLACED, RefundStatus.SUCCEEDED]
    held, order = payment(payment_id), orders.load_order(sale.orders[0].order_id)
    assert (held.status, held.refunded_minor, held.reserved_minor) == (PaymentStatus.REFUNDED, TOTAL, TOTAL)
    assert (order.refunded.minor, order.refunding) == (TOTAL, ())


def test_surplus_money_made_back_there_is_no_orders(sandbox: Till) -> None:
    sale = sandbox.sale((TOTAL,))
    payment_id = sandbox.started(sale)
    sandbox.expire(sale)
    sandbox.sandbox.steer(payment_id, refund="failed")
    sandbox.sandbox.pay(payment_id)
    sandbox.settle()
    (dead,) = story(sale).refunds
    assert (dead.status, dead.order_id) == (RefundStatus.FAILED, None)
    sandbox.sandbox.console_refund(payment_id, TOTAL)
    sandbox.settle()
    (one,) = kept(sale)
    answer = adopt(sandbox, sale, one)
    assert answer.status == 200, answer.body
    made, gone = story(sale).refunds
    assert (gone.status, made.status, made.order_id) == (RefundStatus.REPLACED, RefundStatus.SUCCEEDED, None)
    assert (payment(payment_id).status, accounts(sale)) == (PaymentStatus.RETURNED, {})
    assert orders.load_order(sale.orders[0].order_id).refunded.minor == 0


@pytest.mark.parametrize("there", [TOTAL, 300])
def test_its_units_are_given_up_once(sandbox: Till, there: int) -> None:
    sale, payment_id = bought(sandbox, TOTAL)
    order = orders.load_order(sale.orders[0].order_id)
    sandbox.sandbox.console_refund(payment_id, there)
    sandbox.settle()
    lines = [{"line_id": line.line_id, "quantity": line.quantity} for line in order.lines]
    body = {"payment_id": payment_id, "order_id": order.order_id, "reason": "x", "lines": lines}
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds"
    answer = sandbox.operate("POST", path, body)
    assert answer.status == 201, answer.body
    sandbox.settle()
    ended = orders.load_order(order.order_id)
    (one,) = kept(sale)
    assert adopt(sandbox, sale, one).status == 200
    sandbox.wait(timedelta(minutes=5))
    after = orders.load_order(order.order_id)
    assert (after.refunded_units, after.never_left) == (ended.refunded_units, ended.never_left)
    assert (after.status, after.stock) == (ended.status, ended.stock)
    assert (after.refunded.minor, after.refunding) == (TOTAL, ())
    standing = [each for each in story(sale).refunds if each.status is not RefundStatus.REPLACED]
    (heir,) = [each for each in standing if each.lines]
    assert heir.lines == tuple((line.line_id, line.quantity) for line in order.lines)
    assert accounts(sale) == {}
