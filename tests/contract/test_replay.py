"""``verify(headers, body)`` of each provider as an outsider uses it: nothing but a recording and its guide."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import BadSignature, IgnoredNotice, NoticeRefused, Outcome, StaleNotice, lower
from chalicelib.payments.providers.alipay import adapter as alipay
from chalicelib.payments.providers.qqwallet import adapter as qqwallet
from chalicelib.payments.providers.qqwallet import wire as qqwallet_wire
from chalicelib.payments.providers.stripe import adapter as stripe
from chalicelib.payments.providers.wechatpay import adapter as wechatpay
from tests.contract.recorded import vectors

ROOT = Path(__file__).parents[2]
(GO,) = vectors("wechatpay_v3_public.json", "notification")
GO_TOLD = {
    "mchid": "1234567890",
    "appid": "054aa7d7a2a54ab5898df65bd96f001c",
    "apiv3_keys": [GO["apiv3_key"]],
    "platform_keys": [{"pem": GO["certificate_pem"]}],
}
TRADE = vectors("alipay_public.json", "notify")[0]
TRADE_TOLD = {
    "app_id": TRADE["params"]["app_id"],
    "seller_id": TRADE["params"]["seller_id"],
    "alipay_keys": [{"pem": TRADE["public_key_pem"]}],
}
EVENT = vectors("stripe_public.json", "webhook")[0]
EVENT_TOLD = {"webhook_secrets": EVENT["secret"]}
EVENT_HEADERS = {"Stripe-Signature": EVENT["header"]}
QQ_KEY = "192006250b4c09247ec02edce69f6a2d"
QQ_PAID = {
    "appid": "1104606907",
    "mch_id": "1900000109",
    "nonce_str": "ibuaiVcKdpRxkhJA",
    "trade_type": "NATIVE",
    "trade_state": "SUCCESS",
    "bank_type": "BALANCE",
    "total_fee": "1",
    "transaction_id": "1900000109201608061234",
    "out_trade_no": "20160806151343349",
    "time_end": "20160806151343",
}


def _qq(fields: dict[str, str]) -> str:
    inner = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return f"<xml>{inner}<sign>{qqwallet_wire.sign(fields, QQ_KEY)}</sign></xml>"


def _listed(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.upper().encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize(
    "wrap",
    [dict, lower, _listed, lambda headers: headers.items(), lambda headers: {k: [v] for k, v in headers.items()}],
)
@pytest.mark.parametrize("body", [str, str.encode, lambda text: bytearray(text.encode())])
def test_a_recording_needs_no_merchant_key_and_no_certain_wrapping(wrap: Any, body: Any) -> None:
    for now in (GO["now"], datetime.fromtimestamp(GO["now"] + 300, timezone(timedelta(hours=8)))):
        with pytest.raises(IgnoredNotice):
            wechatpay.verify(wrap(GO["headers"]), body(GO["body"]), configuration=GO_TOLD, now=now)
    with pytest.raises(StaleNotice):
        wechatpay.verify(wrap(GO["headers"]), body(GO["body"]), configuration=GO_TOLD, now=GO["now"] - 301)
    notice = alipay.verify(wrap({}), body(urlencode(TRADE["params"])), configuration=TRADE_TOLD, now=GO["now"])
    assert notice.report is not None
    assert notice.report.amount == Money(10)
    told = {"mch_id": QQ_PAID["mch_id"], "keys": [QQ_KEY]}
    notice = qqwallet.verify(wrap({}), body(_qq(QQ_PAID)), configuration=told, now=GO["now"])
    assert notice.report is not None
    assert notice.report.outcome is Outcome.CAPTURED
    for secrets in (EVENT["secret"], [EVENT["secret"]], ["whsec_next", EVENT["secret"]]):
        event = {"webhook_secrets": secrets}
        for now in (EVENT["timestamp"], datetime.fromtimestamp(EVENT["timestamp"] + 300, timezone(timedelta(hours=8)))):
            with pytest.raises(IgnoredNotice):  # An invoice item: genuine, nothing to us.
                stripe.verify(wrap(EVENT_HEADERS), body(EVENT["payload"]), configuration=event, now=now)
        with pytest.raises(StaleNotice):
            late = EVENT["timestamp"] + 301
            stripe.verify(wrap(EVENT_HEADERS), body(EVENT["payload"]), configuration=event, now=late)


@pytest.mark.parametrize("text", ["\ud800", "", "{}", "<xml/>"])
def test_texts_that_are_no_notice_are_typed_refusals(text: str) -> None:
    qq = {"mch_id": "1", "keys": [QQ_KEY]}
    for verify, told in (
        (wechatpay.verify, GO_TOLD),
        (alipay.verify, TRADE_TOLD),
        (qqwallet.verify, qq),
        (stripe.verify, EVENT_TOLD),
    ):
        with pytest.raises(NoticeRefused):
            verify({**GO["headers"], **EVENT_HEADERS}, text, configuration=told, now=GO["now"])


@pytest.mark.parametrize("name", ["wechatpay-serial", "wechatpay-nonce", "wechatpay-timestamp", "wechatpay-signature"])
def test_of_two_headers_of_one_name_none_may_be_chosen(name: str) -> None:
    genuine = lower(GO["headers"])
    other = {"wechatpay-timestamp": str(GO["now"] + 1)}.get(name, "AAAA")
    for headers in (
        [*genuine.items(), (name, other)],
        [(name, other), *genuine.items()],
        {name.title(): other, **genuine},
        {**genuine, name.upper(): other},
    ):
        with pytest.raises(BadSignature):
            wechatpay.verify(headers, GO["body"], configuration=GO_TOLD, now=GO["now"])


@pytest.mark.parametrize("spelling", [str.lower, str.upper, "000{}".format])
def test_a_serial_is_compared_by_its_value(spelling: Any) -> None:
    headers = {**GO["headers"], "Wechatpay-Serial": spelling(GO["headers"]["Wechatpay-Serial"])}
    with pytest.raises(IgnoredNotice):
        wechatpay.verify(headers, GO["body"], configuration=GO_TOLD, now=GO["now"])


@pytest.mark.parametrize("vector", vectors("wechatpay_v3_public.json", "v2_sign"), ids=lambda vector: vector["id"])
def test_qq_wallets_signatures_are_those_of_its_elder_sibling(vector: Any) -> None:
    """WeChat Pay v2 signs as QQ Wallet does; its documents print the HMAC that QQ Wallet's do not."""
    assert qqwallet_wire.sign(vector["params"], vector["key"], vector["sign_type"]) == vector["sign"]


def test_a_short_key_in_a_certificate_is_no_key() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "short")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    signed = made.not_valid_before(day).not_valid_after(day + timedelta(days=9)).sign(key, hashes.SHA256())
    pem = signed.public_bytes(serialization.Encoding.PEM).decode()

    with pytest.raises(Misconfigured, match="2048 bits"):
        wechatpay.verify({}, b"", configuration={**GO_TOLD, "platform_keys": [{"pem": pem}]})


def test_a_time_without_its_zone_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="time zone"):
        wechatpay.verify(GO["headers"], GO["body"], configuration=GO_TOLD, now=datetime(2021, 6, 24, 8, 37, 26))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("verify", "told", "said"),
    [
        (wechatpay.verify, {"appid": "x"}, "mchid is missing.*platform_keys is missing.*apiv3_keys is missing"),
        (alipay.verify, {"app_id": "x"}, "seller_id is missing.*alipay_keys is missing"),
        (qqwallet.verify, {"mch_id": "x"}, "has no keys"),
        (stripe.verify, {"secret_key": "sk_live_1"}, "webhook_secrets is missing.*secret_key is of the other mode"),
        (stripe.verify, {"webhook_secrets": "w", "livemode": "yes", "account": 7}, "livemode is neither.*account"),
    ],
)
def test_a_configuration_that_cannot_verify_says_why(verify: Any, told: dict[str, str], said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as caught:
        verify({}, b"", configuration=told)
    assert "merchant_keys" not in str(caught.value)
    assert "app_keys" not in str(caught.value)


@pytest.mark.parametrize("provider", ["wechatpay", "alipay", "qqwallet", "stripe"])
def test_the_guides_example_runs_as_it_stands(provider: str) -> None:
    """Every recorded notice of the repository, with nothing but the example's own words."""
    guide = (ROOT / f"docs/providers/{provider}.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(from chalicelib[^`]*\.verify\([^`]*)```", guide)
    paid = {"stripe": "payment_intent-succeeded.json"}.get(provider, "paid.json")
    recorded = json.loads((ROOT / f"tests/contract/vectors/{provider}/{paid}").read_text("utf-8"))
    stand = import_module(f"tests.contract.stands.{provider}").stand()
    told = stand.sandbox.configuration()
    serial = lower(recorded["headers"]).get("wechatpay-serial", "")
    listed = told.get("platform_keys") or told.get("alipay_keys") or [{}]
    (key,) = [key for key in listed if key.get("serial", "") == serial]
    given = {
        "headers": recorded["headers"],
        "body": recorded["body"],
        "moment": datetime.fromisoformat(recorded["at"]).astimezone(UTC),
        "apiv3_key": told.get("apiv3_keys", [""])[0],
        "serial": serial,
        "pem": key.get("pem", ""),
        "key": told.get("keys", [""])[0],
        "webhook_secret": told.get("webhook_secrets", [""])[0],
    }

    exec(example, given)

    notice: Any = given["notice"]
    assert notice.payment_id == recorded["expect"]["payment_id"]
    assert notice.report.outcome is Outcome.CAPTURED
