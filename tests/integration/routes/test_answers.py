"""What the document says of an answer is what is sent: every route's, by its own schema, and its headers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from chalicelib.runtime.http.access import Access
from tests.integration.routes.test_access import OWNER, ROUTES
from tests.support.entries import ENTRIES, World
from tests.support.http import Answer, call
from tools.generate import openapi


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def wrong(document: dict[str, Any], name: str, answer: Answer) -> list[str]:
    """Return where an answer is not what the document says of it."""
    route = ROUTES[name]
    responses = document["paths"][route.path][route.method.lower()]["responses"]
    if str(answer.status) not in responses:
        return [f"{name}: {answer.status} is not declared"]
    content = responses[str(answer.status)].get("content", {})
    if not content:
        return [f"{name}: {answer.status} has no body"] if answer.body else []
    kind = answer.headers["content-type"]
    if kind not in content:
        return [f"{name}: {kind} is not declared"]
    if "json" not in kind:
        return []
    schema = {**content[kind]["schema"], "components": document["components"]}
    found = Draft202012Validator(schema).iter_errors(json.loads(answer.body))
    return [f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


@pytest.mark.parametrize("tag", sorted({route.tag for route in ROUTES.values()}))
def test_every_answer_is_what_the_document_says(world: World, document: dict[str, Any], tag: str) -> None:
    found = []
    for name, route in ROUTES.items():
        if route.tag != tag:
            continue
        owner = OWNER[route.access]
        answer = ENTRIES[name](world).send(route, world.token_of(owner) if owner else None)
        found += [] if answer.status == route.status else [f"{name}: {answer.status} {answer.body}"]
        if route.access is not Access.PROVIDER:  # How a provider wants to be answered is its adapter's to say.
            found += wrong(document, name, answer)
        found += [] if answer.headers.get("x-content-type-options") == "nosniff" else [f"{name}: may be sniffed"]
    assert found == []


def test_refusals_are_declared_and_not_sniffed_either(document: dict[str, Any]) -> None:
    big = b'{"x": "' + b"x" * 300_000 + b'"}'
    found = []
    for name, route in ROUTES.items():
        if route.access is Access.PROVIDER:
            continue
        path = route.path.replace("{", "").replace("}", "")
        kind = {"content-type": route.content_types[0]}
        for answer in (
            call(route.method, path, raw=big, headers=kind),
            call(route.method, path + "?unknown=1", headers=kind, key="not a key"),
            call(route.method, path, headers={**kind, "authorization": "Bearer x.y.z"}, body={"unknown": 1}),
        ):
            found += wrong(document, name, answer)
            found += [] if answer.headers.get("x-content-type-options") == "nosniff" else [f"{name}: {answer.status}"]
    assert found == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/nowhere"), ("PATCH", "/v1/quotes"), ("GET", "/docs"), ("GET", "/openapi.json")]
)
def test_what_no_route_of_ours_answers_is_not_sniffed(method: str, path: str) -> None:
    assert call(method, path).headers["x-content-type-options"] == "nosniff"


def test_no_answer_may_hold_null(document: dict[str, Any]) -> None:
    """Answers leave out what there is nothing to say of, so no schema of an answer may speak of null."""
    answered = {
        name
        for methods in document["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        for name in openapi.reached(
            [str(content["schema"].get("$ref", "/Problem")).rsplit("/", 1)[1]], document["components"]["schemas"]
        )
    }
    asked = {
        name
        for methods in document["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        for name in openapi.reached(
            [str(content["schema"].get("$ref", "/Problem")).rsplit("/", 1)[1]], document["components"]["schemas"]
        )
    }
    schemas = document["components"]["schemas"]
    with_null = [
        f"{name}.{field}"
        for name in sorted(answered - asked)
        for field, part in schemas[name].get("properties", {}).items()
        if {"type": "null"} in part.get("anyOf", ())
    ]
    required_in_both = [
        f"{name}.{field}"
        for name in sorted(answered & asked)
        for field in schemas[name].get("required", ())
        if {"type": "null"} in schemas[name]["properties"][field].get("anyOf", ())
    ]
    assert (with_null, required_in_both) == ([], [])
