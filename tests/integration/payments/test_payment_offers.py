"""What a storefront shows before anybody pays, and what it does when a buyer comes back from a cashier."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.payments.attempts import outcome
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.runtime import aws, caches, outbound
from tests.support import http, people
from tests.support.paying import Till, payment
from tools.fakes import resources
from tools.fakes.sandbox.wechatpay import WechatPay

METHODS = "/v1/payment-methods"


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


# --- ways to pay -----------------------------------------------------------------------------------------------------


def test_a_stranger_reads_the_ways_to_pay_in_both_languages(till: Till) -> None:
    english, chinese = (http.call("GET", METHODS, headers={"accept-language": tongue}) for tongue in ("en", "zh-CN"))

    assert (english.status, english.headers["cache-control"]) == (200, "public, max-age=300")
    (sandbox,) = [item for item in english.json["items"] if item["provider"] == "sandbox"]
    assert sandbox["test_only"] is True
    shown = [(method["method"], method["action"]) for method in sandbox["methods"]]
    assert shown == [("page", "redirect"), ("qr", "qr")]
    assert sandbox["methods"][0]["titles"] == {"en": "Web page", "zh": "网页支付"}
    assert sandbox["methods"][0]["title"] == "Web page"
    (other,) = [item for item in chinese.json["items"] if item["provider"] == "sandbox"]
    assert (other["methods"][0]["title"], other["titles"]) == ("网页支付", sandbox["titles"])
    again = http.call("GET", METHODS, headers={"accept-language": "en", "if-none-match": english.headers["etag"]})
    assert again.status == 304


def test_only_what_is_configured_and_allowed_here_is_offered(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [item["provider"] for item in http.call("GET", METHODS).json["items"]] == ["sandbox"]

    resources.create_all({"payments-wechatpay": WechatPay().configuration()})
    caches.forget_all()
    items = {item["provider"]: item for item in http.call("GET", METHODS).json["items"]}
    assert set(items) == {"sandbox", "wechatpay"}
    needs = {method["method"]: method["needs"] for method in items["wechatpay"]["methods"]}
    assert (needs["jsapi"], needs["native"]) == (["payer"], [])
    assert [item["provider"] for item in http.call("GET", f"{METHODS}?currency=USD").json["items"]] == ["sandbox"]
    assert http.call("GET", f"{METHODS}?currency=GBP").json["items"] == []
    assert http.call("GET", f"{METHODS}?currency=yuan").json["code"] == "invalid_request"
    assert http.call("GET", f"{METHODS}?provider=sandbox").json["code"] == "invalid_request"


def test_a_crowd_of_readers_makes_us_read_no_secret(till: Till) -> None:
    http.call("GET", METHODS)
    seen: list[str] = []

    def watch(svc: str, operation: str, params: Any, proceed: Any) -> Any:
        seen.append(f"{svc}.{operation}")
        return proceed()

    with aws.hooked(watch):
        for _ in range(20):
            assert http.call("GET", METHODS).status == 200
    assert seen == []


# --- back from the cashier -------------------------------------------------------------------------------------------


def check(till: Till, payment_id: str, *, by: str | None = None) -> http.Answer:
    purchase_id = payment_id.replace("pay_", "pur_")[:-3]
    token = people.token(by or till.buyer.account_id)
    return http.call("POST", f"/v1/purchases/{purchase_id}/payments/{payment_id}/check", token=token)


def test_who_comes_back_from_the_cashier_sees_the_payment_at_once(till: Till) -> None:
    payment_id = till.started(till.sale())
    assert check(till, payment_id).json["status"] == "pending"
    till.sandbox.steer(payment_id, notify=False)
    till.sandbox.pay(payment_id)

    answer = check(till, payment_id)

    assert (answer.status, answer.json["status"], answer.json["captured"]["minor"]) == (200, "captured", 1999)
    calls = list(till.sandbox.calls)
    assert check(till, payment_id).json == answer.json
    assert till.sandbox.calls == calls  # Nothing is open: nobody is asked.


def test_a_page_that_asks_without_end_makes_us_ask_so_often(till: Till) -> None:
    payment_id = till.started(till.sale())
    answers = [check(till, payment_id) for _ in range(30)]

    assert {answer.status for answer in answers} == {200}
    assert till.sandbox.calls.count(f"query {payment_id}") == 6
    assert "retry-after" not in answers[5].headers
    assert int(answers[-1].headers["retry-after"]) in range(1, 62)
    till.clock.advance(timedelta(seconds=int(answers[-1].headers["retry-after"])))
    check(till, payment_id)
    assert till.sandbox.calls.count(f"query {payment_id}") == 7


def test_two_pages_at_the_same_moment_ask_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = till.started(till.sale())
    real = outcome.save_attempt
    rivals: list[http.Answer | None] = []

    def racing(*arguments: Any) -> Any:
        if not rivals:
            rivals.append(None)
            rivals.append(check(till, payment_id))
        return real(*arguments)

    monkeypatch.setattr(outcome, "save_attempt", racing)
    assert check(till, payment_id).json["status"] == "pending"
    assert till.sandbox.calls.count(f"query {payment_id}") == 1


def test_a_silent_provider_answers_with_what_is_known(till: Till) -> None:
    payment_id = till.started(till.sale())
    till.sandbox.steer(payment_id, down=("query",))
    answer = check(till, payment_id)
    assert (answer.status, answer.json["status"]) == (200, "pending")
    assert payment(payment_id).status is PaymentStatus.PENDING


def test_nobody_checks_what_is_not_theirs(till: Till) -> None:
    payment_id = till.started(till.sale())
    assert check(till, payment_id, by=people.buyer().account_id).json["code"] == "not_found"
    assert check(till, payment_id[:-2] + "09").json["code"] == "unknown_payment"
    assert till.sandbox.calls == [f"create {payment_id}"]
