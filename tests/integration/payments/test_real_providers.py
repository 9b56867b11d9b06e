"""WeChat Pay and Alipay end to end: HTTP, streams, queues and deadlines on our side, their stand-ins on the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments import providers
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.payments.ports import Attempt, Outcome, PaymentOrder
from chalicelib.runtime import aws, names, outbound, secrets
from tests.support import http, people
from tests.support.paying import Till, accounts, payment, story
from tools.fakes import resources
from tools.fakes.sandbox.alipay import Alipay, certified_key, plain_key
from tools.fakes.sandbox.mount import transport
from tools.fakes.sandbox.server import Server
from tools.fakes.sandbox.wechatpay import WechatPay, certificate, public_key


def _now() -> float:
    return clock.now().timestamp()


STAND_INS: dict[str, tuple[str, Callable[[], Any]]] = {
    "wechatpay": ("wechatpay", lambda: WechatPay(now=_now)),
    "wechatpay in both modes": (
        "wechatpay",
        lambda: WechatPay(now=_now, platform=[public_key(), certificate(1), certificate(2)]),
    ),
    "alipay": ("alipay", lambda: Alipay(now=_now)),
    "alipay with certificates": (
        "alipay",
        lambda: Alipay(now=_now, certificates=True, signing=[certified_key(1), certified_key(2)]),
    ),
}


class RealTill(Till):
    """A till whose only provider is a real one's stand-in; its secret is in Secrets Manager."""

    provider: str = ""

    def start(self, sale: orders.Sale, *, key: str | None = None, **body: Any) -> http.Answer:
        return super().start(sale, key=key, **{"provider": self.provider, **body})

    def store_secret(self) -> None:
        resources.create_all({f"payments-{self.provider}": self.sandbox.configuration()})


@pytest.fixture(params=STAND_INS)
def till(request: pytest.FixtureRequest, cloud: str, noon: Any) -> Iterator[RealTill]:
    name, make = STAND_INS[request.param]
    sandbox = make()
    outbound.install(transport(sandbox))
    opened = RealTill(noon, sandbox, people.buyer(), people.operator())
    opened.provider = name
    opened.store_secret()
    yield opened
    outbound.install(None)


def refund(till: RealTill, sale: orders.Sale, amount: int) -> http.Answer:
    body = {
        "order_id": sale.orders[0].order_id,
        "amount": {"minor": amount, "currency": "CNY"},
        "reason": "不合适",
    }
    return till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body)


def status(sale: orders.Sale) -> PurchaseStatus:
    return orders.load_purchase(sale.purchase.purchase_id).status


def test_paid_refunded_in_two_parts_and_the_books_are_empty(till: RealTill) -> None:
    sale, payment_id = till.paid((1999,))
    assert payment(payment_id).transaction_id == till.sandbox.orders[payment_id].transaction_id
    assert accounts(sale)[f"clearing:{till.provider}"] == 1999

    for amount in (700, 1299):
        assert refund(till, sale, amount).status == 201
        till.settle()
        till.wait(timedelta(minutes=3))

    assert [entry.status for entry in story(sale).refunds] == [RefundStatus.SUCCEEDED] * 2
    assert payment(payment_id).status is PaymentStatus.REFUNDED
    assert accounts(sale) == {}
    assert till.sandbox.orders[payment_id].refunded == 1999
    assert story(sale).quarantined == ()


def test_every_notice_ten_times_out_of_order_takes_effect_once(till: RealTill) -> None:
    till.sandbox.steer(duplicates=10, reorder=True)
    sale, payment_id = till.paid()
    till.settle()

    assert payment(payment_id).captured == payment(payment_id).amount
    assert accounts(sale)[f"clearing:{till.provider}"] == 1999
    assert len(till.sandbox.delivered) >= 10
    assert {answered for answered, _ in till.sandbox.delivered} <= {200, 204}


def test_a_lost_notice_is_found_by_asking(till: RealTill) -> None:
    till.sandbox.steer(notify=False)
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id)
    till.wait(timedelta(seconds=90))

    assert status(sale) is PurchaseStatus.PAID
    assert till.sandbox.delivered == []


def test_late_money_goes_back_by_itself_where_its_units_are_gone(till: RealTill) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    if till.provider == "alipay":
        till.sandbox.scan(payment_id)  # type: ignore[attr-defined]
    till.expire(sale)
    till.sandbox.pay(payment_id)
    till.settle()

    assert (payment(payment_id).status, payment(payment_id).surplus_reason) == (
        PaymentStatus.RETURNED,
        "purchase_expired",
    )
    assert status(sale) is PurchaseStatus.EXPIRED
    assert till.sandbox.orders[payment_id].refunded == 1999
    assert accounts(sale) == {}
    (back,) = story(sale).refunds
    assert back.status is RefundStatus.SUCCEEDED


def test_both_attempts_paid_one_wins_and_the_other_refunds_itself(till: RealTill) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.sandbox.steer(first, down=("query", "close"))
    second = till.started(sale)
    till.sandbox.steer(first, down=())
    till.sandbox.pay(first)
    till.sandbox.pay(second)
    till.settle()

    assert {payment(first).status, payment(second).status} == {PaymentStatus.CAPTURED, PaymentStatus.RETURNED}
    assert status(sale) is PurchaseStatus.PAID
    assert sum(order.refunded for order in till.sandbox.orders.values()) == 1999


def test_a_lie_about_the_amount_is_quarantined_and_the_query_decides(till: RealTill) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, notice_amount=1)
    till.sandbox.pay(payment_id)
    till.settle()

    assert status(sale) is PurchaseStatus.PAID
    (doubt,) = story(sale).quarantined
    assert (doubt.why, doubt.said["amount"]) == ("amount_differs", "0.01 CNY")


@pytest.mark.parametrize("how", [{"other_merchant": True}, {"other_app": True}])
def test_a_genuine_notice_of_others_is_kept_and_the_provider_asked(till: RealTill, how: dict[str, Any]) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, **how, duplicates=3)
    till.sandbox.pay(payment_id)
    till.settle()

    assert {answered for answered, _ in till.sandbox.delivered} <= {200, 204}
    (held,) = story(sale).quarantined
    assert (held.why, held.payment_id, held.resolved) == ("foreign_notice", payment_id, "query: captured 19.99 CNY")
    assert status(sale) is PurchaseStatus.PAID, "by the query, not by what was said"


@pytest.mark.parametrize("how", [{"tamper": True}, {"unknown_key": True}])
def test_forged_notices_are_refused_and_leave_no_trace(till: RealTill, how: dict[str, Any]) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    before = payment(payment_id)
    till.sandbox.steer(payment_id, **how)
    till.sandbox.pay(payment_id)
    till.sandbox.tick(till.post)
    till.pump.drain()

    # A key that we do not hold may be the provider's new one, where it is named: the notice is to come again.
    names_keys = till.provider == "wechatpay" or "root_certificates" in till.sandbox.configuration()
    answer = 503 if "unknown_key" in how and names_keys else 401
    assert [answered for answered, _ in till.sandbox.delivered] == [answer]
    assert payment(payment_id) == before
    assert status(sale) is PurchaseStatus.AWAITING_PAYMENT
    till.wait(timedelta(seconds=90))  # Asking finds the truth.
    assert status(sale) is PurchaseStatus.PAID


@pytest.mark.parametrize("how", ["silent_after", "silent_before", "unsigned", "no_signature"])
def test_a_lost_refund_answer_is_asked_again_under_the_same_number(till: RealTill, how: str) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, **{how: ("refund",)})
    refund(till, sale, 500)
    till.settle()
    till.wait(timedelta(minutes=3))

    (one,) = story(sale).refunds
    assert one.status is RefundStatus.SUCCEEDED
    assert list(till.sandbox.refunds) == [one.refund_id]
    assert till.sandbox.orders[payment_id].refunded == 500


def test_a_pending_refund_is_done_when_the_provider_says_so(till: RealTill) -> None:
    sale, payment_id = till.paid()
    till.sandbox.steer(payment_id, refund="pending")
    refund(till, sale, 500)
    till.settle()
    till.wait(timedelta(minutes=2))
    (one,) = story(sale).refunds
    assert one.status is RefundStatus.PENDING

    till.sandbox.settle(one.refund_id, "succeeded")
    till.settle()

    assert story(sale).refunds[0].status is RefundStatus.SUCCEEDED
    assert payment(payment_id).refunded_minor == 500


def test_a_refund_made_in_the_console_is_quarantined(till: RealTill) -> None:
    sale, payment_id = till.paid()
    till.sandbox.console_refund(payment_id, 300)
    till.settle()

    (doubt,) = story(sale).quarantined
    assert doubt.why == "unknown_refund"


def test_a_rotated_secret_takes_effect_without_a_restart(till: RealTill) -> None:
    till.paid()
    certified = till.provider == "wechatpay" or till.sandbox.certificates  # type: ignore[attr-defined]
    makers: dict[str, Any] = {"wechatpay": certificate, "alipay": certified_key if certified else plain_key}
    till.sandbox.rotate(makers[till.provider](5), overlap=False)  # type: ignore[attr-defined]
    sale = till.sale()
    answer = till.start(sale)
    assert answer.json["status"] == "started"  # What comes back is signed by a key we do not know.

    aws.call(
        "secretsmanager",
        "PutSecretValue",
        {
            "SecretId": names.secret_name(f"payments-{till.provider}"),
            "SecretString": json.dumps(till.sandbox.configuration()),
        },
    )
    secrets.forget()  # 300 s later.

    assert till.start(sale).json["status"] == "pending"


def test_replies_are_exactly_what_the_provider_wants(till: RealTill) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id)
    headers, body = till.sandbox.signed_notice(till.sandbox.outbox[0].content)
    path = f"/v1/webhooks/payments/{till.provider}"

    accepted = http.call("POST", path, raw=body, headers=headers)
    refused = http.call(
        "POST", path, raw=body.replace(b"pay_", b"pay-").replace(b"transaction", b"transactiom"), headers=headers
    )

    if till.provider == "alipay":
        assert (accepted.status, accepted.body) == (200, "success")
        assert (refused.status, refused.body) == (401, "fail")
    else:
        assert (accepted.status, accepted.body) == (204, "")
        assert (refused.status, refused.json) == (401, {"code": "FAIL", "message": "验签失败"})
    for junk in (b"", b"\xff\xfe", b"{}", b"a=b", b"x" * 70_000):
        assert 400 <= http.call("POST", path, raw=junk, headers=headers).status < 500


def test_the_stand_ins_serve_over_http_with_a_page_for_people(till: RealTill) -> None:
    outbound.install(None)
    server = Server(till.sandbox).start()
    try:
        address = {"wechatpay": {"url": server.url}, "alipay": {"gateway": f"{server.url}/gateway.do"}}[till.provider]
        told = till.sandbox.configuration(**address)
        adapter = providers.adapter(till.provider).build(told)
        method = "native" if till.provider == "wechatpay" else "qr"
        now = clock.now()
        wanted = PaymentOrder(
            "pay_0123456789abcdefghjkmnpq_01",
            Money(1),
            "茶",
            method,
            now,
            now + timedelta(minutes=5),
            f"{server.url}/nowhere",
        )
        assert adapter.create(wanted).outcome is Outcome.PENDING
        page = outbound.request("POST", f"{server.url}/pay/{wanted.payment_id}", headers={})
        assert page.status == 200
        report = adapter.query(Attempt(wanted.payment_id, wanted.amount, now, method))
        assert (report.outcome, report.amount) == (Outcome.CAPTURED, Money(1))
        assert wanted.payment_id in outbound.request("GET", f"{server.url}/", headers={}).body.decode()
    finally:
        server.stop()
