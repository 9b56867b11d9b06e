"""What a buyer's wishes cost in calls and seconds, and how soon a payment is known of which nobody told us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.checkout import consumers as checkout
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments.domain import polling
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.runtime import outbound
from chalicelib.runtime.consume import ASKING_S
from chalicelib.runtime.deadlines import Due
from tests.support import http, people
from tests.support.paying import Till, payment, story
from tools.fakes.sandbox.mount import transport

SILENCE = ("create", "query", "close")


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


@pytest.fixture
def slow(till: Till) -> Till:
    """Let each silence last as long as we wait."""
    answer = transport(till.sandbox)

    def send(request: outbound.Request) -> outbound.Response:
        try:
            return answer(request)
        except outbound.OutboundTimeout:
            till.clock.advance(timedelta(seconds=request.timeout_s))
            raise

    outbound.install(send)
    return till


def number(sale: orders.Sale, count: int) -> str:
    return f"{sale.purchase.purchase_id.replace('pur_', 'pay_')}_{count:02d}"


def paying(till: Till, sale: orders.Sale, action: str, body: Any = None) -> http.Answer:
    path = f"/v1/purchases/{sale.purchase.purchase_id}/{action}"
    return http.call("POST", path, body or {}, token=people.token(till.buyer.account_id))


def calls(till: Till) -> Counter[str]:
    return Counter(call.split(" ")[0] for call in till.sandbox.calls)


# --- one budget of time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("silent", [1, 3, 7, 9])
def test_attempts_at_a_silent_provider_do_not_keep_a_buyer_from_another(slow: Till, silent: int) -> None:
    sale = slow.sale()
    for count in range(1, silent + 1):
        slow.sandbox.steer(number(sale, count), down=SILENCE)
        assert slow.start(sale).json["status"] == "started"
    began = clock.now()

    answer = slow.start(sale)

    assert (answer.status, answer.json["status"]) == (201, "pending")
    assert (clock.now() - began).total_seconds() <= 5.0


def test_a_silent_attempt_that_is_paid_after_all_goes_back_as_surplus(slow: Till) -> None:
    sale = slow.sale()
    slow.sandbox.steer(number(sale, 1), down=("query", "close"))
    first, second = slow.started(sale), slow.started(sale)
    assert payment(first).status is PaymentStatus.PENDING

    slow.sandbox.pay(second)
    slow.sandbox.pay(first)
    slow.sandbox.steer(first, down=())
    slow.settle()

    assert {payment(first).status, payment(second).status} == {PaymentStatus.CAPTURED, PaymentStatus.RETURNED}


def test_calling_off_waits_for_all_attempts_together(slow: Till) -> None:
    sale = slow.sale()
    for count in range(1, 9):
        slow.sandbox.steer(number(sale, count), down=SILENCE)
        slow.start(sale)
    slow.clock.advance(timedelta(minutes=2))
    began = clock.now()

    answer = paying(slow, sale, "cancel", {"reason": "changed"})

    assert (answer.status, answer.json["code"]) == (409, "payment_unclear")
    assert (clock.now() - began).total_seconds() <= 10.0


def test_a_batch_of_expiries_at_a_silent_provider_ends_before_its_function_does(slow: Till) -> None:
    sales = [slow.sale() for _ in range(10)]
    for sale in sales:
        slow.sandbox.steer(number(sale, 1), down=("query", "close"))
        slow.started(sale)
    slow.clock.advance(timedelta(minutes=31))
    due_at_s = clock.epoch_s(clock.now())
    records = [
        {
            "messageId": str(position),
            "receiptHandle": "r",
            "body": facts.encode(
                facts.seal(Due("purchase", sale.purchase.purchase_id, sale.purchase.purchase_id, due_at_s))
            ),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        for position, sale in enumerate(sales)
    ]
    began = clock.now()

    result = checkout.consumer.handle({"Records": records})

    assert len(result["batchItemFailures"]) == 10  # All wait: nothing is released while it is unclear.
    assert (clock.now() - began).total_seconds() <= ASKING_S
    assert {orders.load_purchase(sale.purchase.purchase_id).status for sale in sales} == {
        PurchaseStatus.AWAITING_PAYMENT
    }


# --- bounded calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steering", [{}, {"down": ("close",)}, {"down": ("query",)}, {"down": SILENCE}])
def test_one_purchase_makes_only_so_many_attempts_and_calls(till: Till, steering: dict[str, Any]) -> None:
    sale = till.sale()
    for count in range(1, 41):
        till.sandbox.steer(number(sale, count), **steering)
    answers = [till.start(sale) for _ in range(40)]

    assert [answer.status for answer in answers] == [201] * 10 + [409] * 30
    assert {answer.json["code"] for answer in answers[10:]} == {"too_many_payments"}
    assert answers[-1].json["limit"] == 10
    assert len(till.sandbox.calls) <= 90
    assert len(story(sale).payments) == 10


def test_the_bound_is_data(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_PAYMENT_ATTEMPTS", "2")
    sale = till.sale()
    assert [till.start(sale).status for _ in range(3)] == [201, 201, 409]
    monkeypatch.setenv("BIANDAN_PAYMENT_ATTEMPTS", "many")
    assert till.start(sale).status == 201


def test_the_same_request_tells_a_silent_provider_only_so_often(till: Till) -> None:
    sale = till.sale()
    till.sandbox.steer(number(sale, 1), silent_before=("create",) * 20)

    answers = [till.start(sale, key="key-00000001") for _ in range(9)]

    assert [answer.status for answer in answers] == [201] * 5 + [429] * 4
    assert answers[-1].json["code"] == "too_many_tries"
    assert calls(till) == {}
    assert till.start(sale).json["payment_id"] == number(sale, 2)  # Another one starts.


def test_a_buyer_who_calls_off_again_and_again_makes_us_ask_so_often(till: Till) -> None:
    sale = till.sale()
    till.sandbox.steer(number(sale, 1), down=("close",))
    till.started(sale)
    for _ in range(30):
        assert paying(till, sale, "cancel", {"reason": "changed"}).json["code"] == "payment_unclear"
    assert calls(till)["query"] == 6

    till.clock.advance(timedelta(seconds=61))
    till.sandbox.steer(number(sale, 1), down=())
    assert paying(till, sale, "cancel", {"reason": "changed"}).status == 200


# --- nobody told us --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("age_s", [1, 45, 95, 300, 601, 905, 1333, 1700, 1795])
def test_a_payment_of_which_every_notice_is_lost_is_found_in_two_minutes(till: Till, age_s: int) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, notify=False)
    till.wait(timedelta(seconds=age_s))
    till.sandbox.pay(payment_id)
    asked = calls(till)["query"]

    till.wait(timedelta(seconds=120), step=timedelta(seconds=10))

    assert payment(payment_id).status in (PaymentStatus.CAPTURED, PaymentStatus.RETURNED)
    assert asked <= polling.MOST_QUESTIONS


def test_an_unpaid_attempt_is_asked_about_a_bounded_number_of_times(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.wait(timedelta(minutes=40))

    assert payment(payment_id).status is PaymentStatus.CLOSED
    assert 20 <= calls(till)["query"] <= polling.MOST_QUESTIONS


@pytest.mark.parametrize("age_s", [100, 700, 1500])
def test_a_link_of_an_attempt_that_was_given_up_unknown_is_found_paid_in_two_minutes(till: Till, age_s: int) -> None:
    sale = till.sale()
    till.sandbox.steer(number(sale, 1), silent_before=("create",))
    till.start(sale)
    till.started(sale)
    assert payment(number(sale, 1)).status is PaymentStatus.CLOSED
    till.wait(timedelta(seconds=age_s))
    order = {"out_trade_no": number(sale, 1), "amount": 1999, "currency": "CNY"}
    till.sandbox._create({**order, "notify_url": "http://x", "expires_at": 0})  # It was only late.
    till.sandbox.steer(number(sale, 1), notify=False)
    till.sandbox.pay(number(sale, 1))

    till.wait(timedelta(seconds=120), step=timedelta(seconds=10))

    assert payment(number(sale, 1)).status is PaymentStatus.CAPTURED
