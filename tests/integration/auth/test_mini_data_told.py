"""What a mini program sends of its person: believed if the platform signed or sealed it, else refused as one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth.external.domain import KEY_LIFE
from chalicelib.kernel import clock
from tests.support import dump
from tests.support.elsewhere import by_mini, by_web, offered
from tests.support.http import Answer, call
from tools.fakes.sign_in import persons
from tools.fakes.sign_in.stand_in import SignInHost, encrypted

SIGN_IN = "/v1/auth/mini/qq_mini/sign-in"
TELL = "/v1/me/mini/qq_mini/data"


@pytest.fixture
def host(cloud: str) -> Iterator[SignInHost]:
    with offered() as found:
        yield found


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def sealed(host: SignInHost, person: str, **changes: Any) -> dict[str, str]:
    """Return data as the platform would seal it, with something changed."""
    ours = host.apps["qq_mini"].appid
    content = {
        "openId": persons.openid("qq_mini", ours, person),
        "nickName": "梅子",
        "watermark": {"appid": ours, "timestamp": int(clock.now().timestamp())},
        **changes,
    }
    text, iv = encrypted(json.dumps(content).encode(), host._keys["qq_mini", person])
    return {"encrypted_data": text, "iv": iv}


@pytest.mark.parametrize("parts", [("raw_data", "signature"), ("encrypted_data", "iv")])
def test_a_new_account_takes_its_nickname_from_sound_data(host: SignInHost, parts: tuple[str, ...]) -> None:
    given = host.login("qq_mini", "mei")
    session = call("POST", SIGN_IN, {name: given[name] for name in ("js_code", *parts)})
    assert session.status == 200, session.body
    assert call("GET", "/v1/me", token=session.json["access_token"]).json["nickname"] == "梅子"


def test_the_data_may_come_after_the_sign_in_too(host: SignInHost) -> None:
    token = by_mini(host, "mei").json["access_token"]
    said = host.profile("qq_mini", "mei")
    me = call("POST", TELL, {name: said[name] for name in ("raw_data", "signature")}, token=token)
    assert (me.status, me.json["nickname"]) == (200, "梅子"), me.body
    assert call("PATCH", "/v1/me", {"nickname": "Mine"}, token=token).status == 200
    assert call("POST", TELL, sealed(host, "mei"), token=token).json["nickname"] == "Mine", "what a person chose stays"


def test_a_unionid_in_sealed_data_counts_like_one_of_the_platforms_answer(host: SignInHost) -> None:
    by_web(host, "mei")
    host.steer("qq_mini", "no_unionid", 1)
    assert by_mini(host, "mei").status == 200, "nobody said that it is the same person"
    host.steer("qq_mini", "no_unionid", 1)
    given = host.login("qq_mini", "li")
    by_web(host, "li")
    body = {name: given[name] for name in ("js_code", "encrypted_data", "iv")}
    assert code_of(call("POST", SIGN_IN, body)) == (409, "person_known")


def spoilt(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda given: {"signature": "0" * 40},
        lambda given: {"raw_data": given["raw_data"] + " "},
        lambda given: {"encrypted_data": spoilt(given["encrypted_data"])},
        lambda given: {"encrypted_data": given["encrypted_data"][:-24]},
        lambda given: {"encrypted_data": given["encrypted_data"][:-1]},
        lambda given: {"encrypted_data": base64.b64encode(bytes(32)).decode()},
        lambda given: {"encrypted_data": "%%%%"},
        lambda given: {"iv": base64.b64encode(bytes(16)).decode()},
        lambda given: {"iv": base64.b64encode(bytes(15)).decode()},
        lambda given: {"iv": given["iv"] + "="},
    ],
)
def test_all_that_is_not_sound_is_refused_alike_and_signs_nobody_in(host: SignInHost, change: Any) -> None:
    given = host.login("qq_mini", "mei")
    before = dump.tables("identities")
    refused = call("POST", SIGN_IN, {**given, **change(given)})
    assert refused.status == 422
    assert refused.json["code"] == "mini_data_refused"
    assert refused.json["detail"] == "The signed data was not accepted: sign in again."
    assert dump.differences(before, dump.tables("identities")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"watermark": {"appid": "1100000000", "timestamp": 0}},
        {"watermark": {"appid": "1100000000"}},
        {"watermark": None},
        {"watermark": []},
        {"openId": "SOMEBODYELSE"},
        {"openId": 5},
    ],
)
def test_data_of_another_app_or_person_is_refused(host: SignInHost, changes: dict[str, Any]) -> None:
    token = by_mini(host, "mei").json["access_token"]
    mark = changes.get("watermark")
    if isinstance(mark, dict) and "timestamp" in mark:
        changes = {"watermark": {**mark, "timestamp": int(clock.now().timestamp())}}
    assert code_of(call("POST", TELL, sealed(host, "mei", **changes), token=token)) == (422, "mini_data_refused")


def test_sealed_data_is_of_this_moment(cloud: str, noon: clock.Fixed) -> None:
    with offered() as host:
        token = by_mini(host, "mei").json["access_token"]
        ours, now = host.apps["qq_mini"].appid, int(clock.now().timestamp())
        for off, status in ((0, 200), (-300, 200), (300, 200), (-301, 422), (301, 422)):
            said = sealed(host, "mei", watermark={"appid": ours, "timestamp": now + off})
            assert call("POST", TELL, said, token=token).status == status, off
        for odd in (True, str(now), now + 0.5, None):
            said = sealed(host, "mei", watermark={"appid": ours, "timestamp": odd})
            assert call("POST", TELL, said, token=token).status == 422, odd


def test_each_sign_in_brings_another_key_and_the_one_before_counts_no_more(host: SignInHost) -> None:
    token = by_mini(host, "mei").json["access_token"]
    before = sealed(host, "mei")
    assert call("POST", TELL, before, token=token).status == 200
    assert by_mini(host, "mei").status == 200
    assert code_of(call("POST", TELL, before, token=token)) == (422, "mini_data_refused")
    assert call("POST", TELL, sealed(host, "mei"), token=token).status == 200


def test_a_key_is_kept_for_three_days(cloud: str, noon: clock.Fixed) -> None:
    from tests.support import people

    with offered() as host:
        account_id = by_mini(host, "mei").json["account_id"]
        noon.advance(KEY_LIFE - timedelta(seconds=1))
        assert call("POST", TELL, sealed(host, "mei"), token=people.token(account_id)).status == 200
        noon.advance(timedelta(seconds=1))
        assert call("POST", TELL, sealed(host, "mei"), token=people.token(account_id)).status == 422


def test_who_has_no_identity_of_the_mini_program_tells_nothing(host: SignInHost) -> None:
    token = by_web(host, "mei").json["access_token"]
    host.login("qq_mini", "mei")
    assert code_of(call("POST", TELL, sealed(host, "mei"), token=token)) == (404, "not_found")


def test_the_key_never_leaves_and_lies_sealed(host: SignInHost) -> None:
    given = host.login("qq_mini", "mei")
    session = call("POST", SIGN_IN, {"js_code": given["js_code"]})
    key = host._keys["qq_mini", "mei"]
    said = call("POST", TELL, sealed(host, "mei"), token=session.json["access_token"])
    assert key not in session.body + said.body
    assert key not in json.dumps(dump.tables())
    (row,) = [text for text in dump.tables()["identities"] if '"msk_' in text]
    assert '"sealed"' in row
