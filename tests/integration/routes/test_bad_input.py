"""Every entrance answers bad input with a clear problem and leaves no trace: generated from the OpenAPI document.

Each case takes the request with which the route's owner succeeds (``tests/support/entries.py``) and spoils one thing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from chalicelib.runtime import aws
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Route
from tests.integration.routes.test_access import OWNER, ROUTES
from tests.support import dump
from tests.support.entries import ENTRIES, Ask, World
from tests.support.http import Answer
from tools.generate import openapi

MARK = "Zaphod13900139000"
"""Put into whatever is refused: no problem may say it again."""
TAGS = list(dict.fromkeys(route.tag for route in ROUTES.values()))
WRONG = {"object": {MARK: 1}, "array": [MARK], "string": MARK, "integer": 7, "number": 1.5, "boolean": True}
CONTROLS = ("\x00", "\x01", "\x1b[31m", "\x7f")
JUNK_IDS = (
    "x",
    MARK,
    "..",
    "../../etc/passwd",
    "%2e%2e%2f",
    "%00",
    "\x00",
    "a\r\nX-Injected: 1",
    "中文",
    "\U0001f600",
    "' OR 1=1 --",
    '{"S":"x"}',
    "-1",
    "null",
    "__class__",
    "x" * 10_000,
    "中" * 3_000,
)
JUNK_QUERY = {
    "limit": ("0", "-1", "101", "1.5", "x", "", "99999999999999999999", "\x00"),
    "cursor": ("x", "AAAA", "中文", "x" * 10_000, "\x00", "e30", "=" * 100),
    "q": ("", "x" * 10_000, "\x00", "a\x01b"),
    "tracking_number": ("", "x" * 10_000, "\x00", "中文"),
}
KINDS = (
    "pur",
    "ord",
    "pay",
    "ref",
    "apr",
    "apv",
    "qua",
    "prd",
    "sku",
    "shp",
    "cmp",
    "open",
    "acc",
    "mer",
    "jobs",
    "imp",
    "exp",
    "cod",
    "key",
    "pky",
)
"""Prefixes of records that share tables: one taken for the other must be missing, not misread."""
KEYS = (
    "",
    "short",
    "x" * 65,
    "x" * 10_000,
    "with spaces in it",
    "钥匙钥匙钥匙钥匙",
    "line\nline\nline",
    "tab\ttab\ttab",
)


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


@dataclass(frozen=True)
class Case:
    """One spoilt request and what is wrong with it."""

    what: str
    ask: Ask
    status: tuple[int, ...] = (400, 409, 412, 413, 422)
    key: str | None = None


# --- bodies -----------------------------------------------------------------------------------------------------------


def cases_of(route: Route, ask: Ask, known: Mapping[str, set[str]]) -> Iterator[Case]:
    yield from _paths(ask, known)
    yield from _queries(route, ask)
    if route.idempotent:
        for key in KEYS:
            yield Case(f"Idempotency-Key {key[:20]!r}", replace(ask, headers={**ask.headers, "idempotency-key": key}))
    yield Case("over the cap", replace(ask, raw=b" " * (route.cap_bytes + 1), body=None), (413,))
    if route.method in ("POST", "PUT", "PATCH"):
        for kind in ("text/plain", "application/xhtml+xml", "x"):
            yield Case(f"content type {kind}", replace(ask, headers={**ask.headers, "content-type": kind}), (415,))
    if route.body is not None:
        ask = replace(ask, body=ask.body or {})
        yield from _raw_bodies(ask)
        yield from _fields(route, ask)


def _raw_bodies(ask: Ask) -> Iterator[Case]:
    good = json.dumps(ask.body).encode()
    first = next(iter(ask.body), "x")
    twice = good[:-1] + (b", " if ask.body else b"") + json.dumps({first: ask.body.get(first)}).encode()[1:]
    if not ask.body:
        twice = b'{"x": 1, "x": 1}'
    bodies = {
        "not JSON": b"{" + MARK.encode(),
        "cut off": good[:-1],
        "two documents": good + good,
        "single quotes": b"{'a': 1}",
        "a comment": good + b"// x",
        "NaN": b'{"x": NaN}',
        "invalid UTF-8": b'{"x": "\xff\xfe"}',
        "UTF-16": good.decode().encode("utf-16"),
        "a lone surrogate": b'{"x": "\\ud800"}',
        "deeply nested": b'{"x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}" if len(good) < 4096 else b"[" * 4_000,
        "nested": b'{"x": ' + b"[" * 1_500 + b"]" * 1_500 + b"}",
        "a huge number": b'{"x": ' + b"9" * 3_500 + b"}",
        "a list": b"[]",
        "a string": b'"x"',
        "null": b"null",
        "a number": b"1",
        "a duplicate key": twice,
    }
    for what, raw in bodies.items():
        yield Case(what, replace(ask, raw=raw), (400, 413, 422))


def _fields(route: Route, ask: Ask) -> Iterator[Case]:
    document = openapi.document()
    operation = document["paths"][route.path][route.method.lower()]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    yield Case("an unknown field", replace(ask, body={**ask.body, "unknown_" + MARK: MARK}))
    for path, spoilt in _spoil(document, schema, ask.body):
        yield Case(path, replace(ask, body=spoilt))


def _resolve(document: Any, schema: Any) -> Any:
    while "$ref" in schema:
        at: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        schema = at
    return schema


def _alternatives(document: Any, schema: Any) -> list[Any]:
    schema = _resolve(document, schema)
    if "anyOf" in schema:
        return [found for each in schema["anyOf"] for found in _alternatives(document, each)]
    return [schema]


def _types(schemas: list[Any]) -> set[str]:
    found: set[str] = set()
    for schema in schemas:
        kind = schema.get("type", "string" if {"enum", "const"} & set(schema) else "object")
        found |= set(kind) if isinstance(kind, list) else {kind}
    return found | ({"integer"} if "number" in found else set())


def _spoil(document: Any, schema: Any, good: Any) -> Iterator[tuple[str, Any]]:
    """Yield the body with one thing wrong, and where: every field of the schema, those of inner objects included."""
    (schema,) = [each for each in _alternatives(document, schema) if each.get("type") == "object"]
    for name in schema.get("required", ()):
        yield f"without {name}", {other: value for other, value in good.items() if other != name}
    for name, field in schema.get("properties", {}).items():
        choices = _alternatives(document, field)
        for what, value in _bad_values(choices, nullable="null" in _types(choices), has="default" in field):
            yield f"{name}: {what}", {**good, name: value}
        inner = next((each for each in choices if each.get("type") == "object" and "properties" in each), None)
        example = good.get(name) or (_example(document, inner) if inner else None)
        if inner is not None and isinstance(example, dict):
            yield f"{name}: unknown field", {**good, name: {**example, "unknown_" + MARK: 1}}
            for what, value in _spoil(document, inner, example):
                yield f"{name}.{what}", {**good, name: value}
        for items in (each.get("items") for each in choices if each.get("type") == "array"):
            if items is not None:
                yield from _spoil_list(document, name, items, good)


def _spoil_list(document: Any, name: str, items: Any, good: Any) -> Iterator[tuple[str, Any]]:
    choices = _alternatives(document, items)
    for what, value in _bad_values(choices, nullable=False, has=False):
        yield f"{name}[0]: {what}", {**good, name: [value]}
    inner = next((each for each in choices if each.get("type") == "object" and "properties" in each), None)
    if inner is not None:
        example = (good.get(name) or [_example(document, inner)])[0]
        for what, value in _spoil(document, inner, example):
            yield f"{name}[0].{what}", {**good, name: [value]}
    yield f"{name}: too many", {**good, name: [f"{MARK}{n}" for n in range(1_000)]}


def _example(document: Any, schema: Any) -> dict[str, Any]:
    plain = {"string": "CNY", "integer": 1, "boolean": True, "array": [], "object": {}}
    return {
        name: plain[next(iter(_types(_alternatives(document, schema["properties"][name])) - {"null", "number"}))]
        for name in schema.get("required", ())
    }


def _bad_values(choices: list[Any], *, nullable: bool, has: bool) -> Iterator[tuple[str, Any]]:
    types = _types(choices)
    for kind, value in WRONG.items():
        if kind not in types and not (kind == "integer" and "number" in types):
            yield f"{kind} instead", value
    if not nullable:
        yield "null instead", None
    if "integer" in types and "string" not in types:
        for number in (-1, -(10**18), 10**18, 10**40, 1.5, "7", 1e300):
            yield f"number {number!r}", number
    if "string" in types:
        longest = max((each.get("maxLength", 0) for each in choices), default=0)
        yield "too long", MARK * ((longest or 10_000) // len(MARK) + 2) if longest < 60_000 else 1
        for control in CONTROLS:
            yield f"control {control!r}", f"{MARK[:3]}{control}{MARK[:3]}"


# --- addresses and queries --------------------------------------------------------------------------------------------


def _paths(ask: Ask, known: Mapping[str, set[str]]) -> Iterator[Case]:
    for name, good in ask.ids.items():
        prefix, _, rest = good.partition("_")
        own = () if not rest else (good.upper(), good + "_01", good[:-1], f"xyz_{rest}", prefix + "_", good + "x" * 40)
        alias = (good.rpartition("_")[0],) if good.count("_") == 2 else ()
        wide = (good[:-2] + "²³",) if good.count("_") == 2 else ()
        others = {f"{kind}_{body}{number}" for body in _bodies(ask) for kind in KINDS for number in ("", "_01", "_02")}
        others |= {value for kind, values in known.items() if kind != name for value in values}
        for junk in (*JUNK_IDS, *own, *alias, *wide, *sorted(others - {good} - _siblings(good))):
            yield Case(f"{name} {junk[:30]!r}", replace(ask, ids={**ask.ids, name: junk}), (404, 422))


def _bodies(ask: Ask) -> set[str]:
    """Return the bodies of the ids: a purchase, its orders, payments, refunds and approvals share one."""
    return {
        parts[1] for parts in (value.split("_") for value in ask.ids.values()) if len(parts) > 1 and len(parts[1]) > 20
    }


def _siblings(good: str) -> set[str]:
    """Return ids that may well be there: the same kind with another number."""
    return {good[:-2] + number for number in ("01", "02")} if good.count("_") == 2 else set()


def _queries(route: Route, ask: Ask) -> Iterator[Case]:
    if route.access is Access.PROVIDER:
        return
    yield Case("unknown parameter", replace(ask, query={**ask.query, "unknown": MARK}))
    if route.query is None:
        return
    first = next(iter(route.query.model_json_schema()["properties"]))
    good = ask.query.get(first, "1")
    yield Case("a parameter twice", replace(ask, query={**ask.query, first: good}, twice=((first, good),)), (422,))
    for name in route.query.model_json_schema()["properties"]:
        for value in JUNK_QUERY.get(name, ("", "x" * 10_000, "\x00", "中文", MARK)):
            yield Case(f"?{name}={value[:20]!r}", replace(ask, query={**ask.query, name: value}))


# --- the test ---------------------------------------------------------------------------------------------------------


class Watch(dump.Writes):
    """Remembers accepted writes, and keys that the real DynamoDB would refuse to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.bad_keys: list[str] = []

    def __call__(self, service: str, operation: str, params: dict[str, Any], proceed: Any) -> dict[str, Any]:
        if service == "dynamodb":
            for value in _strings(params.get("Key", params.get("ExpressionAttributeValues", {}))):
                if not 0 < len(value.encode()) <= 1024:
                    self.bad_keys.append(f"{operation} {value[:40]!r} of {len(value)}")
        return super().__call__(service, operation, params, proceed)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("S"), str):
            yield value["S"]
        for inner in value.values():
            yield from _strings(inner)


def complaint_about(answer: Answer, case: Case) -> str:
    """Return what is wrong with an answer to bad input; empty if nothing is."""
    if answer.status not in case.status:
        return f"status {answer.status} {answer.body[:200]}"
    if answer.headers.get("content-type") != "application/problem+json":
        return f"content type {answer.headers.get('content-type')}"
    if not {"type", "title", "status", "code", "detail", "request_id"} <= set(answer.json):
        return f"no problem: {answer.body[:200]}"
    if case.what.startswith("account "):  # The name of an account of the ledger: an operator's own question.
        return ""
    if MARK in answer.body.replace("unknown_" + MARK, "").replace(f"/{MARK}", ""):
        return f"echo: {answer.body[:300]}"
    return ""


@pytest.mark.many_calls("every route of a capability, and the whole account is read after each refusal")
@pytest.mark.parametrize("tag", TAGS)
def test_bad_input_is_refused_and_leaves_no_trace(world: World, tag: str) -> None:
    routes = [route for route in ROUTES.values() if route.tag == tag]
    asks = [(route, ENTRIES[route.operation_id](world)) for route in routes]
    known: dict[str, set[str]] = {}
    for _, ask in asks:
        for parameter, value in ask.ids.items():
            known.setdefault(parameter, set()).add(value)
    uncounted = () if tag != "auth" else ("identities",)  # Attempts are counted, refused ones above all.
    before, objects = dump.tables(*uncounted), dump.objects()
    wrong: list[str] = []
    for route, ask in asks:
        owner = OWNER[route.access]
        token = world.token_of(owner) if owner else None
        for case in cases_of(route, ask, known):
            watch = Watch()
            with aws.hooked(watch):
                answer = case.ask.send(route, token, key=case.key)
            faults = [complaint_about(answer, case), *(() if tag == "auth" else watch.seen), *watch.bad_keys]
            wrong += [f"{route.operation_id}: {case.what}: {fault}" for fault in faults if fault]
    assert not wrong, "\n".join(wrong)
    assert dump.differences(before, dump.tables(*uncounted)) == []
    assert dump.objects() == objects
