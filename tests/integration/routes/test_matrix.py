"""Every route x everybody x their own, somebody else's and what is not there (P17), held to a committed table.

``matrix.toml`` says for each class of routes whom it lets in and what it tells all others; every route stands in one
class, written there once more and by hand: a line of the policy table that is changed by mistake is another answer
here. ``test_access.py`` plays the owners' successes; here everybody else is played, the expelled too.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.auth import living
from chalicelib.auth import service as auth
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.merchants import service as merchants
from chalicelib.runtime import aws
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Route
from tests.integration.routes.test_access import ANSWERS_FOR_NONE, ROUTES, records
from tests.support import dump, people
from tests.support import shop as shops
from tests.support.entries import ENTRIES, Ask, World, expired_token
from tests.support.entries import ghost as ghost_of
from tests.support.http import Answer, call

TABLE: dict[str, Any] = tomllib.loads((Path(__file__).parent / "matrix.toml").read_text("utf-8"))
CLASSES: dict[str, dict[str, Any]] = TABLE["classes"]
CLASS_OF = {name: key for key, one in CLASSES.items() for name in one["routes"]}
LARGEST_SENT = 256 * 1024
IN = "in"


@dataclass
class Cast:
    """Everybody who calls, by the names of the table: a token each, or None."""

    world: World
    tokens: dict[str, str | None] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Staff of the other merchant, by post."""

    @classmethod
    def build(cls, world: World) -> Cast:
        """Make them."""
        shop, made = world.shop.merchant_id, cls(world)
        made.tokens = {"nobody": None, "expired": expired_token(world), "buyer": world.passerby.token}
        for post in Post:
            made.tokens[post.value] = people.staff(shop, post).token
            made.elsewhere[post.value] = people.staff(world.other_shop.merchant_id, post).token
        for desk in Desk:
            made.tokens[f"desk_{desk.value}"] = people.operator(desk).token
        made.tokens["dismissed_owner"] = dismissed(people.staff(shop), Role.MERCHANT_STAFF)
        made.tokens["dismissed_admin"] = dismissed(people.operator(), Role.OPERATOR)
        made.tokens["ended_owner"] = ended(people.staff(shop))
        made.tokens["ended_admin"] = ended(people.operator())
        closed = shops.shop()
        merchants.change(closed.merchant_id, {"status": "suspended"})
        made.tokens["suspended_owner"] = closed.token
        living.forget()
        return made


def dismissed(person: people.Person, role: Role) -> str:
    """Take the role from somebody who keeps a token that names it."""
    auth.revoke(person.account_id, role)
    return person.token


def ended(person: people.Person) -> str:
    """Sign somebody out who keeps the access token."""
    people.session(person)
    assert call("POST", "/v1/auth/sign-out", {}, token=person.token).status == 204
    return person.token


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


@pytest.fixture(scope="module")
def cast(world: World) -> Cast:
    return Cast.build(world)


@pytest.fixture(scope="module")
def asks(world: World) -> dict[str, Ask]:
    """How the first merchant, its buyer and an operator call each route, about records of their own."""
    return {name: ENTRIES[name](world) for name in ROUTES}


def code(answer: Answer) -> str:
    """Return the refusal's code; ``in`` for whatever only somebody who was let in is told."""
    told = str((answer.json or {}).get("code", "")) if answer.status >= 400 else ""
    return told if answer.status in (401, 403) else IN


def probe(route: Route, ask: Ask) -> Ask:
    """Return a request that is refused as soon as its caller was let in: nothing is done by whoever is."""
    if route.cap_bytes <= LARGEST_SENT:
        return replace(ask, raw=b"x" * (route.cap_bytes + 1), body=None)
    return replace(ask, query={**ask.query, "nothing_is_called_so": "1"})


def missing(route: Route, ask: Ask) -> Ask:
    """Return the same request about records that are not there."""
    for name in records(route, ask):
        ask = ask.having(name, ghost_of(ask.value(name)))
    return ask


def test_every_route_stands_in_one_class_of_the_table() -> None:
    listed = [name for one in CLASSES.values() for name in one["routes"]]
    assert sorted(listed) == sorted(ROUTES), set(listed) ^ set(ROUTES)
    for name, key in CLASS_OF.items():
        assert set(CLASSES[key]["answers"]) == set(TABLE["callers"]), name


def test_everybody_is_told_what_the_table_says(cast: Cast, asks: dict[str, Ask]) -> None:
    """Routes x callers, each with the records of the first merchant and buyer; nothing is written by any of it."""
    assert set(cast.tokens) == set(TABLE["callers"])
    probes = {name: probe(ROUTES[name], ask) for name, ask in asks.items()}
    before = dump.tables()
    unexpected, cells = [], 0
    writes = dump.Writes()
    with aws.hooked(writes):
        for name, route in ROUTES.items():
            if route.access is Access.PROVIDER:
                continue  # No token is read: who signs is asked in test_attacks.
            for who, token in cast.tokens.items():
                cells += 1
                answer = probes[name].send(route, token)
                expected = CLASSES[CLASS_OF[name]]["answers"][who]
                let_in = answer.status in (413, 422)
                if code(answer) != expected or (expected == IN and not let_in):
                    unexpected.append((name, who, expected, answer.status, code(answer)))
    assert unexpected == []
    assert writes.seen == []
    assert dump.differences(before, dump.tables()) == []
    assert cells == (len(ROUTES) - 3) * len(cast.tokens)


def test_who_is_let_in_reads_their_own_and_nothing_of_others(cast: Cast, asks: dict[str, Ask]) -> None:
    """Each post and desk reads what is its merchant's; of another merchant's and of nothing it is told the same."""
    cells = 0
    for name, route in ROUTES.items():
        if route.access not in (Access.MERCHANT, Access.OPERATOR):
            continue
        answers = CLASSES[CLASS_OF[name]]["answers"]
        ask = asks[name]
        gone = missing(route, ask)
        for who in answers:
            if answers[who] != IN or who not in (*Post, *(f"desk_{desk}" for desk in Desk)):
                continue
            if route.method == "GET":
                cells += 1
                assert ask.send(route, cast.tokens[who]).status == 200, (name, who)
            if records(route, ask) and name not in ANSWERS_FOR_NONE:
                cells += 1
                told = gone.send(route, cast.tokens[who])
                assert told.status in (404, 409), (name, who, told)
                if who in cast.elsewhere:
                    cells += 1
                    foreign = ask.send(route, cast.elsewhere[who])
                    assert said(foreign, ask) == said(told, gone), (name, who)
    assert cells > 300


def said(answer: Answer, ask: Ask) -> dict[str, Any]:
    """Return what an answer says, apart from the request's id and the ids that were asked for."""
    text = answer.body
    for value in (*ask.ids.values(), *(ask.value(name) for name in ask.body_ids)):
        text = text.replace(value, "<asked>")
    members: dict[str, Any] = json.loads(text)
    members.pop("request_id", None)
    return {"status": answer.status, **members}


def test_a_header_or_a_path_makes_nobody_somebody_else(world: World, cast: Cast) -> None:
    """Another merchant in the header, another method beside the real one, dots and slashes in the path, names twice."""
    clerk, other = cast.tokens["clerk"], world.other_shop.merchant_id
    order = f"/v1/merchant/orders/{world.sale.orders[0].order_id}"
    assert call("GET", order, token=clerk).status == 200
    named = call("GET", order, token=clerk, headers={"x-merchant-id": other})
    assert (named.status, named.json["code"]) == (403, "forbidden")
    for trick in ("x-http-method-override", "x-method-override", "x-http-method"):
        profile = call("GET", "/v1/merchant/profile", token=clerk, headers={trick: "PATCH"})
        assert profile.status == 200
        assert call("PATCH", "/v1/merchant/profile", {}, token=clerk, headers={trick: "GET"}).status == 403
    for trick in ("x-original-url", "x-rewrite-url", "x-forwarded-path"):
        assert call("GET", "/v1/operator/audit", token=clerk, headers={trick: "/v1/products"}).status == 403
    for path in (
        "/v1/merchant/orders/..%2f..%2foperator%2faudit",
        "/v1/merchant/orders/%2e%2e",
        "/v1/merchant/orders/.",
        "/v1/merchant/orders//",
        "/v1/operator/audit/",
        "/v1/Operator/audit",
        "/v1/operator;x=1/audit",
        "/v1/operator/audit%00",
        "//v1/operator/audit",
    ):
        answer = call("GET", path, token=clerk)
        assert answer.status in (403, 404), (path, answer)
        assert "items" not in (answer.json or {})


NAMING = {
    "account_id": "x",
    "merchant_id": "x",
    "role": "admin",
    "roles": ["operator"],
    "desk": "admin",
    "post": "owner",
}


def test_no_body_names_who_somebody_is(world: World, asks: dict[str, Ask]) -> None:
    """A field that a body does not have is refused, whoever sends it: nothing is assigned by the way."""
    for name, route in ROUTES.items():
        ask = asks[name]
        if route.body is None or ask.raw is not None:
            continue
        for field_name in set(NAMING) - set(route.body.model_fields):
            wrong = replace(ask, body={**(ask.body or {}), field_name: NAMING[field_name]})
            who = {Access.MERCHANT: "staff", Access.OPERATOR: "operator", Access.PUBLIC: ""}.get(route.access, "buyer")
            answer = wrong.send(route, world.token_of(who) if who else None)
            assert (answer.status, answer.json["code"]) == (422, "invalid_request"), (name, field_name, answer)
            assert f"/{field_name}" in {one["pointer"] for one in answer.json["errors"]}, (name, answer)
