"""Calls the real Chalice application in process, through API Gateway's own event shape."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from chalicelib.runtime.http.app import App


@dataclass(frozen=True)
class Answer:
    """Status, parsed JSON (or None), headers in lower case, and the raw body."""

    status: int
    json: Any
    headers: dict[str, str]
    body: str


@cache
def application() -> App:
    """Return the app with every route that is declared now, not only the committed list."""
    from tools.generate.routing import route_lines

    application = App("biandan", authenticate="chalicelib.auth.service:authenticate")
    application.install(route_lines())
    return application


def event(
    method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None, app: App | None = None
) -> dict[str, Any]:
    """Return the proxy event API Gateway would send for a call."""
    parts = urlsplit(path)
    resource, parameters = _match(app or application(), parts.path)
    return {
        "resource": resource,
        "path": parts.path,
        "httpMethod": method,
        "headers": headers or {},
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": dict(parse_qsl(parts.query, keep_blank_values=True)) or None,
        "multiValueQueryStringParameters": _many(parse_qsl(parts.query, keep_blank_values=True)) or None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "requestId": uuid4().hex,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def _many(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _match(app: App, path: str) -> tuple[str, dict[str, str]]:
    if path in app.routes:
        return path, {}
    for template in app.routes:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        found = re.fullmatch(pattern, path)
        if found:
            return template, {name: unquote(value) for name, value in found.groupdict().items()}
    return path, {}


def call(
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    raw: bytes | None = None,
) -> Answer:
    """Make one call. ``body`` is sent as JSON, ``raw`` as it is; ``key`` is the Idempotency-Key, fresh if not given."""
    own = {name.lower(): value for name, value in (headers or {}).items()}  # Sent once, however it is spelled.
    sent = {"accept": "application/json", "content-type": "application/json", **own}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    if method == "POST":
        sent.setdefault("idempotency-key", key or uuid4().hex)
    payload = raw if raw is not None else (json.dumps(body).encode() if body is not None else b"")
    answer = application()(event(method, path, body=payload, headers=sent), None)
    text = answer.get("body") or ""
    kind = {name.lower(): value for name, value in answer.get("headers", {}).items()}
    is_json = "json" in kind.get("content-type", "")
    return Answer(answer["statusCode"], json.loads(text) if is_json and text else None, kind, text)
