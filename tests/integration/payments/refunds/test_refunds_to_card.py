"""A refund that the payer's bank does not take: an operator has WeChat Pay send it to another card, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.kernel.roles import Role
from chalicelib.orders.service import Sale
from chalicelib.payments.domain.refund import Refund, RefundStatus
from chalicelib.payments.refunds import to_card
from chalicelib.runtime import aws, outbound
from tests.support import dump, http, people
from tests.support.hosts import bought, opened
from tests.support.paying import Till, accounts, payment, story

TOTAL, BACK = 2000, 500
CARD = {"bank_type": "ICBC_DEBIT", "bank_account": "6222020200112230", "real_name": "王五"}
OTHER = {**CARD, "bank_account": "6222020200992230"}


@pytest.fixture
def sent() -> list[dict[str, Any]]:
    """What the provider was asked to send elsewhere."""
    return []


@pytest.fixture
def till(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch, sent: list[dict[str, Any]]) -> Iterator[Till]:
    made = opened("wechatpay", noon, monkeypatch)
    stand: Any = made.sandbox
    real = stand._abnormal

    def noted(refund_id: str, content: dict[str, Any]) -> Any:
        sent.append(content)
        return real(refund_id, content)

    monkeypatch.setattr(stand, "_abnormal", noted)
    yield made
    outbound.install(None)


def abnormal(till: Till) -> tuple[Sale, str]:
    """Return a purchase with a refund that came to nothing at the payer's bank, and the refund's route."""
    sale, payment_id = bought(till, TOTAL)
    till.sandbox.steer(payment_id, refund="abnormal")
    body = {"order_id": sale.orders[0].order_id, "amount": {"minor": BACK, "currency": "CNY"}, "reason": "broken"}
    answer = till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body)
    assert answer.status == 201, answer.body
    till.clock.advance(timedelta(minutes=2))
    till.settle()
    assert the(sale).status is RefundStatus.ABNORMAL
    return sale, f"/v1/operator/refunds/{the(sale).refund_id}"


def the(sale: Sale) -> Refund:
    (refund,) = story(sale).refunds
    return refund


def refused(answer: http.Answer) -> tuple[int, str, str]:
    return answer.status, answer.json["code"], answer.json.get("why", "")


def test_it_goes_to_the_card_once_and_nothing_of_the_card_stays(
    till: Till, sent: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    sale, route = abnormal(till)
    first = till.operate("POST", f"{route}/to-card", CARD, key="to-card-00001")
    assert (first.status, first.json["status"]) == (200, "pending"), first.body
    assert first.json["redirect"]["payee"] == "ICBC_DEBIT **2230"
    repeat = till.operate("POST", f"{route}/to-card", CARD, key="to-card-00001")
    assert (repeat.status, repeat.headers.get("idempotency-replayed")) == (200, "true")
    other = till.operate("POST", f"{route}/to-card", OTHER, key="to-card-00001")
    again = till.operate("POST", f"{route}/to-card", CARD)
    assert (other.json["code"], again.json["code"]) == ("idempotency_key_reused", "illegal_transition")
    assert [content["type"] for content in sent] == ["USER_BANK_CARD"]
    till.sandbox.settle(the(sale).refund_id, "succeeded")
    till.settle()
    done = the(sale)
    assert (done.status, done.past[-1][0]) == (RefundStatus.SUCCEEDED, RefundStatus.PENDING)
    assert (payment(done.payment_id).refunded_minor, accounts(sale)["clearing:wechatpay"]) == (BACK, TOTAL - BACK)
    kept = json.dumps(dump.tables(), ensure_ascii=False) + caplog.text
    assert [word for word in (CARD["bank_account"], CARD["real_name"]) if word in kept] == []


def test_what_the_provider_does_not_take_is_abnormal_again(
    till: Till, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, route = abnormal(till)
    stand: Any = till.sandbox
    with monkeypatch.context() as patch:
        patch.setattr(stand, "_abnormal", lambda *_: stand._sign(400, {"code": "PARAM_ERROR"}))
        answer = till.operate("POST", f"{route}/to-card", CARD)
    assert (answer.status, answer.json["status"]) == (200, "abnormal")
    till.settle()
    assert till.operate("POST", f"{route}/to-card", OTHER).json["status"] == "pending"
    assert len(sent) == 1
    assert the(sale).redirect is not None


def test_one_whose_answer_is_lost_is_asked_about_and_not_sent_again(
    till: Till, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, route = abnormal(till)
    stand: Any = till.sandbox
    real = stand._abnormal

    def lost(*args: Any) -> Any:
        real(*args)
        return 502, {}, b""

    with monkeypatch.context() as patch:
        patch.setattr(stand, "_abnormal", lost)
        answer = till.operate("POST", f"{route}/to-card", CARD)
    assert (answer.status, answer.json["status"]) == (200, "pending")
    till.wait(timedelta(minutes=10))
    assert (len(sent), the(sale).status) == (1, RefundStatus.PENDING)


def test_two_operators_at_the_same_moment_send_it_once(till: Till, sent: list[dict[str, Any]]) -> None:
    _, route = abnormal(till)
    rivals: list[http.Answer] = []

    def hook(service_name: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation == "TransactWriteItems" and not rivals:
            rivals.append(http.Answer(0, None, {}, ""))
            rivals[0] = till.operate("POST", f"{route}/to-card", OTHER)
        return proceed()

    with aws.hooked(hook):
        answer = till.operate("POST", f"{route}/to-card", CARD)
    assert (rivals[0].status, answer.status, answer.json["code"]) == (200, 409, "illegal_transition")
    assert len(sent) == 1


def test_who_comes_late_to_the_call_does_not_send_another_card_than_is_written(
    till: Till, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, route = abnormal(till)
    stopped: list[tuple[Any, ...]] = []
    tell = to_card._tell_provider

    def stops(refund: Refund, card: Any) -> Refund:
        stopped.append((refund, card))
        monkeypatch.setattr(to_card, "_tell_provider", tell)
        raise TimeoutError

    monkeypatch.setattr(to_card, "_tell_provider", stops)
    assert till.operate("POST", f"{route}/to-card", CARD).status == 500
    assert till.operate("POST", f"{route}/query", {}).json["status"] == "abnormal"
    other = {**CARD, "bank_account": "6222020200119999"}
    for act, body in (("to-card", other), ("retry", {}), ("offline", {})):
        before = dump.tables("oversight")
        answer = till.operate("POST", f"{route}/{act}", body)
        assert refused(answer) == (409, "refund_refused", "refund_under_way"), act
        assert dump.differences(before, dump.tables("oversight")) == []
    till.clock.advance(timedelta(seconds=61))
    assert till.operate("POST", f"{route}/to-card", other).json["status"] == "pending"
    tell(*stopped[0])
    assert (len(sent), the(sale).status) == (1, RefundStatus.PENDING)
    redirect = the(sale).redirect
    assert redirect is not None
    assert redirect.payee == "ICBC_DEBIT **9999"
    assert redirect.intent != stopped[0][0].redirect.intent
    assert stopped[0][0].redirect.at < redirect.at


def test_who_comes_late_to_the_call_sends_nothing_that_was_paid_by_hand(
    till: Till, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, route = abnormal(till)
    stopped: list[tuple[Any, ...]] = []
    tell = to_card._tell_provider

    def stops(refund: Refund, card: Any) -> Refund:
        stopped.append((refund, card))
        raise TimeoutError

    monkeypatch.setattr(to_card, "_tell_provider", stops)
    assert till.operate("POST", f"{route}/to-card", CARD).status == 500
    assert till.operate("POST", f"{route}/query", {}).json["status"] == "abnormal"
    till.clock.advance(timedelta(seconds=61))
    assert till.operate("POST", f"{route}/offline", {}).json["status"] == "owed"
    tell(*stopped[0])
    assert (sent, the(sale).status) == ([], RefundStatus.OWED)


@pytest.mark.parametrize(
    ("limit", "code"),
    [("BIANDAN_REFUND_ALONE", "approval_needed"), ("BIANDAN_REFUND_ALONE_A_DAY", "day_limit_reached")],
)
def test_above_a_limit_one_alone_sends_nothing(
    till: Till, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, limit: str, code: str
) -> None:
    _, route = abnormal(till)
    monkeypatch.setenv(limit, f"CNY:{BACK - 1}")
    second = people.operator()
    token = people.token(second.account_id, Role.BUYER, Role.OPERATOR)
    before = dump.tables("oversight")
    answer = http.call("POST", f"{route}/to-card", CARD, token=token)
    assert refused(answer)[:2] == (409, code)
    assert (dump.differences(before, dump.tables("oversight")), sent) == ([], [])


def test_a_second_person_agrees_to_one_card_alone(
    till: Till, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, route = abnormal(till)
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", f"CNY:{BACK - 1}")
    asked = till.operate("POST", f"{route}/to-card-approvals", CARD, key="ask-card-0001")
    assert (asked.status, asked.json["payee"], asked.json["settles"]) == (201, "ICBC_DEBIT **2230", the(sale).refund_id)
    repeat = till.operate("POST", f"{route}/to-card-approvals", CARD, key="ask-card-0001")
    assert repeat.json["approval_id"] == asked.json["approval_id"]
    with_it = {**CARD, "approval_id": asked.json["approval_id"]}
    assert refused(till.operate("POST", f"{route}/to-card", with_it))[2] == "other_card_approved"
    approve = f"/v1/operator/purchases/{sale.purchase.purchase_id}/refund-approvals/{asked.json['approval_id']}/approve"
    assert till.operate("POST", approve, {}).json["code"] == "own_approval"
    second = people.operator()
    done = http.call("POST", approve, {}, token=people.token(second.account_id, Role.BUYER, Role.OPERATOR))
    assert (done.status, sent) == (200, [])
    assert refused(till.operate("POST", f"{route}/to-card", {**with_it, **OTHER}))[2] == "other_card_approved"
    third = people.token(people.operator().account_id, Role.BUYER, Role.OPERATOR)
    assert refused(http.call("POST", f"{route}/to-card", with_it, token=third))[2] == "other_card_approved"
    answer = till.operate("POST", f"{route}/to-card", with_it)
    assert (answer.status, answer.json["redirect"]["approved_by"]) == (200, second.account_id), answer.body
    assert len(sent) == 1


def test_the_buyer_as_an_operator_sends_nothing_of_their_own(till: Till, sent: list[dict[str, Any]]) -> None:
    _, route = abnormal(till)
    auth.grant(till.buyer.account_id, Role.OPERATOR)
    token = people.token(till.buyer.account_id, Role.BUYER, Role.OPERATOR)
    for act in ("to-card", "to-card-approvals"):
        answer = http.call("POST", f"{route}/{act}", CARD, token=token)
        assert (answer.status, answer.json["code"], sent) == (403, "own_affair", [])


@pytest.mark.parametrize(
    ("field", "value"), [("bank_account", "6222 0202"), ("bank_account", "x" * 16), ("real_name", "a\nb"), ("cvv", "1")]
)
def test_what_is_no_card_is_refused_and_not_echoed(till: Till, field: str, value: str) -> None:
    _, route = abnormal(till)
    answer = till.operate("POST", f"{route}/to-card", {**CARD, field: value})
    assert answer.status in (400, 422)
    assert CARD["bank_account"] not in answer.body
    assert value == "1" or value not in answer.body


def test_another_provider_has_no_such_way(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    till = opened("qqwallet", noon, monkeypatch)
    sale, route = abnormal(till)
    assert refused(till.operate("POST", f"{route}/to-card", CARD)) == (409, "refund_refused", "no_other_card")
    assert the(sale).status is RefundStatus.ABNORMAL
    outbound.install(None)
