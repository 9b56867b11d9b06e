"""WeChat Pay, Alipay and Stripe: other people's SDKs as independent signers and verifiers, of us and of our stand-ins.

What an SDK signs, our side must take and sign alike, byte for byte; what our side signs, the SDK must take. Then the
SDKs' own clients talk to the stand-ins over HTTP: if they understand each other, the stand-ins speak the real dialect.
Where an SDK is known to be wrong, that is here too, with why.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import alipay as alipay_sdk
import pytest
import stripe as stripe_sdk
import wechatpayv3
from alipay.exceptions import AliPayException, AliPayValidationError
from Cryptodome.Cipher import AES
from wechatpayv3 import utils as wechat_utils

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments import ports
from chalicelib.payments.ports import Action, Attempt, Outcome, PaymentOrder, RefundOrder, RefundOutcome
from chalicelib.payments.providers._shared import rsa_keys
from chalicelib.payments.providers.alipay import adapter as alipay
from chalicelib.payments.providers.alipay import wire as alipay_wire
from chalicelib.payments.providers.wechatpay import adapter as wechatpay
from chalicelib.payments.providers.wechatpay import wire as wechatpay_wire
from chalicelib.runtime import outbound
from tests.contract.recorded import vectors
from tools.fakes.sandbox import rsa
from tools.fakes.sandbox.alipay import Alipay, certified_key
from tools.fakes.sandbox.mount import transport
from tools.fakes.sandbox.server import Server
from tools.fakes.sandbox.stand_in import Steering
from tools.fakes.sandbox.stripe import Stripe
from tools.fakes.sandbox.wechatpay import WechatPay, certificate, public_key

# python-alipay-sdk reads certificates through what pyOpenSSL wants to drop.
pytestmark = pytest.mark.filterwarnings("ignore:X509.*deprecated:DeprecationWarning")

BODY = ids.digest("oracles")
PAYMENT, SECOND, REFUND = f"pay_{BODY}_01", f"pay_{BODY}_02", f"ref_{BODY}_01"
HOOK = "https://shop.example/v1/webhooks/payments/any"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
NONCE = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS"


class Side:
    """Our adapter at a stand-in in this process, all it sent kept."""

    def __init__(self, stand: Any, adapter: Any) -> None:
        self.stand, self.adapter = stand, adapter
        self.sent: list[outbound.Request] = []
        send = transport(stand)

        def kept(request: outbound.Request) -> outbound.Response:
            self.sent.append(request)
            return send(request)

        outbound.install(kept)

    def order(self, number: str = PAYMENT, **changes: Any) -> PaymentOrder:
        now = clock.now()
        known: dict[str, Any] = {
            "payment_id": number,
            "amount": Money(8800),
            "description": "龙井茶 100 g",
            "method": "native",
            "created_at": now,
            "expires_at": now + timedelta(minutes=30),
            "notify_url": HOOK,
            "return_url": "https://shop.example/done?a=1",
            "payer": OPENID,
            "client_ip": "203.0.113.7",
        }
        return PaymentOrder(**known | changes)

    def attempt(self, number: str = PAYMENT) -> Attempt:
        return Attempt(number, Money(8800), clock.now())

    def refund(self, minor: int = 800) -> RefundOrder:
        return RefundOrder(REFUND, self.attempt(), Money(minor), Money(8800), Money(0), "不合适", HOOK)

    def heard(self) -> tuple[dict[str, str], bytes]:
        """Return the one notice on its way, as it goes out."""
        (out,) = self.stand.outbox
        self.stand.outbox.clear()
        headers, body = self.stand.signed_notice(out.content, out.steering)
        return headers, body


def changed(body: bytes, at: int = -8) -> bytes:
    """Return it with one bit of one byte changed."""
    found = bytearray(body)
    found[at] ^= 1
    return bytes(found)


@pytest.fixture(autouse=True)
def _own_transport() -> Iterator[None]:
    yield
    outbound.install(None)


# --- WeChat Pay: bytes ------------------------------------------------------------------------------------------------


@pytest.fixture
def wechat(noon: Any, monkeypatch: pytest.MonkeyPatch) -> Side:
    monkeypatch.setattr(wechat_utils, "time", SimpleNamespace(time=lambda: clock.now().timestamp()))
    stand = WechatPay(now=lambda: clock.now().timestamp(), names_type=1)
    return Side(stand, wechatpay.build(stand.configuration()))


def wechat_client(stand: WechatPay, **changes: Any) -> Any:
    """Return the SDK's client of the same merchant, in public-key mode."""
    known = {
        "wechatpay_type": wechatpayv3.WeChatPayType.NATIVE,
        "mchid": stand.keys.merchant_id,
        "private_key": rsa.private_pem(stand.merchant_seed),
        "cert_serial_no": stand.merchant_serial,
        "appid": stand.appids[0],
        "apiv3_key": stand.keys.api_key,
        "notify_url": HOOK,
        "timeout": (5, 5),
    }
    if "cert_dir" not in changes:
        known |= {"public_key": stand.platform[0].pem, "public_key_id": stand.platform[0].serial}
    return wechatpayv3.WeChatPay(**known | changes)


def authorization(request: outbound.Request) -> dict[str, str]:
    scheme, _, parts = request.headers["Authorization"].partition(" ")
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    return {name: value.strip('"') for name, _, value in (part.partition("=") for part in parts.split(","))}


def test_wechat_takes_our_signature_of_every_call(wechat: Side) -> None:
    """The SDK writes the very same header for the same call, nonce and moment: RSA PKCS#1 v1.5 has no chance in it."""
    adapter, key = wechat.adapter, rsa.private_key(wechat.stand.merchant_seed)
    for number, method in enumerate(adapter.methods, 1):
        adapter.create(wechat.order(f"pay_{BODY}_1{number}", method=method))
    adapter.create(wechat.order())
    wechat.stand.pay(PAYMENT)
    adapter.query(wechat.attempt())
    adapter.close(wechat.attempt())
    adapter.refund(wechat.refund())
    adapter.query_refund(wechat.refund())
    adapter.refund_abnormal(wechat.refund(), "x", bank_type="ICBC", bank_account="62220001", real_name="王梅")
    assert adapter.platform_certificates() == {}  # There is none in public-key mode.
    assert len(wechat.sent) == 12

    for request in wechat.sent:
        url, told = urlsplit(request.url), authorization(request)
        path = url.path + (f"?{url.query}" if url.query else "")
        said = wechat_utils.build_authorization(
            path, request.method, told["mchid"], told["serial_no"], key, request.body.decode(), told["nonce_str"]
        )
        assert request.headers["Authorization"] == said
        message = (f"{request.method}\n{path}\n{told['timestamp']}", told["nonce_str"])
        public = key.public_key()
        assert wechat_utils.rsa_verify(*message, request.body.decode(), told["signature"], public)
        assert not wechat_utils.rsa_verify(*message, request.body.decode() + " ", told["signature"], public)
        other = wechat_utils.build_authorization(
            path + "x", request.method, told["mchid"], told["serial_no"], key, request.body.decode(), told["nonce_str"]
        )
        assert request.headers["Authorization"] != other


def test_wechat_stand_in_takes_the_sdks_signature_and_no_other(wechat: Side) -> None:
    stand, key = wechat.stand, rsa.private_key(wechat.stand.merchant_seed)
    path = f"/v3/pay/transactions/out-trade-no/{PAYMENT}?mchid={stand.keys.merchant_id}"

    def call(signed: str, asked: str = path) -> tuple[int, Any]:
        said = (stand.keys.merchant_id, stand.merchant_serial, key)
        header = wechat_utils.build_authorization(signed, "GET", *said)
        headers = {"Authorization": header, "Accept": "application/json", "User-Agent": "sdk"}
        status, _, body = stand.handle("GET", asked, headers, b"")
        return status, json.loads(body)["code"]

    assert call(path) == (404, "ORDER_NOT_EXIST")
    assert stand.refusals == []
    assert call(path + "&x=1") == (401, "SIGN_ERROR")
    assert stand.refusals == ["signature is wrong"]


@pytest.mark.parametrize("method", ["jsapi", "mini", "app"])
def test_wechat_clients_get_the_sdks_pay_sign(wechat: Side, method: str) -> None:
    told = wechat.adapter.create(wechat.order(method=method))
    assert told.action is Action.PARAMS
    params, client = told.params, wechat_client(wechat.stand)
    if method == "app":
        asked, signed = [params["appid"], params["timestamp"], params["noncestr"], params["prepayid"]], params["sign"]
    else:
        appid = wechat.stand.appids[0 if method == "jsapi" else 1]
        asked, signed = [appid, params["timeStamp"], params["nonceStr"], params["package"]], params["paySign"]
    assert client.sign(asked) == signed
    assert client.sign([*asked[:3], asked[3] + "0"]) != signed


@pytest.mark.parametrize("mode", ["public key", "certificate"])
@pytest.mark.parametrize("kind", ["payment", "refund"])
def test_wechat_notices_of_the_stand_in_are_read_by_the_sdk(wechat: Side, mode: str, kind: str, tmp_path: Path) -> None:
    stand, changes = wechat.stand, {}
    if mode == "certificate":  # The SDK reads them from a folder, so that it need not ask for them; by the real clock.
        key = certificate(7, datetime.now(tz=clock.CHINA) - timedelta(days=1))
        stand.platform = [key]
        (tmp_path / f"{key.serial}.pem").write_text(key.pem)
        changes["cert_dir"] = str(tmp_path)
        wechat.adapter = wechatpay.build(stand.configuration())
    client = wechat_client(stand, **changes)
    real = clock.Fixed(datetime.now(tz=clock.CHINA))
    with clock.use(real):
        stand.pay(stand._create(_core_order())[1]["out_trade_no"])
        if kind == "refund":
            stand.outbox.clear()
            stand._refund(
                {"out_refund_no": REFUND, "out_trade_no": PAYMENT, "amount": 800, "total": 8800, "notify_url": HOOK}
            )
        headers, body = wechat.heard()

        told = client.callback(headers, body)
        ours = wechat.adapter.verify(headers, body)
        resource = told["resource"]
        assert (ours.notice_id, ours.payment_id) == (told["id"], resource["out_trade_no"])
        if kind == "payment":
            assert told["event_type"] == "TRANSACTION.SUCCESS"
            assert ours.report.amount == Money(resource["amount"]["total"])
            assert ours.report.transaction_id == resource["transaction_id"]
            assert ours.report.at == datetime.fromisoformat(resource["success_time"])
        else:
            assert (told["event_type"], resource["refund_status"]) == ("REFUND.SUCCESS", "SUCCESS")
            assert ours.refund_id == resource["out_refund_no"] == REFUND
            assert ours.refund_report.amount == Money(resource["amount"]["refund"])

        assert client.callback(headers, changed(body)) is None
        with pytest.raises(ports.BadSignature):
            wechat.adapter.verify(headers, changed(body))
        assert client.callback(_probed(headers), body) is None
        with pytest.raises(ports.BadSignature, match="probe"):
            wechat.adapter.verify(_probed(headers), body)
        stranger = wechat_client(stand, apiv3_key="another-apiv3-key-of-32-bytes-!!", **changes)
        assert stranger.callback(headers, body) is None
        with pytest.raises(ports.UnreadableNotice):
            wechatpay.verify(headers, body, configuration=_with(stand, "another-apiv3-key-of-32-bytes-!!"))


def _core_order() -> dict[str, Any]:
    return {"out_trade_no": PAYMENT, "amount": 8800, "currency": "CNY", "notify_url": HOOK, "expires_at": 9e9}


def _probed(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"][19:]}


def _with(stand: WechatPay, apiv3_key: str) -> dict[str, Any]:
    return stand.configuration(apiv3_keys=[apiv3_key])


def sealed_by_others(stand: WechatPay, plain: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return a notice sealed by PyCryptodome and signed by the SDK: nothing of ours or of the stand-in took part."""
    cipher = AES.new(stand.keys.api_key.encode(), AES.MODE_GCM, nonce=b"fdasflkja484")
    cipher.update(b"transaction")
    sealed, tag = cipher.encrypt_and_digest(json.dumps(plain, ensure_ascii=False).encode())
    resource = {
        "original_type": "transaction",
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed + tag).decode(),
        "associated_data": "transaction",
        "nonce": "fdasflkja484",
    }
    envelope = {"id": "EV-1", "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource"}
    body = json.dumps({**envelope, "resource": resource}, indent=2)
    stamp = str(clock.epoch_s(clock.now()))
    signature = wechat_utils.rsa_sign(rsa.private_key(stand.platform[0].seed), f"{stamp}\n{NONCE}\n{body}\n")
    return {
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": NONCE,
        "Wechatpay-Signature": signature,
        "Wechatpay-Serial": stand.platform[0].serial,
    }, body.encode()


def test_wechat_notices_made_by_others_are_read_by_us(wechat: Side) -> None:
    stand = wechat.stand
    stand._create(_core_order())
    stand.pay(PAYMENT)
    plain = stand._transaction(stand.orders[PAYMENT])
    headers, body = sealed_by_others(stand, plain)

    ours = wechat.adapter.verify(headers, body)
    assert (ours.notice_id, ours.payment_id) == ("EV-1", PAYMENT)
    assert (ours.report.outcome, ours.report.amount) == (Outcome.CAPTURED, Money(8800))

    for wrong in (changed(body), body + b"\n"):
        with pytest.raises(ports.BadSignature):
            wechat.adapter.verify(headers, wrong)
    with pytest.raises(ports.ForeignNotice):
        wechat.adapter.verify(*sealed_by_others(stand, {**plain, "mchid": "1900000110"}))
    text = json.loads(body)
    text["resource"]["associated_data"] = "certificate"
    signed = json.dumps(text)
    stamp = headers["Wechatpay-Timestamp"]
    again = wechat_utils.rsa_sign(rsa.private_key(stand.platform[0].seed), f"{stamp}\n{NONCE}\n{signed}\n")
    with pytest.raises(ports.UnreadableNotice):
        wechat.adapter.verify({**headers, "Wechatpay-Signature": again}, signed.encode())


def test_wechat_sealed_fields_open_on_both_sides(wechat: Side) -> None:
    stand, settings = wechat.stand, wechat.adapter.settings
    key = rsa.private_key(stand.platform[0].seed)
    sealed, serial = wechatpay_wire.seal(settings, "王梅 6222 0001")
    assert serial == stand.platform[0].serial
    assert wechat_utils.rsa_decrypt(sealed, key) == "王梅 6222 0001"
    with pytest.raises(ValueError, match=r"."):
        wechat_utils.rsa_decrypt(base64.b64encode(changed(base64.b64decode(sealed))).decode(), key)
    stand._wanted_key = serial
    theirs = wechat_utils.rsa_encrypt("王梅 6222 0001", key.public_key())
    assert stand._unseal(theirs) == "王梅 6222 0001"
    assert stand._unseal(base64.b64encode(changed(base64.b64decode(theirs))).decode()) == ""


def test_wechat_answers_are_verified_alike(wechat: Side) -> None:
    """Bodies with spaces, in Chinese, and none at all (204): the SDK and we find the same."""
    stand, client = wechat.stand, wechat_client(wechat.stand)
    stand._create(_core_order())
    for status in (200, 404, 204):
        for _ in range(4):
            _, headers, body = stand._sign(status, {"code": "好"})
            lowered = {name.lower(): value for name, value in headers.items()}
            wechatpay_wire.authenticate(wechat.adapter.settings, lowered, body)
            assert client._core._verify_signature(headers, body.decode())
            for wrong in ((body + b" "), b"{}"):
                assert not client._core._verify_signature(headers, wrong.decode())
                with pytest.raises(ports.BadSignature):
                    wechatpay_wire.authenticate(wechat.adapter.settings, lowered, wrong)


# --- WeChat Pay: the SDK's client at the stand-in ---------------------------------------------------------------------


@pytest.fixture
def served_wechat() -> Iterator[tuple[WechatPay, Any]]:
    stand = WechatPay(names_type=1)
    server = Server(stand, hang_s=0.1).start()
    client = wechat_client(stand)
    client._core._gate_way = server.url
    yield stand, client
    server.stop()


def said(answer: tuple[int, str]) -> tuple[int, Any]:
    return answer[0], json.loads(answer[1]) if answer[1] else {}


def test_wechat_sdk_lives_with_the_stand_in(served_wechat: tuple[WechatPay, Any]) -> None:
    stand, client = served_wechat
    expires = (datetime.now(tz=clock.CHINA) + timedelta(minutes=30)).isoformat(timespec="seconds")
    kinds = wechatpayv3.WeChatPayType

    def create(number: str, **more: Any) -> tuple[int, Any]:
        amount = {"total": 8800, "currency": "CNY"}
        return said(client.pay(description="龙井茶", out_trade_no=number, amount=amount, time_expire=expires, **more))

    status, made = create(PAYMENT)
    assert (status, list(made)) == (200, ["code_url"])
    payer, scene = {"openid": OPENID}, {"payer_client_ip": "203.0.113.7", "h5_info": {"type": "Wap"}}
    assert list(create(f"pay_{BODY}_03", pay_type=kinds.JSAPI, payer=payer)[1]) == ["prepay_id"]
    assert list(create(f"pay_{BODY}_04", pay_type=kinds.MINIPROG, payer=payer)[1]) == ["prepay_id"]
    assert list(create(f"pay_{BODY}_05", pay_type=kinds.APP)[1]) == ["prepay_id"]
    assert list(create(f"pay_{BODY}_06", pay_type=kinds.H5, scene_info=scene)[1]) == ["h5_url"]
    assert create("no")[0] == 400

    status, order = said(client.query(out_trade_no=PAYMENT))
    assert (status, order["trade_state"], order["mchid"]) == (200, "NOTPAY", "1900000109")
    stand.pay(PAYMENT)
    status, order = said(client.query(out_trade_no=PAYMENT))
    assert (status, order["trade_state"], order["amount"]["total"]) == (200, "SUCCESS", 8800)
    assert said(client.query(transaction_id=order["transaction_id"])) == (200, order)
    assert said(client.close(out_trade_no=PAYMENT))[1]["code"] == "ORDER_PAID"
    create(SECOND)
    assert client.close(out_trade_no=SECOND)[0] == 204
    assert said(client.query(out_trade_no=SECOND))[1]["trade_state"] == "CLOSED"
    assert said(client.query(out_trade_no="pay_nobody_01")) == (
        404,
        {"code": "ORDER_NOT_EXIST", "message": "ORDER_NOT_EXIST"},
    )

    amount = {"refund": 800, "total": 8800, "currency": "CNY"}
    stand.steer(PAYMENT, refund="abnormal")
    status, refund = said(client.refund(REFUND, amount, out_trade_no=PAYMENT, reason="不合适"))
    assert (status, refund["status"], refund["amount"]["refund"]) == (200, "ABNORMAL", 800)
    assert said(client.query_refund(REFUND))[1]["status"] == "ABNORMAL"
    card = {"type": "USER_BANK_CARD", "bank_type": "ICBC", "bank_account": "6222 0001", "real_name": "王梅"}
    status, mended = said(client.abnormal_refund(refund["refund_id"], REFUND, **card))
    assert (status, mended["status"]) == (200, "PROCESSING")
    stand.settle(REFUND, "succeeded")
    assert said(client.query_refund(REFUND))[1]["status"] == "SUCCESS"
    assert said(client.query(out_trade_no=PAYMENT))[1]["trade_state"] == "REFUND"
    assert stand.money(PAYMENT) == (8800, 800)
    assert stand.refusals == []


def test_wechat_sdk_fetches_certificates_and_a_bill(served_wechat: tuple[WechatPay, Any], tmp_path: Path) -> None:
    stand, _ = served_wechat
    keys = [certificate(n, datetime.now(tz=clock.CHINA) - timedelta(days=1)) for n in (7, 8)]
    stand.platform = keys
    (tmp_path / f"{keys[0].serial}.pem").write_text(keys[0].pem)
    client = wechat_client(stand, cert_dir=str(tmp_path))
    client._core._gate_way = stand.base_url
    stand._create({**_core_order(), "out_trade_no": PAYMENT})
    stand.bodies[PAYMENT] = "{}"
    stand.pay(PAYMENT)
    stand.now = lambda: datetime.now(tz=clock.CHINA).timestamp()
    day = datetime.now(tz=clock.CHINA).date()

    client._core._update_certificates()  # Opens what the stand-in sealed.
    assert [f"{found.serial_number:X}" for found in client._core._certificates] == [key.serial for key in keys]
    assert sorted(file.stem for file in tmp_path.iterdir()) == sorted(key.serial for key in keys)
    assert said(client.query(out_trade_no=PAYMENT))[1]["trade_state"] == "SUCCESS"

    stand.orders[PAYMENT].paid_at = int(stand.now() - 2 * 86400)
    status, told = said(client.trade_bill((day - timedelta(days=2)).isoformat()))
    assert (status, told["hash_type"]) == (200, "SHA1")
    status, file = client.download_bill(told["download_url"])
    assert (status, file[:2]) == (200, b"\x1f\x8b")


def test_wechat_sdk_refuses_what_the_stand_in_spoils_and_is_refused_with_another_key(
    served_wechat: tuple[WechatPay, Any],
) -> None:
    stand, client = served_wechat
    stand._create(_core_order())
    for how in ("unsigned", "probe"):
        stand.steer(PAYMENT, **{how: ["query"]})
        with pytest.raises(Exception, match="failed to verify the signature"):
            client.query(out_trade_no=PAYMENT)
        assert said(client.query(out_trade_no=PAYMENT))[0] == 200
    stranger = wechat_client(stand, private_key=rsa.private_pem(public_key().seed))
    stranger._core._gate_way = stand.base_url
    assert said(stranger.query(out_trade_no=PAYMENT)) == (401, {"code": "SIGN_ERROR", "message": "signature is wrong"})


def test_wechat_sdk_has_no_window_and_we_have(wechat: Side) -> None:
    """Not ours to follow: the documents say 5 minutes."""
    stand = wechat.stand
    stand._create(_core_order())
    stand.pay(PAYMENT)
    (out,) = stand.outbox
    headers, body = stand.signed_notice(out.content, Steering(stale=True))
    assert wechat_client(stand).callback(headers, body)["resource"]["out_trade_no"] == PAYMENT
    with pytest.raises(ports.StaleNotice):
        wechat.adapter.verify(headers, body)
    del headers["Wechatpay-Signature-Type"]
    with pytest.raises(Exception, match="does not support this algorithm"):
        wechat_client(stand).callback(headers, body)


# --- Alipay: bytes ----------------------------------------------------------------------------------------------------

MODES = ["key", "certificate"]


def alipay_stand(mode: str, **changes: Any) -> Alipay:
    more: dict[str, Any] = {"certificates": True, "signing": [certified_key()]} if mode == "certificate" else {}
    return Alipay(**more | changes)


def alipay_client(stand: Alipay, **changes: Any) -> Any:
    """Return the SDK's client of the same app, in the stand-in's mode."""
    known = {"appid": stand.app_id, "app_private_key_string": rsa.private_pem(stand.app_seed), "app_notify_url": HOOK}
    if not stand.certificates:
        return alipay_sdk.AliPay(**known | {"alipay_public_key_string": stand.signing[0].pem} | changes)
    known |= {
        "app_public_key_cert_string": stand._app_certificate(),
        "alipay_public_key_cert_string": stand.signing[0].pem,
        "alipay_root_cert_string": stand._roots(),
    }
    return alipay_sdk.DCAliPay(**known | changes)


@pytest.fixture(autouse=True)
def _china_for_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK takes the machine's own clock for China's, eight hours off in Lambda: give it the right one."""
    now = SimpleNamespace(now=lambda: clock.now().astimezone(clock.CHINA))
    monkeypatch.setattr(alipay_sdk, "datetime", now)


@pytest.fixture(params=MODES)
def ali(request: pytest.FixtureRequest, noon: Any) -> Side:
    stand = alipay_stand(request.param, now=lambda: clock.now().timestamp())
    return Side(stand, alipay.build(stand.configuration()))


def pieces(text: str) -> list[str]:
    """Return the parameters as they are encoded; their order is free, that of what is signed is not."""
    return sorted(text.split("&"))


def test_alipay_certificate_numbers_are_the_sdks() -> None:
    """Those of the stand-in, and those of the official fixtures, whose root bundle holds SM2 certificates."""
    (recorded,) = vectors("alipay_public.json", "cert_sn")
    stand = alipay_stand("certificate")
    client = alipay_client(stand)
    settings = alipay_wire.settings(stand.configuration())
    assert (settings.app_cert_sn, settings.root_cert_sn) == (client.app_cert_sn, client.alipay_root_cert_sn)
    assert settings.root_cert_sn.count("_") == 1
    sdk = alipay_sdk.DCAliPay
    for pem in (recorded["app_cert_pem"], recorded["alipay_cert_pem"], stand.signing[0].pem):
        assert rsa_keys.verify_key(pem).sn == sdk.get_cert_sn(pem)
    assert rsa_keys.root_sn(recorded["root_cert_pem"]) == sdk.get_root_cert_sn(recorded["root_cert_pem"])
    assert rsa_keys.verify_key(recorded["app_cert_pem"]).sn != sdk.get_cert_sn(recorded["alipay_cert_pem"])


@pytest.mark.parametrize("method", ["page", "wap", "app"])
def test_alipay_order_texts_are_the_sdks_byte_for_byte(ali: Side, method: str) -> None:
    client = alipay_client(ali.stand)
    told = ali.adapter.create(ali.order(method=method))
    text = told.params["orderStr"] if method == "app" else told.url.partition("?")[2]
    ours = dict(parse_qsl(text))
    back = {} if method == "app" else {"return_url": "https://shop.example/done?a=1"}

    def theirs(content: str) -> str:
        return str(client.client_api(ours["method"], content, format="JSON", notify_url=HOOK, **back))

    assert pieces(text) == pieces(theirs(ours["biz_content"]))
    assert ("app_cert_sn" in ours) == ali.stand.certificates
    assert pieces(text) != pieces(theirs(ours["biz_content"].replace("88.00", "88.01")))
    # And what it would write by itself opens at the stand-in, whose wap product is Alipay's, not the SDK's default.
    content = json.loads(ours["biz_content"])
    named = {name: content[name] for name in ("subject", "out_trade_no", "total_amount", "time_expire")}
    its_own = getattr(client, f"api_alipay_trade_{method}_pay")(**named, product_code=content["product_code"])
    assert ali.stand.open(its_own).amount == 8800
    assert ali.stand.refusals == []
    with pytest.raises(ValueError, match=r"isv\.invalid-signature"):
        ali.stand.open(its_own.replace("88.00", "88.01"))
    if method == "wap":
        ali.stand.open(
            client.api_alipay_trade_wap_pay(**{**named, "out_trade_no": SECOND}, product_code="QUICK_WAP_WAY")
        )
        status, _, body = ali.stand.handle("GET", f"/gateway.do?{client.api_alipay_trade_wap_pay(**named)}", {}, b"")
        assert (status, b"isv.invalid-product_code" in body) == (200, True)


def test_alipay_takes_our_signature_of_every_call(ali: Side) -> None:
    client, adapter = alipay_client(ali.stand), ali.adapter
    adapter.create(ali.order(method="qr"))
    ali.stand.pay(PAYMENT)
    adapter.query(ali.attempt())
    adapter.close(ali.attempt())
    adapter.refund(ali.refund())
    adapter.query_refund(ali.refund())
    with pytest.raises(Exception, match="bill"):
        adapter.bill(clock.now().date())
    assert ali.stand.refusals == []
    assert len(ali.sent) == 7  # A close that is refused asks why.
    for request in ali.sent:
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        sign = form.pop("sign")
        assert pieces(request.body.decode()) == pieces(client.sign_data(dict(form)))
        assert sign != dict(parse_qsl(client.sign_data({**form, "version": "1.1"})))["sign"]


def answers(ali: Side, method: str, content: dict[str, Any]) -> tuple[bytes, dict[str, Any], str]:
    """Return an answer of the stand-in as it came, as we read it, and the name of its node."""
    form = alipay_wire.parameters(ali.adapter.settings, method, content)
    headers = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}
    _, _, body = ali.stand.handle("POST", "/gateway.do", headers, alipay_wire.encoded(form).encode())
    node = alipay_wire.read_reply(ali.adapter.settings, method, body)
    return body, node, method.replace(".", "_") + "_response"


def test_alipay_answers_are_verified_alike(ali: Side) -> None:
    """Slashes escaped or not, other scripts escaped or not, spaces, failures; the certificate's number anywhere."""
    ali.stand.braces = False
    client = alipay_client(ali.stand)
    ali.adapter.create(ali.order(method="qr"))
    ali.stand.pay(PAYMENT)
    seen = set()
    for number in [PAYMENT] * 24 + ["pay_nobody_01"] * 8:
        body, node, name = answers(ali, "alipay.trade.query", {"out_trade_no": number})
        seen.add((b"\\/" in body, b"\\u" in body, b"\n" in body, body.index(b'"sign"') > body.index(name.encode())))
        assert client._verify_and_return_sync_response(body.decode(), name) == node
        wrong = body.replace(b'"code":"', b'"code":"1', 1)
        assert wrong != body
        with pytest.raises(AliPayValidationError):
            client._verify_and_return_sync_response(wrong.decode(), name)
        with pytest.raises(ports.BadSignature):
            alipay_wire.read_reply(ali.adapter.settings, "alipay.trade.query", wrong)
    assert len(seen) >= 5


def test_alipay_sdk_stumbles_over_braces_in_texts_and_we_do_not(ali: Side) -> None:
    """Its issues 61 and 64: it counts braces where only a JSON scanner finds the end."""
    client = alipay_client(ali.stand)
    ali.adapter.create(ali.order(method="qr"))
    ali.stand.pay(PAYMENT)
    body, node, name = answers(ali, "alipay.trade.query", {"out_trade_no": PAYMENT})
    assert node["buyer_logon_id"] == '152****6706 }{"sign":"'
    with pytest.raises(AliPayValidationError):
        client._verify_and_return_sync_response(body.decode(), name)


def test_alipay_notices_of_the_stand_in_are_verified_by_the_sdk(ali: Side) -> None:
    client = alipay_client(ali.stand)
    ali.adapter.create(ali.order(method="qr"))
    ali.stand.pay(PAYMENT)
    paid = ali.heard()
    ali.adapter.refund(ali.refund())
    returned = ali.heard()
    ours = [ali.adapter.verify(*sent) for sent in (paid, returned)]
    assert ours[0].report.amount == Money(8800)
    assert (ours[1].refund_id, ours[1].refund_report.outcome) == (REFUND, RefundOutcome.SUCCEEDED)
    for headers, body in (paid, returned):
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        assert form.pop("alipay_cert_sn", "") == ali.stand.signing[0].sn
        sign = form.pop("sign")
        assert form["passback_params"] == ""  # Empty values are part of it.
        assert client.verify(dict(form), sign)
        assert not client.verify({**form, "total_amount": "88.01"}, sign)
        assert not client.verify({name: value for name, value in form.items() if value}, sign)
        with pytest.raises(ports.BadSignature):
            ali.adapter.verify(headers, body.replace(b"total_amount=88.00", b"total_amount=88.01"))


def test_alipay_notices_signed_by_the_sdk_are_read_by_us(ali: Side) -> None:
    """Also with the certificate's number among what is signed, as the document's words have it."""
    stand = ali.stand
    platform = alipay_sdk.AliPay(
        appid=stand.app_id,
        app_private_key_string=rsa.private_pem(stand.signing[0].seed),
        alipay_public_key_string=rsa.public_pem(stand.app_seed),
    )
    ali.adapter.create(ali.order(method="qr"))
    stand.pay(PAYMENT)
    _, body = ali.heard()
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    number = {"alipay_cert_sn": fields.pop("alipay_cert_sn")} if stand.certificates else {}
    del fields["sign"], fields["sign_type"]
    fields["subject"] = "茶 + 水 = 100% &c."

    def posted(signed: dict[str, str], **more: str) -> bytes:
        sign = dict(parse_qsl(platform.sign_data(dict(signed))))["sign"]
        told = {**signed, **more, "sign_type": "RSA2", "sign": sign}
        return alipay_wire.encoded(told).encode()

    for sent in (posted(fields, **number), posted({**fields, **number})):
        told = ali.adapter.verify({}, sent)
        assert (told.payment_id, told.report.amount) == (PAYMENT, Money(8800))
        with pytest.raises(ports.BadSignature):
            ali.adapter.verify({}, sent.replace(b"88.00", b"88.01"))
    if number:
        other = {"alipay_cert_sn": "0" * 32}
        for sent in (posted(fields, **other), posted({**fields, **other})):
            with pytest.raises(ports.UnknownKey):
                ali.adapter.verify({}, sent)
    with pytest.raises(ports.BadSignature):  # Of the family that keeps the type: not that of payments.
        ali.adapter.verify({}, posted({**fields, "sign_type": "RSA2"}))


# --- Alipay: the SDK's client at the stand-in -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_alipay_sdk_lives_with_the_stand_in(mode: str) -> None:
    stand = alipay_stand(mode, braces=False)
    server = Server(stand, hang_s=0.1).start()
    try:
        client = alipay_client(stand)
        client._gateway = f"{server.url}/gateway.do"
        _alipay_life(stand, client, server.url)
    finally:
        server.stop()


def _alipay_life(stand: Alipay, client: Any, url: str) -> None:
    expires = f"{clock.now().astimezone(clock.CHINA) + timedelta(minutes=30):%Y-%m-%d %H:%M:%S}"
    order = {"subject": "龙井茶", "out_trade_no": PAYMENT, "total_amount": "88.00", "time_expire": expires}
    made = client.api_alipay_trade_precreate(**order)
    assert (made["code"], made["qr_code"]) == ("10000", f"{url}/?order={PAYMENT}")
    asked = client.api_alipay_trade_query(out_trade_no=PAYMENT)
    assert (asked["code"], asked["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")  # Nobody has scanned it yet.
    stand.pay(PAYMENT)
    asked = client.api_alipay_trade_query(out_trade_no=PAYMENT)
    assert (asked["trade_status"], asked["total_amount"]) == ("TRADE_SUCCESS", "88.00")
    assert client.api_alipay_trade_close(out_trade_no=PAYMENT)["sub_code"] == "ACQ.TRADE_STATUS_ERROR"

    refund = {"out_trade_no": PAYMENT, "refund_amount": "8.00", "out_request_no": REFUND}
    done = client.api_alipay_trade_refund(**refund)
    assert (done["fund_change"], done["refund_fee"]) == ("Y", "8.00")
    again = client.api_alipay_trade_refund(**refund)
    assert (again["fund_change"], again["refund_fee"]) == ("N", "8.00")
    found = client.api_alipay_trade_fastpay_refund_query(REFUND, out_trade_no=PAYMENT)
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "8.00")
    unknown = client.api_alipay_trade_fastpay_refund_query("ref_nobody_01", out_trade_no=PAYMENT)
    assert unknown == {"code": "10000", "msg": "Success"}
    assert stand.money(PAYMENT) == (8800, 800)

    page = client.api_alipay_trade_page_pay(**{**order, "out_trade_no": SECOND}, return_url="https://shop.example/done")
    with urllib.request.urlopen(f"{url}/gateway.do?{page}") as shown:
        assert shown.url == f"{url}/?order={SECOND}"
        assert SECOND in shown.read().decode()
    assert client.api_alipay_trade_close(out_trade_no=SECOND)["trade_status"] == "TRADE_CLOSED"
    assert stand.refusals == []

    stranger = alipay_client(stand, app_private_key_string=rsa.private_pem(stand.signing[0].seed))
    stranger._gateway = client._gateway
    with pytest.raises(AliPayException, match=r"isv\.invalid-signature"):
        stranger.api_alipay_trade_query(out_trade_no=PAYMENT)
    stand.steer(PAYMENT, unsigned=["query"])
    with pytest.raises(AliPayValidationError):
        client.api_alipay_trade_query(out_trade_no=PAYMENT)
    stand.steer(PAYMENT, no_signature=["query"])
    with pytest.raises(AliPayException, match="trade_status"):
        client.api_alipay_trade_query(out_trade_no=PAYMENT)


# --- Stripe: the SDK's client at the stand-in -------------------------------------------------------------------------


def test_stripe_sdk_lives_with_the_stand_in() -> None:
    stand = Stripe()
    server = Server(stand, hang_s=0.1).start()
    try:
        _stripe_life(stand, stripe_sdk.StripeClient(stand.keys.secret_key, base_addresses={"api": server.url}))
        stranger = stripe_sdk.StripeClient("sk_test_nobody", base_addresses={"api": server.url}, max_network_retries=0)
        with pytest.raises(stripe_sdk.AuthenticationError):
            stranger.v1.payment_intents.retrieve("pi_1")
    finally:
        server.stop()


def _stripe_life(stand: Stripe, client: Any) -> None:
    now = int(clock.now().timestamp())
    order = {
        "mode": "payment",
        "client_reference_id": PAYMENT,
        "metadata": {"payment_id": PAYMENT},
        "payment_intent_data": {"metadata": {"payment_id": PAYMENT}},
        "success_url": "https://shop.example/done",
        "cancel_url": "https://shop.example/done",
        "expires_at": now + 3600,
        "line_items": [
            {
                "quantity": 1,
                "price_data": {"currency": "usd", "unit_amount": 8800, "product_data": {"name": "龙井茶 & tea"}},
            }
        ],
    }
    once = {"idempotency_key": PAYMENT}
    session = client.v1.checkout.sessions.create(order, once)
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 8800)
    assert client.v1.checkout.sessions.create(order, once).id == session.id
    with pytest.raises(stripe_sdk.IdempotencyError):
        client.v1.checkout.sessions.create({**order, "expires_at": now + 7200}, once)
    stand.pay(PAYMENT)
    asked = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (asked.payment_status, asked.payment_intent.amount_received) == ("paid", 8800)
    with pytest.raises(stripe_sdk.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)
    refund = {
        "payment_intent": asked.payment_intent.id,
        "amount": 800,
        "reason": "requested_by_customer",
        "metadata": {"refund_id": REFUND, "payment_id": PAYMENT},
    }
    made = client.v1.refunds.create(refund, {"idempotency_key": REFUND})
    assert (made.status, made.amount) == ("succeeded", 800)
    found = client.v1.refunds.list({"payment_intent": asked.payment_intent.id, "limit": 100})
    assert [one.id for one in found] == [made.id]
    assert stand.money(PAYMENT) == (8800, 800)

    for out in stand.outbox:
        headers, body = stand.signed_notice(out.content, out.steering)
        event = client.construct_event(body, headers["stripe-signature"], stand.keys.webhook_secrets[0])
        assert event.id == out.content["id"]
        with pytest.raises(stripe_sdk.SignatureVerificationError):
            client.construct_event(changed(body), headers["stripe-signature"], stand.keys.webhook_secrets[0])
