from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments import providers, service
from chalicelib.payments.attempts import capture, start
from chalicelib.payments.domain import reservation
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.payment_records import Conclusion
from chalicelib.payments.domain.refund import RefundRefused, RefundStatus
from chalicelib.payments.ports import Limits
from chalicelib.payments.refunds import execute
from chalicelib.payments.store import records as store
from chalicelib.runtime import aws, outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, http, people
from tests.support.paying import WEBHOOK, Till, accounts, give_back, payment, story

TOTAL = 1999


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def purchase_status(sale: orders.Sale) -> PurchaseStatus:
    return orders.load_purchase(sale.purchase.purchase_id).status


# --- the straight way -----------------------------------------------------------------------------------------------


def test_a_purchase_of_two_merchants_is_paid_once_and_split_to_the_fen(till: Till) -> None:
    sale = till.sale((1001, 998))
    answer = till.start(sale)

    assert answer.status == 201
    payment_id = answer.json["payment_id"]
    assert payment_id == sale.purchase.purchase_id.replace("pur_", "pay_") + "_01"
    assert answer.json["instruction"] == {
        "action": "redirect",
        "url": f"{till.sandbox.base_url}/?order={payment_id}",
    }

    till.sandbox.pay(payment_id)
    till.settle()

    paid = orders.load_sale(sale.purchase.purchase_id)
    assert paid.purchase.status is PurchaseStatus.PAID
    assert paid.purchase.settled_by == payment_id
    assert {order.status.value for order in paid.orders} == {"paid"}
    merchants = [f"merchant:{order.merchant_id}" for order in sale.orders]
    assert accounts(sale) == {"clearing:sandbox": 1999, merchants[0]: -951, merchants[1]: -948, "commission": -100}
    assert [status for status, _ in till.sandbox.delivered] == [200]
    shown = http.call("GET", f"/v1/purchases/{sale.purchase.purchase_id}/payments/{payment_id}", token=till.buyer.token)
    assert (shown.json["status"], shown.json["captured"]) == ("captured", {"minor": 1999, "currency": "CNY"})
    assert "instruction" not in shown.json


def test_the_same_request_again_is_the_same_attempt_and_another_body_is_refused(till: Till) -> None:
    sale = till.sale()
    first = till.start(sale, key="key-00000001")
    again = till.start(sale, key="key-00000001")
    other = till.start(sale, key="key-00000001", method="qr")

    assert again.json == first.json
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(story(sale).payments) == 1
    assert till.sandbox.calls == [f"create {first.json['payment_id']}"]


def test_two_same_requests_at_the_same_moment_start_one_attempt(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = till.sale()
    real = start._write_start
    rivals: list[http.Answer] = []

    def racing(*args: Any) -> Any:
        if not rivals:
            rivals.append(http.Answer(0, None, {}, ""))
            rivals.append(till.start(sale, key="key-00000001"))
        return real(*args)

    monkeypatch.setattr(start, "_write_start", racing)
    answer = till.start(sale, key="key-00000001")

    assert answer.json == rivals[1].json
    assert len(story(sale).payments) == 1


def test_our_number_is_written_before_the_provider_hears_it(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = till.sale()
    seen: list[PaymentStatus] = []
    real = till.sandbox._create

    def create(content: dict[str, Any]) -> Any:
        seen.append(payment(content["out_trade_no"]).status)
        return real(content)

    monkeypatch.setattr(till.sandbox, "_create", create)
    till.start(sale)

    assert seen == [PaymentStatus.STARTED]


@pytest.mark.parametrize("how", ["silent_after", "silent_before", "unsigned"])
def test_a_lost_answer_leaves_the_attempt_started_and_the_same_request_goes_on(till: Till, how: str) -> None:
    sale = till.sale()
    number = sale.purchase.purchase_id.replace("pur_", "pay_") + "_01"
    till.sandbox.steer(number, **{how: ("create",)})

    first = till.start(sale, key="key-00000001")
    again = till.start(sale, key="key-00000001")

    assert (first.json["status"], first.json.get("instruction")) == ("started", None)
    assert (again.json["status"], again.json["payment_id"]) == ("pending", number)
    assert list(till.sandbox.orders) == [number]


def test_the_same_request_goes_on_where_a_chase_has_found_the_order_before(till: Till) -> None:
    sale = till.sale()
    number = sale.purchase.purchase_id.replace("pur_", "pay_") + "_01"
    till.sandbox.steer(number, silent_after=("create", "create"))

    first = till.start(sale, key="key-00000001")
    till.wait(timedelta(seconds=60))
    assert (payment(number).status, payment(number).instruction) == (PaymentStatus.PENDING, None)
    unheard = till.start(sale, key="key-00000001")
    again = till.start(sale, key="key-00000001")
    calls = list(till.sandbox.calls)
    shown = till.start(sale, key="key-00000001")

    assert (first.json["status"], unheard.json["status"]) == ("started", "pending")
    assert "instruction" not in unheard.json
    assert (again.json["status"], again.json["payment_id"]) == ("pending", number)
    assert again.json["instruction"]["url"] == f"{till.sandbox.base_url}/?order={number}"
    assert (shown.json, till.sandbox.calls) == (again.json, calls)
    assert till.sandbox.orders[number].creates == 3
    assert len(story(sale).payments) == 1


def test_a_provider_that_refuses_the_order_fails_the_attempt_and_another_may_start(till: Till) -> None:
    sale = till.sale()
    till.sandbox.steer(refuse=("create",))
    answer = till.start(sale)
    assert (answer.status, answer.json["status"], answer.json["reason"]) == (201, "failed", "REFUSED")

    till.sandbox.steer(refuse=())
    assert till.start(sale).json["payment_id"].endswith("_02")


# --- who may, and what is refused -----------------------------------------------------------------------------------


def test_refusals_leave_no_trace(till: Till) -> None:
    sale = till.sale()
    path = f"/v1/purchases/{sale.purchase.purchase_id}/payments"
    stranger = people.buyer().token

    def code(answer: http.Answer) -> tuple[int, str]:
        return answer.status, answer.json["code"]

    assert code(http.call("POST", path, {"provider": "sandbox"}, token=stranger)) == (404, "not_found")
    assert code(http.call("POST", path, {"provider": "sandbox"})) == (401, "unauthenticated")
    assert code(till.start(sale, provider="nobody")) == (404, "unknown_provider")
    assert code(till.start(sale, method="barter")) == (422, "method_not_offered")
    assert code(till.start(sale, amount=1)) == (422, "invalid_request")
    assert code(http.call("GET", path, token=stranger)) == (404, "not_found")
    assert code(http.call("GET", f"{path}/pay_x", token=stranger)) == (404, "not_found")
    assert code(http.call("GET", "/v1/operator/payments", token=till.buyer.token)) == (403, "forbidden")
    assert story(sale).payments == ()
    assert till.sandbox.calls == []


def test_only_local_and_dev_may_use_the_sandbox(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from chalicelib.payments import providers
    from chalicelib.runtime.config import config

    production = replace(config(), stage="prod")
    monkeypatch.setattr(providers, "config", lambda: production)
    assert till.start(till.sale()).json["code"] == "unknown_provider"
    assert http.call("POST", WEBHOOK, raw=b"{}").status == 404


def test_a_paid_purchase_takes_no_further_attempt(till: Till) -> None:
    sale, _ = till.paid()
    answer = till.start(sale)
    assert (answer.status, answer.json["code"]) == (409, "already_paid")


def test_an_expired_purchase_takes_no_attempt(till: Till) -> None:
    sale = till.sale()
    till.expire(sale)
    answer = till.start(sale)
    assert (answer.status, answer.json["code"]) == (409, "illegal_transition")
    assert till.sandbox.calls == []


# --- several attempts -----------------------------------------------------------------------------------------------


def test_a_second_attempt_first_closes_the_first(till: Till) -> None:
    sale = till.sale()
    first, second = till.started(sale), till.started(sale)

    assert payment(first).status is PaymentStatus.CLOSED
    assert till.sandbox.orders[first].state == "closed"
    assert payment(second).status is PaymentStatus.PENDING


def test_a_second_attempt_finds_the_first_paid_and_is_refused(till: Till) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.sandbox.steer(first, notify=False)
    till.sandbox.pay(first)

    answer = till.start(sale)

    assert (answer.status, answer.json["code"]) == (409, "already_paid")
    assert purchase_status(sale) is PurchaseStatus.PAID


def test_both_attempts_paid_one_wins_and_the_other_refunds_itself(till: Till) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.sandbox.steer(first, down=("query", "close"))
    second = till.started(sale)  # The first could not be closed.
    till.sandbox.steer(first, down=())
    till.sandbox.pay(first)
    till.sandbox.pay(second)
    till.settle()

    states = {payment(first).status, payment(second).status}
    assert states == {PaymentStatus.CAPTURED, PaymentStatus.RETURNED}
    assert purchase_status(sale) is PurchaseStatus.PAID
    loser = first if payment(first).status is PaymentStatus.RETURNED else second
    (refund,) = story(sale).refunds
    assert refund.refund_id == loser.replace("pay_", "ref_")[:-2] + str(100 - int(loser[-2:]))
    assert (refund.status, refund.reason, refund.amount) == (RefundStatus.SUCCEEDED, "purchase_paid", Money(TOTAL))
    assert accounts(sale)["clearing:sandbox"] == TOTAL
    assert "surplus" not in accounts(sale)


# --- notices --------------------------------------------------------------------------------------------------------


def notice(till: Till, payment_id: str, **content: Any) -> tuple[dict[str, str], bytes]:
    order = till.sandbox.orders[payment_id]
    return till.sandbox.signed_notice(
        {
            "kind": "payment",
            "notice_id": "sbn00000001",
            "merchant_id": "local-merchant",
            **till.sandbox._order_view(order),
            **content,
        }
    )


@pytest.mark.parametrize(("answers", "status"), [(True, "paid"), (False, "awaiting_payment")])
def test_a_genuine_notice_of_another_merchant_is_kept_until_the_provider_answers(
    till: Till, answers: bool, status: str
) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, notify=False)
    till.sandbox.pay(payment_id)
    headers, body = notice(till, payment_id, merchant_id="local-merchant-2")
    if not answers:
        till.sandbox.steer(payment_id, down=("query",))
    for _ in range(3):
        assert http.call("POST", WEBHOOK, raw=body, headers=headers).body == "OK"
    till.pump.drain()
    (held,) = story(sale).quarantined
    assert held.said["said"] == "it is another merchant's"
    assert held.resolved == ("query: captured 19.99 CNY" if answers else "")
    assert orders.load_purchase(sale.purchase.purchase_id).status == status
    listed = till.operate("GET", "/v1/operator/payments?status=quarantined").json["quarantined"]
    assert len(listed) == (0 if answers else 1)
    till.sandbox.steer(payment_id, down=())
    till.wait(timedelta(minutes=3))
    assert orders.load_purchase(sale.purchase.purchase_id).status == "paid"


def test_a_foreign_notice_that_is_not_durable_is_not_acknowledged(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    headers, body = notice(till, payment_id, merchant_id="local-merchant-2")

    def full(svc: str, operation: str, params: Any, proceed: Any) -> Any:
        if svc == "sqs":
            raise ConnectionError
        return proceed()

    with aws.hooked(full):
        assert http.call("POST", WEBHOOK, raw=body, headers=headers).body == "FAIL"
    assert story(sale).quarantined == ()


def test_forged_stale_and_unreadable_notices_leave_no_trace(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.pump.drain()
    till.sandbox.steer(notify=False)
    till.sandbox.pay(payment_id)
    headers, body = notice(till, payment_id)
    seen: list[str] = []

    def watch(svc: str, operation: str, params: Any, proceed: Any) -> Any:
        seen.append(f"{svc}.{operation}")
        return proceed()

    def post(changed: dict[str, str] = {}, raw: bytes = body) -> tuple[int, str]:  # noqa: B006
        answer = http.call("POST", WEBHOOK, raw=raw, headers={**headers, **changed})
        return answer.status, answer.body

    unreadable = notice(till, payment_id, amount="1999")
    calls_before = list(till.sandbox.calls)
    with aws.hooked(watch):
        assert post({"x-sandbox-signature": "0" * 64}) == (401, "FAIL")
        assert post({"x-sandbox-signature": "ü"}) == (401, "FAIL")
        assert post(raw=body.replace(b"1999", b"2999")) == (401, "FAIL")
        assert post({"x-sandbox-timestamp": ""}) == (401, "FAIL")
        assert post({"content-type": "text/xml"}) == (401, "FAIL")
        assert post(raw=b"\xff\xfe") == (401, "FAIL")
        assert post(unreadable[0], unreadable[1]) == (401, "FAIL")
        till.clock.advance(timedelta(seconds=301))
        assert post() == (401, "FAIL")  # The same bytes, replayed after the window.
        assert http.call("POST", WEBHOOK, raw=b"x" * 70_000).status == 413
        assert http.call("POST", WEBHOOK, raw=b"x", headers={"content-type": "image/png"}).status == 415
    assert {call for call in seen if not call.startswith("secretsmanager")} == set()
    assert till.pump.drain() == 0
    assert payment(payment_id).status is PaymentStatus.PENDING
    assert till.sandbox.calls == calls_before


def test_a_notice_is_durable_before_it_is_answered(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id)

    def broken(svc: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation == "SendMessageBatch":
            raise TimeoutError
        return proceed()

    with aws.hooked(broken):
        till.sandbox.tick(till.post)
    assert [status for status, _ in till.sandbox.delivered] == [503]
    assert payment(payment_id).status is PaymentStatus.PENDING

    till.wait(timedelta(seconds=15))  # The provider sends it again by itself.
    assert payment(payment_id).status is PaymentStatus.CAPTURED
    assert "local-" not in json.dumps(till.pump.log)


def test_a_notice_that_beats_the_write_waits_and_one_for_nobody_is_kept_for_an_operator(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.pump.drain()
    till.sandbox.pay(payment_id)
    till.sandbox.outbox.clear()
    unknown = payment_id[:-2] + "07"
    headers, body = notice(till, payment_id, out_trade_no=unknown)
    assert till.post(WEBHOOK, headers, body) == 200

    till.pump.drain()
    assert till.pump.dead("payment-notices") == []
    for _ in range(40):
        till.clock.advance(timedelta(seconds=30))
        till.pump.drain()

    assert till.pump.dead("payment-notices") == []
    (stray,) = till.operate("GET", "/v1/operator/payments?status=suspense").json["strays"]
    assert (stray["number"], stray["kind"], stray["said"]["query"]) == (unknown, "claim", "absent")


def test_every_notice_ten_times_out_of_order_takes_effect_once(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, duplicates=10, reorder=True)
    till.pump.duplicate = 2
    till.sandbox.pay(payment_id)
    till.settle()

    assert payment(payment_id).status is PaymentStatus.CAPTURED
    assert accounts(sale)["clearing:sandbox"] == TOTAL
    assert len(till.sandbox.delivered) == 20
    assert story(sale).quarantined == ()


@pytest.mark.parametrize("lie", [{"notice_amount": 1}, {"notice_amount": 99999}, {"notice_currency": "USD"}])
def test_a_notice_with_another_amount_is_quarantined_and_the_query_decides(till: Till, lie: dict[str, Any]) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, **lie)
    till.sandbox.pay(payment_id)
    till.settle()

    assert payment(payment_id).status is PaymentStatus.CAPTURED
    assert payment(payment_id).captured == Money(TOTAL)
    (held,) = story(sale).quarantined
    assert (held.why, held.resolved) == ("amount_differs", "query: captured 19.99 CNY")
    assert till.operate("GET", "/v1/operator/payments?status=quarantined").json["quarantined"] == []


def test_a_doubted_notice_stays_an_operators_case_while_the_provider_is_silent(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, notice_amount=1, down=("query",))
    till.sandbox.pay(payment_id)
    till.settle()

    assert payment(payment_id).status is PaymentStatus.PENDING
    listed = till.operate("GET", "/v1/operator/payments?status=quarantined").json["quarantined"]
    assert [(case["payment_id"], case["why"], case["resolved"]) for case in listed] == [
        (payment_id, "amount_differs", "")
    ]

    till.sandbox.steer(payment_id, down=())
    assert till.operate("POST", f"/v1/operator/payments/{payment_id}/query").json["status"] == "captured"


@pytest.mark.parametrize("amount", [1, TOTAL + 1])
def test_another_amount_really_paid_goes_back_whole(till: Till, amount: int) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id, amount=amount)
    till.settle()

    assert payment(payment_id).status is PaymentStatus.RETURNED
    assert payment(payment_id).surplus_reason == "amount_differs"
    assert purchase_status(sale) is PurchaseStatus.AWAITING_PAYMENT
    assert accounts(sale) == {}
    assert till.started(sale).endswith("_02")


# --- late -----------------------------------------------------------------------------------------------------------


def test_money_after_expiry_goes_back_where_the_units_are_gone_and_the_buyer_is_told_why(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.expire(sale)
    till.sandbox.pay(payment_id)
    till.settle()

    answer = http.call("GET", f"/v1/purchases/{sale.purchase.purchase_id}/payments", token=till.buyer.token)
    (shown,) = answer.json["items"]
    assert (shown["status"], shown["reason"]) == ("returned", "purchase_expired")
    (refund,) = shown["refunds"]
    assert (refund["refund_id"][-3:], refund["status"], refund["reason"]) == ("_99", "succeeded", "purchase_expired")
    assert purchase_status(sale) is PurchaseStatus.EXPIRED
    assert accounts(sale) == {}


def test_money_on_a_closed_attempt_is_honoured_while_the_purchase_waits(till: Till) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.started(sale)
    till.sandbox.pay_closed(first)
    till.settle()
    assert payment(first).status is PaymentStatus.CAPTURED
    assert purchase_status(sale) is PurchaseStatus.PAID


def test_expiry_between_read_and_write_wins_and_the_capture_becomes_surplus(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id)
    real = capture.honour
    tried: list[bool] = []

    def honour(read: Any, *args: Any, **options: Any) -> Any:
        if not tried:
            with UnitOfWork() as work:
                orders.release(work, read, expired=True)
        tried.append(True)
        return real(read, *args, **options)

    monkeypatch.setattr(capture, "honour", honour)
    till.settle()

    assert tried  # What was read at first, with the purchase still waiting, is what lost.
    assert payment(payment_id).status is PaymentStatus.RETURNED
    assert purchase_status(sale) is PurchaseStatus.EXPIRED
    assert accounts(sale) == {}


def test_a_capture_and_its_twin_at_the_same_moment_are_one(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(notify=False)
    till.sandbox.pay(payment_id)
    real = orders.load_sale
    done: list[bool] = []

    def load_sale(purchase_id: str) -> Any:
        found = real(purchase_id)
        if not done:
            done.append(True)
            service.query_now(payment_id)
        return found

    monkeypatch.setattr(orders, "load_sale", load_sale)
    assert service.query_now(payment_id).status is PaymentStatus.CAPTURED
    assert accounts(sale)["clearing:sandbox"] == TOTAL
    assert payment(payment_id).version == 3  # Started, pending, captured: the twin wrote nothing.


# --- chasing and concluding -----------------------------------------------------------------------------------------


def test_a_payment_whose_notice_never_came_is_found_within_a_minute_and_a_half(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(notify=False)
    till.sandbox.pay(payment_id)

    till.wait(timedelta(seconds=90))

    assert payment(payment_id).status is PaymentStatus.CAPTURED
    assert purchase_status(sale) is PurchaseStatus.PAID


def test_a_silent_provider_is_asked_with_back_off_until_it_answers(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, down=("query", "close"), notify=False)
    waits: list[int] = []
    for _ in range(6):
        row = payment(payment_id)
        assert row.due_at is not None
        waits.append(int((row.due_at - clock.now()).total_seconds()))
        till.clock.advance(row.due_at - clock.now())
        service.poll_payment(payment_id)

    assert waits == [30, 60, 90, 90, 90, 90]
    assert payment(payment_id).is_open
    till.sandbox.pay(payment_id)
    till.sandbox.steer(payment_id, down=())
    till.wait(timedelta(minutes=10), step=timedelta(minutes=1))
    assert payment(payment_id).status is PaymentStatus.CAPTURED


def test_a_chase_that_comes_early_or_late_does_nothing(till: Till) -> None:
    payment_id = till.started(till.sale())
    calls = list(till.sandbox.calls)
    assert service.poll_payment(payment_id).polls == 0
    assert till.sandbox.calls == calls


def test_an_attempt_past_its_last_moment_is_closed_at_the_provider(till: Till) -> None:
    payment_id = till.started(till.sale())
    till.clock.advance(timedelta(minutes=31, seconds=1))
    assert service.poll_payment(payment_id).status is PaymentStatus.CLOSED
    assert till.sandbox.orders[payment_id].state == "closed"


@pytest.mark.parametrize(
    ("steering", "conclusion", "state"),
    [
        ({}, Conclusion.CLOSED, PaymentStatus.CLOSED),
        ({"pay_during_close": True}, Conclusion.CAPTURED, PaymentStatus.CAPTURED),
        ({"down": ("query",)}, Conclusion.UNKNOWN, PaymentStatus.PENDING),
        ({"down": ("close",)}, Conclusion.UNKNOWN, PaymentStatus.PENDING),
        ({"silent_after": ("close",)}, Conclusion.UNKNOWN, PaymentStatus.PENDING),
    ],
)
def test_concluding_asks_closes_and_says_what_is_known(
    till: Till, steering: dict[str, Any], conclusion: Conclusion, state: PaymentStatus
) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, **steering)
    purchase = orders.load_purchase(sale.purchase.purchase_id)

    assert service.conclude_attempts(purchase) is conclusion
    assert payment(payment_id).status is state
    expected = PurchaseStatus.PAID if conclusion is Conclusion.CAPTURED else PurchaseStatus.AWAITING_PAYMENT
    assert purchase_status(sale) is expected
    till.sandbox.steer(payment_id, down=(), pay_during_close=False)
    again = service.conclude_attempts(purchase)
    assert again is (Conclusion.CAPTURED if conclusion is Conclusion.CAPTURED else Conclusion.CLOSED)


def test_nothing_to_conclude_is_closed(till: Till) -> None:
    assert service.conclude_attempts(till.sale().purchase) is Conclusion.CLOSED


def test_an_attempt_the_provider_never_heard_of_is_looked_at_again(till: Till) -> None:
    sale = till.sale()
    number = sale.purchase.purchase_id.replace("pur_", "pay_") + "_01"
    till.sandbox.steer(number, silent_before=("create",))
    till.start(sale)
    purchase = orders.load_purchase(sale.purchase.purchase_id)
    assert service.conclude_attempts(purchase) is Conclusion.CLOSED
    till.expire(sale)

    # The create was only late: it arrives now, and the buyer pays at once.
    till.sandbox._create(
        {"out_trade_no": number, "amount": TOTAL, "currency": "CNY", "notify_url": "http://x", "expires_at": 0}
    )
    till.sandbox.steer(number, notify=False)
    till.sandbox.pay(number)
    till.wait(timedelta(minutes=2))

    assert payment(number).status is PaymentStatus.RETURNED
    assert payment(number).due_at is None


# --- refunds --------------------------------------------------------------------------------------------------------


def ask_refund(till: Till, sale: orders.Sale, amount: int, *, order: int = 0, key: str | None = None) -> http.Answer:
    body = {
        "order_id": sale.orders[order].order_id,
        "amount": {"minor": amount, "currency": "CNY"},
        "reason": "goodwill",
    }
    return till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body, key=key)


def test_refunding_every_order_in_parts_gives_back_exactly_everything(till: Till) -> None:
    sale, payment_id = till.paid((1001, 998), commission_bps=333)
    for amount, order in ((1, 0), (500, 1), (333, 0), (498, 1), (667, 0)):
        answer = ask_refund(till, sale, amount, order=order)
        assert answer.status == 201, answer
        till.settle()

    assert [refund.status for refund in story(sale).refunds] == [RefundStatus.SUCCEEDED] * 5
    assert payment(payment_id).status is PaymentStatus.REFUNDED
    assert accounts(sale) == {}
    assert till.sandbox.orders[payment_id].refunded == 1999
    refunded = orders.load_sale(sale.purchase.purchase_id).orders
    assert [order.refunded.minor for order in refunded] == [1001, 998]


def test_the_same_refund_request_is_one_refund(till: Till) -> None:
    sale, _ = till.paid()
    first = ask_refund(till, sale, 100, key="key-00000001")
    again = ask_refund(till, sale, 100, key="key-00000001")
    other = ask_refund(till, sale, 101, key="key-00000001")
    till.settle()

    assert (first.status, again.status) == (201, 201)
    assert again.json["refund_id"] == first.json["refund_id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert till.sandbox.orders[story(sale).payments[0].payment_id].refunded == 100


@pytest.mark.parametrize(("amount", "why"), [(2000, "more_than_captured"), (0, "not_positive"), (-5, "not_positive")])
def test_a_refund_beyond_the_capture_is_refused_without_a_trace(till: Till, amount: int, why: str) -> None:
    sale, payment_id = till.paid()
    before = payment(payment_id)
    answer = ask_refund(till, sale, amount)
    assert (answer.status, answer.json["code"], answer.json["why"]) == (409, "refund_refused", why)
    assert story(sale).refunds == ()
    assert payment(payment_id) == before


def test_a_refund_beyond_its_order_is_refused(till: Till) -> None:
    sale, _ = till.paid((500, 1499))
    assert ask_refund(till, sale, 501).json["why"] == "more_than_order"
    assert ask_refund(till, sale, 300).status == 201
    answer = ask_refund(till, sale, 201)
    assert (answer.json["why"], answer.json["left"]) == ("more_than_order", 200)


def test_two_refunds_at_the_same_moment_never_exceed_what_was_paid(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = till.paid()
    real = reservation.within_order
    rivals: list[http.Answer] = []

    def within(*args: Any) -> None:
        real(*args)
        if not rivals:
            rivals.append(http.Answer(0, None, {}, ""))
            rivals.append(ask_refund(till, sale, 1200))

    monkeypatch.setattr(reservation, "within_order", within)
    answer = ask_refund(till, sale, 1200)
    till.settle()

    assert (rivals[1].status, answer.status) == (201, 409)
    assert payment(payment_id).reserved_minor == 1200
    assert till.sandbox.orders[payment_id].refunded == 1200


@pytest.mark.parametrize("how", ["silent_after", "silent_before", "unsigned"])
def test_a_lost_refund_answer_is_asked_again_under_the_same_number(till: Till, how: str) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, notify=False, **{how: ("refund",)})
    ask_refund(till, sale, 700)
    till.settle()
    (refund,) = story(sale).refunds
    assert refund.status is RefundStatus.REQUESTED

    till.wait(timedelta(seconds=120))

    assert [refund.status for refund in story(sale).refunds] == [RefundStatus.SUCCEEDED]
    assert list(till.sandbox.refunds) == [refund.refund_id]
    assert till.sandbox.orders[payment_id].refunded == 700


def test_a_pending_refund_is_never_shown_as_done_and_is_asked_about(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="pending", notify=False)
    refund_id = ask_refund(till, sale, 700).json["refund_id"]
    till.settle()
    assert story(sale).refunds[0].status is RefundStatus.PENDING
    assert payment(payment_id).refunded_minor == 0
    assert accounts(sale)["clearing:sandbox"] == TOTAL

    till.sandbox.settle(refund_id, "succeeded")
    till.wait(timedelta(seconds=120))

    assert story(sale).refunds[0].status is RefundStatus.SUCCEEDED
    assert accounts(sale)["clearing:sandbox"] == TOTAL - 700


@pytest.mark.parametrize("state", ["failed", "abnormal", "closed"])
def test_a_stuck_refund_waits_for_an_operator_who_tries_again(till: Till, state: str) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund=state)
    refund_id = ask_refund(till, sale, 700).json["refund_id"]
    till.settle()
    listed = till.operate("GET", f"/v1/operator/payments?status=refund_{state}").json["refunds"]
    assert [(refund["refund_id"], refund["status"]) for refund in listed] == [(refund_id, state)]
    assert payment(payment_id).reserved_minor == 700

    till.sandbox.steer(payment_id, refund="succeeded")
    answer = till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry")
    if state == "abnormal":  # The number lives at the bank: the provider ends it, we ask.
        till.sandbox.settle(refund_id, "succeeded")
    till.settle()

    done = [refund for refund in story(sale).refunds if refund.status is RefundStatus.SUCCEEDED]
    assert [refund.refund_id for refund in done] == [answer.json["refund_id"]]
    assert (answer.json["refund_id"] == refund_id) is (state != "closed")
    assert till.sandbox.orders[payment_id].refunded == 700
    assert payment(payment_id).refunded_minor == 700
    assert till.operate("GET", f"/v1/operator/payments?status=refund_{state}").json["refunds"] == []
    assert till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry").json["code"] == "illegal_transition"


def test_a_refund_the_provider_forgot_is_sent_again_under_the_same_number(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="pending", notify=False)
    refund_id = ask_refund(till, sale, 700).json["refund_id"]
    till.settle()
    till.sandbox.refunds.clear()
    till.sandbox.orders[payment_id].refunded = 0
    till.sandbox.steer(payment_id, refund="succeeded")

    till.wait(timedelta(seconds=120))

    assert list(till.sandbox.refunds) == [refund_id]
    assert story(sale).refunds[0].status is RefundStatus.SUCCEEDED


def slowly(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    slow = replace(providers.load("sandbox"), limits=Limits(**limits))  # type: ignore[type-var]
    monkeypatch.setattr(providers, "load", lambda _name: slow)


def test_a_provider_that_demands_a_pause_between_refunds_gets_it(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = till.paid()
    slowly(monkeypatch, refund_interval=timedelta(seconds=60))
    ask_refund(till, sale, 100)
    till.settle()
    ask_refund(till, sale, 200)
    till.settle()
    assert till.sandbox.orders[payment_id].refunded == 100

    till.wait(timedelta(seconds=61))
    assert till.sandbox.orders[payment_id].refunded == 300
    assert [refund.status for refund in story(sale).refunds] == [RefundStatus.SUCCEEDED] * 2


def test_the_pause_between_refunds_holds_though_every_answer_is_lost(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, payment_id = till.paid()
    slowly(monkeypatch, refund_interval=timedelta(seconds=60))
    till.sandbox.steer(payment_id, notify=False, down=("refund", "query_refund"))
    started = clock.now()
    sent: list[tuple[str, float]] = []
    real = type(providers.load("sandbox")).refund

    def refund(self: Any, order: Any) -> Any:
        sent.append((order.refund_id[-2:], (clock.now() - started).total_seconds()))
        return real(self, order)

    monkeypatch.setattr(type(providers.load("sandbox")), "refund", refund)
    for amount in (100, 200, 300):
        ask_refund(till, sale, amount)
    till.settle()
    till.wait(timedelta(minutes=5), step=timedelta(seconds=20))
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(sent)]
    assert {number for number, _ in sent} == {"01", "02", "03"}
    assert min(gaps) >= 60
    till.sandbox.steer(payment_id, down=())
    till.wait(timedelta(minutes=14), step=timedelta(minutes=2))
    assert till.sandbox.orders[payment_id].refunded == 600


def test_two_refunds_at_the_same_moment_take_turns(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = till.paid()
    slowly(monkeypatch, refund_interval=timedelta(seconds=60))
    first, second = (str(ask_refund(till, sale, amount).json["refund_id"]) for amount in (100, 200))
    real = execute._take_turn
    rivals: list[Any] = []

    def take_turn(*args: Any) -> Any:
        if not rivals:
            rivals.append(None)
            rivals.append(service.send_refund(second).status)
        return real(*args)

    monkeypatch.setattr(execute, "_take_turn", take_turn)
    with pytest.raises(RetryLater) as waits:
        service.send_refund(first)
    assert (rivals[1], waits.value.delay_s) == (RefundStatus.SUCCEEDED, 1)
    assert till.sandbox.orders[payment_id].refunded == 200
    till.wait(timedelta(minutes=3))
    assert till.sandbox.orders[payment_id].refunded == 300


def test_a_renewed_refund_is_held_against_the_providers_limits(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="closed")
    refund_id = ask_refund(till, sale, 700).json["refund_id"]
    till.settle()
    before = dump.tables()
    for limits, why in (({"max_refunds": 1}, "too_many_refunds"), ({"refund_window": timedelta()}, "window_closed")):
        till.clock.advance(timedelta(seconds=1))
        with monkeypatch.context() as patched:
            slowly(patched, **limits)
            answer = till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry", {})
        assert (answer.status, answer.json["why"]) == (409, why)
    assert dump.differences(before, dump.tables()) == []


@pytest.mark.parametrize("word", ["closed", "failed", "abnormal"])
def test_a_word_that_a_refund_is_dead_is_asked_about_before_it_is_believed(till: Till, word: str) -> None:
    """Long past, but younger than all we have heard: believed, an operator would pay again under another number."""
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="pending", notify=False)
    refund_id = ask_refund(till, sale, 700).json["refund_id"]
    till.settle()
    till.sandbox.settle(refund_id, "succeeded")
    headers, body = notice(
        till, payment_id, kind="refund", out_refund_no=refund_id, refund_id="sbr00000003", state=word, amount=700
    )
    till.post(WEBHOOK, headers, body)
    till.settle()
    assert story(sale).refunds[0].status is RefundStatus.SUCCEEDED
    assert payment(payment_id).refunded_minor == 700
    assert story(sale).quarantined == ()


def test_an_operator_asks_about_a_refund(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="pending", notify=False)
    refund_id = ask_refund(till, sale, 700).json["refund_id"]
    till.settle()
    path = f"/v1/operator/refunds/{refund_id}/query"
    before = dump.tables()
    assert till.operate("POST", path, {}).json["status"] == "pending"
    till.sandbox.steer(payment_id, down=("query_refund",))
    silent = till.operate("POST", path, {})
    assert (silent.status, silent.json["code"]) == (502, "provider_silent")
    assert dump.differences(before, dump.tables()) == []
    till.sandbox.steer(payment_id, down=())
    till.sandbox.settle(refund_id, "succeeded")
    for _ in range(2):
        assert till.operate("POST", path, {}).json["status"] == "succeeded"
    till.sandbox.settle(refund_id, "closed")
    asked = till.operate("POST", path, {}).json
    assert (asked["status"], asked["bounced_at"] is not None) == ("closed", True)
    assert payment(payment_id).refunded_minor == 0


def test_each_time_a_refund_fails_is_told(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="failed")
    refund_id = ask_refund(till, sale, 700).json["refund_id"]
    till.settle()
    service.retry_refund(refund_id)
    till.settle()
    told = [line for line in till.pump.log if line.startswith(f"complaints:refund.failed#{refund_id}")]
    assert len(set(told)) == 2


def test_a_refund_made_in_the_providers_console_is_quarantined(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.console_refund(payment_id, 500)
    till.settle()
    (held,) = story(sale).quarantined
    assert (held.why, held.said["amount"]) == ("unknown_refund", "5.00 CNY")
    assert payment(payment_id).refunded_minor == 0


def test_a_refund_request_rides_in_the_callers_work_and_repeats_by_cause(till: Till) -> None:
    sale, payment_id = till.paid()

    def request(amount: int) -> str:
        with UnitOfWork() as work:
            return give_back(work, sale.orders[0], payment_id, Money(amount), reason="complaint", cause="complaint#1")

    first = request(300)
    assert request(300) == first
    assert payment(payment_id).reserved_minor == 300
    with pytest.raises(ConcurrentUpdate), UnitOfWork() as work:
        give_back(work, sale.orders[0], payment_id, Money(1), reason="r", cause="complaint#2")
        stale = payment(payment_id)
        with UnitOfWork() as rival:
            store.save_payment(rival, stale)
    assert len(story(sale).refunds) == 1


def test_an_unpaid_attempt_refunds_nothing(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    with pytest.raises(RefundRefused), UnitOfWork() as work:
        give_back(work, sale.orders[0], payment_id, Money(1), reason="r", cause="c")


# --- operators ------------------------------------------------------------------------------------------------------


def test_operators_list_what_waits_page_by_page_and_read_the_whole_story(till: Till) -> None:
    sales = [till.sale() for _ in range(5)]
    started = {till.started(sale) for sale in sales}
    listed: list[str] = []
    cursor = ""
    while True:
        page = till.operate("GET", f"/v1/operator/payments?limit=2{cursor}").json
        listed += [found["payment_id"] for found in page["payments"]]
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(listed) == sorted(started)

    told = till.operate("GET", f"/v1/operator/purchases/{sales[0].purchase.purchase_id}/payments").json
    assert [found["status"] for found in told["payments"]] == ["pending"]
    books = till.operate("GET", f"/v1/operator/purchases/{sales[0].purchase.purchase_id}/ledger").json
    assert (books["balanced"], books["entries"]) == (True, [])
