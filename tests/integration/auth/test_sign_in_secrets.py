"""A way to sign in whose secret is missing, empty or a default is told of and stands still; the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.auth.external import providers
from chalicelib.auth.external.providers._shared import asking
from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import secrets, strength
from chalicelib.runtime.config import Config, config
from tests.support.elsewhere import SETTINGS
from tests.support.http import call
from tools.fakes.resources import local_secrets

SOUND = {"appid": "101234567", "app_secret": "0f8Kd7sLq2Wz9XcVb4Nm6Jh1Gt5Yr3Eu"}


@pytest.fixture
def stage(cloud: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Play a stage in the cloud to whoever reads secrets; ``held`` is what it has under each name."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    there: Config = replace(config(), stage="prod")
    monkeypatch.setattr(secrets, "config", lambda: there)
    secrets.forget()
    yield monkeypatch
    secrets.forget()


@pytest.mark.parametrize("name", ["qq", "qq_mini", "wechat_mini"])
def test_a_laptops_secret_is_refused_elsewhere(stage: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(Misconfigured, match=r"app_secret stands in the repository"):
        asking.app(name)


@pytest.mark.parametrize("secret", ["", "changeme", "secret", "short", "aaaaaaaaaaaa", "local-x"])
def test_what_no_app_may_have_as_its_secret(secret: str) -> None:
    assert list(strength.weaknesses("sign-in-qq", {**SOUND, "app_secret": secret})) != []
    assert list(strength.weaknesses("sign-in-qq", SOUND)) == []


def test_without_its_secret_a_way_says_so_and_no_more(stage: pytest.MonkeyPatch) -> None:
    def held(name: str) -> dict[str, Any]:
        if name == "sign-in-qq-mini":
            raise Misconfigured(why="secret biandan/prod/sign-in-qq-mini does not exist")
        return SOUND if name.startswith("sign-in-") else local_secrets()[name]

    stage.setattr(secrets, "secret", held)
    refused = call("POST", "/v1/auth/mini/qq_mini/sign-in", {"js_code": "x"})
    assert (refused.status, refused.json["code"]) == (500, "misconfigured")
    assert "secret" not in refused.body
    body = {"return_url": SETTINGS["BIANDAN_SIGN_IN_RETURNS"], "challenge": "A" * 43}
    assert call("POST", "/v1/auth/web/qq/begin", body).status == 200, "the others go on"


@pytest.mark.parametrize("appid", ["", "with space", "x" * 65, "a:b", "<b>"])
def test_what_is_no_number_of_an_app_is_refused(monkeypatch: pytest.MonkeyPatch, appid: str) -> None:
    monkeypatch.setattr(secrets, "secret", lambda _: {**SOUND, "appid": appid})
    with pytest.raises(Misconfigured):
        asking.app("qq")


def test_what_is_offered_is_looked_at_when_a_function_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_SIGN_IN", "wechat_mini,qq")
    assert providers._secrets() == ["sign-in-qq", "sign-in-wechat-mini"]
    monkeypatch.setenv("BIANDAN_SIGN_IN", "")
    assert providers._secrets() == []
