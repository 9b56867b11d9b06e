"""Routes, problems and refusals of the HTTP runtime, on a small app of its own."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.kernel import context
from chalicelib.kernel.errors import Busy, Conflict, Forbidden, NotFound, Throttled, Unauthenticated
from chalicelib.kernel.policy import Rule, anybody, provider, signed_in, staff
from chalicelib.kernel.roles import Post, Role
from chalicelib.runtime import log
from chalicelib.runtime.config import config
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.app import App
from chalicelib.runtime.http.languages import language_of
from chalicelib.runtime.http.routes import Reply, Request, Routes
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import MoneyView, Schema
from tests.support.http import event

TABLE = {
    "get_thing": anybody(),
    "make_thing": signed_in(),
    "put_thing": staff(Post),
    "hook": provider(),
    "break_thing": signed_in(fresh=timedelta(minutes=5)),
}
routes = Routes("test", table=TABLE)
THIS = __name__


class Thing(Schema):
    name: str
    price: MoneyView | None = None


class Where(Schema):
    page: int = 1


@routes.route(
    "GET",
    "/v1/things/{thing_id}",
    access=Access.PUBLIC,
    query=Where,
    returns=Thing,
    etag=True,
    cache_control="public, max-age=5",
)
def get_thing(thing_id: str, query: Where) -> Thing:
    if thing_id == "gone":
        raise NotFound(what="thing")
    if thing_id == "boom":
        raise RuntimeError("secret detail 13800138000")
    return Thing(name=f"{thing_id}-{query.page}")


@routes.route("POST", "/v1/things", access=Access.SIGNED_IN, body=Thing, returns=Thing, status=201, cap_bytes=200)
def make_thing(body: Thing, caller: Caller, intent: Intent) -> Reply:
    return Reply(body, 201, {"X-Intent": intent.record_id("thg"), "X-Who": caller.account_id})


@routes.route("PUT", "/v1/things/{thing_id}", access=Access.MERCHANT, body=Thing)
def put_thing(thing_id: str, body: Thing) -> None:
    errors = {"busy": Busy(), "slow": Throttled(wait_s=7), "clash": Conflict()}
    raise errors[thing_id]


@routes.route("DELETE", "/v1/things/{thing_id}", access=Access.SIGNED_IN, status=204)
def break_thing(thing_id: str) -> None:
    """Nothing to do: only whether it is entered counts."""


@routes.route("POST", "/v1/hook", access=Access.PROVIDER, idempotent=False, content_types=("text/xml",))
def hook() -> Reply:
    return Reply("success", 200, {"Content-Type": "text/plain"})


def who(token: str) -> Caller:
    """Tokens of this test are roles."""
    return Caller("acc_1", frozenset(token.split("+")), "mer_1" if "merchant_staff" in token else None)


def in_good_standing(merchant_id: str, rule: Rule, *, reads: bool) -> None:
    """No merchant of this test is suspended."""


def at_work(caller: Caller, asked: str | None, rule: Rule) -> Caller:
    """Whoever says so is staff of one merchant."""
    if Role.MERCHANT_STAFF not in caller.roles or asked not in (None, caller.merchant_id):
        raise Forbidden
    return caller


def fresh(caller: Caller, within_s: int) -> None:
    """Whoever is called so has just typed a password."""
    if "fresh" not in caller.roles or within_s != 300:
        raise Unauthenticated


@pytest.fixture(scope="module")
def app() -> App:
    made = App(
        "test",
        authenticate=f"{THIS}:who",
        presence=f"{THIS}:at_work",
        standing=f"{THIS}:in_good_standing",
        proof=f"{THIS}:fresh",
    )
    made.install([(r.method, r.path, THIS, r.content_types) for r in routes.entries])
    return made


def ask(
    app: App, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    payload = raw if raw is not None else (json.dumps(body).encode() if body is not None else b"")
    answer = app(event(method, path, body=payload, headers=sent, app=app), None)
    text = answer.get("body") or ""
    found = {name.lower(): value for name, value in answer["headers"].items()}
    return answer["statusCode"], json.loads(text) if "json" in found.get("content-type", "") else text, found


def problem(answer: tuple[int, Any, dict[str, str]]) -> tuple[int, str]:
    status, body, headers = answer
    assert headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "detail", "request_id"} <= set(body)
    assert body["status"] == status
    assert headers["x-request-id"] == body["request_id"]
    return status, body["code"]


def test_an_answer_is_cacheable_and_not_sent_twice(app: App) -> None:
    status, body, headers = ask(app, "GET", "/v1/things/tea?page=2")
    assert (status, body, headers["cache-control"]) == (200, {"name": "tea-2"}, "public, max-age=5")
    again = ask(app, "GET", "/v1/things/tea?page=2", If_None_Match=f'"other", W/{headers["etag"]}')
    assert (again[0], again[1], again[2]["etag"]) == (304, "", headers["etag"])
    assert ask(app, "GET", "/v1/things/tea?page=3", If_None_Match=headers["etag"])[0] == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/things/gone", (404, "not_found")),
        ("/v1/nowhere", (404, "not_found")),
        ("/v1/things/x?page=one", (422, "invalid_request")),
        ("/v1/things/x?other=1", (422, "invalid_request")),
        ("/v1/things/boom", (500, "internal_error")),
    ],
)
def test_a_refusal_is_a_problem(app: App, path: str, expected: tuple[int, str]) -> None:
    answer = ask(app, "GET", path)
    assert problem(answer) == expected
    assert "13800138000" not in json.dumps(answer[1])


def test_the_log_of_a_fault_says_where_but_not_what_somebody_typed(
    app: App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIANDAN_STAGE", "prod")
    config.cache_clear()
    lines: list[str] = []
    monkeypatch.setattr(log._prepare().handlers[0], "emit", lambda record: lines.append(_format(record)))
    try:
        assert ask(app, "GET", "/v1/things/boom")[0] == 500
    finally:
        monkeypatch.undo()
        config.cache_clear()
    (line,) = [json.loads(line) for line in lines if "unhandled" in line]
    assert line["error"].endswith("in get_thing\nRuntimeError")
    assert "13800138000" not in "".join(lines) + capsys.readouterr().err


def _format(record: logging.LogRecord) -> str:
    formatter = log._prepare().handlers[0].formatter
    assert formatter is not None
    return formatter.format(record)


def test_no_cache_keeps_a_refusal_or_nothing(app: App) -> None:
    for answer in (
        ask(app, "GET", "/v1/things/gone"),
        ask(app, "GET", "/v1/nowhere"),
        ask(app, "PATCH", "/v1/things"),
        ask(app, "GET", "/v1/things/boom"),
    ):
        assert answer[2]["cache-control"] == "no-store"


def test_the_query_is_part_of_what_a_key_stands_for() -> None:
    def fingerprint(query: dict[str, str]) -> str:
        request = Request("POST", "/v1/things", {"idempotency-key": "key-12345"}, query, b"{}")
        return routes.find("POST", "/v1/things")._intent(request, None).fingerprint

    one, same, other = ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1"})
    assert fingerprint(one) == fingerprint(same)
    assert len({fingerprint(query) for query in (one, other, {})}) == 3


def test_chalices_own_refusals_have_our_shape(app: App) -> None:
    assert problem(ask(app, "PATCH", "/v1/things")) == (405, "method_not_allowed")
    assert problem(ask(app, "POST", "/v1/things", raw=b"<a/>", Content_Type="text/xml")) == (
        415,
        "unsupported_media_type",
    )
    assert problem(ask(app, "POST", "/v1/hook", {})) == (415, "unsupported_media_type")
    assert ask(app, "POST", "/v1/hook", raw=b"<a/>", Content_Type="text/xml; charset=utf-8")[:2] == (200, "success")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{", (400, "malformed_body")),
        (b"\xff\xfe", (400, "malformed_body")),
        (b"[]", (422, "invalid_request")),
        (b"", (422, "invalid_request")),
        (b'{"name": 3}', (422, "invalid_request")),
        (b'{"name": "a", "price": {"minor": 1.5}}', (422, "invalid_request")),
        (b'{"name": "a", "price": {"minor": "1"}}', (422, "invalid_request")),
        (b'{"name": "a", "role": "operator"}', (422, "invalid_request")),
        (b'{"name": "' + b"x" * 200 + b'"}', (413, "too_large")),
        (b"[" * 190, (400, "malformed_body")),
        (b'{"name": "a", "name": "b"}', (400, "malformed_body")),
        (b'{"name": "a", "price": {"minor": 1, "minor": 2}}', (400, "malformed_body")),
        (b'{"name": "a\\u0000b"}', (400, "malformed_body")),
        (b'{"name": "a\\u001bb"}', (400, "malformed_body")),
        (b'{"name": "a\\\\\\bb"}', (400, "malformed_body")),
        (b'{"name": "a\x7fb"}', (400, "malformed_body")),
        (b'{"name": "a\x00b"}', (400, "malformed_body")),
        ('{"name": "茶"}'.encode("utf-16"), (400, "malformed_body")),
    ],
)
def test_a_wrong_body_is_refused_and_said_where(app: App, raw: bytes, expected: tuple[int, str]) -> None:
    answer = ask(app, "POST", "/v1/things", raw=raw, Authorization="Bearer buyer", Idempotency_Key="key-12345")
    assert problem(answer) == expected
    if expected[0] == 422:
        assert answer[1]["errors"][0]["pointer"].startswith("/")


@pytest.mark.parametrize("text", ["a\\u0000", "\\b", "line\nline\tend\r", "\\", "\\\\u0001", "茶\u200d🍵"])
def test_a_text_may_hold_backslashes_and_ends_of_lines(app: App, text: str) -> None:
    answer = ask(app, "POST", "/v1/things", {"name": text}, Authorization="Bearer buyer", Idempotency_Key="key-12345")
    assert (answer[0], answer[1]) == (201, {"name": text.strip()})


@pytest.mark.parametrize("name", ["x" * 65, "中文", "a b", "..", "a\nb", "a%b", "'"])
def test_what_no_id_is_made_of_is_no_address(app: App, name: str) -> None:
    assert problem(ask(app, "GET", f"/v1/things/{quote(name)}")) == (404, "not_found")


def test_a_query_holds_no_control_characters(app: App) -> None:
    assert problem(ask(app, "GET", "/v1/things/tea?page=%00")) == (422, "invalid_request")


def test_a_key_is_needed_and_names_what_is_made(app: App) -> None:
    def post(body: Any, key: str | None) -> tuple[int, Any, dict[str, str]]:
        if key is None:
            return ask(app, "POST", "/v1/things", body, Authorization="Bearer buyer")
        return ask(app, "POST", "/v1/things", body, Authorization="Bearer buyer", Idempotency_Key=key)

    for bad in (None, "short", "x" * 65, "with space 123", "ключ-12345"):
        assert problem(post({"name": "a"}, bad)) == (400, "idempotency_key_missing")
    first, again, other = (post({"name": "a"}, key)[2]["x-intent"] for key in ("key-12345", "key-12345", "key-12346"))
    assert first == again != other


def test_roles_are_kept_apart(app: App) -> None:
    def put(authorization: str) -> tuple[int, str]:
        return problem(ask(app, "PUT", "/v1/things/clash", {"name": "a"}, Authorization=authorization))

    assert problem(ask(app, "PUT", "/v1/things/clash", {"name": "a"})) == (401, "unauthenticated")
    assert put("Basic abc") == (401, "unauthenticated")
    assert put("Bearer ") == (401, "unauthenticated")
    assert put("Bearer buyer+operator") == (403, "forbidden")
    assert put("bearer merchant_staff") == (409, "conflict")
    answer = ask(app, "PUT", "/v1/things/clash", {"name": "a"})
    assert answer[2]["www-authenticate"].startswith("Bearer")


def test_a_client_learns_when_to_try_again(app: App) -> None:
    busy = ask(app, "PUT", "/v1/things/busy", {"name": "a"}, Authorization="Bearer merchant_staff")
    assert (problem(busy), busy[2]["retry-after"]) == ((503, "busy"), "1")
    slow = ask(app, "PUT", "/v1/things/slow", {"name": "a"}, Authorization="Bearer merchant_staff")
    assert (problem(slow), slow[2]["retry-after"], slow[1]["wait_s"]) == ((429, "too_many_requests"), "7", 7)


def test_details_speak_the_callers_language(app: App) -> None:
    chinese = ask(app, "GET", "/v1/things/gone", Accept_Language="fr;q=1, zh-TW, en;q=0.5")
    assert (chinese[1]["detail"], chinese[2]["content-language"]) == ("记录不存在。", "zh-CN")
    assert ask(app, "GET", "/v1/things/gone", Accept_Language="en-GB, zh")[1]["detail"] == "There is no such record."


def test_the_context_ends_with_the_request(app: App) -> None:
    ask(app, "GET", "/v1/things/tea")
    assert context.current() == context.Context()


def test_of_two_authorizations_none_counts(app: App) -> None:
    """Whatever stands before us may have read the one, and we the other."""

    def put(*values: str, name: str = "Authorization") -> tuple[int, str]:
        sent = event("PUT", "/v1/things/clash", body=b'{"name": "a"}', app=app)
        sent["headers"] = {"Content-Type": "application/json", name: values[-1]}
        sent["multiValueHeaders"] = {"Content-Type": ["application/json"], name: list(values)}
        if name != "Authorization":
            sent["multiValueHeaders"]["Authorization"] = [values[0]]
            sent["multiValueHeaders"][name] = list(values[1:])
        answer = app(sent, None)
        return answer["statusCode"], json.loads(answer["body"])["code"]

    good, other = "Bearer merchant_staff", "Bearer buyer"
    assert put(good) == (409, "conflict")
    for values in ((good, other), (other, good), (good, good), ("", good), (good, ""), ("Basic abc", good)):
        assert put(*values) == (401, "unauthenticated"), values
    assert put(other, good, name="authorization") == (401, "unauthenticated")
    only_one_map = event("PUT", "/v1/things/clash", body=b'{"name": "a"}', app=app)
    only_one_map["headers"] = {"content-type": "application/json", "authorization": good}
    del only_one_map["multiValueHeaders"]
    assert app(only_one_map, None)["statusCode"] == 409


def test_a_repeated_list_is_one_list_and_a_repeated_key_is_none(app: App) -> None:
    sent = event("GET", "/v1/things/gone", app=app)
    sent["multiValueHeaders"] = {"Accept-Language": ["en;q=0.1", "zh;q=0.9"]}
    sent["headers"] = {"Accept-Language": "zh;q=0.9"}
    assert app(sent, None)["headers"]["Content-Language"] == "zh-CN"
    sent = event("POST", "/v1/things", body=b'{"name": "a"}', app=app)
    sent["headers"] = {"content-type": "application/json", "authorization": "Bearer buyer"}
    sent["multiValueHeaders"] = {"idempotency-key": ["key-12345", "key-67890"]}
    assert json.loads(app(sent, None)["body"])["code"] == "idempotency_key_missing"


def test_every_answer_forbids_sniffing(app: App) -> None:
    for answer in (
        ask(app, "GET", "/v1/things/tea"),
        ask(app, "GET", "/v1/things/boom"),
        ask(app, "GET", "/v1/nowhere"),
        ask(app, "PATCH", "/v1/things"),
        ask(app, "POST", "/v1/hook", raw=b"<a/>", Content_Type="text/xml"),
    ):
        assert answer[2]["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"), ("", "en"), ("de", "en"), ("ZH-cn", "zh"), ("en", "en"),
        ("en;q=0.1, zh;q=0.9", "zh"), ("zh;q=0, en", "en"), ("zh;q=0.9, en;q=0.1", "zh"), ("en;q=0.9,zh;q=0.1", "en"),
        ("zh-TW", "zh"), ("zh-Hant-HK", "zh"), ("zh-HK;q=0.2, en-GB;q=0.3", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh-CN;q=0.8,zh;q=0.7", "en"), ("zh, en", "zh"), ("en, zh", "en"),
        ("zh-TW, zh;q=0.5, en;q=0.8", "zh"), ("zh;q=0, zh-TW;q=0", "en"), ("en;q=0", "zh"), ("en;q=0, zh;q=0", "en"),
        ("zh;q=0", "en"), ("zh-CN;q=0, zh;q=0.9, en;q=0.2", "en"), ("zh;q=0, zh-CN;q=0.5, en;q=0.1", "zh"),
        ("*", "en"), ("*, zh", "zh"), ("zh;q=0.5, *;q=0.4", "zh"), ("en;q=0.2, *;q=0.7", "zh"), ("*;q=0", "en"),
        ("*;q=0, zh", "zh"), ("*;q=0.9, zh;q=0", "en"), ("de, *;q=0.1", "en"), ("en;q=0, *", "zh"),
        ("en;q=abc, zh;q=0.1", "zh"), ("zh;q=2, en;q=0.1", "en"), ("zh;q=-1, en", "en"), ("zh;q=, en;q=0.5", "en"),
        (",, ;q=1,zh", "zh"), ("zh ; q = 0.9 , en;q=0.2", "zh"), ("zh;Q=0.1, en;Q=0.2", "en"), ("zh_CN", "zh"),
        ("zhx", "en"), ("english, zh;q=0.1", "zh"), ("zh;q=0.001", "zh"), ("zh;q=0.0001, en;q=0.1", "en"),
        ("zh;level=1;q=0.5, en;q=0.1", "en"), ("x" * 100_000, "en"), ("zh," * 50_000, "zh"), ("\u4e2d\u6587", "en"),
        ("zh;q=1.000, en;q=1.0", "zh"), ("en;q=0.000, fr", "zh"),
    ],
)  # fmt: skip
def test_the_language_with_the_higher_weight_is_spoken(header: str | None, language: str) -> None:
    assert language_of(header) == language


def test_what_wants_a_fresh_proof_is_entered_with_one_only(app: App) -> None:
    assert ask(app, "DELETE", "/v1/things/tea", Authorization="Bearer buyer")[0] == 401
    assert ask(app, "DELETE", "/v1/things/tea", Authorization="Bearer buyer+fresh")[0] == 204


def test_what_is_patched_is_posted_too_and_nothing_else_is() -> None:
    found = Routes("test", table={"get_thing": anybody(), "make_thing": signed_in(), "put_thing": staff(Post)})
    found.route("PATCH", "/v1/things/{thing_id}", access=Access.MERCHANT, body=Thing)(put_thing)
    found.route("GET", "/v1/things/{thing_id}", access=Access.PUBLIC)(get_thing)
    assert found.find("POST", "/v1/things/{thing_id}") is found.find("PATCH", "/v1/things/{thing_id}")
    for method, path in (("PUT", "/v1/things/{thing_id}"), ("POST", "/v1/things"), ("PATCH", "/v1/things")):
        with pytest.raises(LookupError, match="declares no"):
            found.find(method, path)
    with pytest.raises(LookupError, match="take another path"):
        found.route("POST", "/v1/things/{thing_id}", access=Access.SIGNED_IN, body=Thing)(make_thing)
    other = Routes("test", table={"make_thing": signed_in(), "put_thing": staff(Post)})
    other.route("POST", "/v1/things", access=Access.SIGNED_IN, body=Thing)(make_thing)
    with pytest.raises(LookupError, match="take another path"):
        other.route("PATCH", "/v1/things", access=Access.MERCHANT, body=Thing)(put_thing)
