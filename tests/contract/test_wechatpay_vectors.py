"""WeChat Pay against recorded vectors and a second implementation written out here, byte for byte."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import BillKind, whole
from chalicelib.payments.ports import (
    BadSignature,
    ForeignNotice,
    IgnoredNotice,
    NoticeRefused,
    Outcome,
    StaleNotice,
    UnknownKey,
    UnreadableNotice,
)
from chalicelib.payments.providers._shared import rsa_keys
from chalicelib.payments.providers.wechatpay import adapter as wechatpay
from chalicelib.payments.providers.wechatpay import bill as wechatpay_bill
from chalicelib.payments.providers.wechatpay import wire as wechatpay_wire
from tests.contract.recorded import at, names, vectors
from tools.fakes.sandbox import rsa
from tools.fakes.sandbox import wechatpay as other_end

pytestmark = pytest.mark.usefixtures("no_network")

FILE = "wechatpay_v3_public.json"
NOW = 1_760_000_000


def _openssl_sign(pem: str, message: str) -> str:
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return base64.b64encode(key.sign(message.encode(), PKCS1v15(), hashes.SHA256())).decode()


def _settings(**changes: Any) -> wechatpay_wire.Settings:
    return wechatpay_wire.settings(other_end.WechatPay().configuration(**changes))


def _platform(vector: Any) -> list[dict[str, str]]:
    if "certificate_pem" in vector:
        return [{"serial": vector.get("serial", ""), "pem": vector["certificate_pem"]}]
    return [{"serial": vector["serial"], "pem": vector["public_key_pem"]}]


@pytest.mark.parametrize("vector", vectors(FILE, "request_sign"), ids=names(vectors(FILE, "request_sign")))
def test_requests_are_signed_as_recorded(vector: Any) -> None:
    told = _settings(
        mchid=vector["mchid"], merchant_keys=[{"serial": vector["serial_no"], "pem": vector["private_key_pem"]}]
    )

    header = wechatpay_wire.authorization(
        told,
        vector["method"],
        vector["url"],
        vector["body"].encode(),
        timestamp=vector["timestamp"],
        nonce_str=vector["nonce"],
    )

    assert header == (
        f'WECHATPAY2-SHA256-RSA2048 mchid="{vector["mchid"]}",nonce_str="{vector["nonce"]}",'
        f'signature="{vector["signature"]}",timestamp="{vector["timestamp"]}",serial_no="{vector["serial_no"]}"'
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v3/pay/transactions/out-trade-no/shop-7_A%2A1%7Cz?mchid=1900000109", ""),
        ("POST", "/v3/pay/transactions/native", '{"描述":"a/b"}'),
        ("GET", "/v3/bill/tradebill?bill_date=2026-01-02&bill_type=ALL", ""),
    ],
)
def test_requests_are_signed_as_a_second_implementation_does(method: str, path: str, body: str) -> None:
    pem = rsa.private_pem("wechatpay merchant 1")
    expected = _openssl_sign(pem, f"{method}\n{path}\n1554208460\nN0NCE\n{body}\n")

    header = wechatpay_wire.authorization(
        _settings(), method, path, body.encode(), timestamp="1554208460", nonce_str="N0NCE"
    )

    assert f'signature="{expected}"' in header


@pytest.mark.parametrize("vector", vectors(FILE, "pay_sign"), ids=names(vectors(FILE, "pay_sign")))
def test_clients_get_the_recorded_signature(vector: Any) -> None:
    signed = wechatpay_wire.pay_sign(
        vector["private_key_pem"], vector["appid"], vector["timestamp"], vector["nonce"], vector["line4"]
    )

    assert signed == vector["signature"]


@pytest.mark.parametrize("vector", vectors(FILE, "raw_sign"), ids=names(vectors(FILE, "raw_sign")))
def test_raw_signatures(vector: Any) -> None:
    assert rsa_keys.sign(vector["private_key_pem"], vector["message"].encode()) == vector["signature"]


@pytest.mark.parametrize("vector", vectors(FILE, "raw_verify"), ids=names(vectors(FILE, "raw_verify")))
def test_raw_verification(vector: Any) -> None:
    key = rsa_keys.verify_key(vector.get("certificate_pem") or vector["public_key_pem"])

    assert key.verify(vector["message"].encode(), base64.b64decode(vector["signature"])) is vector["expect"]
    if "serial" in vector:
        assert key.serial == vector["serial"]


def _genuine() -> tuple[wechatpay_wire.Settings, dict[str, str], bytes, int]:
    """A reply that WeChat Pay itself signed."""
    (vector,) = vectors(FILE, "message_verify")
    headers = {
        "wechatpay-timestamp": vector["timestamp"],
        "wechatpay-nonce": vector["nonce"],
        "wechatpay-signature": vector["signature"],
        "wechatpay-serial": vector["serial"],
    }
    return _settings(platform_keys=_platform(vector)), headers, vector["body"].encode(), int(vector["timestamp"])


def test_a_genuine_message_is_accepted_at_its_time() -> None:
    told, headers, body, when = _genuine()
    with at(when):
        wechatpay_wire.authenticate(told, headers, body)
        wechatpay_wire.authenticate(told, {**headers, "wechatpay-signature-type": wechatpay_wire.SCHEME}, body)


@pytest.mark.parametrize(("away", "stale"), [(-301, True), (-300, False), (0, False), (300, False), (300.5, True)])
def test_the_window_is_300_seconds_both_ways(away: float, *, stale: bool) -> None:
    told, headers, body, when = _genuine()
    with at(when + away):
        if stale:
            with pytest.raises(StaleNotice):
                wechatpay_wire.authenticate(told, headers, body)
        else:
            wechatpay_wire.authenticate(told, headers, body)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"wechatpay-signature": None}, BadSignature),
        ({"wechatpay-serial": None}, BadSignature),
        ({"wechatpay-nonce": None}, BadSignature),
        ({"wechatpay-timestamp": None}, BadSignature),
        ({"wechatpay-timestamp": "１７２２８５０４２１"}, BadSignature),
        ({"wechatpay-timestamp": "-1722850421"}, BadSignature),
        ({"wechatpay-timestamp": "1722850421.0"}, BadSignature),
        ({"wechatpay-timestamp": "1722850420"}, BadSignature),
        ({"wechatpay-timestamp": "9" * 400}, BadSignature),
        ({"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}, BadSignature),
        ({"wechatpay-signature-type": ""}, BadSignature),
        ({"wechatpay-serial": "PUB_KEY_ID_0000000000000024101100397200000007"}, UnknownKey),
        ({"wechatpay-serial": "0000000000000024101100397200000006"}, UnknownKey),
        ({"wechatpay-serial": "pub_key_id_0000000000000024101100397200000006"}, UnknownKey),
        ({"wechatpay-signature": "not base64!"}, BadSignature),
        ({"wechatpay-signature": "AAAA"}, BadSignature),
        ({"wechatpay-signature": "签名"}, BadSignature),
        ({"wechatpay-nonce": "\ud800"}, BadSignature),
        ({"wechatpay-nonce": "d824f2e086d3c1df967785d13fcd22ef "}, BadSignature),
        ({"wechatpay-serial": " PUB_KEY_ID_0000000000000024101100397200000006"}, BadSignature),
    ],
)
def test_what_is_missing_or_changed_is_refused(changes: dict[str, str | None], refusal: type[NoticeRefused]) -> None:
    told, headers, body, when = _genuine()
    changed = {name: value for name, value in {**headers, **changes}.items() if value is not None}

    with at(when), pytest.raises(refusal) as caught:
        wechatpay_wire.authenticate(told, changed, body)
    assert type(caught.value) is refusal


def test_signature_probes_do_not_verify_with_or_without_their_prefix() -> None:
    told, headers, body, when = _genuine()
    genuine = headers["wechatpay-signature"]
    with at(when):
        for probe in (f"WECHATPAY/SIGNTEST/{genuine}", f"WECHATPAY/SIGNTEST/{genuine[19:]}"):
            with pytest.raises(BadSignature):
                wechatpay_wire.authenticate(told, {**headers, "wechatpay-signature": probe}, body)


def test_no_line_of_the_body_can_be_moved_into_a_header() -> None:
    """What is signed is lines; a nonce with a line break in it would take the body's first line."""
    body = b'{"ours":1}\n{"theirs":2}'
    told = wechatpay_wire.settings(other_end.WechatPay().configuration())
    headers = _signed(body)
    with at(NOW):
        wechatpay_wire.authenticate(told, headers, body)
        for moved, rest in (("n0nce\n" + '{"ours":1}', b'{"theirs":2}'), ("n0nce\r", body)):
            with pytest.raises(BadSignature, match="wechatpay-nonce"):
                wechatpay_wire.authenticate(told, {**headers, "wechatpay-nonce": moved}, rest)


@pytest.mark.parametrize("change", [b" ", b"\n", b"\xef\xbb\xbf"])
def test_every_byte_of_the_body_counts(change: bytes) -> None:
    told, headers, body, when = _genuine()
    with at(when):
        for changed in (body + change, change + body, body.replace(b":", b": ", 1)):
            with pytest.raises(BadSignature):
                wechatpay_wire.authenticate(told, headers, changed)


@pytest.mark.parametrize("vector", vectors(FILE, "aead"), ids=names(vectors(FILE, "aead")))
def test_sealed_texts_open(vector: Any) -> None:
    resource = {"algorithm": "AEAD_AES_256_GCM", **{n: vector[n] for n in ("nonce", "associated_data", "ciphertext")}}

    assert wechatpay_wire.open_resource((b"x" * 32, vector["key"].encode()), resource) == vector["plaintext"].encode()


def test_malformed_sealed_texts_are_refused() -> None:
    (vector,) = vectors(FILE, "aead_malformed")
    for ciphertext, nonce in vector["cases"]:
        resource = {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "ciphertext": ciphertext,
            "associated_data": vector["associated_data"],
        }
        with pytest.raises(UnreadableNotice):
            wechatpay_wire.open_resource((vector["key"].encode(),), resource)


@pytest.mark.parametrize(
    "vector", vectors(FILE, "certificates_response"), ids=names(vectors(FILE, "certificates_response"))
)
def test_downloaded_certificates_open(vector: Any) -> None:
    found = wechatpay_wire.platform_certificates((vector["apiv3_key"].encode(),), vector["body"].encode())

    assert sorted(found) == vector["serials"]
    with pytest.raises(UnreadableNotice):
        wechatpay_wire.platform_certificates((b"x" * 32,), vector["body"].encode())


def _recorded_notice() -> tuple[dict[str, Any], Any]:
    (vector,) = vectors(FILE, "notification")
    told = other_end.WechatPay().configuration(
        mchid="1234567890",
        appid="054aa7d7a2a54ab5898df65bd96f001c",
        apiv3_keys=[vector["apiv3_key"]],
        platform_keys=_platform(vector),
    )
    return told, vector


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper, str.swapcase])
def test_a_recorded_notice_of_another_kind_is_acknowledged_and_ignored(spelling: Any) -> None:
    told, vector = _recorded_notice()
    headers = {spelling(name): value for name, value in vector["headers"].items()}

    with at(vector["now"]), pytest.raises(IgnoredNotice):
        wechatpay.verify(headers, vector["body"].encode(), configuration=told)
    resource = json.loads(vector["body"])["resource"]
    opened = wechatpay_wire.open_resource((vector["apiv3_key"].encode(),), resource)
    assert opened.decode() == vector["plaintext"]


def test_a_recorded_notice_is_refused_when_late_of_another_merchant_or_by_an_ended_certificate() -> None:
    told, vector = _recorded_notice()
    body = vector["body"].encode()

    with at(vector["now"] + 301), pytest.raises(StaleNotice):
        wechatpay.verify(vector["headers"], body, configuration=told)
    with at(vector["now"]), pytest.raises(ForeignNotice):
        wechatpay.verify(vector["headers"], body, configuration={**told, "mchid": "1234567891"})
    with at(datetime(2031, 4, 26, tzinfo=UTC).timestamp()), pytest.raises(UnknownKey):
        wechatpay.verify(vector["headers"], body, configuration=told)


def test_short_apiv3_keys_are_for_the_local_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.runtime import config

    told, _ = _recorded_notice()
    monkeypatch.setenv("BIANDAN_STAGE", "prod")
    config.config.cache_clear()
    try:
        with pytest.raises(Misconfigured, match="16 bytes, not 32"):
            wechatpay.build(told)
        with pytest.raises(Misconfigured, match="not wechatpay's"):
            wechatpay.build(other_end.WechatPay().configuration(url="http://127.0.0.1:9"))
        wechatpay.build(other_end.WechatPay().configuration(url="https://api2.mch.weixin.qq.com"))
    finally:
        monkeypatch.undo()
        config.config.cache_clear()


def test_the_recorded_bill_is_read_to_the_fen() -> None:
    (vector,) = vectors(FILE, "bill_csv")

    bill = whole(wechatpay_bill.read_bill(io.BytesIO(vector["csv"].encode())))

    assert len(bill.lines) == 45
    assert bill.defects == ()
    assert bill.totals["总交易单数"] == "45.0"
    paid = sum(line.amount.minor for line in bill.lines if line.kind is BillKind.PAYMENT)
    back = sum(line.amount.minor for line in bill.lines if line.kind is BillKind.REFUND)
    assert (paid, back) == (47, 14)
    first = bill.lines[0]
    assert first.kind is BillKind.REFUND
    assert first.payment_id == "autotest_20190216081946_82335"
    assert first.refund_id == "REF4200000263201902167700963919"
    assert first.amount == Money(1)
    assert first.at == datetime(2019, 2, 18, 21, 1, 46, tzinfo=UTC)  # 05:01:46 in China.


# --- notices that we make, sign and seal here -------------------------------------------------------------------------

PLATFORM_SEED = "wechatpay public 1"
KEY = b"local-wechatpay-apiv3-key-32-byt"
PAID = {
    "mchid": "1900000109",
    "appid": "wxd678efh567hg6787",
    "out_trade_no": "pay_0123456789abcdefghjkmnpq_01",
    "transaction_id": "4200001234",
    "trade_type": "NATIVE",
    "trade_state": "SUCCESS",
    "success_time": "2026-01-02T03:04:05+08:00",
    "amount": {"total": 8800, "payer_total": 8000, "currency": "CNY", "payer_currency": "CNY"},
}


def _seal(plain: bytes, *, nonce: str = "0123456789ab", associated: str | None = "transaction") -> dict[str, Any]:
    sealed = AESGCM(KEY).encrypt(nonce.encode(), plain, (associated or "").encode() or None)
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "nonce": nonce,
        "ciphertext": base64.b64encode(sealed).decode(),
        **({} if associated is None else {"associated_data": associated}),
    }


def _signed(body: bytes) -> dict[str, str]:
    return {
        "wechatpay-timestamp": str(NOW),
        "wechatpay-nonce": "n0nce",
        "wechatpay-serial": other_end.public_key().serial,
        "wechatpay-signature": rsa.sign(PLATFORM_SEED, f"{NOW}\nn0nce\n".encode() + body + b"\n"),
    }


def _verify(envelope: Any) -> Any:
    body = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
    with at(NOW):
        return wechatpay.build(other_end.WechatPay().configuration()).verify(_signed(body), body)


def _envelope(plain: Any, event: str = "TRANSACTION.SUCCESS", **changes: Any) -> dict[str, Any]:
    text = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
    return {"id": "n-1", "event_type": event, "resource": _seal(text), **changes}


def test_a_capture_is_read_with_the_total_not_what_the_payer_paid() -> None:
    notice = _verify(_envelope(PAID))

    assert notice.notice_id == "n-1"
    assert notice.payment_id == PAID["out_trade_no"]
    assert notice.refund_id is None
    assert notice.report.outcome is Outcome.CAPTURED
    assert notice.report.amount == Money(8800)
    assert notice.report.transaction_id == "4200001234"
    assert notice.report.at == datetime(2026, 1, 1, 19, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("plain", "refusal"),
    [
        ({}, IgnoredNotice),
        ({"stock_creator_mchid": "1900000109", "coupon_id": "1"}, IgnoredNotice),
        ({"mchid": "1900000109"}, IgnoredNotice),
        ({"mchid": "1900000110"}, ForeignNotice),
        ([], IgnoredNotice),
    ],
)
def test_an_event_of_another_family_is_acknowledged_whatever_it_calls_the_merchant(
    plain: Any, refusal: type[NoticeRefused]
) -> None:
    """Refused, it would come again fifteen times and count as a forgery of somebody else's."""
    with pytest.raises(refusal):
        _verify(_envelope(plain, "COUPON.USE"))


@pytest.mark.parametrize("associated", [None, "", "transaction"])
def test_associated_data_may_be_missing(associated: str | None) -> None:
    resource = _seal(json.dumps(PAID).encode(), associated=associated)

    assert _verify(_envelope(PAID, resource=resource)).payment_id == PAID["out_trade_no"]


@pytest.mark.parametrize(
    ("envelope", "refusal"),
    [
        (b"", UnreadableNotice),
        (b"null", UnreadableNotice),
        (b"[]", UnreadableNotice),
        (b"{", UnreadableNotice),
        (b"\xff\xfe", UnreadableNotice),
        (b"\xef\xbb\xbf{}", UnreadableNotice),
        (b"[" * 100_000, UnreadableNotice),
        (b"9" * 5000, UnreadableNotice),
        (b'{"id":"a","id":"b"}', UnreadableNotice),
        ({"id": "n", "event_type": "TRANSACTION.SUCCESS"}, UnreadableNotice),
        (_envelope(PAID, id=7), UnreadableNotice),
        (_envelope(PAID, resource="x"), UnreadableNotice),
        (_envelope(PAID, resource=None), UnreadableNotice),
        (_envelope(PAID, resource={**_seal(b"{}"), "algorithm": "AEAD_SM4_GCM"}), UnreadableNotice),
        (_envelope(PAID, resource={**_seal(b"{}"), "nonce": "short"}), UnreadableNotice),
        (_envelope(PAID, resource={**_seal(b"{}"), "nonce": 12}), UnreadableNotice),
        (_envelope(PAID, resource={**_seal(b"{}"), "ciphertext": "AAAA"}), UnreadableNotice),
        (_envelope(PAID, resource={**_seal(b"{}"), "associated_data": "other"}), UnreadableNotice),
        (_envelope(PAID, resource={**_seal(b"{}"), "associated_data": 5}), UnreadableNotice),
        (_envelope(b"not json"), UnreadableNotice),
        (_envelope(b"\xff"), UnreadableNotice),
        (_envelope(b"[]"), UnreadableNotice),
        (_envelope(b'{"mchid":NaN}'), UnreadableNotice),
        (_envelope({**PAID, "mchid": "1900000110"}), ForeignNotice),
        (_envelope({**PAID, "mchid": None}), ForeignNotice),
        (_envelope({**PAID, "appid": "wx0"}), ForeignNotice),
        (_envelope({**PAID, "appid": ["wx0"]}), ForeignNotice),
        (_envelope({**PAID, "trade_state": "NOTPAY"}), UnreadableNotice),
        (_envelope({**PAID, "trade_state": ["SUCCESS"]}), UnreadableNotice),
        (_envelope({**PAID, "out_trade_no": ""}), UnreadableNotice),
        (_envelope({**PAID, "transaction_id": None}), UnreadableNotice),
        (_envelope({**PAID, "success_time": "yesterday"}), UnreadableNotice),
        (_envelope({**PAID, "success_time": "2026-01-02T03:04:05"}), UnreadableNotice),
        (_envelope({**PAID, "success_time": "0001-01-01T00:00:00+08:00"}), UnreadableNotice),
        (_envelope({**PAID, "amount": None}), UnreadableNotice),
        (_envelope({**PAID, "amount": {"total": "8800", "currency": "CNY"}}), UnreadableNotice),
        (_envelope({**PAID, "amount": {"total": 88.0, "currency": "CNY"}}), UnreadableNotice),
        (_envelope({**PAID, "amount": {"total": True, "currency": "CNY"}}), UnreadableNotice),
        (_envelope({**PAID, "amount": {"total": -1, "currency": "CNY"}}), UnreadableNotice),
        (_envelope({**PAID, "amount": {"total": 1, "currency": "fen"}}), UnreadableNotice),
        (_envelope({**PAID, "amount": {"total": 1, "currency": 156}}), UnreadableNotice),
        (_envelope({**PAID, "refund_status": "CLOSED"}, "REFUND.SUCCESS"), UnreadableNotice),
        (_envelope(PAID, "COUPON.USE"), IgnoredNotice),
    ],
)
def test_genuine_but_unreadable_or_foreign(envelope: Any, refusal: type[NoticeRefused]) -> None:
    with pytest.raises(refusal) as caught:
        _verify(envelope)
    assert type(caught.value) is refusal


def test_a_huge_body_is_refused_before_any_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechatpay_wire, "authenticate", lambda *_: pytest.fail("authenticated"))

    with pytest.raises(UnreadableNotice):
        wechatpay.build(other_end.WechatPay().configuration()).verify({}, b" " * (256 * 1024 + 1))


def test_platform_certificates_and_public_keys_count_side_by_side() -> None:
    both = [other_end.certificate(1), other_end.public_key(1), other_end.certificate(2)]
    sandbox = other_end.WechatPay(platform=both, now=lambda: NOW)
    adapter = wechatpay.build(sandbox.configuration())
    body = json.dumps(_envelope(PAID)).encode()

    with at(NOW):
        for key in both:
            headers = sandbox._signature_headers(body, NOW, wanted=key.serial)
            assert adapter.verify(headers, body).payment_id == PAID["out_trade_no"]
            for serial in (key.serial.lower(), f"00{key.serial}"):
                if key.serial.startswith("PUB"):
                    with pytest.raises(UnknownKey):
                        adapter.verify({**headers, "Wechatpay-Serial": serial}, body)
                else:
                    adapter.verify({**headers, "Wechatpay-Serial": serial}, body)
            mixed = {**headers, "Wechatpay-Serial": next(k.serial for k in both if k is not key)}
            with pytest.raises(BadSignature):
                adapter.verify(mixed, body)


_HEADER_NAMES = st.sampled_from(
    ["Wechatpay-Timestamp", "wechatpay-nonce", "WECHATPAY-SIGNATURE", "wechatpay-serial", "wechatpay-signature-type"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(_HEADER_NAMES, st.one_of(st.text(max_size=40), st.just(str(NOW)), st.just("AAAA"))),
    st.binary(max_size=400),
)
def test_any_headers_and_body_are_a_typed_refusal(headers: dict[str, str], body: bytes) -> None:
    told = other_end.WechatPay().configuration()
    headers.setdefault("wechatpay-serial", other_end.public_key().serial)
    with at(NOW), pytest.raises(NoticeRefused):
        wechatpay.verify(headers, body, configuration=told)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from([*PAID, "refund_status", "out_refund_no", "refund_id"]), _JSON, max_size=4),
    st.sampled_from(["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "REFUND.ABNORMAL", "X"]),
)
def test_any_genuine_content_is_a_notice_or_a_typed_refusal(changes: dict[str, Any], event: str) -> None:
    refund = {"refund_status": "SUCCESS", "out_refund_no": "ref_1", "refund_id": "50"}
    content = {**PAID, **refund, "amount": {**PAID["amount"], "refund": 5}, **changes}  # type: ignore[dict-item]
    with contextlib.suppress(NoticeRefused):
        assert _verify(_envelope(content, event)).payment_id


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_JSON)
def test_any_genuine_resource_is_a_typed_refusal(resource: Any) -> None:
    with pytest.raises(NoticeRefused):
        _verify({"id": "n", "event_type": "TRANSACTION.SUCCESS", "resource": resource})


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mchid": ""}, "mchid is missing"),
        ({"merchant_keys": []}, "merchant_keys is missing"),
        ({"merchant_keys": [{"serial": "xyz", "pem": "nothing"}]}, "hexadecimal.*private key cannot be read"),
        ({"apiv3_keys": ["short"]}, "5 bytes, not 32"),
        ({"apiv3_keys": "a text"}, "apiv3_keys is missing"),
        ({"platform_keys": [{"serial": "5F1C72E2", "pem": rsa.public_pem("x")}]}, "a public key needs its id"),
        (
            {"platform_keys": [{"serial": "5F1C72E2", "pem": other_end.certificate().pem}]},
            "serial is not the certificate's",
        ),
        ({"platform_keys": [other_end.public_key().entry()] * 2}, "listed twice"),
        ({"url": "ftp://x"}, "is no address"),
        ({"appids": ["x"]}, "appids"),
    ],
)
def test_what_is_wrong_is_said_in_words(changes: dict[str, Any], said: str) -> None:
    told = other_end.WechatPay().configuration(**changes)

    with pytest.raises(Misconfigured, match=said):
        wechatpay.build(told)
    assert re.search(said, wechatpay.diagnose(told)[0])


def test_diagnose_is_silent_when_all_is_well_and_warns_of_ending_certificates() -> None:
    assert wechatpay.diagnose(other_end.WechatPay().configuration()) == ()
    ending = other_end.WechatPay(platform=[other_end.certificate(1)]).configuration()
    with at(datetime(2028, 12, 20, tzinfo=UTC).timestamp()):
        assert any("ends on 2028-12-30" in line for line in wechatpay.diagnose(ending))
    with at(datetime(2029, 12, 20, tzinfo=UTC).timestamp()):
        assert any("not valid now" in line for line in wechatpay.diagnose(ending))
