"""The secrets of providers and hubs, as they are asked for: each can be filled, and what is filled works."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.auth.external import providers as ways
from chalicelib.logistics import providers as hubs
from chalicelib.notifications import providers as channels
from chalicelib.notifications.domain import Kind
from chalicelib.payments import providers
from tests.unit.tools.test_doctor import QQ, Stage, stage
from tools.operate import doctor
from tools.release import key_forms, keys

__all__ = ["stage"]


def nobody(_: str) -> str:
    return ""


def test_every_provider_and_hub_there_is_has_a_form() -> None:
    ours = {f"payments-{name}" for name in providers.names()}
    theirs = {f"logistics-{m.name}" for m in pkgutil.iter_modules(hubs.__path__) if hasattr(_hub(m.name), "build")}
    elsewhere = {ways.secret_of(name) for name in (*ways.WEB, *ways.MINI)}
    messages = {f"messages-{name}" for name in channels.OF[Kind.SMS]}
    assert set(key_forms.FORMS) == ours | theirs | elsewhere | messages
    assert "payments-sandbox" not in key_forms.offered("prod")


def _hub(name: str) -> Any:
    return import_module(f"{hubs.__name__}.{name}")


def file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="ascii")
    return f"@{folder / name}"


@pytest.fixture(scope="module")
def had(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What a person has of each provider: numbers, keys, and files with the long ones."""
    folder = tmp_path_factory.mktemp("pem")
    qq = {name: str(value) for name, value in QQ.items()}
    own, theirs = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    coding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = own.private_bytes(coding, serialization.PrivateFormat.PKCS8, plain).decode()
    public = theirs.public_key().public_bytes(coding, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    own_file, their_file = file(folder, "own.pem", private), file(folder, "theirs.pem", public)
    return {
        "payments-alipay": {
            "app_id": "2019073166072302",
            "seller_id": "2088531891668739",
            "app_keys[0].pem": own_file,
            "alipay_keys[0].pem": their_file,
        },
        "payments-qqwallet": {
            **{name: qq[name] for name in ("mch_id", "appid", "op_user_id", "op_user_password")},
            "keys[0]": "4f8Kd7sLq2Wz9XcVb4Nm6Jh1Gt5Yr3Eu",
            "certificate": file(folder, "qq.pem", qq["certificate"]),
            "private_key": file(folder, "qq.key", qq["private_key"]),
        },
        "payments-sandbox": {"merchant_id": "m1", "api_key": "a key of a test", "webhook_key": "another of a test"},
        "payments-stripe": {"secret_key": "sk_test_1Ab2Cd3Ef4", "webhook_secrets[0]": "whsec_1Ab2Cd3Ef4"},
        "payments-wechatpay": {
            "mchid": "1900000109",
            "appid": "wxd678efh567hg6787",
            "merchant_keys[0].serial": "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB",
            "merchant_keys[0].pem": own_file,
            "apiv3_keys[0]": "0f8Kd7sLq2Wz9XcVb4Nm6Jh1Gt5Yr3Eu",
            "platform_keys[0].serial": "PUB_KEY_ID_0116000000000000000000000000",
            "platform_keys[0].pem": their_file,
            "appids.mini": "wx0123456789abcdef",
        },
        "logistics-kdniao": {"business_id": "1399999", "app_key": "a key of a test"},
        "logistics-kuaidi100": {"customer": "c1", "key": "a key of a test", "salt_key": "a salt of a test"},
        "messages-tencent": {
            "secret_id": "an id of a test",
            "secret_key": "a key of a test",
            "sdk_app_id": "1400006",
        },
        "messages-aliyun": {"access_key_id": "an id of a test", "access_key_secret": "a key of a test"},
        "sign-in-qq": {"appid": "101234567", "app_secret": "a secret of a test"},
        "sign-in-qq-mini": {"appid": "1112345678", "app_secret": "a secret of a test"},
        "sign-in-wechat-mini": {"appid": "wx0123456789abcdef", "app_secret": "a secret of a test"},
    }


def test_every_secret_is_asked_for_and_what_is_answered_works(had: dict[str, dict[str, str]], stage: Stage) -> None:
    stage("dev")

    def ask(what: str) -> str:
        secret, _, field = what.removesuffix(" (@file)").partition(".")
        return had[secret].get(field, "")

    ready, lacking = keys.values({}, ask)

    assert lacking == []
    assert set(ready) == {*keys.OURS, *key_forms.FORMS}
    for provider in doctor.names_of_all():
        wrong = [
            found.en
            for found in doctor.examine(provider, named=True, secret=ready[f"payments-{provider}"])
            if found.level is doctor.Level.ERROR
        ]
        assert wrong == []
    assert ready["payments-wechatpay"]["platform_keys"][0]["serial"].startswith("PUB_KEY_ID_")
    assert ready["payments-wechatpay"]["appids"] == {"mini": "wx0123456789abcdef"}


@pytest.mark.parametrize("secret", key_forms.FORMS)
def test_what_is_given_on_the_command_line_is_not_asked_for(secret: str, had: dict[str, dict[str, str]]) -> None:
    given = keys.told([f"{secret}.{field}={value}" for field, value in had[secret].items()])
    asked: list[str] = []

    ready, lacking = keys.values(given, lambda what: asked.append(what) or "")  # type: ignore[func-returns-value]

    assert secret in ready
    assert secret not in lacking
    needed = {f"{secret}.{field.path}" for field in key_forms.FORMS[secret] if field.needed}
    assert not needed & {what.removesuffix(" (@file)") for what in asked}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("payments-stripe.api_key=sk_test_1Ab2Cd3Ef4", "payments-stripe has no api_key; it has secret_key"),
        ("payments-stripe.secret_key=sk_test_1Ab2Cd3Ef4", r"payments-stripe needs webhook_secrets\[0\] too"),
        ("payments-paypal.secret_key=1Ab2Cd3Ef4", "there is no secret payments-paypal"),
        ("auth.pepper=1Ab2Cd3Ef4", "there is no secret auth that one is given"),
        ("payments-stripe=sk_test_1Ab2Cd3Ef4", "takes NAME.FIELD=VALUE"),
        ("payments-stripe.secret_key", "takes NAME.FIELD=VALUE"),
        ("payments-wechatpay.merchant_keys[0].pem=@/no/such/file", "cannot be read|needs"),
    ],
)
def test_what_was_mistyped_is_told_and_nothing_is_created(given: str, words: str) -> None:
    with pytest.raises(key_forms.FormError, match=words):
        keys.values(keys.told([given]), nobody)


def test_a_file_that_is_not_there_is_told(had: dict[str, dict[str, str]]) -> None:
    answered = {**had["payments-alipay"], "app_keys[0].pem": "@/no/such/file"}
    with pytest.raises(key_forms.FormError, match="/no/such/file cannot be read"):
        keys.values({"payments-alipay": answered}, nobody)


def test_a_weak_value_is_refused_before_it_is_anywhere() -> None:
    given = keys.told(["payments-stripe.secret_key=changeme", "payments-stripe.webhook_secrets[0]=whsec_1Ab2Cd3Ef4"])
    with pytest.raises(key_forms.FormError, match="payments-stripe: secret_key is empty or a default"):
        keys.values(given, nobody)


def test_prod_takes_no_provider_for_tests() -> None:
    given = keys.told(["payments-sandbox.merchant_id=m1"])
    with pytest.raises(key_forms.FormError, match="the stage prod takes no payments-sandbox"):
        keys.values(given, nobody, stage="prod")


def test_a_second_key_of_a_list_may_be_given() -> None:
    given = keys.told(
        [
            "payments-stripe.secret_key=sk_test_1Ab2Cd3Ef4",
            "payments-stripe.webhook_secrets[0]=whsec_1Ab2Cd3Ef4",
            "payments-stripe.webhook_secrets[1]=whsec_5Gh6Ij7Kl8",
        ]
    )
    ready, _ = keys.values(given, nobody)
    assert ready["payments-stripe"]["webhook_secrets"] == ["whsec_1Ab2Cd3Ef4", "whsec_5Gh6Ij7Kl8"]
    with pytest.raises(key_forms.FormError, match="a list has a gap"):
        key_forms.built({"keys[1]": "x"})
