"""Alipay against recorded vectors and a second implementation written out here, byte for byte."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import (
    Ack,
    BadSignature,
    ForeignNotice,
    IgnoredNotice,
    NoticeRefused,
    Outcome,
    RefundOutcome,
    UnknownKey,
    UnreadableNotice,
)
from chalicelib.payments.providers._shared import reading, rsa_keys
from chalicelib.payments.providers.alipay import adapter as alipay
from chalicelib.payments.providers.alipay import wire as alipay_wire
from tests.contract.recorded import at, names, vectors
from tools.fakes.sandbox import alipay as other_end
from tools.fakes.sandbox import rsa

pytestmark = pytest.mark.usefixtures("no_network")

FILE = "alipay_public.json"
NOW = 1_760_000_000
METHOD = "alipay.trade.query"


def _told(**changes: Any) -> dict[str, Any]:
    return other_end.Alipay().configuration(**changes)


def _of(vector: Any) -> dict[str, Any]:
    params = vector["params"]
    return _told(
        app_id=params["app_id"],
        seller_id=params.get("seller_id", "2088000000000000"),
        alipay_keys=[{"pem": vector["public_key_pem"]}],
    )


def _form(params: dict[str, str]) -> bytes:
    return urlencode(params).encode()


# --- notices that Alipay made -----------------------------------------------------------------------------------------

V1 = [vector for vector in vectors(FILE, "notify") if vector["family"] == "V1"]
V2 = [vector for vector in vectors(FILE, "notify") if vector["family"] == "V2"]


@pytest.mark.parametrize("vector", V1, ids=names(V1))
def test_recorded_notices(vector: Any) -> None:
    body = _form(vector["params"])
    if not vector["expect"]:
        with pytest.raises(BadSignature):
            alipay.verify({}, body, configuration=_of(vector))
        return

    notice = alipay.verify({"CONTENT-TYPE": "x"}, body, configuration=_of(vector))

    assert notice.notice_id == "2019081500222155624068450559358070"
    assert notice.payment_id == "20190815155618536-564-57"
    assert notice.report is not None
    assert notice.report.outcome is Outcome.CAPTURED
    assert notice.report.amount == Money(10)
    assert notice.report.transaction_id == "2019081522001468450512505578"
    assert notice.report.at == datetime(2019, 8, 15, 7, 56, 24, tzinfo=UTC)


def test_the_recorded_notice_counts_at_any_time_but_only_for_its_app_seller_and_key() -> None:
    vector = V1[0]
    told, body = _of(vector), _form(vector["params"])

    with at(datetime(2037, 1, 1, tzinfo=UTC).timestamp()):
        alipay.verify({}, body, configuration=told)
    with pytest.raises(ForeignNotice):
        alipay.verify({}, body, configuration={**told, "app_id": "2019073166072303"})
    with pytest.raises(ForeignNotice):
        alipay.verify({}, body, configuration={**told, "seller_id": "2088000000000000"})
    with pytest.raises(BadSignature):
        alipay.verify({}, body, configuration={**told, "alipay_keys": [{"pem": rsa.public_pem("x")}]})
    two_keys = [{"pem": rsa.public_pem("x")}, *told["alipay_keys"]]
    alipay.verify({}, body, configuration={**told, "alipay_keys": two_keys})


@pytest.mark.parametrize("encode", [quote_plus, lambda value: "".join(f"%{byte:02X}" for byte in value.encode())])
def test_it_does_not_matter_how_the_form_is_escaped_or_ordered(encode: Any) -> None:
    params = V1[0]["params"]
    body = "&".join(f"{name}={encode(params[name])}" for name in sorted(params, reverse=True)).encode()

    assert alipay.verify({}, body, configuration=_of(V1[0])).payment_id == params["out_trade_no"]


@pytest.mark.parametrize("name", sorted(set(V1[0]["params"]) - {"sign", "sign_type"}))
def test_every_field_is_covered_by_the_signature(name: str) -> None:
    params = V1[0]["params"]
    for changed in (
        {**params, name: params[name] + " "},
        {**params, name: ""},
        {k: v for k, v in params.items() if k != name},
    ):
        with pytest.raises(NoticeRefused):
            alipay.verify({}, _form(changed), configuration=_of(V1[0]))


@pytest.mark.parametrize("vector", V2, ids=names(V2))
def test_other_families_sign_their_sign_type_and_are_refused_here(vector: Any) -> None:
    """They come to other addresses; the key is right, so only the family's rule tells them apart."""
    with pytest.raises(BadSignature):
        alipay.verify({}, _form(vector["params"]), configuration=_of(vector))
    key = rsa_keys.verify_key(vector["public_key_pem"])
    form = alipay_wire.read_form(_form(vector["params"]))
    message = b"&".join(name + b"=" + value for name, value in sorted(form.items()) if name != b"sign")
    assert key.verify(message, base64.b64decode(form[b"sign"])) is vector["expect"]


# --- replies that Alipay made -----------------------------------------------------------------------------------------


def _keys_of(vector: Any) -> alipay_wire.Settings:
    return alipay_wire.settings(_told(alipay_keys=[{"pem": vector["public_key_pem"]}]))


def test_a_genuine_reply_is_verified_over_its_exact_characters() -> None:
    (vector,) = vectors(FILE, "response")
    raw = vector["raw"].encode()

    node = alipay_wire.read_reply(_keys_of(vector), "alipay.open.file.upload", raw)

    assert node["file_id"] == "CAxAToWB1JsAAAAAAAAAAAAADgSLAQBr"
    for changed in (raw.replace(b'":"10000"', b'": "10000"'), raw.replace(b"Success", b"success")):
        with pytest.raises(BadSignature):
            alipay_wire.read_reply(_keys_of(vector), "alipay.open.file.upload", changed)
    with pytest.raises(UnreadableNotice):
        alipay_wire.read_reply(_keys_of(vector), METHOD, raw)


def test_a_genuine_content_verifies_wherever_it_stands() -> None:
    (vector,) = vectors(FILE, "response_content")
    content, sign = vector["signed_content"], vector["sign"]
    for raw in (
        f'{{"alipay_trade_pay_response":{content},"sign":"{sign}"}}',
        f'{{"sign":"{sign}","alipay_trade_pay_response":{content}}}',
        f' {{ "sign" : "{sign}" ,\r\n\t"alipay_trade_pay_response" : {content} }} ',
    ):
        node = alipay_wire.read_reply(_keys_of(vector), "alipay.trade.pay", raw.encode())
        assert node["trade_no"] == "2019082922001432790585537960"


def _signed_reply(node: str, *, seed: str = "alipay platform 1", more: str = "", name: str = "") -> bytes:
    name = name or METHOD.replace(".", "_") + "_response"
    return f'{{"{name}":{node},"sign":"{rsa.sign(seed, node.encode())}"{more}}}'.encode()


@pytest.mark.parametrize(
    "node",
    [
        '{"code":"10000","memo":"}{\\"sign\\":\\"x\\"}"}',
        '{"code":"10000","url":"https:\\/\\/a\\/b"}',
        '{ "code" : "10000" , "a" : [ {"b":"]}"} ] }',
        '{"code":"10000","a":"\\u5546\\ud83d\\ude00","b":"商😀"}',
        '{"code":"10000","alipay_trade_query_response":{"code":"40004"},"sign":"inner"}',
    ],
)
def test_texts_inside_do_not_move_the_cut(node: str) -> None:
    told = alipay_wire.settings(_told())

    assert alipay_wire.read_reply(told, METHOD, _signed_reply(node)) == json.loads(node)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b"{}",
        b'{"alipay_trade_query_response":',
        b'{"alipay_trade_query_response":{"code":"10000"}',
        b'{"alipay_trade_query_response":{"code":"10000"}}',
        b'{"alipay_trade_query_response":{"code":"10000"},"sign":null}',
        b'{"alipay_trade_query_response":{"code":"10000"},"sign":""}',
        b'{"alipay_trade_query_response":{"code":"10000"},"sign":"!!"}',
        b'{"alipay_trade_query_response":"10000","sign":"AAAA"}',
        b'{"error_response":{"code":"20000"}}',
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b"\xff",
        _signed_reply('{"code":"10000"}', seed="x"),
        _signed_reply('{"code":"10000"}', more=',"alipay_cert_sn":"0123"'),
        _signed_reply('{"code":"10000"}') + b"x",
        _signed_reply('{"code":"10000"}').replace(b',"sign"', b' "sign"'),
        _signed_reply('{"code":"10000"}')[:-1] + b',"alipay_trade_query_response":{"code":"10000","trade_no":"1"}}',
        _signed_reply('{"code":"10000","code":"40004"}'),
        b"\xef\xbb\xbf" + _signed_reply('{"code":"10000"}'),
    ],
)
def test_replies_that_are_not_signed_whole_are_not_known(raw: bytes) -> None:
    with pytest.raises(NoticeRefused):
        alipay_wire.read_reply(alipay_wire.settings(_told()), METHOD, raw)


def test_gateway_errors_count_when_signed_and_gbk_replies_are_read_in_their_charset() -> None:
    told = alipay_wire.settings(_told())
    raw = _signed_reply('{"code":"40002","sub_code":"isv.x"}', name="error_response")
    assert alipay_wire.read_reply(told, METHOD, raw)["sub_code"] == "isv.x"

    node = '{"code":"10000","subject":"商品"}'
    signature = rsa.sign("alipay platform 1", node.encode("gbk"))
    raw = f'{{"alipay_trade_query_response":{node},"sign":"{signature}"}}'.encode("gbk")
    assert alipay_wire.read_reply(told, METHOD, raw, "text/html;charset=GBK")["subject"] == "商品"
    with pytest.raises(UnreadableNotice):
        alipay_wire.read_reply(told, METHOD, raw, "text/html;charset=utf-8")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_reply_is_a_typed_refusal(raw: bytes) -> None:
    with pytest.raises(NoticeRefused):
        alipay_wire.read_reply(alipay_wire.settings(_told()), METHOD, raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=8), _JSON, max_size=5), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_cut_members_are_the_exact_substrings(members: dict[str, Any], ascii_only: bool, indent: Any) -> None:
    text = json.dumps(members, ensure_ascii=ascii_only, indent=indent)

    cut = alipay_wire.cut_reply(text)

    assert {name: value for name, (value, _) in cut.items()} == members
    for value, raw in cut.values():
        assert json.loads(raw) == value
        assert raw == raw.strip()
        assert raw in text


# --- certificates -----------------------------------------------------------------------------------------------------


def test_certificate_numbers_are_as_recorded() -> None:
    (vector,) = vectors(FILE, "cert_sn")

    assert rsa_keys.verify_key(vector["app_cert_pem"]).sn == vector["app_cert_sn"]
    assert rsa_keys.root_sn(vector["root_cert_pem"]) == vector["alipay_root_cert_sn"]
    key = rsa_keys.verify_key(vector["alipay_cert_pem"])
    assert key.sn == vector["alipay_cert_sn"]
    assert key.key == rsa_keys.verify_key(vector["alipay_public_key_b64"]).key


def test_certificate_mode_names_both_numbers_and_signs_them() -> None:
    sandbox = other_end.Alipay(certificates=True, signing=[other_end.certified_key()])
    told = alipay_wire.settings(sandbox.configuration())

    with at(NOW):
        signed = alipay_wire.parameters(told, METHOD, {"out_trade_no": "x"})

    assert signed["app_cert_sn"] == other_end.certificate_sn(sandbox._app_certificate())
    assert len(signed["alipay_root_cert_sn"].split("_")) == 2
    _check_request(sandbox, signed)


def _check_request(sandbox: other_end.Alipay, signed: dict[str, str]) -> None:
    key = serialization.load_pem_public_key(rsa.public_pem(sandbox.app_seed).encode())
    assert isinstance(key, RSAPublicKey)
    message = "&".join(f"{name}={signed[name]}" for name in sorted(signed) if name != "sign" and signed[name])
    key.verify(base64.b64decode(signed["sign"]), message.encode(), PKCS1v15(), hashes.SHA256())


def test_requests_are_signed_over_raw_values_with_their_sign_type_in_china_time() -> None:
    sandbox = other_end.Alipay()
    told = alipay_wire.settings(sandbox.configuration())

    with at(NOW):
        signed = alipay_wire.parameters(told, METHOD, {"subject": "商品 + 100%=&", "n": "1"}, notify_url="https://a/b")

    assert signed["timestamp"] == "2025-10-09 16:53:20"
    assert signed["biz_content"] == '{"subject":"商品 + 100%=&","n":"1"}'
    assert signed["sign_type"] == "RSA2"
    assert list(signed)[-1] == "sign"
    _check_request(sandbox, signed)
    assert dict(parse_qsl(alipay_wire.encoded(signed), keep_blank_values=True)) == signed


def test_the_certificate_of_a_message_chooses_the_key_and_its_dates_count() -> None:
    first, second = other_end.certified_key(1), other_end.certified_key(2)
    sandbox = other_end.Alipay(certificates=True, signing=[first, second])
    told = alipay_wire.settings(sandbox.configuration())
    node = '{"code":"10000"}'

    with at(NOW):
        for key in (first, second):
            raw = _signed_reply(node, seed=key.seed, more=f',"alipay_cert_sn":"{key.sn}"')
            assert alipay_wire.read_reply(told, METHOD, raw)["code"] == "10000"
        crossed = _signed_reply(node, seed=first.seed, more=f',"alipay_cert_sn":"{second.sn}"')
        with pytest.raises(BadSignature):
            alipay_wire.read_reply(told, METHOD, crossed)
    late = _signed_reply(node, seed=first.seed, more=f',"alipay_cert_sn":"{first.sn}"')
    with at(datetime(2030, 1, 1, tzinfo=UTC).timestamp()), pytest.raises(UnknownKey):
        alipay_wire.read_reply(told, METHOD, late)


# --- notices that we make and sign here -------------------------------------------------------------------------------

PAID = {
    "notify_id": "n-1",
    "notify_type": "trade_status_sync",
    "notify_time": "2026-01-02 03:04:06",
    "charset": "utf-8",
    "app_id": "2019073166072302",
    "seller_id": "2088531891668739",
    "out_trade_no": "pay_0123456789abcdefghjkmnpq_01",
    "trade_no": "2026010222001",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "88.00",
    "receipt_amount": "87.00",
    "buyer_pay_amount": "80.00",
    "gmt_payment": "2026-01-02 03:04:05",
}


def _notice(params: dict[str, str], *, charset: str = "utf-8", sign_type: str = "RSA2", raw: bytes = b"") -> Any:
    message = "&".join(f"{name}={value}" for name, value in sorted(params.items()) if name != "alipay_cert_sn")
    signed = {**params, "sign_type": sign_type, "sign": rsa.sign("alipay platform 1", message.encode(charset))}
    body = "&".join(f"{name}={quote_plus(value.encode(charset))}" for name, value in signed.items()).encode()
    return alipay.verify({}, body + raw, configuration=_told())


@pytest.mark.parametrize(
    ("text", "minor"), [("88.00", 8800), ("88", 8800), ("88.0", 8800), ("0.01", 1), ("100000000.00", 10_000_000_000)]
)
def test_amounts_are_whole_fen(text: str, minor: int) -> None:
    notice = _notice({**PAID, "total_amount": text})

    assert notice.report.amount == Money(minor)
    assert notice.report.at == datetime(2026, 1, 1, 19, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["8.8e1", "88.001", "-88.00", "+88", "NaN", "", " 88", "８８.00", "88,00", ".5", "5.", "1" * 30, "0x10"]
)
def test_amounts_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UnreadableNotice):
        _notice({**PAID, "total_amount": text})


def test_gbk_empty_and_unknown_parameters_stay_under_the_signature() -> None:
    params = {**PAID, "charset": "GBK", "subject": "商品 + 100% = & 齐", "passback_params": "", "brand_new": "新"}

    assert _notice(params, charset="gbk").payment_id == PAID["out_trade_no"]
    assert _notice({**params, "charset": "utf-8"}).payment_id == PAID["out_trade_no"]
    with pytest.raises(UnreadableNotice):
        _notice({**params, "charset": "utf-8"}, charset="gbk")
    with pytest.raises(UnreadableNotice):
        _notice({**params, "charset": "utf-7"})


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"trade_status": "TRADE_SUCCESS"}, Outcome.CAPTURED),
        ({"trade_status": "TRADE_FINISHED"}, Outcome.CAPTURED),
        ({"trade_status": "WAIT_BUYER_PAY"}, Outcome.PENDING),
        ({"trade_status": "TRADE_CLOSED"}, Outcome.CAPTURED),  # It has gmt_payment: paid, and refunded since.
        ({"trade_status": "TRADE_CLOSED", "gmt_payment": ""}, Outcome.CLOSED),
        ({"trade_status": "TRADE_CLOSED", "gmt_payment": "", "refund_fee": "0.00"}, Outcome.CLOSED),
        ({"trade_status": "TRADE_CLOSED", "gmt_payment": "", "refund_fee": "88.00"}, Outcome.CAPTURED),  # So: paid.
        ({"trade_status": "SOMETHING_NEW"}, Outcome.UNKNOWN),
        ({"refund_fee": "0.00", "out_biz_no": "x"}, Outcome.CAPTURED),
        ({"refund_fee": "8.00"}, Outcome.CAPTURED),  # It does not say which refund.
    ],
)
def test_states(changes: dict[str, str], outcome: Outcome) -> None:
    notice = _notice({**PAID, **changes})

    assert notice.report is not None
    assert notice.report.outcome is outcome
    assert notice.refund_id is None


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_CLOSED"])
def test_refund_shaped_notices_speak_of_the_refund_without_its_own_amount(status: str) -> None:
    notice = _notice(
        {
            **PAID,
            "trade_status": status,
            "refund_fee": "88.00",
            "gmt_refund": "2026-01-03 00:00:00.123",
            "out_biz_no": "ref_0123456789abcdefghjkmnpq_01",
        }
    )

    assert notice.refund_id == "ref_0123456789abcdefghjkmnpq_01"
    assert notice.refund_report is not None
    assert notice.refund_report.outcome is RefundOutcome.SUCCEEDED
    assert notice.refund_report.amount is None  # refund_fee sums up all refunds of the trade.
    assert notice.refund_report.at == datetime(2026, 1, 2, 16, 0, tzinfo=UTC)
    assert notice.report is None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"notify_type": "open_app_auth_notify"}, IgnoredNotice),
        ({"app_id": ""}, ForeignNotice),
        ({"seller_id": ""}, ForeignNotice),
        ({"out_trade_no": ""}, UnreadableNotice),
        ({"notify_id": ""}, UnreadableNotice),
        ({"trade_no": ""}, UnreadableNotice),
        ({"gmt_payment": "tomorrow"}, UnreadableNotice),
        ({"gmt_payment": "0001-01-01 00:00:00"}, UnreadableNotice),
        ({"gmt_payment": "2026-02-30 00:00:00"}, UnreadableNotice),
        ({"refund_fee": "-1.00", "out_biz_no": "x"}, UnreadableNotice),
        ({"alipay_cert_sn": "0123456789abcdef0123456789abcdef"}, UnknownKey),
    ],
)
def test_genuine_but_foreign_or_unreadable(changes: dict[str, str], refusal: type[NoticeRefused]) -> None:
    with pytest.raises(refusal) as caught:
        _notice({**PAID, **changes})
    assert type(caught.value) is refusal


@pytest.mark.parametrize("sign_type", ["RSA", "rsa2", ""])
def test_other_signature_types_are_refused(sign_type: str) -> None:
    with pytest.raises(BadSignature):
        _notice(PAID, sign_type=sign_type)


@pytest.mark.parametrize("raw", [b"&total_amount=0.01", b"&sign=AAAA", b"&new=1", b"&", b"&x", b"&=1", b"&a=1" * 300])
def test_what_is_added_or_repeated_is_refused(raw: bytes) -> None:
    with pytest.raises(NoticeRefused):
        _notice(PAID, raw=raw)


def test_a_huge_body_is_refused_before_any_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alipay_wire, "check", lambda *_: pytest.fail("checked"))

    with pytest.raises(UnreadableNotice):
        alipay.verify({}, b"a=" + b"x" * (256 * 1024), configuration=_told())


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.dictionaries(st.sampled_from([*PAID, "sign", "sign_type", "\x00"]), st.text(max_size=20)).map(
            lambda form: urlencode(form, errors="replace").encode()
        ),
    )
)
def test_any_body_is_a_typed_refusal(body: bytes) -> None:
    with pytest.raises(NoticeRefused):
        alipay.verify({}, body, configuration=_told())


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*PAID, "refund_fee", "out_biz_no", "gmt_refund", "passback_params"]),
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.sampled_from(sorted(PAID.values()))
        ),
        max_size=4,
    )
)
def test_any_genuine_content_is_a_notice_or_a_typed_refusal(changes: dict[str, str]) -> None:
    with contextlib.suppress(NoticeRefused):
        assert _notice({**PAID, **changes}).payment_id


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_acknowledgements_are_exactly_success_or_fail() -> None:
    adapter = alipay.build(_told())

    assert adapter.acknowledge(Ack.ACCEPTED) == (200, {"Content-Type": "text/plain"}, "success")
    assert adapter.acknowledge(Ack.REFUSED)[2] == "fail"
    assert adapter.acknowledge(Ack.RETRY)[2] == "fail"


@pytest.mark.parametrize("minor", [1, 10, 99, 100, 8800, 10_000_000_000])
def test_yuan_and_fen_are_each_other(minor: int) -> None:
    assert reading.fen(reading.yuan(minor)) == minor


def test_a_negative_amount_is_not_written_as_another() -> None:
    with pytest.raises(ValueError, match="negative"):  # A floor division would make -1.99 of a fen.
        reading.yuan(-1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"app_id": ""}, "app_id is missing"),
        ({"app_keys": [{"pem": "x"}]}, "private key cannot be read"),
        ({"app_keys": []}, "app_keys is missing"),
        ({"alipay_keys": [{"pem": "x"}]}, "public key cannot be read"),
        ({"root_certificates": other_end.Alipay()._roots()}, "certificate mode needs both"),
        ({"gateway": "gateway"}, "is no address"),
        (
            {"app_keys": [{"pem": rsa.private_pem("alipay app 1"), "certificate": other_end.certified_key().pem}]},
            "the certificate is another key's",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        alipay.build(_told(**changes))
    assert said in alipay.diagnose(_told(**changes))[0]


def test_keys_may_be_the_bare_base64_of_the_console() -> None:
    bare = "".join(rsa.private_pem("alipay app 1").splitlines()[1:-1])
    public = "".join(rsa.public_pem("alipay platform 1").splitlines()[1:-1])

    told = alipay_wire.settings(_told(app_keys=[{"pem": bare}], alipay_keys=[{"pem": public}]))

    _check_request(other_end.Alipay(), alipay_wire.parameters(told, METHOD, {}))
    assert alipay.diagnose(_told()) == ()
