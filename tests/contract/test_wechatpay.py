"""WeChat Pay against its stand-in: what only it does, and everything it can get wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.payments import ports
from chalicelib.payments.domain.bill import Bill, BillKind, BillUnavailable
from chalicelib.payments.ports import (
    Action,
    Attempt,
    BadSignature,
    CloseOutcome,
    Outcome,
    RefundOutcome,
)
from chalicelib.payments.providers.wechatpay import adapter as wechatpay
from chalicelib.runtime import outbound
from tests.contract.counter import Counter
from tools.fakes.sandbox import rsa
from tools.fakes.sandbox.wechatpay import WechatPay, certificate, public_key

HOOK = "https://shop.example/v1/webhooks/payments/wechatpay"


class Shop(Counter):
    hook = HOOK
    wanted: ClassVar[dict[str, Any]] = {
        "description": "茶 & tea " * 40,
        "method": "native",
        "payer": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "client_ip": "203.0.113.7",
    }
    reason = "不合适" * 40
    sandbox: WechatPay
    adapter: wechatpay.WechatPay

    def __init__(self, **changes: Any) -> None:
        sandbox = WechatPay(now=lambda: clock.now().timestamp(), **changes)
        super().__init__(sandbox, wechatpay.build(sandbox.configuration()))


@pytest.fixture
def shop(noon: Any) -> Iterator[Shop]:
    yield Shop()
    outbound.install(None)


def test_each_method_tells_the_client_what_to_do(shop: Shop) -> None:
    told = {
        method: shop.adapter.create(shop.order(number, method=method))
        for number, method in enumerate(shop.adapter.methods, 1)
    }

    assert told["native"].action is Action.QR
    assert (told["native"].url or "").startswith("weixin://wxpay/bizpayurl?pr=")
    assert told["h5"].action is Action.REDIRECT
    assert (told["h5"].url or "").endswith("&redirect_url=https%3A%2F%2Fshop.example%2Fdone%3Fa%3D1%26b%3D2")
    for method in ("jsapi", "mini"):
        params = told[method].params
        assert params["signType"] == "RSA"
        assert set(params) - {"appId"} == {"timeStamp", "nonceStr", "package", "signType", "paySign"}
        appid = params.get("appId", shop.sandbox.appids[1])
        assert ("appId" in params) is (method == "jsapi")
        message = f"{appid}\n{params['timeStamp']}\n{params['nonceStr']}\n{params['package']}\n"
        assert _verifies(message, params["paySign"])
    app = told["app"].params
    assert app["package"] == "Sign=WXPay"
    assert app["partnerid"] == "1900000109"
    assert _verifies(f"{app['appid']}\n{app['timestamp']}\n{app['noncestr']}\n{app['prepayid']}\n", app["sign"])
    assert shop.sandbox.refusals == []


def _verifies(message: str, signature: str) -> bool:
    return rsa.verifies(rsa.private_key("wechatpay merchant 1").public_key(), message.encode(), signature)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "jsapi", "payer": None}, "payer_missing"),
        ({"method": "h5", "client_ip": None}, "client_ip_missing"),
        ({"method": "face"}, "method_unknown"),
        ({"amount": Money(100, "USD")}, "currency_unsupported"),
        ({"amount": Money(0)}, "amount_unsupported"),
        ({"amount": Money(-100)}, "amount_unsupported"),
        ({"amount": Money(10**12)}, "amount_unsupported"),
    ],
)
def test_what_cannot_be_created_is_refused_without_a_call(shop: Shop, changes: dict[str, Any], code: str) -> None:
    instruction = shop.adapter.create(shop.order(**changes))

    assert (instruction.outcome, instruction.code) == (Outcome.FAILED, code)
    assert shop.requests == []


def test_a_repeated_creation_is_signed_anew_with_the_same_body(shop: Shop) -> None:
    wanted = shop.order()
    shop.sandbox.steer(wanted.payment_id, silent_after=("create",))
    assert shop.adapter.create(wanted).outcome is Outcome.UNKNOWN
    clock_now = clock.now()
    with clock.use(lambda: clock_now + timedelta(minutes=7)):
        assert shop.adapter.create(wanted).outcome is Outcome.PENDING

    first, second = shop.requests
    assert first.body == second.body
    assert first.headers["Authorization"] != second.headers["Authorization"]
    assert json.loads(first.body)["time_expire"] == "2026-11-22T12:30:00+08:00"
    assert len(json.loads(first.body)["description"].encode()) <= 127


def test_the_same_number_with_other_data_is_unknown_and_a_closed_one_is_dead(shop: Shop) -> None:
    attempt = shop.created()
    other = shop.adapter.create(shop.order(amount=Money(8900)))
    assert (other.outcome, other.code) == (Outcome.UNKNOWN, "INVALID_REQUEST")
    shop.adapter.close(attempt)
    again = shop.adapter.create(shop.order())
    assert (again.outcome, again.code) == (Outcome.FAILED, "ORDER_CLOSED")
    paid = shop.paid(2)
    late = shop.adapter.create(shop.order(2))
    assert (late.outcome, late.code) == (Outcome.UNKNOWN, "ORDER_PAID")
    assert shop.adapter.query(paid).amount == Money(8800)


def test_an_order_in_flight_outlives_a_change_of_apps(shop: Shop) -> None:
    attempt = shop.paid()
    moved = wechatpay.build(shop.sandbox.configuration(appid="wx_of_tomorrow", appids={}))

    assert moved.query(attempt).amount == Money(8800)
    assert wechatpay.build(shop.sandbox.configuration(mchid="1900000110")).query(attempt).outcome is Outcome.UNKNOWN


def test_a_refused_call_is_told_by_its_code(shop: Shop) -> None:
    shop.sandbox.steer(refuse=("create",))
    instruction = shop.adapter.create(shop.order())
    assert (instruction.outcome, instruction.code) == (Outcome.FAILED, "NO_AUTH")


def test_a_wrong_clock_or_key_is_refused_by_the_host_and_stays_unknown(shop: Shop) -> None:
    now = clock.now()
    shop.sandbox.now = (now + timedelta(seconds=301)).timestamp
    instruction = shop.adapter.create(shop.order())
    assert (instruction.outcome, instruction.code) == (Outcome.UNKNOWN, "SIGN_ERROR")
    shop.sandbox.now = now.timestamp
    attempt = shop.paid()
    stranger = shop.sandbox.configuration(
        merchant_keys=[{"serial": shop.sandbox.merchant_serial, "pem": rsa.private_pem("stranger")}]
    )
    report = wechatpay.build(stranger).refund(shop.refund(attempt, 100))
    assert (report.outcome, report.code) == (RefundOutcome.UNKNOWN, "SIGN_ERROR")
    assert shop.sandbox.refunds == {}
    assert shop.sandbox.refusals == ["timestamp out of window", "signature is wrong"]


def test_the_second_host_is_asked_only_if_the_first_heard_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fails(request: outbound.Request) -> outbound.Response:
        asked.append(request.url.split("/v3")[0])
        if asked == ["https://api.mch.weixin.qq.com"]:
            raise outbound.OutboundFailed
        return shop.send(request)

    outbound.install(fails)
    shop.created()
    assert asked == ["https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"]

    def silent(request: outbound.Request) -> outbound.Response:
        asked.append("silent")
        raise outbound.OutboundTimeout

    asked.clear()
    outbound.install(silent)
    assert shop.adapter.create(shop.order()).code == "outbound_timeout"
    assert asked == ["silent"]


@pytest.mark.parametrize("spoilt", ["probe", "no_signature", "unsigned"])
def test_answers_that_do_not_verify_are_no_answers(shop: Shop, spoilt: str) -> None:
    attempt = shop.paid()
    wanted = shop.refund(attempt, 800)
    changes: dict[str, Any] = {spoilt: ("query", "close", "refund", "query_refund", "create")}
    shop.sandbox.steer(attempt.payment_id, **changes)

    assert shop.adapter.query(attempt).outcome is Outcome.UNKNOWN
    assert shop.adapter.refund(wanted).outcome is RefundOutcome.UNKNOWN
    assert shop.adapter.query_refund(wanted).outcome is RefundOutcome.UNKNOWN
    assert shop.adapter.query(attempt).outcome is Outcome.CAPTURED
    assert shop.adapter.refund(wanted).outcome is RefundOutcome.SUCCEEDED
    assert shop.sandbox.orders[attempt.payment_id].refunded == 800
    fresh = shop.order(2)
    shop.sandbox.steer(fresh.payment_id, **changes)
    assert shop.adapter.create(fresh).outcome is Outcome.UNKNOWN
    assert shop.adapter.create(fresh).outcome is Outcome.PENDING


def test_an_unsigned_refusal_counts_but_one_with_a_wrong_signature_does_not(shop: Shop) -> None:
    """Whether WeChat signs refusals is not established; one that claims to be signed must be."""
    nobody = Attempt("pay_of_nobody_01", Money(1), clock.now())
    assert shop.adapter.query(nobody).outcome is Outcome.ABSENT
    shop.sandbox.steer(nobody.payment_id, no_signature=("query",))
    assert shop.adapter.query(nobody).outcome is Outcome.ABSENT
    shop.sandbox.steer(nobody.payment_id, unsigned=("query",))
    assert shop.adapter.query(nobody).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (502, b"<html>"),
        (429, b'{"code":"FREQUENCY_LIMITED"}'),
        (404, b"[]"),
        (404, b'{"code":["x"]}'),
        (404, b""),
        (403, b"<html>a firewall</html>"),
        (403, b""),
        (302, b""),
        (302, b'{"code":"ORDER_CLOSED"}'),
        (500, b'{"code":"ORDER_CLOSED"}'),
        (502, b'{"code":"NO_AUTH"}'),
        (503, b'{"code":"ORDER_NOT_EXIST"}'),
        (500, b'{"code":"NO_STATEMENT_EXIST"}'),
        (0, b""),
    ],
)
def test_anything_else_is_unknown(shop: Shop, status: int, body: bytes) -> None:
    attempt = shop.paid()
    outbound.install(lambda request: outbound.Response(status, {}, body))

    assert shop.adapter.query(attempt).outcome is Outcome.UNKNOWN
    assert shop.adapter.close(attempt) is CloseOutcome.UNKNOWN
    assert shop.adapter.create(shop.order()).outcome is Outcome.UNKNOWN
    assert shop.adapter.refund(shop.refund(attempt, 1)).outcome is RefundOutcome.UNKNOWN
    assert shop.adapter.query_refund(shop.refund(attempt, 1)).outcome is RefundOutcome.UNKNOWN
    with pytest.raises(BillUnavailable):
        shop.adapter.bill(date(2026, 11, 1))


def test_answers_about_somebody_else_are_unknown(shop: Shop) -> None:
    first, second = shop.paid(1), shop.paid(2)
    shop.adapter.refund(shop.refund(first, 100))
    inner = shop.send

    def mixed(request: outbound.Request) -> outbound.Response:
        """Answer for the first order, genuinely, whatever was asked."""
        path = f"/v3/pay/transactions/out-trade-no/{first.payment_id}?mchid=1900000109"
        if "refund" in request.url:
            path = f"/v3/refund/domestic/refunds/{shop.refund(first, 1).refund_id}"
        from chalicelib.payments.providers.wechatpay import wire as wechatpay_wire

        header = wechatpay_wire.authorization(shop.adapter.settings, "GET", path, b"")
        return inner(outbound.Request("GET", "https://h" + path, {**request.headers, "Authorization": header}, b"", 1))

    outbound.install(mixed)
    assert shop.adapter.query(second).code == "other_order"
    assert shop.adapter.query_refund(shop.refund(second, 100, 2)).code == "other_refund"
    assert shop.adapter.query_refund(shop.refund(first, 99)).code == "other_amount"
    assert shop.adapter.query(first).outcome is Outcome.CAPTURED


def test_paying_while_we_close_is_a_capture(shop: Shop) -> None:
    attempt = shop.created()
    shop.sandbox.steer(attempt.payment_id, pay_during_close=True)

    assert shop.adapter.close(attempt) is CloseOutcome.CAPTURED
    assert shop.adapter.query(attempt).amount == Money(8800)
    shop.deliver()
    (notice,) = shop.heard
    assert notice.report is not None
    assert notice.report.outcome is Outcome.CAPTURED


def test_duplicates_delays_and_probes_of_notices(shop: Shop, noon: Any) -> None:
    attempt = shop.created()
    shop.sandbox.steer(attempt.payment_id, duplicates=10, delay_s=40, probe=("notice",))
    shop.sandbox.pay(attempt.payment_id)

    assert shop.deliver() == 0
    noon.advance(timedelta(seconds=40))
    assert shop.deliver() == 10
    assert [type(refusal) for refusal in shop.refused] == [BadSignature]
    assert [status for status, _ in shop.sandbox.delivered] == [401] + [204] * 9
    noon.advance(timedelta(seconds=15))
    assert shop.deliver() == 1  # The probe was refused, so the genuine one comes again.
    assert len({notice.notice_id for notice in shop.heard}) == 1
    assert len(shop.heard) == 10
    shop.sandbox.steer(notify=False)
    shop.paid(2)
    assert shop.deliver() == 0


def test_a_late_retry_is_signed_anew_and_accepted(shop: Shop, noon: Any) -> None:
    shop.paid()
    assert shop.sandbox.tick(lambda *_: 0) == 1  # Nobody was there.
    noon.advance(timedelta(hours=6))
    assert shop.deliver() == 1
    assert len(shop.heard) == 1


def test_notices_with_another_amount_or_currency_say_so(shop: Shop) -> None:
    spoilt: list[dict[str, Any]] = [{"notice_amount": 1}, {"notice_currency": "USD"}]
    for number, changes in enumerate(spoilt, 1):
        attempt = shop.created(number)
        shop.sandbox.steer(attempt.payment_id, **changes)
        shop.sandbox.pay(attempt.payment_id)
        assert shop.adapter.query(attempt).amount == Money(8800)  # The query tells the truth.
    shop.deliver()
    assert [notice.report.amount for notice in shop.heard if notice.report] == [Money(1), Money(8800, "USD")]


def test_a_pending_refund_ends_by_notice_and_by_query(shop: Shop) -> None:
    attempt = shop.paid()
    shop.deliver()
    shop.sandbox.steer(attempt.payment_id, refund="pending")
    ends = {1: ("succeeded", RefundOutcome.SUCCEEDED), 2: ("abnormal", RefundOutcome.ABNORMAL)}
    for number, (state, outcome) in ends.items():
        wanted = shop.refund(attempt, 100 * number, number)
        assert shop.adapter.refund(wanted).outcome is RefundOutcome.PENDING
        assert shop.adapter.refund(wanted).outcome is RefundOutcome.PENDING
        assert shop.deliver() == 0
        shop.sandbox.settle(wanted.refund_id, state)
        report = shop.adapter.query_refund(wanted)
        assert (report.outcome, report.amount) == (outcome, Money(100 * number))
        assert shop.deliver() == 1
        notice = shop.heard[-1]
        assert (notice.refund_id, notice.report) == (wanted.refund_id, None)
        assert notice.refund_report is not None
        assert (notice.refund_report.outcome, notice.refund_report.amount) == (outcome, Money(100 * number))
        assert notice.refund_report.provider_refund_id == report.provider_refund_id
    closed = shop.refund(attempt, 300, 3)
    shop.adapter.refund(closed)
    shop.sandbox.settle(closed.refund_id, "closed")
    assert shop.adapter.query_refund(closed).outcome is RefundOutcome.CLOSED
    assert shop.adapter.query(attempt).outcome is Outcome.CAPTURED


def test_an_empty_balance_fails_and_the_same_number_works_later(shop: Shop) -> None:
    attempt = shop.paid()
    wanted = shop.refund(attempt, 500)
    shop.sandbox.steer(attempt.payment_id, refund="failed")
    report = shop.adapter.refund(wanted)
    assert (report.outcome, report.code) == (RefundOutcome.FAILED, "NOT_ENOUGH")
    shop.sandbox.steer(attempt.payment_id, refund="succeeded")
    assert shop.adapter.refund(wanted).outcome is RefundOutcome.SUCCEEDED
    assert shop.sandbox.orders[attempt.payment_id].refunded == 500


@pytest.mark.parametrize("card", [{}, {"bank_type": "ICBC_DEBIT", "bank_account": "6222020000", "real_name": "王五"}])
def test_an_abnormal_refund_is_sent_elsewhere(shop: Shop, card: dict[str, str]) -> None:
    attempt = shop.paid()
    shop.sandbox.steer(attempt.payment_id, refund="abnormal")
    wanted = shop.refund(attempt, 500)
    stuck = shop.adapter.refund(wanted)
    assert stuck.outcome is RefundOutcome.ABNORMAL
    assert stuck.provider_refund_id is not None

    report = shop.adapter.refund_abnormal(wanted, stuck.provider_refund_id, **card)

    assert report.outcome is RefundOutcome.PENDING
    assert "6222020000" not in shop.requests[-1].body.decode()
    shop.sandbox.settle(wanted.refund_id, "succeeded")
    assert shop.adapter.query_refund(wanted).outcome is RefundOutcome.SUCCEEDED
    assert shop.adapter.refund_abnormal(wanted, "50").outcome is RefundOutcome.UNKNOWN


def test_a_refund_made_in_the_console_is_told_with_its_own_number(shop: Shop) -> None:
    attempt = shop.paid()
    shop.deliver()
    shop.sandbox.console_refund(attempt.payment_id, 300)
    shop.deliver()

    assert shop.heard[-1].payment_id == attempt.payment_id
    assert (shop.heard[-1].refund_id or "").startswith("console")


def test_keys_rotate_with_overlap_and_strangers_are_refused(shop: Shop) -> None:
    new = shop.sandbox.rotate(certificate(7))
    shop.adapter = wechatpay.build(shop.sandbox.configuration())  # Both are configured before the switch.
    for number in range(1, 13):
        shop.paid(number)
    assert shop.deliver() == 12
    assert len(shop.heard) == 12
    shop.sandbox.rotate(new, overlap=False)
    shop.paid(13)
    assert shop.deliver() == 1
    assert len(shop.heard) == 13
    shop.sandbox.rotate(public_key(8), overlap=False)  # Never configured.
    with_key = shop.order(14)
    assert shop.adapter.create(with_key).code == "unknown_key"
    shop.sandbox.pay(with_key.payment_id)
    calls = len(shop.requests)
    shop.deliver()
    assert shop.refused[-1].code == "unknown_key"
    assert len(shop.requests) == calls  # Nothing was fetched.


def test_two_apiv3_keys_open_notices_while_one_replaces_the_other(shop: Shop) -> None:
    shop.paid()
    told = shop.sandbox.configuration()
    shop.adapter = wechatpay.build({**told, "apiv3_keys": ["another-apiv3-key-of-32-bytes-xx", *told["apiv3_keys"]]})
    shop.deliver()
    assert len(shop.heard) == 1


def test_platform_certificates_are_fetched_for_the_configuration(shop: Shop) -> None:
    shop.sandbox.platform = [public_key(), certificate(1), certificate(2)]

    found = shop.adapter.platform_certificates()

    assert found == {key.serial: key.pem for key in shop.sandbox.platform[1:]}
    assert shop.adapter.settings.platform_keys.keys() == {public_key().serial}  # It is returned, not kept.


# --- bills ------------------------------------------------------------------------------------------------------------

DAY = date(2026, 11, 22)


def _traded(noon: Any, **changes: Any) -> Shop:
    shop = Shop(**changes)
    shop.trade(noon)
    noon.moment = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    return shop


def test_a_bill_of_a_china_day(noon: Any, shop: Shop) -> None:
    shop = _traded(noon)

    bill = shop.adapter.bill(DAY)

    assert bill.defects == ()
    assert [(line.kind, line.amount.minor) for line in bill.lines] == [
        (BillKind.PAYMENT, 8800),
        (BillKind.PAYMENT, 8800),
        (BillKind.REFUND, 100),
        (BillKind.REFUND, 8800),
    ]
    first = shop.refund(Attempt(shop.order(1).payment_id, Money(8800), clock.now()), 100)
    line = bill.lines[2]
    assert (line.payment_id, line.refund_id) == (first.payment.payment_id, first.refund_id)
    assert line.provider_refund_id == shop.sandbox.refunds[first.refund_id].refund_id
    assert line.at == datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
    assert bill.lines[0].transaction_id == shop.sandbox.orders[shop.order(1).payment_id].transaction_id
    assert shop.adapter.bill(date(2026, 11, 1)) == Bill()
    with pytest.raises(BillUnavailable):
        shop.adapter.bill(date(2026, 11, 23))  # Not made yet.


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        ("missing", None),
        ("extra", None),
        ("amount", None),
        ("duplicate", None),
        ("no_bom", None),
        ("totals", "订单总金额 is 176.01"),
        ("cut", "the totals are missing"),
        ("field", "line 2: not an amount in yuan"),
    ],
)
def test_seeded_defects_reach_whoever_reconciles(noon: Any, shop: Shop, defect: str, said: str | None) -> None:
    shop = _traded(noon, bill_defects=(defect,))

    bill = shop.adapter.bill(DAY)

    if said is None:
        assert bill.defects == ()
    else:
        assert any(said in line for line in bill.defects)
    count = {"missing": 3, "extra": 5, "duplicate": 5, "field": 3}.get(defect, 4)
    assert len(bill.lines) == count


def test_a_bill_that_was_changed_on_its_way_is_not_read(noon: Any, shop: Shop) -> None:
    shop = _traded(noon)
    inner = shop.send

    def changed(request: outbound.Request) -> outbound.Response:
        answer = inner(request)
        if "billdownload" not in request.url:
            return answer
        return outbound.Response(answer.status, answer.headers, b"\xef\xbb\xbfsomething else")

    outbound.install(changed)
    with pytest.raises(BillUnavailable, match="SHA-1"):
        shop.adapter.bill(DAY)


def test_the_stand_in_is_the_same_for_the_same_seed(noon: Any) -> None:
    def run() -> list[tuple[dict[str, str], bytes]]:
        return Shop(chance=random.Random(7)).traffic()

    assert run() == run()
    assert len(run()) == 10


def test_ports_protocol_is_met(shop: Shop) -> None:
    provider: ports.Provider = shop.adapter
    assert provider.limits.refund_interval == timedelta(minutes=1)
