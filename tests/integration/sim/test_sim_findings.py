"""What the simulator found, each as one small test: see docs/simulator.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.checkout import service as checkout
from chalicelib.kernel.errors import RetryLater
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import OrderStatus, PurchaseStatus
from chalicelib.payments import service as payments
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import CloseOutcome
from chalicelib.payments.providers.sandbox.adapter import Sandbox as Adapter
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import http, people, shop
from tests.support.paying import Till, give_back, payment, story


@pytest.fixture
def till(cloud: str, noon: Any) -> Till:
    return Till.open(noon)


def goodwill(till: Till, sale: Any, payment_id: str, minor: int) -> str:
    with UnitOfWork() as work:
        return give_back(work, sale.orders[0], payment_id, Money(minor), reason="goodwill", cause="goodwill#1")


def test_an_order_that_times_out_gives_back_what_a_pending_refund_has_left(till: Till) -> None:
    sale, payment_id = till.paid((2000,))
    till.sandbox.steer(payment_id, refund="pending")
    first = goodwill(till, sale, payment_id, 700)
    till.settle()
    till.clock.advance(timedelta(days=16))

    checkout.order_timed_out(sale.orders[0].order_id)

    assert orders.load_order(sale.orders[0].order_id).status is OrderStatus.CANCELLED
    assert {refund.refund_id: refund.amount.minor for refund in story(sale).refunds}.pop(first) == 700
    assert sorted(refund.amount.minor for refund in story(sale).refunds) == [700, 1300]


def test_an_order_whose_money_is_all_on_its_way_back_can_be_cancelled(till: Till) -> None:
    sale, payment_id = till.paid((2000,))
    goodwill(till, sale, payment_id, 2000)
    till.settle()
    assert payment(payment_id).status is PaymentStatus.REFUNDED

    order_id = sale.orders[0].order_id
    intent = system_intent("cancel")
    cancelled = checkout.cancel_order(order_id, buyer_id=till.buyer.account_id, reason="x", intent=intent)

    assert cancelled.status is OrderStatus.CANCELLED
    assert [(refund.amount.minor, refund.status) for refund in story(sale).refunds] == [(2000, RefundStatus.SUCCEEDED)]


def test_an_attempt_created_while_expiry_asked_is_asked_about_again(till: Till, monkeypatch: Any) -> None:
    """The provider did not know it; before that was written, it did, and the buyer held its link."""
    sale = till.sale()
    till.sandbox.steer(f"pay_{sale.purchase.purchase_id[4:]}_01", silent_before=("create",))
    key = "attempt-0001"
    payment_id = till.start(sale, key=key).json["payment_id"]
    assert payment(payment_id).status is PaymentStatus.STARTED
    till.clock.advance(timedelta(minutes=31))
    real, token = Adapter.close, people.token(till.buyer.account_id)

    def close(adapter: Adapter, attempt: Any) -> CloseOutcome:
        outcome = real(adapter, attempt)
        monkeypatch.setattr(Adapter, "close", real)
        path = f"/v1/purchases/{sale.purchase.purchase_id}/payments"
        answer = http.call("POST", path, {"provider": "sandbox"}, token=token, key=key)
        assert (answer.status, answer.json["status"]) == (201, "pending")
        return outcome

    monkeypatch.setattr(Adapter, "close", close)
    with pytest.raises(RetryLater):
        checkout.expire(sale.purchase.purchase_id)

    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.AWAITING_PAYMENT
    assert payment(payment_id).status is PaymentStatus.PENDING
    assert till.sandbox.orders[payment_id].state == "pending"


def test_a_throttled_secret_is_busy_not_broken(cloud: str, noon: Any) -> None:
    from botocore.exceptions import ClientError

    buyer = shop.buyer()

    def hook(service: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation in ("GetItem", "Query"):
            raise ClientError({"Error": {"Code": "InternalServiceError"}}, operation)
        return proceed()

    with aws.hooked(hook):
        answer = buyer.get("/v1/orders")
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "busy", "1")


@pytest.mark.parametrize("said", [{}, {"amount_minor": 1, "currency": "CNY", "transaction_id": "t1"}])
def test_a_notice_of_money_on_a_closed_attempt_waits_for_a_silent_provider(till: Till, said: dict[str, Any]) -> None:
    sale = till.sale((2000,))
    payment_id = till.started(sale)
    payments.conclude_attempts(sale.purchase)
    till.sandbox.steer(payment_id, notify=False, down=("query",))
    till.sandbox.pay_closed(payment_id)
    notice = PaymentNoticed(provider="sandbox", notice_id="n1", payment_id=payment_id, outcome="captured", **said)

    with pytest.raises(RetryLater):
        payments.take_notice(notice)
    assert payment(payment_id).status is PaymentStatus.CLOSED

    till.sandbox.steer(payment_id, down=())
    payments.take_notice(notice)
    assert payment(payment_id).status is PaymentStatus.CAPTURED
    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.PAID
    assert [bool(found.resolved) for found in story(sale).quarantined] == [True] * bool(said)


def test_a_notice_that_the_provider_denies_is_done_with(till: Till) -> None:
    sale = till.sale((2000,))
    payment_id = till.started(sale)
    payments.conclude_attempts(sale.purchase)
    payments.take_notice(PaymentNoticed(provider="sandbox", notice_id="n1", payment_id=payment_id, outcome="captured"))
    assert payment(payment_id).status is PaymentStatus.CLOSED
