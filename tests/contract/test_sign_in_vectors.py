"""QQ's and WeChat's sign-in against recorded vectors: shapes, signatures, encryption, and one whole flow."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.auth.external import answers, mini_data, providers
from chalicelib.auth.external.domain import CodeRefused, DataRefused, Unreadable
from chalicelib.runtime import outbound, secrets

VECTORS = json.loads((Path(__file__).parent / "vectors" / "qq_login_public.json").read_text("utf-8"))["vectors"]


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(vector, id=vector["id"]) for vector in VECTORS if vector["kind"] == kind]


def one(identity: str) -> dict[str, Any]:
    (found,) = [vector for vector in VECTORS if vector["id"] == identity]
    return dict(found)


def test_every_kind_of_vector_has_a_test() -> None:
    assert {vector["kind"] for vector in VECTORS} == {"sha1_raw", "hmac_state", "aes_cbc", "jsonp", "form", "flow"}


# --- shapes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", [*of_kind("jsonp"), *of_kind("form")])
def test_a_recorded_answer_is_read(vector: dict[str, Any]) -> None:
    assert answers.parse(vector["text"].encode()) == vector["expect"]


@pytest.mark.parametrize(
    "text",
    [
        "callback({})",
        ' \ufeff callback( {"a":1} );',
        "callback ( {} ) ; ",
        "callback( {} );;",
        "evil( {} );",
        "callback( [] );",
        "callback( {} ); alert(1)",
        '{"a":1}{"b":2}',
        '{"a":1,"a":2}',
        '{"a":NaN}',
        "[]",
        "null",
        '"text"',
        "",
        "&&&",
        "just words",
        "a=1&a=2",
        "<html></html>",
        "{" * 50_000,
        '{"a":' * 50_000,
    ],
)
def test_an_answer_is_json_jsonp_or_a_form_or_nothing(text: str) -> None:
    sound: dict[str, dict[str, Any]] = {"callback({})": {}, "callback ( {} ) ; ": {}}
    if text in sound:
        assert answers.parse(text.encode()) == sound[text]
        return
    with pytest.raises(Unreadable):
        answers.parse(text.encode())


@given(st.binary(max_size=300))
def test_no_answer_is_a_fault(body: bytes) -> None:
    try:
        found = answers.parse(body)
    except Unreadable:
        return
    assert isinstance(found, dict)


@given(
    st.dictionaries(
        st.sampled_from(["error", "ret", "errcode", "openid", "unionid", "access_token"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=20),
            st.lists(st.integers(), max_size=2),
        ),
    )
)
def test_no_member_is_a_fault(found: dict[str, Any]) -> None:
    with suppress(Unreadable):
        assert isinstance(answers.number(found, "error"), int)
    with suppress(Unreadable):
        assert isinstance(answers.name(found, "openid"), str)
    with suppress(Unreadable):
        assert answers.token(found)


@pytest.mark.parametrize(
    ("value", "number"), [(0, 0), ("0", 0), (100016, 100016), ("100016", 100016), (-1, -1), ("-1", -1)]
)
def test_a_number_of_an_error_may_be_text(value: Any, number: int) -> None:
    assert answers.number({"error": value}, "error") == number


@pytest.mark.parametrize("value", [True, 1.0, None, "", "x", "1e3", [1], "1" * 11])
def test_what_is_no_number_is_unreadable(value: Any) -> None:
    with pytest.raises(Unreadable):
        answers.number({"error": value}, "error")


# --- signatures and encryption ----------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", of_kind("sha1_raw"))
def test_raw_data_is_signed_as_recorded(vector: dict[str, Any]) -> None:
    assert mini_data.raw_data_signature(vector["raw_data"], vector["session_key"]) == vector["signature"]


def test_raw_data_with_qqs_own_avatar_host_has_the_value_that_the_note_names() -> None:
    vector = one("rawdata-sha1")
    raw = vector["raw_data"].replace("wx.qlogo.cn", "qq.qlogo.cn")
    signature = mini_data.raw_data_signature(raw, vector["session_key"])
    assert signature == "6e0d100e6fded232d8b7b83817b38cd7358daf09"


@pytest.mark.parametrize("vector", of_kind("hmac_state"))
def test_a_signed_in_state_is_signed_as_recorded(vector: dict[str, Any]) -> None:
    signature = mini_data.login_state_signature(vector["post_data"].encode(), vector["session_key"])
    assert signature == vector["signature"]


SEALED = one("encrypted-data")
SEALED_AT = datetime.fromtimestamp(1477314187, UTC)


def opened(**changes: Any) -> dict[str, Any]:
    return mini_data.opened(
        changes.get("encrypted_data", SEALED["encrypted_data"]),
        changes.get("iv", SEALED["iv"]),
        session_key=changes.get("session_key", SEALED["session_key"]),
        appid=changes.get("appid", SEALED["watermark_appid"]),
        now=changes.get("now", SEALED_AT),
    )


def test_recorded_data_is_decrypted() -> None:
    found = opened()
    assert {name: found[name] for name in SEALED["expect_contains"]} == SEALED["expect_contains"]
    assert found["watermark"]["appid"] == SEALED["watermark_appid"]


def flipped(text: str, byte: int, bit: int) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[byte] ^= 1 << bit
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"now": SEALED_AT + timedelta(seconds=301)},
        {"now": SEALED_AT - timedelta(seconds=301)},
        {"appid": "wx4f4bc4dec97d474c"},
        {"appid": ""},
        {"session_key": base64.b64encode(bytes(16)).decode()},
        {"session_key": base64.b64encode(bytes(32)).decode()},
        {"session_key": "no base64"},
        {"iv": base64.b64encode(bytes(16)).decode()},
        {"iv": ""},
        {"encrypted_data": ""},
        {"encrypted_data": "A" * 24_000},
    ],
)
def test_data_that_is_not_ours_not_fresh_or_not_sound_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DataRefused) as refused:
        opened(**changes)
    assert (refused.value.params, refused.value.args) == ({}, ("mini_data_refused", {}))


@given(st.integers(0, 15), st.integers(0, 7))
def test_every_byte_of_the_padding_is_looked_at(byte: int, bit: int) -> None:
    """A bit of the last-but-one block turns the same bit of the last one, where the padding is."""
    size = len(base64.b64decode(SEALED["encrypted_data"]))
    with pytest.raises(DataRefused):
        opened(encrypted_data=flipped(SEALED["encrypted_data"], size - 32 + byte, bit))


def padded_with(padding: bytes) -> bytes:
    """Return sound data of this moment whose last block ends in this padding."""
    content = json.dumps({"watermark": {"appid": SEALED["watermark_appid"], "timestamp": 1477314187}}).encode()
    return content + b" " * (-(len(content) + len(padding)) % 16) + padding


@pytest.mark.parametrize(
    ("padding", "sound"),
    [
        (b"\x01", True),
        (b"\x04" * 4, True),
        (b"\x10" * 16, True),
        (b"\x00\x02", False),
        (b"\x03\x02\x03", False),
        (b" " * 15 + b"\x10", False),
        (b"\x00", False),
        (b"\x11" * 17, False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_padding_is_right_in_every_byte_or_refused(padding: bytes, sound: bool) -> None:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key, iv = base64.b64decode(SEALED["session_key"]), base64.b64decode(SEALED["iv"])
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    data = base64.b64encode(cipher.update(padded_with(padding)) + cipher.finalize()).decode()
    if sound:
        assert opened(encrypted_data=data)["watermark"]["appid"] == SEALED["watermark_appid"]
    else:
        with pytest.raises(DataRefused):
            opened(encrypted_data=data)


# --- the whole flow ---------------------------------------------------------------------------------------------

FLOW = one("aspnet-flow")["bundle"]
ME = 1


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Answer as recorded, to the very questions recorded; ``me`` says which app it speaks of, as QQ's page has it."""
    asked: list[str] = []
    told = [dict(entry["contentJson"]) for entry in FLOW]
    told[ME]["client_id"] = "my-client-id"
    recorded = {_question(entry["uri"]): answer for entry, answer in zip(FLOW, told, strict=True)}

    def send(request: outbound.Request) -> outbound.Response:
        asked.append(request.url)
        return outbound.Response(200, {}, json.dumps(recorded[_question(request.url)]).encode())

    monkeypatch.setenv("BIANDAN_SIGN_IN", "qq")
    app = {"appid": "my-client-id", "app_secret": "my-client-secret"}
    monkeypatch.setattr(secrets, "secret", lambda _: app)
    outbound.install(send)
    yield asked
    outbound.install(None)


def _question(url: str) -> tuple[str, str, frozenset[tuple[str, str]]]:
    parts = urlsplit(url)
    return parts.netloc, parts.path, frozenset(parse_qsl(parts.query))


def test_the_recorded_flow_is_asked_and_read(flow: list[str]) -> None:
    qq = providers.web("qq")
    proof = qq.prove("a6ed8e7f-471f-44f1-903b-65946475f351", return_url="http://localhost/signin-qq")
    assert (proof.openid, proof.unionid, proof.appid) == ("my-open-id", "my-union-id", "my-client-id")
    assert qq.nickname(proof) == "John Smith"
    assert [_question(url) for url in flow] == [_question(entry["uri"]) for entry in FLOW]
    assert flow[0] == (
        "https://graph.qq.com/oauth2.0/token?grant_type=authorization_code&client_id=my-client-id"
        "&client_secret=my-client-secret&code=a6ed8e7f-471f-44f1-903b-65946475f351"
        "&redirect_uri=http%3A%2F%2Flocalhost%2Fsignin-qq&fmt=json"
    )


def test_a_me_that_does_not_say_of_which_app_it_speaks_is_refused(flow: list[str]) -> None:
    """As the bundle has it, bare: a token whose app is not named may be another's."""
    send = outbound._transport
    assert send is not None

    def without(request: outbound.Request) -> outbound.Response:
        answer = send(request)
        content = json.loads(answer.body)
        content.pop("client_id", None)
        return outbound.Response(200, {}, json.dumps(content).encode())

    outbound.install(without)
    with pytest.raises(CodeRefused):
        providers.web("qq").prove("a6ed8e7f-471f-44f1-903b-65946475f351", return_url="http://localhost/signin-qq")


def test_the_page_is_asked_for_as_documented(flow: list[str]) -> None:
    url = providers.web("qq").authorize_url(state="s-1", return_url="http://localhost/signin-qq", small=True)
    assert url == (
        "https://graph.qq.com/oauth2.0/authorize?response_type=code&client_id=my-client-id"
        "&redirect_uri=http%3A%2F%2Flocalhost%2Fsignin-qq&state=s-1&scope=get_user_info&display=mobile"
    )
    assert flow == []


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("qq_mini", "https://api.q.qq.com/sns/jscode2session?appid=my-client-id&secret=my-client-secret&js_code=c"),
        (
            "wechat_mini",
            "https://api.weixin.qq.com/sns/jscode2session?appid=my-client-id&secret=my-client-secret&js_code=c",
        ),
    ],
)
def test_a_mini_programs_code_is_asked_about_as_documented(
    flow: list[str], monkeypatch: pytest.MonkeyPatch, name: str, start: str
) -> None:
    monkeypatch.setenv("BIANDAN_SIGN_IN", name)
    asked: list[str] = []
    answer = {"openid": "o1", "session_key": "tiihtNczf5v6AKRyjwEUhQ==", "errcode": 0, "errmsg": ""}

    def send(request: outbound.Request) -> outbound.Response:
        asked.append(f"{request.method} {request.url}")
        return outbound.Response(200, {}, json.dumps(answer).encode())

    outbound.install(send)
    proof = providers.mini(name).prove("c")
    assert asked == [f"GET {start}&grant_type=authorization_code"]
    assert (proof.openid, proof.unionid, proof.session_key) == ("o1", "", "tiihtNczf5v6AKRyjwEUhQ==")
    assert "tiiht" not in repr(proof)
    assert "o1" not in repr(proof)


@pytest.mark.parametrize("variable", ["BIANDAN_QQ_GRAPH_URL", "BIANDAN_QQ_MINI_URL", "BIANDAN_WECHAT_MINI_URL"])
def test_no_stand_in_is_asked_in_prod(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    from chalicelib.kernel.errors import Misconfigured
    from chalicelib.runtime.config import config

    monkeypatch.setenv("BIANDAN_SIGN_IN", "qq,qq_mini,wechat_mini")
    monkeypatch.setenv(variable, "https://stand-in.example.org")
    monkeypatch.setenv("BIANDAN_STAGE", "prod")
    config.cache_clear()
    try:
        with pytest.raises(Misconfigured, match=variable):
            [providers.web("qq"), providers.mini("qq_mini"), providers.mini("wechat_mini")]
    finally:
        monkeypatch.undo()
        config.cache_clear()
