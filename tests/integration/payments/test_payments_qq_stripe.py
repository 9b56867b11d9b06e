"""QQ Wallet and Stripe behind the real routes, queues and tables: paid, lost, late, twice, refunded, forged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.runtime import outbound
from tests.support import http, people
from tests.support.paying import Till, accounts, payment, story
from tools.fakes import resources
from tools.fakes.sandbox import mount, qqwallet, stripe

TOTAL = 1999


class Shop(Till):
    """The till with another provider's stand-in at its other end."""

    provider = ""

    def start(self, sale: orders.Sale, *, key: str | None = None, **body: Any) -> http.Answer:
        told = {"provider": self.provider, "return_url": "https://shop.example/paid", **body}
        return super().start(sale, key=key, **told)

    @property
    def stand(self) -> Any:
        return cast("Any", self.sandbox)

    def refund(self, sale: orders.Sale, amount: int) -> str:
        body = {
            "order_id": sale.orders[0].order_id,
            "amount": {"minor": amount, "currency": "CNY"},
            "reason": "goodwill",
        }
        answer = self.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body)
        assert answer.status == 201, answer
        return str(answer.json["refund_id"])

    def pay(self, payment_id: str) -> None:
        self.stand.pay(payment_id)


@pytest.fixture(params=["qqwallet", "stripe"])
def till(request: pytest.FixtureRequest, cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    name = str(request.param)
    now = lambda: clock.now().timestamp()  # noqa: E731
    stand: Any
    served: tuple[str, ...]
    if name == "qqwallet":
        stand, served = qqwallet.QQWallet(now=now, chance=random.Random(5)), qqwallet.HOSTS
        monkeypatch.setenv("BIANDAN_QQWALLET", "on")
    else:
        stand, served = stripe.Stripe(now=now, chance=random.Random(5)), stripe.HOSTS
    secret = {key: value for key, value in stand.configuration().items() if key != "livemode"}
    resources.create_all({f"payments-{name}": secret})
    outbound.install(mount.by_host(dict.fromkeys(served, stand)))
    shop = Shop(noon, stand, people.buyer(), people.operator())
    shop.provider = name
    yield shop
    outbound.install(None)


def status_of(sale: orders.Sale) -> PurchaseStatus:
    return orders.load_purchase(sale.purchase.purchase_id).status


def test_a_purchase_is_paid_and_booked(till: Shop) -> None:
    sale = till.sale((1001, 998))
    payment_id = till.started(sale)
    till.pay(payment_id)
    till.settle()

    assert status_of(sale) is PurchaseStatus.PAID
    assert payment(payment_id).captured == Money(TOTAL)
    assert accounts(sale)[f"clearing:{till.provider}"] == TOTAL
    assert {status for status, _ in till.stand.delivered} == {200}
    assert till.stand.refusals == []
    assert story(sale).quarantined == ()


def test_ten_of_each_notice_take_effect_once(till: Shop) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.stand.steer(payment_id, duplicates=10, reorder=True)
    till.pay(payment_id)
    till.settle()

    assert accounts(sale)[f"clearing:{till.provider}"] == TOTAL
    assert payment(payment_id).status is PaymentStatus.CAPTURED


def test_lost_notices_are_made_up_by_asking(till: Shop) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.stand.steer(payment_id, notify=False)
    till.pay(payment_id)
    till.wait(timedelta(seconds=90))

    assert status_of(sale) is PurchaseStatus.PAID


def test_a_lost_answer_to_the_creation_is_the_same_attempt_again(till: Shop) -> None:
    sale = till.sale()
    number = sale.purchase.purchase_id.replace("pur_", "pay_") + "_01"
    till.stand.steer(number, silent_after=("create",))
    first = till.start(sale, key="key-00000001")
    again = till.start(sale, key="key-00000001")
    assert (first.json["status"], again.json["status"]) == ("started", "pending")
    assert again.json["instruction"]["action"] in ("qr", "redirect")
    till.pay(number)
    till.settle()
    assert status_of(sale) is PurchaseStatus.PAID


def test_money_that_comes_late_goes_back(till: Shop) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.expire(sale)
    till.pay(payment_id)
    till.settle()
    till.wait(timedelta(minutes=2))

    assert payment(payment_id).status is PaymentStatus.RETURNED
    (refund,) = story(sale).refunds
    assert (refund.status, refund.amount) == (RefundStatus.SUCCEEDED, Money(TOTAL))
    assert accounts(sale) == {}
    assert till.stand.refusals == []


def test_of_two_payments_one_goes_back(till: Shop) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.stand.steer(first, down=("query", "close"))
    second = till.started(sale)  # The first could not be closed.
    till.stand.steer(first, down=())
    till.pay(first)
    till.pay(second)
    till.settle()
    till.wait(timedelta(minutes=2))

    assert {payment(first).status, payment(second).status} == {PaymentStatus.CAPTURED, PaymentStatus.RETURNED}
    assert accounts(sale)[f"clearing:{till.provider}"] == TOTAL


def test_a_second_attempt_closes_the_first_at_the_provider(till: Shop) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.started(sale)
    assert payment(first).status is PaymentStatus.CLOSED
    with pytest.raises(ValueError, match="is "):
        till.pay(first)


def test_a_payment_during_the_close_wins(till: Shop) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.stand.steer(first, pay_during_close=True)
    answer = till.start(sale)
    till.settle()

    assert (answer.status, answer.json["code"]) == (409, "already_paid")
    assert status_of(sale) is PurchaseStatus.PAID
    assert accounts(sale)[f"clearing:{till.provider}"] == TOTAL


@pytest.mark.parametrize("how", ["silent_after", "silent_before"])
def test_a_lost_answer_to_a_refund_refunds_once(till: Shop, how: str) -> None:
    sale, payment_id = till.paid()
    till.stand.steer(payment_id, **{how: ("refund",)})
    till.refund(sale, 700)
    till.settle()
    till.wait(timedelta(minutes=4))

    (refund,) = story(sale).refunds
    assert refund.status is RefundStatus.SUCCEEDED
    assert len(till.stand.refunds) == 1
    assert payment(payment_id).refunded_minor == 700
    assert accounts(sale)[f"clearing:{till.provider}"] == TOTAL - 700


def test_a_pending_refund_is_done_only_when_it_is(till: Shop) -> None:
    sale, payment_id = till.paid()
    till.stand.steer(payment_id, refund="pending", notify=False)
    refund_id = till.refund(sale, 700)
    till.settle()
    assert story(sale).refunds[0].status is RefundStatus.PENDING
    assert payment(payment_id).refunded_minor == 0
    till.stand.settle(refund_id, "succeeded")
    till.wait(timedelta(minutes=4))
    assert story(sale).refunds[0].status is RefundStatus.SUCCEEDED


def test_a_refund_that_fails_later_waits_for_an_operator(till: Shop) -> None:
    sale, payment_id = till.paid()
    till.stand.steer(payment_id, refund="pending")
    refund_id = till.refund(sale, 700)
    till.settle()
    till.stand.settle(refund_id, "failed")
    till.wait(timedelta(minutes=4))
    (refund,) = story(sale).refunds
    assert refund.status is (RefundStatus.CLOSED if till.provider == "stripe" else RefundStatus.FAILED)
    assert payment(payment_id).reserved_minor == 700

    till.stand.steer(payment_id, refund="succeeded")
    answer = till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry")
    till.settle()
    # Stripe's refund is dead: another number takes over. QQ Wallet wants its own number again.
    assert (answer.json["refund_id"] == refund_id) is (till.provider == "qqwallet")
    assert payment(payment_id).refunded_minor == 700


def test_a_genuine_notice_of_another_merchant_is_kept_and_the_provider_asked(till: Shop) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.stand.steer(payment_id, other_merchant=True)
    till.pay(payment_id)
    till.settle()
    assert {status for status, _ in till.stand.delivered} == {200}
    kept = story(sale).quarantined
    assert {(held.why, held.payment_id) for held in kept} == {("foreign_notice", payment_id)}
    assert {held.resolved for held in kept} == {"query: captured 19.99 CNY"}
    assert status_of(sale) is PurchaseStatus.PAID


@pytest.mark.parametrize("fault", ["tamper", "unknown_key"])
def test_notices_we_do_not_believe_leave_no_trace(till: Shop, fault: str) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    before = payment(payment_id)
    till.stand.steer(payment_id, **{fault: True})
    till.pay(payment_id)
    till.settle()
    assert payment(payment_id) == before
    answers = [status for status, said in till.stand.delivered if said.get("type") != "charge.succeeded"]
    assert answers
    assert all(status >= 400 for status in answers)
    till.stand.outbox.clear()
    till.wait(timedelta(seconds=90))
    assert status_of(sale) is PurchaseStatus.PAID, "the query tells the truth"


def test_a_notice_that_lies_about_the_amount_is_not_believed(till: Shop) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.stand.steer(payment_id, notice_amount=1)
    till.pay(payment_id)
    till.settle()

    assert payment(payment_id).captured == Money(TOTAL), "the query decides"
    # QQ Wallet's notice is only a hint, so nothing contradicts anything; Stripe's is kept as a contradiction.
    assert bool(story(sale).quarantined) is (till.provider == "stripe")


def test_off_means_off(till: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    if till.provider == "stripe":
        pytest.skip("only QQ Wallet is off by default")
    from chalicelib.payments import providers

    sale = till.sale()
    monkeypatch.delenv("BIANDAN_QQWALLET")
    providers.forget()
    answer = till.start(sale)
    assert (answer.status, answer.json["code"]) == (404, "unknown_provider")
    assert http.call("POST", "/v1/webhooks/payments/qqwallet", raw=b"<xml/>").status == 404
