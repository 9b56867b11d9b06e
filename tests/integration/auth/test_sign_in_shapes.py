"""Every shape in which QQ and WeChat may answer, at every step: what we say to it, and that nothing is half-written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import dump
from tests.support.elsewhere import by_mini, by_web, offered
from tests.support.http import Answer, call
from tools.fakes.sign_in import shapes
from tools.fakes.sign_in.stand_in import SignInHost

IN = (200, "")
REFUSED = (422, "sign_in_code_refused")
UNREADABLE = (502, "sign_in_unreadable")
BUSY = (503, "sign_in_busy")
LIMITED = (429, "sign_in_limited")
BROKEN = (502, "sign_in_unavailable")
SLOW = (504, "outbound_timeout")
HUGE = (502, "outbound_too_large")

ALWAYS = {
    "normal": IN,
    "odd_openid": UNREADABLE,
    "html": UNREADABLE,
    "empty": UNREADABLE,
    "not_utf8": UNREADABLE,
    "cut": UNREADABLE,
    "twice": UNREADABLE,
    "deep": UNREADABLE,
    "list": UNREADABLE,
    "too_large": UNREADABLE,
    "huge": HUGE,
    "http_404": UNREADABLE,
    "http_429": LIMITED,
    "http_500": BUSY,
    "http_502": BUSY,
    "redirect": UNREADABLE,
    "slow": SLOW,
    "silent": SLOW,
}
WEB = {
    **ALWAYS,
    "jsonp": IN,
    "form": IN,
    "json_error": REFUSED,
    "jsonp_error": REFUSED,
    "form_error": REFUSED,
    "text_error": REFUSED,
    "odd_error": UNREADABLE,
    "ret_msg": REFUSED,
}
TOKEN = {
    **WEB,
    "odd_openid": IN,
    "no_openid": IN,
    "no_unionid": REFUSED,
    "foreign": IN,
    "no_client_id": IN,
    "no_token": UNREADABLE,
}
"""What a token's answer says beside the token is not read: whose it is, ``me`` says."""
ME = {**WEB, "no_openid": UNREADABLE, "no_unionid": IN, "foreign": REFUSED, "no_client_id": REFUSED, "no_token": IN}
MINI = {
    **ALWAYS,
    "no_openid": UNREADABLE,
    "busy": BUSY,
    "bad_code": REFUSED,
    "limited": LIMITED,
    "unknown_error": BROKEN,
    "text_error": REFUSED,
    "odd_error": UNREADABLE,
    "zero": IN,
    "no_unionid": IN,
    "no_key": UNREADABLE,
    "bad_key": UNREADABLE,
    "jsonp": UNREADABLE,
}
EXPECTED: dict[str, dict[str, tuple[int, str]]] = {
    "token": TOKEN,
    "me": ME,
    "user": dict.fromkeys(shapes.shapes_of("user"), IN),  # A profile never fails a sign-in.
    "qq_mini": MINI,
    "wechat_mini": {**MINI, "blocked": (403, "sign_in_blocked")},
}
CASES = [(step, shape) for step, found in EXPECTED.items() for shape in found]


@pytest.fixture(scope="module")
def host(shared_cloud: str) -> Iterator[SignInHost]:
    with offered() as found:
        yield found


@pytest.fixture(autouse=True)
def offer(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.elsewhere import SETTINGS

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BIANDAN_THROTTLE_FACTOR", "1000")  # Here one address plays a hundred refused people.


def signed_in(host: SignInHost, step: str, person: str) -> Answer:
    return by_mini(host, person, step) if step in shapes.MINI else by_web(host, person)


def test_no_shape_is_left_out() -> None:
    assert {step: set(found) for step, found in EXPECTED.items()} == {
        step: set(shapes.shapes_of(step)) for step in shapes.STEPS
    }


@pytest.mark.parametrize(("step", "shape"), CASES)
def test_what_is_said_to_every_shape(host: SignInHost, step: str, shape: str) -> None:
    person = f"{step}-{shape}".replace("_", "-")[:20]
    host.steer(step, shape, 2 if shape == "no_unionid" else 1)
    before = dump.tables("identities", "sessions")
    answer = signed_in(host, step, person)
    host.steer(step, "normal")
    status, code = EXPECTED[step][shape]
    assert (answer.status, (answer.json or {}).get("code", "")) == (status, code), answer.body
    if status == 200:
        return
    assert dump.differences(before, dump.tables("identities", "sessions")) == [], "no account, no half of one"
    assert ("retry-after" in answer.headers) is (status in (429, 502, 503, 504) and code != "sign_in_unavailable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert signed_in(host, step, person).status == 200, "and the next try gets in"


@pytest.mark.parametrize(("step", "shape"), [("me", "json_error"), ("qq_mini", "bad_code")])
def test_what_a_platform_says_is_not_told_on(host: SignInHost, step: str, shape: str) -> None:
    host.steer(step, shape, 1)
    body = signed_in(host, step, "quiet").body
    assert [word for word in ("100016", "access token check", "40029", "invalid code") if word in body] == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_refusals_are_in_the_callers_language(host: SignInHost, language: str) -> None:
    host.steer("wechat_mini", "blocked", 1)
    body = {"js_code": host.login("wechat_mini", "word")["js_code"]}
    headers = {"accept-language": language}
    answer = call("POST", "/v1/auth/mini/wechat_mini/sign-in", body, headers=headers)
    wanted: dict[str, Any] = {
        "en": "The platform does not let this account sign in: use another way.",
        "zh-CN": "平台限制了该账号登录，请使用其他方式。",
    }
    assert (answer.status, answer.json["detail"]) == (403, wanted[language])
