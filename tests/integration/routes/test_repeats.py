"""A repeated POST is safe everywhere (P16): every idempotent route, repeated, reworded, raced and under a used key.

Generated from the declarations; ``tests/support/entries.py`` says how each route succeeds.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.auth import service as auth
from chalicelib.kernel.roles import Role
from chalicelib.runtime.http.routes import Route
from tests.integration.routes.test_access import OWNER, ROUTES
from tests.support import dump, people
from tests.support.entries import ENTRIES, Ask, World
from tests.support.http import Answer

IDEMPOTENT = [name for name, route in ROUTES.items() if route.idempotent]
RIVALS = 3
NAMED_BY_CONTENT = ("register", "send_code", "begin_reconciliation")
"""What they make is named by what was meant (an identity, a provider's day), whatever the key and the spelling."""
NOT_REPLAYED = ("expires_at", "url", "fields", "upload", "token", "key", "secret", "label_html")
"""A signed address is signed anew, and leads to the same place; a token, a key, a secret and a label are shown once."""


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


def token_of(world: World, route: Route) -> str | None:
    owner = OWNER[route.access]
    return world.token_of(owner) if owner else None


def said(answer: Answer) -> Any:
    body = answer.json if isinstance(answer.json, dict) else {}
    return answer.status, {name: value for name, value in body.items() if name not in NOT_REPLAYED}


def raw(ask: Ask) -> bytes:
    if ask.raw is not None:
        return ask.raw
    return json.dumps(ask.body).encode() if ask.body is not None else b""


@pytest.mark.parametrize("name", IDEMPOTENT)
def test_a_repeat_answers_the_same_and_does_nothing(world: World, name: str) -> None:
    route, key = ROUTES[name], uuid4().hex
    ask, token = ENTRIES[name](world), token_of(world, route)
    first = ask.send(route, token, key=key)
    assert first.status == route.status, first
    before, objects = dump.tables("identities"), dump.objects()
    again = ask.send(route, token, key=key)
    assert said(again) == said(first)
    if name in ("upload_evidence", "upload_virtual_file"):  # What follows is another upload, and counts.
        assert dump.differences(before, dump.tables("identities")) == []
        _another_place(first, replace(ask, raw=raw(ask) + b" ").send(route, token, key=key))
        return
    reworded = replace(ask, raw=raw(ask) + b" ").send(route, token, key=key)
    if name in NAMED_BY_CONTENT:
        assert said(reworded) == said(first)
    else:
        assert (reworded.status, reworded.json["code"]) == (422, "idempotency_key_reused")
    assert dump.differences(before, dump.tables("identities")) == []
    assert dump.objects() == objects


def _another_place(first: Answer, reworded: Answer) -> None:
    """Nothing is kept of a ticket's wording: another request under the key is another place."""
    [named] = {"evidence_id", "file_id"} & set(first.json)
    assert (reworded.status, reworded.json[named] != first.json[named]) == (201, True)


@pytest.mark.parametrize("name", [name for name in IDEMPOTENT if "{" in ROUTES[name].path])
def test_a_used_key_does_not_swallow_what_is_asked_of_another_record(world: World, name: str) -> None:
    route, key = ROUTES[name], uuid4().hex
    one, other, token = ENTRIES[name](world), ENTRIES[name](world), token_of(world, route)
    first = one.send(route, token, key=key)
    assert first.status == route.status, first
    before = dump.tables()
    second = other.send(route, token, key=key)
    if second.status == route.status:
        assert dump.differences(before, dump.tables()) != []
        assert said(second) != said(first)
    else:
        assert (second.status, second.json["code"]) == (422, "idempotency_key_reused")
        assert dump.differences(before, dump.tables()) == []


@pytest.mark.parametrize("name", IDEMPOTENT)
def test_rivals_with_one_key_get_one_answer(world: World, name: str) -> None:
    route, key = ROUTES[name], uuid4().hex
    ask, token = ENTRIES[name](world), token_of(world, route)
    ready = Barrier(RIVALS)

    def rival() -> Answer:
        ready.wait()
        return ask.send(route, token, key=key)

    with ThreadPoolExecutor(RIVALS) as pool:
        answers = [future.result() for future in [pool.submit(rival) for _ in range(RIVALS)]]
    good = [answer for answer in answers if answer.status == route.status]
    assert good, answers
    assert [answer for answer in answers if answer not in good and answer.status not in (409, 503)] == []
    final = ask.send(route, token, key=key)
    assert {json.dumps(said(answer), sort_keys=True) for answer in good} == {json.dumps(said(final), sort_keys=True)}


def test_two_people_may_choose_the_same_key(world: World) -> None:
    key = uuid4().hex
    made = set()
    for who, merchant in (("buyer", world.shop), ("other_buyer", world.other_shop)):
        account_id = getattr(world, who).account_id
        auth.grant(account_id, Role.MERCHANT_STAFF, merchant.merchant_id)
        token = people.token(account_id, Role.BUYER)
        for name in ("add_address", "create_product", "begin_import", "begin_export"):
            answer = ENTRIES[name](world).send(ROUTES[name], token, key=key)
            assert answer.status == ROUTES[name].status, answer
            made.add(next(value for field, value in answer.json.items() if field.endswith("_id") and value[3] == "_"))
    assert len(made) == 8
