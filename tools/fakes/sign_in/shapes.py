"""Every shape in which the platforms' answers come: errors with HTTP 200 among them, as JSON, JSONP or a form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

Answer = tuple[int, dict[str, str], bytes]
Right = dict[str, Any]
"""What the right answer would hold."""
WEB, MINI = ("token", "me", "user"), ("qq_mini", "wechat_mini")
STEPS = (*WEB, *MINI)
JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html; charset=utf-8"}
SLOW_S, LARGE = 8.0, 1 << 20
WORD = {"error": 100016, "error_description": "access token check failed"}


def as_json(members: Mapping[str, Any], status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return status, JSON, json.dumps(members, ensure_ascii=False).encode()


def as_jsonp(members: Mapping[str, Any]) -> Answer:
    """Return an answer as graph.qq.com wraps it for pages."""
    return 200, HTML, f"callback( {json.dumps(members, ensure_ascii=False)} );\n".encode()


def as_form(members: Mapping[str, Any]) -> Answer:
    """Return an answer as a form."""
    return 200, HTML, urlencode(members).encode()


def _code(number: int, words: str) -> Callable[[Right], Answer]:
    return lambda _: as_json({"errcode": number, "errmsg": words})


def _body(body: bytes, status: int = 200, headers: Mapping[str, str] = HTML) -> Callable[[Right], Answer]:
    return lambda _: (status, dict(headers), body)


def _without(*names: str) -> Callable[[Right], Answer]:
    return lambda right: as_json({name: value for name, value in right.items() if name not in names})


def _with(**members: Any) -> Callable[[Right], Answer]:
    return lambda right: as_json({**right, **members})


_AGAIN = b', "openid": "ANOTHER", "access_token": "x"}'
_BOTH: dict[str, Callable[[Right], Answer]] = {
    "normal": as_json,
    "no_openid": _without("openid"),
    "odd_openid": _with(openid="<b>&no name"),
    "html": _body(b"<!doctype html><title>maintenance</title><p>Back soon."),
    "empty": _body(b""),
    "not_utf8": _body(b'{"openid": "\xff\xfe"}'),
    "cut": lambda right: (200, JSON, json.dumps(right).encode()[:-9]),
    "twice": lambda right: (
        200,
        JSON,
        json.dumps(right).encode()[:-1] + b', "openid": "ANOTHER", "access_token": "x"}',
    ),
    "deep": _body(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, headers=JSON),
    "list": _body(b"[]", headers=JSON),
    "too_large": lambda right: as_json({**right, "padding": "x" * LARGE}),
    "huge": _body(b" " * (5 * LARGE), headers=JSON),
    "http_404": _body(b"no such page", 404),
    "http_429": _body(b"slow down", 429),
    "http_500": _body(b"Internal Server Error", 500),
    "http_502": _body(b"<html>Bad Gateway</html>", 502),
    "redirect": _body(b"", 302, {"location": "https://www.qq.com/error"}),
}
_ONLY_WEB: dict[str, Callable[[Right], Answer]] = {
    "jsonp": as_jsonp,
    "form": as_form,
    "json_error": lambda _: as_json(WORD),
    "jsonp_error": lambda _: as_jsonp(WORD),
    "form_error": lambda _: as_form(WORD),
    "text_error": lambda _: as_json({**WORD, "error": "100016"}),
    "odd_error": lambda _: as_json({**WORD, "error": [1]}),
    "ret_msg": lambda _: as_json({"ret": 1002, "msg": "请先登录"}),
    "no_unionid": lambda _: as_jsonp({"error": 100048, "error_description": "no unionid permission"}),
    "foreign": _with(client_id="100000001"),
    "no_client_id": _without("client_id"),
    "no_token": _without("access_token"),
}
_ONLY_MINI: dict[str, Callable[[Right], Answer]] = {
    "busy": _code(-1, "system error"),
    "bad_code": _code(40029, "invalid code"),
    "limited": _code(45011, "api minute-quota reach limit"),
    "unknown_error": _code(40013, "invalid appid"),
    "text_error": _code("40029", "invalid code"),  # type: ignore[arg-type]
    "odd_error": _code(None, "?"),  # type: ignore[arg-type]
    "zero": _with(errcode=0, errmsg="ok"),
    "no_unionid": _without("unionid"),
    "no_key": _without("session_key"),
    "bad_key": _with(session_key="c2hvcnQ="),
    "jsonp": as_jsonp,
}
_ONLY_WECHAT = {"blocked": _code(40226, "code blocked")}
HELD = ("slow", "silent")
"""The right answer, too late or never."""


def shapes_of(step: str) -> dict[str, Callable[[Right], Answer]]:
    """Return the shapes that a step's answer may take, by name."""
    held = dict.fromkeys(HELD, as_json)
    if step in WEB:
        return {**_BOTH, **_ONLY_WEB, **held}
    return {**_BOTH, **_ONLY_MINI, **(_ONLY_WECHAT if step == "wechat_mini" else {}), **held}
