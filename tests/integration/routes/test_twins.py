"""Mini programs know no PATCH: what it changes, POST at the same path changes as well, for the same people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.integration.routes.test_access import OWNER, ROUTES
from tests.support.entries import ENTRIES, World
from tests.support.http import Answer, call
from tools.generate import openapi

PATCHED = sorted(name for name, route in ROUTES.items() if route.method == "PATCH")


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


def same(answer: Answer) -> tuple[int, Any]:
    """Return what two answers share that mean the same: a problem but for its request."""
    told = answer.json
    return answer.status, {k: v for k, v in told.items() if k != "request_id"} if answer.status >= 400 else set(told)


@pytest.mark.parametrize("name", PATCHED)
def test_it_is_the_same_call_by_both_verbs(world: World, name: str) -> None:
    patched, posted = ROUTES[name], replace(ROUTES[name], method="POST")
    owner = OWNER[patched.access]
    token = world.token_of(owner) if owner else None
    done = [ENTRIES[name](world).send(route, token) for route in (patched, posted)]
    assert [answer.status for answer in done] == [patched.status] * 2, [answer.body for answer in done]
    assert set(done[0].json) == set(done[1].json)


@pytest.mark.parametrize("name", PATCHED)
def test_it_is_refused_to_the_same_people(world: World, name: str) -> None:
    path = ROUTES[name].path.replace("{", "").replace("}", "")
    buyer = world.token_of("buyer")
    for token, body in ((None, {}), ("x.y.z", {}), (buyer, {}), (buyer, {"unknown": 1})):
        patched, posted = (same(call(method, path, body, token=token)) for method in ("PATCH", "POST"))
        assert patched == posted


def test_the_document_has_both() -> None:
    paths = openapi.document()["paths"]
    for name in PATCHED:
        item = paths[ROUTES[name].path]
        posted = item["post"]
        assert posted["operationId"] == f"{name}_by_post"
        for part in ("parameters", "requestBody", "responses", "security", "x-access"):
            assert posted[part] == item["patch"][part]
    assert PATCHED
