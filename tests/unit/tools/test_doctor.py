from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.kernel import clock
from chalicelib.runtime import aws, caches, names
from chalicelib.runtime.config import config
from tools.fakes.sandbox import alipay, rsa, wechatpay
from tools.operate import doctor
from tools.operate.doctor import Level, examine

START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def key(password: bytes | None = None) -> tuple[ec.EllipticCurvePrivateKey, str]:
    made = ec.generate_private_key(ec.SECP256R1())
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    return made, pem.decode()


def certificate(of: ec.EllipticCurvePrivateKey, *, start: int = -1, days: int = 365) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(of.public_key())
        .serial_number(7)
        .not_valid_before(START + timedelta(days=start))
        .not_valid_after(START + timedelta(days=days))
        .sign(of, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


PRIVATE, PRIVATE_PEM = key()
QQ = {
    "mch_id": "1900000109",
    "appid": "1104606907",
    "keys": ["0123456789abcdef0123456789abcdef"],
    "op_user_id": "1900000109",
    "op_user_password": "a good one",
    "certificate": certificate(PRIVATE),
    "private_key": PRIVATE_PEM,
}
STRIPE = {
    "secret_key": "sk_test_1234567890",
    "publishable_key": "pk_test_1234567890",
    "webhook_secrets": ["whsec_1234567890"],
}
Stage = Callable[..., None]


@pytest.fixture(autouse=True)
def now() -> Iterator[None]:
    with clock.use(clock.Fixed(START)):
        yield


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Set the stage and the public address; QQ Wallet is on."""

    def use(name: str, url: str = "https://api.shop.example", **settings: str) -> None:
        monkeypatch.setenv("BIANDAN_STAGE", name)
        monkeypatch.setenv("BIANDAN_PUBLIC_URL", url)
        for setting, value in settings.items():
            monkeypatch.setenv(f"BIANDAN_{setting}", value)
        config.cache_clear()

    monkeypatch.setenv("BIANDAN_QQWALLET", "on")
    yield use
    monkeypatch.undo()
    config.cache_clear()
    caches.forget_all()


def said(provider: str, secret: dict[str, Any], *, level: Level | None = None) -> str:
    findings = examine(provider, named=True, secret=secret)
    assert all(finding.en and finding.zh and finding.en != finding.zh for finding in findings)
    return "\n".join(finding.en for finding in findings if level in (None, finding.level))


def test_sound_configurations(stage: Stage) -> None:
    stage("dev")
    assert said("qqwallet", QQ) == ""
    assert said("stripe", STRIPE) == ""
    stage("prod")
    live = {**STRIPE, "secret_key": "rk_live_1234567890", "publishable_key": "pk_live_1"}
    assert said("stripe", live) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mch_id": ""}, "mch_id is missing"),
        ({"mch_id": "shop"}, "not a number of about ten digits"),
        ({"appid": None}, "appid is missing"),
        ({"keys": []}, "keys must be a list"),
        ({"keys": "0123456789abcdef0123456789abcdef"}, "keys must be a list"),
        ({"keys": ["short"]}, "keys[0] does not have 32 characters"),
        ({"keys": ["a" * 32, "a" * 32]}, "the same entry twice"),
        ({"keys": ["a" * 32, "b" * 32, "c" * 32]}, "remove the old ones"),
        ({"keys": ["local-qqwallet-key-0123456789abcd"]}, "keys[0] is the default of a laptop"),
        ({"op_user_password": "changeme"}, "op_user_password is a placeholder"),
        ({"op_user_password": None}, "op_user_password is missing"),
        ({"op_user_id": ""}, "op_user_id is empty"),
        ({"op_user_password": " x1"}, "begins or ends with white space"),
        ({"sign_type": "HMAC-SHA256"}, "not documented"),
        ({"sign_type": "SHA1"}, "the adapter refuses it"),
        ({"certificate": None}, "certificate or private_key is missing"),
        ({"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "certificate cannot be read"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}, "private_key cannot be read"),
        ({"private_key": key(b"password")[1]}, "private_key is encrypted"),
        ({"private_key": key()[1]}, "private_key does not belong to certificate"),
        ({"certificate": certificate(PRIVATE, start=-300, days=-1)}, "certificate expired on 2026-11-21"),
        ({"certificate": certificate(PRIVATE, start=2)}, "certificate is not valid before 2026-11-24"),
        ({"certificate": certificate(PRIVATE, days=20)}, "certificate ends on 2026-12-12"),
    ],
)
def test_what_is_wrong_with_qq_wallet(stage: Stage, changes: dict[str, Any], words: str) -> None:
    stage("dev")
    assert words in said("qqwallet", {name: value for name, value in {**QQ, **changes}.items() if value is not None})


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("dev", {"secret_key": None}, "secret_key is missing"),
        ("dev", {"secret_key": "pk_test_1"}, "secret_key does not look like sk_... or rk_..."),
        ("dev", {"publishable_key": "sk_test_1"}, "publishable_key does not look like pk_..."),
        ("dev", {"publishable_key": None}, "only Checkout works"),
        ("dev", {"secret_key": "sk_live_1"}, "secret_key is of live mode, but this is stage dev"),
        ("prod", {}, "secret_key is of test mode, but this is stage prod"),
        ("prod", {}, "publishable_key is of test mode"),
        ("dev", {"webhook_secrets": "whsec_1"}, "webhook_secrets must be a list"),
        ("dev", {"webhook_secrets": ["1234567890"]}, "webhook_secrets[0] does not begin with whsec_"),
        ("dev", {"account": "1"}, "account does not begin with acct_"),
        ("dev", {"return_url": "http://shop.example"}, "return_url is not https"),
        ("dev", {"livemode": True}, "livemode stands in the secret"),
    ],
)
def test_what_is_wrong_with_stripe(stage: Stage, name: str, changes: dict[str, Any], words: str) -> None:
    stage(name)
    secret = {key: value for key, value in {**STRIPE, **changes}.items() if value is not None}
    assert words in said("stripe", secret)


@pytest.mark.parametrize(
    ("provider", "changes", "level", "words"),
    [
        ("wechatpay", {}, None, ""),
        ("alipay", {}, None, ""),
        ("wechatpay", {"platform_keys": [wechatpay.certificate().entry()]}, Level.WARNING, "no public key"),
        (
            "wechatpay",
            {"platform_keys": [{"serial": "PUB_KEY_ID_0116", "pem": rsa.public_pem("wechatpay merchant 1")}]},
            Level.ERROR,
            "PUB_KEY_ID_0116 is the merchant's own key",
        ),
        (
            "wechatpay",
            {"appids": {"miniprogram": "wx1"}},
            Level.ERROR,
            "appids names miniprogram: the methods are native",
        ),
        ("wechatpay", {"mchid": "shop"}, Level.WARNING, "mchid is not a number"),
        ("alipay", {"alipay_keys": [{"pem": rsa.public_pem("alipay app 1")}]}, Level.ERROR, "is the app's own key"),
        ("alipay", {"seller_id": "shop@example.com"}, Level.WARNING, "16 digits that begins with 2088"),
        ("alipay", {"alipay_keys": None}, Level.ERROR, "alipay_keys is missing"),
    ],
)
def test_what_is_wrong_with_wechat_pay_and_alipay(
    stage: Stage, provider: str, changes: dict[str, Any], level: Level | None, words: str
) -> None:
    stage("dev")
    sound = {"wechatpay": wechatpay.WechatPay, "alipay": alipay.Alipay}[provider]().configuration()
    found = said(provider, {**sound, "apiv3_keys": ["0123456789abcdef" * 2], **changes})
    assert words in found
    assert bool(found) is bool(words)
    assert said(provider, {**sound, "apiv3_keys": ["0123456789abcdef" * 2], **changes}, level=level) == found


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://api.shop.example", "is not https"),
        ("https://api.shop.example/" + "x" * 230, "characters, at most 255"),
        ("https://api.shop.example/?stage=dev", "has a query"),
        ("https://localhost:8000", "nobody outside reaches"),
    ],
)
def test_what_is_wrong_with_the_webhook(stage: Stage, url: str, words: str) -> None:
    stage("dev", url)
    assert words in said("stripe", STRIPE, level=Level.ERROR)
    assert words in said("qqwallet", QQ, level=Level.ERROR)


def test_stand_ins_stay_out_of_real_stages(stage: Stage) -> None:
    stage("dev", STRIPE_URL="http://127.0.0.1:9", QQWALLET_URL="http://127.0.0.1:9")
    assert said("stripe", STRIPE) == said("qqwallet", QQ) == ""
    stage("prod")
    assert "BIANDAN_STRIPE_URL is not the provider's own address" in said("stripe", STRIPE)
    assert "BIANDAN_QQWALLET_URL is not the provider's own address" in said("qqwallet", QQ)
    assert "the adapter refuses it" in said("qqwallet", QQ)


def test_a_provider_that_is_off_is_only_mentioned(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage("dev", QQWALLET="off")
    (note,) = examine("qqwallet", named=False, secret={})
    assert (note.level, note.en) == (Level.NOTE, "it is off; BIANDAN_QQWALLET=on turns it on")
    assert len(examine("qqwallet", named=True, secret={})) > 1
    stage("prod")
    assert [finding.level for finding in examine("sandbox", named=True, secret={})] == [Level.NOTE]


def test_every_provider_can_be_looked_at(stage: Stage) -> None:
    stage("dev")
    assert {"qqwallet", "sandbox", "stripe"} <= set(doctor.names_of_all())
    for provider in doctor.names_of_all():
        findings = examine(provider, named=True, secret={})
        assert all(finding.zh for finding in findings)
        assert provider == "sandbox" or any(finding.level is Level.ERROR for finding in findings), provider
    assert examine("nobody", named=True)[0].level is Level.ERROR


def test_the_command_reads_a_file(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage("dev")
    file = tmp_path / "stripe.json"
    file.write_text(json.dumps(STRIPE))
    assert doctor.main(["stripe", "--file", str(file)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == ["stripe", "  ✓ nothing to complain of"]
    assert json.loads(out[-1]) == {"stage": "dev", "providers": 1, "errors": 0, "warnings": 0, "notes": 0}
    file.write_text(json.dumps({**STRIPE, "secret_key": "sk_live_hush"}))
    assert doctor.main(["stripe", "--file", str(file), "--language", "zh"]) == 1
    out_zh = capsys.readouterr().out
    assert "  ✗ secret_key 是 live 模式，而当前阶段是 dev：只有 prod 是正式环境" in out_zh
    assert "hush" not in out_zh
    for wrong in (["--file", str(file)], ["stripe", "--file", str(tmp_path / "none")]):
        with pytest.raises(SystemExit):
            doctor.main(wrong)
    file.write_text("[]")
    with pytest.raises(SystemExit):
        doctor.main(["stripe", "--file", str(file)])


def put(provider: str, text: str) -> None:
    aws.call(
        "secretsmanager", "CreateSecret", {"Name": names.secret_name(f"payments-{provider}"), "SecretString": text}
    )


def test_the_command_reads_secrets_manager(
    cloud: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(["stripe"]) == 1
    assert "  ✗ not set up: the secret biandan/local/payments-stripe does not exist" in capsys.readouterr().out
    assert doctor.main([]) == 0, "what is not set up is only mentioned"
    assert "  · not set up: the secret biandan/local/payments-stripe does not exist" in capsys.readouterr().out
    put("stripe", json.dumps(STRIPE))
    assert doctor.main(["stripe"]) == 0
    put("qqwallet", "no JSON")
    monkeypatch.setenv("BIANDAN_QQWALLET", "on")
    assert doctor.main(["qqwallet"]) == 1
    assert "  ✗ the secret biandan/local/payments-qqwallet is not a JSON object" in capsys.readouterr().out
