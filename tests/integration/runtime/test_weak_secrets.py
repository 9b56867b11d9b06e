"""No installation outside a laptop starts with a key that somebody can guess or read in this repository."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.auth import tokens
from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import aws, caches, log, names, secrets, strength
from chalicelib.runtime.config import config
from chalicelib.runtime.strength import OURS, weaknesses
from infra import functions, policies
from tests.support.http import call
from tools.fakes import resources
from tools.fakes.sandbox import providers
from tools.operate import doctor
from tools.release import deploy, keys, package

ROOT = Path(__file__).parents[3]
DRAWN = "p3Zk9vQxT1mWc7Jb0hRyLs5dNfGaU2eViXo8KtMqEwA"
SEED = base64.b64encode(bytes.fromhex("9f3c61d207b84ae5138d5c0e9a774bf26f21c8e0db4a95377e10b3ac58d4f692")).decode()
ZEROS = base64.b64encode(bytes(32)).decode()
AUTH: dict[str, Any] = {"signing_keys": [{"kid": "k1", "seed": SEED}], "pepper": DRAWN}


@pytest.fixture
def prod(cloud: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage of its own with good secrets, as its functions see it."""
    with monkeypatch.context() as patch:
        patch.setenv("BIANDAN_STAGE", "prod")
        patch.setattr(names, "secret_name", lambda name: f"biandan/prod/{name}")
        config.cache_clear()
        caches.forget_all()
        put("auth", AUTH)
        put("http", {"cursor_key": DRAWN})
        put("checkout", {"quote_key": DRAWN[::-1]})
        put("messages", {"seal_key": DRAWN[1:], "id_key": DRAWN[:-1]})
        yield
    config.cache_clear()
    caches.forget_all()


def put(name: str, value: dict[str, Any]) -> None:
    secret_id, text = f"biandan/prod/{name}", json.dumps(value)
    try:
        aws.call("secretsmanager", "CreateSecret", {"Name": secret_id, "SecretString": text})
    except Exception as error:
        if aws.error_code(error) != "ResourceExistsException":
            raise
        aws.call("secretsmanager", "PutSecretValue", {"SecretId": secret_id, "SecretString": text})
    caches.forget_all()


def seeded(seed: bytes) -> dict[str, Any]:
    return {**AUTH, "signing_keys": [{"kid": "k1", "seed": base64.b64encode(seed).decode()}]}


BAD: list[tuple[str, dict[str, Any]]] = [
    ("auth", {**AUTH, "signing_keys": resources.local_secrets()["auth"]["signing_keys"]}),
    (
        "auth",
        {**AUTH, "signing_keys": [*AUTH["signing_keys"], {"kid": "k2", "seed": base64.b64encode(bytes(32)).decode()}]},
    ),
    ("auth", seeded(bytes(32))),
    ("auth", seeded(b"\x01" * 32)),
    ("auth", seeded(bytes(range(32)))),
    ("auth", seeded(b"ab" * 16)),
    ("auth", seeded(b"production-signing-key-number-01")),
    ("auth", seeded(b"short")),
    ("auth", {**AUTH, "signing_keys": [{"kid": "k1", "seed": ""}]}),
    ("auth", {**AUTH, "signing_keys": [{"kid": "k1", "seed": None}]}),
    ("auth", {**AUTH, "pepper": "x"}),
    ("auth", {**AUTH, "pepper": ""}),
    ("auth", {**AUTH, "pepper": "   "}),
    ("auth", {**AUTH, "pepper": "a" * 64}),
    ("auth", {**AUTH, "pepper": "abcdefgh" * 8}),
    ("auth", {**AUTH, "pepper": "changeme"}),
    ("auth", {**AUTH, "pepper": "ChangeMe"}),
    ("auth", {**AUTH, "pepper": "the pepper of our production shop 2026"}),
    ("auth", {**AUTH, "pepper": "local-pepper"}),
    ("auth", {**AUTH, "pepper": 12345678901234567890}),
    ("auth", {**AUTH, "pepper": ["x"]}),
    ("auth", {**AUTH, "more": {"deep": [{"token": "test"}]}}),
    ("auth", {"signing_keys": AUTH["signing_keys"]}),
    ("auth", {"pepper": DRAWN}),
    ("auth", {**AUTH, "signing_keys": []}),
    ("auth", {**AUTH, "signing_keys": {"kid": "k1", "seed": SEED}}),
    ("auth", {**AUTH, "signing_keys": [{"seed": SEED}]}),
    ("auth", {**AUTH, "signing_keys": [SEED]}),
    ("checkout", {}),
    ("messages", {"seal_key": DRAWN}),
    ("messages", {"seal_key": "local-seal-key", "id_key": DRAWN}),
    ("http", {"cursor_key": "0123456789" * 4}),
    ("http", {"cursor_key": "short-Key-1"}),
    ("checkout", {"quote_key": "-" * 40}),
    ("payments-qqwallet", {"mch_id": "1900000109", "keys": ["x" * 32]}),
    ("payments-qqwallet", {"mch_id": "1900000109", "keys": [DRAWN[:32], "0123456789abcdef" * 2]}),
    ("payments-stripe", {"secret_key": "sk", "webhook_secrets": ["whsec_a8Kd82jHs7"]}),
    ("logistics-kuaidi100", {"customer": "ABC123", "key": "aaaaaaaa", "salt_key": DRAWN}),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda part: part if isinstance(part, str) else "")
def test_what_can_be_guessed_or_read_here_is_refused(prod: None, name: str, value: dict[str, Any]) -> None:
    put(name, value)
    with pytest.raises(Misconfigured) as caught:
        secrets.secret(name)
    texts = [str(text) for _, _, text in strength._texts(value) if len(str(text)) >= 8]
    assert [text for text in texts if text in str(caught.value)] == []  # What it is stays out of the log.


@pytest.mark.parametrize("name", ["wechatpay", "alipay", "qqwallet", "stripe"])
def test_the_stand_ins_keys_are_nobodys(prod: None, name: str) -> None:
    put(f"payments-{name}", providers.secret_of(name, providers.create()[name]))
    with pytest.raises(Misconfigured, match="stands in the repository"):
        secrets.secret(f"payments-{name}")


def test_every_private_key_of_the_repository_is_known() -> None:
    found = 0
    for path in (ROOT / "tests").rglob("*.json"):
        for pem in re.findall(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", path.read_text()
        ):
            if "..." in pem:
                continue
            found += 1
            for text in (pem.replace("\\n", "\n"), pem.replace("\\n", "\r\n"), pem.replace("\\n", "\n") + "\n\n"):
                assert [why for _, why in weaknesses("payments-wechatpay", {"merchant_keys": [{"pem": text}]})]
    assert found > 1


@given(st.binary(min_size=32, max_size=32))
def test_random_keys_are_good(raw: bytes) -> None:
    if len(set(raw)) < 24 or raw.isascii():
        return
    drawn = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    if drawn.lower() == drawn or drawn.upper() == drawn:
        return
    good = {"signing_keys": [{"kid": "k1", "seed": base64.b64encode(raw).decode()}], "pepper": drawn}
    assert list(weaknesses("auth", good)) == []
    assert list(weaknesses("http", {"cursor_key": raw.hex()})) == []


def test_what_our_own_tool_draws_is_good() -> None:
    for _ in range(200):
        ready, _ = keys.values({}, lambda _: "")
        assert [found for name, value in ready.items() for found in weaknesses(name, value)] == []


def test_a_laptop_may_have_its_defaults(cloud: str) -> None:
    assert secrets.text("auth", "pepper") == "local-pepper"


# --- at the start -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("path", ["/v1/categories", "/docs", "/v1/nowhere", "/.well-known/jwks.json"])
def test_the_api_answers_nothing_with_a_weak_key_of_ours(
    prod: None, monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-prod-api")
    field = {"http": "cursor_key", "auth": "pepper", "checkout": "quote_key", "messages": "seal_key"}[name]
    good = secrets.secret(name)
    assert call("GET", "/docs").status == 200
    put(name, {**good, field: "x"})
    refused = call("GET", path)
    assert (refused.status, refused.json["code"]) == (500, "misconfigured")
    asked: list[str] = []

    def count(service: str, operation: str, params: Any, proceed: Any) -> Any:
        asked.append(operation)
        return proceed()

    with aws.hooked(count):
        assert call("GET", path).status == 500
    assert asked == []  # A stranger does not make us ask again and again.
    put(name, good)
    assert call("GET", "/docs").status == 200


def test_a_missing_key_of_ours_stops_the_api_too(prod: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-prod-api")
    aws.call(
        "secretsmanager", "DeleteSecret", {"SecretId": "biandan/prod/checkout", "ForceDeleteWithoutRecovery": True}
    )
    assert call("GET", "/docs").json["code"] == "misconfigured"


def test_a_providers_weak_key_stops_that_provider_alone(prod: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.payments.consumers import consumer

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-prod-payments")
    monkeypatch.setenv("BIANDAN_SECRETS", "payments-*")
    put("payments-stripe", {"secret_key": "sk", "webhook_secrets": ["x"]})
    told: list[str] = []
    monkeypatch.setattr(log, "error", lambda _, **fields: told.append(fields["why"]))
    assert consumer.handle({"Records": []}) == {"batchItemFailures": []}
    assert [line for line in told if "payments-stripe" in line] != []
    assert [line for line in told if "does not exist" in line] == []
    told.clear()
    consumer.handle({"Records": []})
    assert told == []  # Once in a process.


def test_a_function_is_told_which_secrets_it_may_read() -> None:
    stage = policies.chalice_config()["stages"]["prod"]["lambda_functions"]
    for name, function in functions.FUNCTIONS.items():
        held = stage[name].get("environment_variables", {}).get("BIANDAN_SECRETS", "")
        assert tuple(filter(None, held.split(","))) == function.secrets
    assert set(OURS) <= set(functions.FUNCTIONS[functions.API].secrets)


# --- before a deployment ----------------------------------------------------------------------------------------------


def test_a_stage_with_weak_secrets_is_not_deployed(
    prod: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import boto3.session

    session = boto3.session.Session(region_name="us-east-1")
    assert keys.weak(session, "prod") == []
    put("auth", seeded(bytes(32)))
    assert keys.weak(session, "prod") == ["biandan/prod/auth: signing_keys[0].seed is easy to guess"]
    monkeypatch.setattr(package, "build", lambda *_: pytest.fail("nothing is built"), raising=False)
    assert deploy.main(["--stage", "prod"]) == 1
    assert "mend the secrets first" in capsys.readouterr().err
    assert keys.main(["--stage", "prod", "--check"]) == 1
    assert "seed is easy to guess" in capsys.readouterr().out
    assert doctor.main([]) == 1
    assert "signing_keys[0].seed is easy to guess" in capsys.readouterr().out


def test_tokens_are_not_signed_with_a_key_of_zeros(prod: None) -> None:
    put("auth", seeded(bytes(32)))
    with pytest.raises(Misconfigured):
        tokens.jwks()


def test_a_function_that_was_told_no_stage_is_no_laptop(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIANDAN_STAGE", raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-prod-api")
    config.cache_clear()
    caches.forget_all()
    try:
        with pytest.raises(Misconfigured, match="stands in the repository"):
            secrets.secret("auth")
        assert call("GET", "/docs").json["code"] == "misconfigured"
    finally:
        monkeypatch.undo()
        config.cache_clear()
        caches.forget_all()
