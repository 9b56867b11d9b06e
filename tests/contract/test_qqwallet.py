"""QQ Wallet: recorded vectors, the traps of its XML and signature, and what goes over the wire."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillUnavailable, whole
from chalicelib.payments.ports import (
    Attempt,
    BadSignature,
    CloseOutcome,
    ForeignNotice,
    IgnoredNotice,
    NoticeRefused,
    Outcome,
    PaymentOrder,
    RefundOrder,
    RefundOutcome,
    UnreadableNotice,
)
from chalicelib.payments.providers.qqwallet import adapter as qqwallet
from chalicelib.payments.providers.qqwallet import relay as qqwallet_relay
from chalicelib.payments.providers.qqwallet import wire as qqwallet_wire
from chalicelib.payments.providers.qqwallet.bill import read_bill
from chalicelib.payments.providers.qqwallet.wire import MD5, Configuration, parse, render, sign
from chalicelib.runtime import outbound
from tools.fakes.sandbox import mount
from tools.fakes.sandbox import qqwallet as qq_host

VECTORS = json.loads((Path(__file__).parent / "vectors/qq_wallet_public.json").read_text("utf-8"))["vectors"]
PAYMENT, REFUND = "pay_0123456789abcdefghjkmnpq_01", "ref_0123456789abcdefghjkmnpq_01"
KEY = "0123456789abcdef0123456789abcdef"
TOLD = Configuration(mch_id="1900000109", keys=(KEY,), appid="1104606907")
START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
GENUINE = {
    "appid": "1104606907",
    "mch_id": "1900000109",
    "nonce_str": "3e5a036cb4bc3a67",
    "device_info": "",
    "trade_type": "NATIVE",
    "trade_state": "SUCCESS",
    "bank_type": "BALANCE",
    "fee_type": "CNY",
    "total_fee": "8800",
    "cash_fee": "8000",
    "coupon_fee": "800",
    "transaction_id": "1353933301461607211903715555",
    "out_trade_no": PAYMENT,
    "time_end": "20261122120009",
    "openid": "0123456789ABCDEF",
    "a_field_of_next_year": "must stay in the signed string",
}


def signed(*, key: str = KEY, sign_type: str = MD5, **changes: Any) -> bytes:
    fields = {name: value for name, value in {**GENUINE, **changes}.items() if value is not None}
    return render({**fields, "sign": sign(fields, key, sign_type)})


def verify(body: bytes, told: Any = TOLD) -> Any:
    return qqwallet.verify({}, body, configuration=told)


# --- vectors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["kind"] == "v2_sign"], ids=lambda v: str(v["id"]))
def test_recorded_signatures(vector: dict[str, Any]) -> None:
    assert sign(vector["params"], vector["key"], vector["sign_type"]) == vector["sign"]
    host = qq_host.QQWallet()
    assert host.sign(vector["params"], vector["key"]) == vector["sign"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["kind"] == "xml_reject"], ids=lambda v: str(v["id"]))
def test_recorded_attacks(vector: dict[str, Any]) -> None:
    with pytest.raises(UnreadableNotice):
        parse(vector["xml"].encode())
    with pytest.raises(UnreadableNotice):
        verify(vector["xml"].encode())


def test_every_vector_is_used() -> None:
    assert {vector["kind"] for vector in VECTORS} == {"v2_sign", "xml_reject"}


# --- XML --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("<xml></xml>", {}),
        ("<xml><a>1</a></xml>", {"a": "1"}),
        ("\ufeff<?xml version='1.0' encoding='UTF-8'?>\r\n<xml>\r\n <a> 1 </a>\r\n</xml>\n", {"a": " 1 "}),
        ("<xml><a><![CDATA[<b>&amp;]] ></b>]]></a></xml>", {"a": "<b>&amp;]] ></b>"}),
        ("<xml><a>x<![CDATA[y]]>z&lt;<![CDATA[]]></a></xml>", {"a": "xyz<"}),
        ("<xml><a><![CDATA[a]]]]><![CDATA[>b]]></a></xml>", {"a": "a]]>b"}),
        ("<xml><a><![CDATA[<!DOCTYPE x>]]></a></xml>", {"a": "<!DOCTYPE x>"}),
        ("<xml><a/><b></b><c /></xml>", {"a": "", "b": "", "c": ""}),
        ("<xml><a>&lt;&gt;&amp;&quot;&apos;&#20013;&#x6587;</a></xml>", {"a": "<>&\"'中文"}),
        ("<xml><a>&amp;lt;</a></xml>", {"a": "&lt;"}),
    ],
)
def test_what_is_read(text: str, fields: dict[str, str]) -> None:
    assert parse(text.encode()) == fields


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html><body>busy</body></html>",
        b"<xml>",
        b"<xml><a>1</xml>",
        b"<xml><a>1</b></xml>",
        b"<xml><a>1</a></xml><xml></xml>",
        b"<xml><a><b>1</b></a></xml>",
        b"<xml><total_fee>1</total_fee><total_fee>2</total_fee></xml>",
        b"<xml><total_fee>1</total_fee><total_fee/></xml>",
        b"<xml>text<a>1</a></xml>",
        b"<xml a='1'><a>1</a></xml>",
        b"<xml><a b='1'>1</a></xml>",
        b"<xml><a>1</a><!-- comment --></xml>",
        b"<?xml version='1.0' encoding='GBK'?><xml></xml>",
        b"<?xml version='1.1'?><xml></xml>",
        b"<?xml-stylesheet href='x'?><xml></xml>",
        b"<xml><a>1<!-- comment --></a></xml>",
        b"<xml><?php echo 1 ?><a>1</a></xml>",
        b"<xml><a>&unknown;</a></xml>",
        b"<xml><a>a & b</a></xml>",
        b"<xml><a>&#0;</a></xml>",
        b"<xml><a>&#xD800;</a></xml>",
        b"<xml><a>&#9999999;</a></xml>",
        b"<xml><a>\x00</a></xml>",
        b"<xml><a><![CDATA[never ends</a></xml>",
        b"<!DOCTYPE xml><xml><a>1</a></xml>",
        b"<?xml version='1.0'?><!DOCTYPE xml SYSTEM 'http://evil.example/x.dtd'><xml></xml>",
        b"<xml xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/etc/passwd'/></xml>",
        "<xml><a>中</a></xml>".encode("gbk"),
        "<xml><a>中</a></xml>".encode("utf-16"),
        b"\x1f\x8b\x08\x00<xml></xml>",
        b"<xml><a>" + b"1" * 65536 + b"</a></xml>",
    ],
)
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableNotice):
        parse(body)
    with pytest.raises(NoticeRefused):
        verify(body)


NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=40)


@given(st.dictionaries(NAME, TEXT, max_size=8))
def test_what_is_written_is_read_again(fields: dict[str, str]) -> None:
    assert parse(render(fields)) == fields


@given(st.dictionaries(NAME, TEXT, max_size=8))
def test_another_parser_reads_what_is_written(fields: dict[str, str]) -> None:
    root = ET.fromstring(render(fields))
    assert {child.tag: child.text or "" for child in root} == fields


SNIPPETS = st.lists(
    st.one_of(
        st.sampled_from(
            ["<xml>", "</xml>", "<a>", "</a>", "<b/>", "<![CDATA[", "]]>", "<!DOCTYPE x>", "<!--", "-->", "&lt;",
             "&#1;", "&#x41;", "&", "<", ">", "<?xml?>", "<sign>", "</sign>", "\x00", " ", "\n", "]]", "&#x110000;"]
        ),
        st.text(max_size=6),
    ),
    max_size=20,
).map("".join)  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(st.binary(max_size=300), SNIPPETS.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_whatever_comes_is_a_typed_refusal(body: bytes) -> None:
    try:
        verify(body)
    except NoticeRefused:
        return
    raise AssertionError("nobody but QQ Wallet signs")


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(GENUINE)), st.one_of(st.none(), TEXT), max_size=6))
def test_genuine_nonsense_is_a_typed_refusal_too(changes: dict[str, Any]) -> None:
    try:
        notice = verify(signed(**changes))
    except NoticeRefused:
        return
    assert notice.payment_id
    assert notice.report is not None


# --- signature --------------------------------------------------------------------------------------------------------


@given(st.dictionaries(NAME, TEXT.filter(bool), min_size=1, max_size=8), TEXT.filter(bool))
def test_the_signature_agrees_with_independent_code(fields: dict[str, str], key: str) -> None:
    fields = {**fields, "a": "1"}
    for kind in ("MD5", "HMAC-SHA256"):
        host = qq_host.QQWallet(keys=qq_host.Keys(sign_type=kind))
        assert host.sign(fields, key) == sign(fields, key, kind)


def test_empty_fields_and_the_sign_itself_are_left_out() -> None:
    assert sign({"b": "2", "a": "1", "c": "", "sign": "x"}, "k") == hashlib.md5(b"a=1&b=2&key=k").hexdigest().upper()


@pytest.mark.parametrize(
    "wrong",
    [
        signed().replace(b"<total_fee>8800", b"<total_fee>8801"),
        signed().replace(b"</xml>", b"<attach>added</attach></xml>"),
        signed(key="another key"),
        render(GENUINE),
        render({**GENUINE, "sign": ""}),
        render({**GENUINE, "sign": sign(GENUINE, KEY).lower()}),
        render({**GENUINE, "sign": sign(GENUINE, KEY)[:-1]}),
        render({**GENUINE, "sign": "签名"}),
        signed(sign_type="HMAC-SHA256"),
        render({**GENUINE, "sign_type": "HMAC-SHA256", "sign": sign({**GENUINE, "sign_type": "HMAC-SHA256"}, KEY)}),
    ],
)
def test_forgeries(wrong: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(wrong)


def test_only_the_configured_way_of_signing_counts() -> None:
    hmac_only = Configuration(mch_id="1900000109", keys=(KEY,), sign_type="HMAC-SHA256")
    assert verify(signed(sign_type="HMAC-SHA256"), hmac_only).payment_id == PAYMENT
    with pytest.raises(BadSignature):
        verify(signed(), hmac_only)


def test_several_keys_verify_and_the_first_signs() -> None:
    rolled = Configuration(mch_id="1900000109", keys=("the new one", KEY))
    assert verify(signed(), rolled).payment_id == PAYMENT
    assert verify(signed(key="the new one"), rolled).payment_id == PAYMENT


# --- the notice -------------------------------------------------------------------------------------------------------


def test_a_notice_in_our_words() -> None:
    notice = verify(signed())
    assert (notice.payment_id, notice.notice_id) == (PAYMENT, GENUINE["transaction_id"])
    assert notice.report.outcome is Outcome.CAPTURED
    assert notice.report.amount == Money(8800), "the order's price, not what is left of it after a coupon"
    assert notice.report.at == datetime(2026, 11, 22, 4, 0, 9, tzinfo=UTC)
    assert qqwallet.build(TOLD).limits.notices_prove is False


def test_a_replay_a_year_later_is_the_same_fact() -> None:
    with clock.use(clock.Fixed(START + timedelta(days=365))):
        assert verify(signed()) == verify(signed())


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"mch_id": "1900000110"}, ForeignNotice),
        ({"mch_id": None}, ForeignNotice),
        ({"appid": "1"}, ForeignNotice),
        ({"appid": None}, ForeignNotice),
        ({"out_trade_no": "7" * 129}, UnreadableNotice),
        ({"out_trade_no": None}, UnreadableNotice),
        ({"trade_state": "SOMETHING"}, IgnoredNotice),
        ({"trade_state": None}, UnreadableNotice),
        ({"total_fee": None}, UnreadableNotice),
        ({"total_fee": "88.00"}, UnreadableNotice),
        ({"total_fee": "8.8e3"}, UnreadableNotice),
        ({"total_fee": "-8800"}, UnreadableNotice),
        ({"total_fee": "+8800"}, UnreadableNotice),
        ({"total_fee": "0"}, UnreadableNotice),
        ({"total_fee": "08800"}, UnreadableNotice),
        ({"total_fee": "８８００"}, UnreadableNotice),
        ({"total_fee": "9" * 14}, UnreadableNotice),
        ({"fee_type": "RMB!"}, UnreadableNotice),
        ({"transaction_id": None}, UnreadableNotice),
        ({"transaction_id": "1' OR '1"}, UnreadableNotice),
        ({"time_end": "20261322120009"}, UnreadableNotice),
        ({"time_end": "00010101000000"}, UnreadableNotice),
        ({"time_end": None}, UnreadableNotice),
    ],
)
def test_genuine_but_not_to_be_acted_on(changes: dict[str, Any], refusal: type[NoticeRefused]) -> None:
    with pytest.raises(NoticeRefused) as caught:
        verify(signed(**changes))
    assert type(caught.value) is refusal


def test_a_number_we_do_not_know_is_told_as_it_is() -> None:
    """It may have been written a moment ago, or by another system of this merchant: who has the orders decides."""
    assert verify(signed(out_trade_no="20150806125346")).payment_id == "20150806125346"


def test_another_currency_is_reported_as_it_is() -> None:
    assert verify(signed(fee_type="HKD")).report.amount == Money(8800, "HKD")
    assert verify(signed(fee_type=None)).report.amount == Money(8800, "CNY")


def test_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = qqwallet.build()
    assert provider.enabled is False
    with pytest.raises(ForeignNotice):
        provider.verify(headers={}, body=signed())
    with pytest.raises(Misconfigured):
        provider.query(Attempt(PAYMENT, Money(1), START))
    monkeypatch.setenv("BIANDAN_QQWALLET", "on")
    assert provider.enabled is True


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"keys": [KEY]},
        {"mch_id": "1", "keys": []},
        {"mch_id": "1", "keys": KEY},
        {"mch_id": "1", "keys": [""]},
        {"mch_id": 1, "keys": [KEY]},
        {"mch_id": "1", "keys": [KEY], "sign_type": "SHA1"},
    ],
)
def test_an_incomplete_secret_is_said_so(secret: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        qqwallet.build(secret)


def test_secrets_do_not_show() -> None:
    told = qqwallet_wire.configuration_from(qq_host.QQWallet().configuration())
    assert told.keys[0] not in repr(told)
    assert told.op_user_password not in repr(told)
    assert "local-private-key" not in repr(told)


# --- over the wire ----------------------------------------------------------------------------------------------------


class Wire:
    """Records requests and answers with prepared fields, signed unless told otherwise."""

    def __init__(self) -> None:
        self.sent: list[outbound.Request] = []
        self.fields: dict[str, str] = {}
        self.raw: outbound.Response | None = None

    def __call__(self, request: outbound.Request) -> outbound.Response:
        self.sent.append(request)
        if self.raw is not None:
            return self.raw
        fields = {"return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": TOLD.mch_id, **self.fields}
        return outbound.Response(200, {}, render({**fields, "sign": sign(fields, KEY)}))


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    outbound.install(wire)
    yield wire
    outbound.install(None)


def order(**changes: Any) -> PaymentOrder:
    told: dict[str, Any] = {
        "payment_id": PAYMENT,
        "amount": Money(8800),
        "description": "茶壶",
        "method": "native",
        "created_at": START,
        "expires_at": START + timedelta(minutes=15),
        "notify_url": "https://shop.example/v1/webhooks/payments/qqwallet",
        "client_ip": "203.0.113.7",
    }
    return PaymentOrder(**{**told, **changes})


ATTEMPT = Attempt(PAYMENT, Money(8800), START, "native")
BACK = RefundOrder(REFUND, ATTEMPT, Money(100), Money(8800), Money(0), "-", "https://shop.example/n")


def test_the_order_as_it_is_sent(wire: Wire) -> None:
    wire.fields = {"code_url": "https://qpay.qq.com/qr/1", "prepay_id": "6V1"}
    made = qqwallet.build(TOLD).create(order())
    assert (made.outcome, made.url) == (Outcome.PENDING, "https://qpay.qq.com/qr/1")
    (sent,) = wire.sent
    assert (sent.method, sent.url) == ("POST", "https://qpay.qq.com/cgi-bin/pay/qpay_unified_order.cgi")
    assert sent.client_certificate is None
    fields = parse(sent.body)
    nonce, signature = fields.pop("nonce_str"), fields.pop("sign")
    assert fields == {
        "body": "茶壶",
        "out_trade_no": PAYMENT,
        "fee_type": "CNY",
        "total_fee": "8800",
        "spbill_create_ip": "203.0.113.7",
        "time_start": "20261122120000",
        "time_expire": "20261122121500",
        "trade_type": "NATIVE",
        "notify_url": "https://shop.example/v1/webhooks/payments/qqwallet",
        "mch_id": "1900000109",
        "appid": "1104606907",
    }
    assert len(nonce) == 32
    assert signature == sign({**fields, "nonce_str": nonce}, KEY)


def test_an_ipv6_payer_does_not_fit_the_field(wire: Wire) -> None:
    qqwallet.build(TOLD).create(order(client_ip="2001:db8::1"))
    assert parse(wire.sent[0].body)["spbill_create_ip"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("method", "params"),
    [("jsapi", {"tokenId": "6V1"}), ("miniapp", {"package": "prepay_id=6V1", "bargainor_id": "1900000109"})],
)
def test_what_the_client_gets(wire: Wire, method: str, params: dict[str, str]) -> None:
    wire.fields = {"prepay_id": "6V1"}
    assert qqwallet.build(TOLD).create(order(method=method)).params == params


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("PARAM_ERROR", Outcome.FAILED),
        ("SYSTEMERROR", Outcome.UNKNOWN),
        ("", Outcome.UNKNOWN),
        ("ORDERPAID", Outcome.UNKNOWN),
        ("OUT_TRADE_NO_USED", Outcome.UNKNOWN),
    ],
)
def test_refusals_of_a_creation(wire: Wire, code: str, outcome: Outcome) -> None:
    wire.fields = {"result_code": "FAIL", "err_code": code}
    assert qqwallet.build(TOLD).create(order()).outcome is outcome


def test_a_creation_without_what_the_client_needs_is_unknown(wire: Wire) -> None:
    for method in ("native", "jsapi", "miniapp"):
        assert qqwallet.build(TOLD).create(order(method=method)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "raw",
    [
        outbound.Response(500, {}, b"oops"),
        outbound.Response(200, {}, b"oops"),
        outbound.Response(200, {}, b"<xml><return_code>FAIL</return_code><return_msg>sign</return_msg></xml>"),
        outbound.Response(200, {}, signed(key="forged", return_code="SUCCESS", result_code="SUCCESS")),
        outbound.Response(200, {}, signed(mch_id="1", return_code="SUCCESS", result_code="SUCCESS")),
        outbound.Response(200, {}, signed(return_code="FAIL", result_code="SUCCESS")),
        outbound.Response(302, {"location": "https://evil.example"}, b""),
    ],
)
def test_answers_nobody_vouches_for(wire: Wire, raw: outbound.Response) -> None:
    wire.raw = raw
    provider = qqwallet.build({**qq_host.QQWallet().configuration(keys=[KEY])})
    assert provider.create(order()).outcome is Outcome.UNKNOWN
    assert provider.query(ATTEMPT).outcome is Outcome.UNKNOWN
    assert provider.close(ATTEMPT) is CloseOutcome.UNKNOWN
    assert provider.refund(BACK).outcome is RefundOutcome.UNKNOWN
    assert provider.query_refund(BACK).outcome is RefundOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("SUCCESS", Outcome.CAPTURED),
        ("REFUND", Outcome.CAPTURED),
        ("NOTPAY", Outcome.PENDING),
        ("USERPAYING", Outcome.PENDING),
        ("PAYERROR", Outcome.PENDING),
        ("CLOSED", Outcome.CLOSED),
        ("REVOKED", Outcome.CLOSED),
        ("NEW_STATE", Outcome.UNKNOWN),
    ],
)
def test_every_state(wire: Wire, state: str, outcome: Outcome) -> None:
    wire.fields = {**GENUINE, "trade_state": state}
    assert qqwallet.build(TOLD).query(ATTEMPT).outcome is outcome


def test_another_orders_answer_is_unknown(wire: Wire) -> None:
    wire.fields = {**GENUINE, "out_trade_no": "pay_0123456789abcdefghjkmnpq_02"}
    assert qqwallet.build(TOLD).query(ATTEMPT).outcome is Outcome.UNKNOWN


def test_old_payments_are_asked_by_the_providers_number(wire: Wire) -> None:
    wire.fields = dict(GENUINE)
    qqwallet.build(TOLD).query(Attempt(PAYMENT, Money(8800), START, transaction_id="1353"))
    assert parse(wire.sent[0].body)["transaction_id"] == "1353"


def test_a_refund_shows_the_certificate_and_the_operator(wire: Wire) -> None:
    certificate = outbound.ClientCertificate("certificate", "key")
    told = Configuration("1900000109", (KEY,), "1104606907", MD5, "operator", "password", certificate)
    wire.fields = {"out_refund_no": REFUND, "refund_fee": "100", "refund_id": "1121218133801201611098791376"}
    report = qqwallet.build(told).refund(BACK)
    assert (report.outcome, report.amount) == (RefundOutcome.PENDING, Money(100))
    sent, asked = wire.sent
    assert (asked.url, asked.client_certificate) == ("https://qpay.qq.com/cgi-bin/pay/qpay_refund_query.cgi", None)
    assert sent.url == "https://api.qpay.qq.com/cgi-bin/pay/qpay_refund.cgi"
    assert sent.client_certificate == certificate
    fields = parse(sent.body)
    assert fields["op_user_passwd"] == hashlib.md5(b"password").hexdigest()
    assert (fields["op_user_id"], fields["refund_fee"], fields["out_trade_no"]) == ("operator", "100", PAYMENT)


def test_a_refund_without_certificate_is_not_even_tried(wire: Wire) -> None:
    report = qqwallet.build(TOLD).refund(BACK)
    assert (report.outcome, report.code) == (RefundOutcome.FAILED, "NO_CLIENT_CERTIFICATE")
    assert wire.sent == []


@pytest.mark.parametrize(
    ("code", "known", "outcome"),
    [
        ("OUT_REFUND_NO_USED", {"refund_status_0": "SUCCESS"}, RefundOutcome.SUCCEEDED),
        ("NO_SUCH_WORD_YET", {"refund_status_0": "PROCESSING"}, RefundOutcome.PENDING),
        ("OUT_REFUND_NO_USED", {"refund_status_0": "CHANGE"}, RefundOutcome.ABNORMAL),
        ("NOTENOUGH", {"result_code": "FAIL", "err_code": "REFUNDNOTEXIST"}, RefundOutcome.FAILED),
        ("NOTENOUGH", {"result_code": "FAIL", "err_code": "?"}, RefundOutcome.FAILED),
        ("SYSTEMERROR", {"refund_status_0": "SUCCESS"}, RefundOutcome.UNKNOWN),
    ],
)
def test_a_refused_refund_may_have_been_taken_before(
    wire: Wire, code: str, known: dict[str, str], outcome: RefundOutcome
) -> None:
    """The answer to the first call was lost; money that is back must not be shown as refused."""
    certificate = outbound.ClientCertificate("certificate", "key")
    told = Configuration("1900000109", (KEY,), "1104606907", MD5, "operator", "password", certificate)

    def answer(request: outbound.Request) -> outbound.Response:
        asked = "refund_query" in request.url
        found = {"out_refund_no_0": REFUND, "refund_fee_0": "100", **known}
        wire.fields = found if asked else {"result_code": "FAIL", "err_code": code}
        return wire(request)

    outbound.install(answer)
    assert qqwallet.build(told).refund(BACK).outcome is outcome


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("SUCCESS", RefundOutcome.SUCCEEDED),
        ("PROCESSING", RefundOutcome.PENDING),
        ("FAIL", RefundOutcome.FAILED),
        ("NOTSURE", RefundOutcome.ABSENT),
        ("CHANGE", RefundOutcome.ABNORMAL),
        ("NEW_STATE", RefundOutcome.UNKNOWN),
    ],
)
def test_every_state_of_a_refund(wire: Wire, state: str, outcome: RefundOutcome) -> None:
    wire.fields = {
        "refund_count": "2",
        "out_refund_no_0": "ref_0123456789abcdefghjkmnpq_02",
        "refund_status_0": "SUCCESS",
        "refund_fee_0": "100",
        "out_refund_no_1": REFUND,
        "refund_status_1": state,
        "refund_fee_1": "100",
        "refund_id_1": "1121218133801201611098791376",
    }
    assert qqwallet.build(TOLD).query_refund(BACK).outcome is outcome
    wire.fields["refund_fee_1"] = "101"
    assert qqwallet.build(TOLD).query_refund(BACK).outcome is RefundOutcome.UNKNOWN
    wire.fields["out_refund_no_1"] = "ref_of_somebody_else"
    assert qqwallet.build(TOLD).query_refund(BACK).outcome is RefundOutcome.UNKNOWN


# --- bill -------------------------------------------------------------------------------------------------------------

HEADER = (
    "交易时间,商户号,商户订单号,QQ钱包订单号,货币种类,订单金额,交易状态,"
    "商户退款订单号,QQ钱包退款订单号,退款金额,退款状态,退款成功时间,商品名称,手续费金额"
)
ROW = f"`2026-11-22 23:59:59,`1,`{PAYMENT},`1353,`CNY,`88.00,`SUCCESS,`,`,`0.00,`,`,`茶, 一壶,`0.528"
BACK_ROW = (
    f"`2026-11-22 10:00:00,`1,`{PAYMENT},`1353,`CNY,`88.00,`REFUND,"
    f"`{REFUND},`1121,`0.1,`SUCCESS,`2026-11-23 00:00:00,`茶,`-0.01"
)


def read(content: bytes) -> Bill:
    return whole(read_bill(io.BytesIO(content)))


TOTALS = "总交易单数,总交易额\n`2.0,`88.00\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_bill(encoding: str, newline: str) -> None:
    text = f"{HEADER}\n{ROW}\n{BACK_ROW}\n{TOTALS}".replace("\n", newline)
    bill = read(text.encode(encoding))
    assert bill.defects == ()
    paid, back = bill.lines
    assert (paid.amount, paid.payment_id, paid.fee_text) == (Money(8800), PAYMENT, "0.528")
    assert paid.at == datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
    assert (back.amount, back.refund_id, back.provider_refund_id) == (Money(10), REFUND, "1121")
    assert back.at == datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
    assert bill.totals["总交易单数"] == "2.0"


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\r"])
def test_the_name_of_a_product_ends_no_line(mark: str) -> None:
    bill = read(f"{HEADER}\n{ROW.replace('茶, 一壶', f'a{mark}b')}\n{BACK_ROW}\n{TOTALS}".encode())
    assert (len(bill.lines), bill.defects) == (2, ())


def test_a_cut_off_bill_is_a_defect() -> None:
    assert read(f"{HEADER}\n{ROW}\n{BACK_ROW}".encode()).defects
    assert read(f"{HEADER}\n{ROW}\n{TOTALS}".encode()).defects == ("the totals speak of 2 lines, there are 1",)
    assert read("\n".join([HEADER, ROW, BACK_ROW.replace("0.1,", "0.1e1,"), TOTALS]).encode()).defects
    with pytest.raises(BillUnavailable):
        read(b"<html>busy</html>")


@given(st.lists(st.sampled_from([HEADER, ROW, BACK_ROW, TOTALS, "`1,`2", "", "`", "x,y"]) | TEXT, max_size=6))
def test_whatever_a_bill_holds_it_is_read(rows: list[str]) -> None:
    with contextlib.suppress(BillUnavailable):
        read("\n".join([HEADER, *rows]).encode())


def test_what_it_says_in_words_of_its_own_becomes_no_code(wire: Wire) -> None:
    wire.raw = outbound.Response(200, {}, signed(return_code="FAIL", return_msg="李雷 13800138000 签名错误"))
    assert qqwallet.build(TOLD).query(ATTEMPT).code == "RETURN_CODE"
    wire.raw = outbound.Response(200, {}, signed(mch_id="1", return_code="SUCCESS", return_msg="李雷 13800138000"))
    assert qqwallet.build(TOLD).query(ATTEMPT).code == "OTHER_MERCHANT"


def test_a_bill_that_is_an_error(wire: Wire) -> None:
    wire.raw = outbound.Response(200, {}, b"<xml><return_code>FAIL</return_code><return_msg>none</return_msg></xml>")
    with pytest.raises(BillUnavailable, match="none"):
        qqwallet.build(TOLD).bill(date(2026, 11, 21))
    assert parse(wire.sent[0].body)["bill_date"] == "20261121"


# --- the relay --------------------------------------------------------------------------------------------------------


def test_the_relay_to_wechat_as_far_as_it_is_known() -> None:
    signed_for: list[tuple[str, str, bytes]] = []

    def authorize(method: str, path: str, body: bytes) -> str:
        signed_for.append((method, path, body))
        return "WECHATPAY2-SHA256-RSA2048 ..."

    request = qqwallet_relay.relay_request(
        appid="1112", access_token="a&b", h5_order=b"{}", real_notify_url="https://shop.example/n?", authorize=authorize
    )
    assert request.url == (
        "https://api.q.qq.com/wxpay/v3/pay/transactions/h5?appid=1112&access_token=a%26b"
        "&real_notify_url=https%3A%2F%2Fshop.example%2Fn%3F"
    )
    assert signed_for == [("POST", "/v3/pay/transactions/h5", b"{}")]
    assert request.headers["Authorization"].startswith("WECHATPAY2")
    token = qqwallet_relay.relay_token_request("1112", "se cret")
    assert token.url == "https://api.q.qq.com/api/getToken?grant_type=client_credential&appid=1112&secret=se+cret"


# --- the stand-in is strict -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: {**c, "keys": ["another"]}, "sign"),
        (lambda c: {**c, "mch_id": "1"}, "mch_id or appid"),
        (lambda c: {**c, "sign_type": "HMAC-SHA256"}, "sign_type"),
        (lambda c: {**c, "certificate": "another"}, "client certificate"),
        (lambda c: {**c, "op_user_password": "another"}, "operator"),
    ],
)
def test_the_stand_in_refuses_what_the_host_would(change: Any, complaint: str) -> None:
    host = qq_host.QQWallet(now=START.timestamp)
    outbound.install(mount.by_host(dict.fromkeys(qq_host.HOSTS, host)))
    provider = qqwallet.build(change(host.configuration()))
    assert provider.refund(BACK).outcome is RefundOutcome.UNKNOWN
    assert host.refusals == [f"refund: {complaint}"]
    outbound.install(None)
