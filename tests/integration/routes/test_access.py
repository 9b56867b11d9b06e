"""Nobody reaches what is not theirs (P17): every declared route, asked by everybody about everybody's records.

The matrix is generated from the declarations; ``tests/support/entries.py`` says for each route how its owner succeeds.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.kernel.roles import Role
from chalicelib.runtime import aws
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Route
from tests.support import dump, people
from tests.support.entries import ENTRIES, Ask, World, expired_token, forged_tokens
from tests.support.entries import ghost as ghost_of
from tests.support.http import Answer
from tools.generate.routing import declared

ROUTES = {route.operation_id: route for _, route in declared()}
GUARDED = [name for name, route in ROUTES.items() if route.access not in (Access.PUBLIC, Access.PROVIDER)]
OWNER = {
    Access.PUBLIC: None,
    Access.OPTIONAL: None,
    Access.PROVIDER: None,
    Access.SIGNED_IN: "buyer",
    Access.BUYER: "buyer",
    Access.MERCHANT: "staff",
    Access.OPERATOR: "operator",
}
STRANGER = {"buyer": "other_buyer", "staff": "other_staff"}
NOBODYS = ("provider", "role", "account", "sku_id", "carrier", "number", "purpose", "line_id")
"""Path parameters that name no record of an owner's: a provider, a role, an account of the ledger, a carrier and its
parcel's number, a purpose of consents, a line of an order, and (outside a merchant's stock) a SKU."""
ANSWERS_FOR_NONE = ("get_ledger",)
"""An operator's proof of a purchase without any movement is an empty one that balances."""
TAGS = list(dict.fromkeys(ROUTES[name].tag for name in GUARDED))


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


class Refusals:
    """Makes calls that must be refused, and finds what they wrote."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.written: list[str] = []

    def send(self, ask: Ask, token: str | None) -> Answer:
        """Make one call and note its writes."""
        writes = dump.Writes()
        with aws.hooked(writes):
            answer = ask.send(self.route, token)
        self.written += writes.seen
        return answer


def said(answer: Answer, asked: str) -> dict[str, Any]:
    """Return what an answer says, apart from the id of the request and the id that was asked for."""
    members = json.loads(answer.body.replace(asked, "<asked>"))
    members.pop("request_id", None)
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return {"status": answer.status, **members, "headers": headers}


def records(route: Route, ask: Ask) -> list[str]:
    """Return the names of the parameters that name somebody's record."""
    owned = [name for name in ask.ids if name not in NOBODYS or (name == "sku_id" and route.access is Access.MERCHANT)]
    return [*owned, *ask.body_ids]


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    assert set(ENTRIES) == set(ROUTES), set(ENTRIES) ^ set(ROUTES)


@pytest.mark.parametrize("tag", TAGS)
def test_only_the_owner_gets_an_answer(world: World, tag: str) -> None:
    """All refused calls of a tag between two dumps of everything; then the owners succeed, so the calls were right."""
    routes = [route for route in ROUTES.values() if route.tag == tag and route.operation_id in GUARDED]
    other = world.mirror()
    asks = [(route, ENTRIES[route.operation_id](other), ENTRIES[route.operation_id](world)) for route in routes]
    assert world.passerby
    before, objects = dump.tables(), dump.objects()
    for route, theirs, ours in asks:
        refusals = Refusals(route)
        without_a_valid_token(world, refusals, ours)
        of_other_roles(world, refusals, ours)
        about_what_is_not_theirs(world, refusals, theirs, ours)
        assert refusals.written == [], route.operation_id
    assert dump.differences(before, dump.tables()) == []
    assert dump.objects() == objects
    for route, _, ours in asks:
        owner = OWNER[route.access]
        done = ours.send(route, world.token_of(owner) if owner else None)
        assert done.status == route.status, (route.operation_id, done)


def without_a_valid_token(world: World, refusals: Refusals, ask: Ask) -> None:
    missing = {} if refusals.route.access is Access.OPTIONAL else {"nobody": None}
    for why, token in {**missing, "expired": expired_token(world), **forged_tokens(world)}.items():
        answer = refusals.send(ask, token)
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated"), (refusals.route.operation_id, why)
        assert answer.headers["www-authenticate"] == 'Bearer realm="biandan"'


def of_other_roles(world: World, refusals: Refusals, ask: Ask) -> None:
    buyer, staff, operator = world.passerby.token, world.shop.token, world.operator.token
    callers = {
        Access.BUYER: {"no buyer": people.token(world.buyer.account_id, Role.OPERATOR)},
        Access.MERCHANT: {
            "a buyer": buyer,
            "an operator": operator,
            "staff of no merchant": people.token(world.passerby.account_id, Role.MERCHANT_STAFF),
            "a buyer whose token names a merchant": people.token(
                world.passerby.account_id, Role.BUYER, merchant_id=world.shop.merchant_id
            ),
        },
        Access.OPERATOR: {"a buyer": buyer, "staff": staff},
    }
    for who, token in callers.get(refusals.route.access, {}).items():
        answer = refusals.send(ask, token)
        assert (answer.status, answer.json["code"]) == (403, "forbidden"), (refusals.route.operation_id, who)


def about_what_is_not_theirs(world: World, refusals: Refusals, theirs: Ask, ours: Ask) -> None:
    """Each id of a stranger's own good request, one at a time, is made ours or nobody's: the same answer."""
    owner = OWNER[refusals.route.access]
    if owner is None:
        return
    stranger = world.token_of(STRANGER.get(owner, owner))
    for name in records(refusals.route, theirs):
        nobodys = ghost_of(theirs.value(name))
        ghost = refusals.send(theirs.having(name, nobodys), stranger)
        assert ghost.status in (404, 409) or refusals.route.operation_id in ANSWERS_FOR_NONE, (name, ghost)
        if owner in STRANGER:
            foreign = refusals.send(theirs.having(name, ours.value(name)), stranger)
            assert (foreign.status, said(foreign, ours.value(name))) == (404, said(ghost, nobodys)), (
                refusals.route.operation_id,
                name,
            )


@pytest.mark.parametrize(
    "name", [name for name in GUARDED if ROUTES[name].method == "GET" and "{" not in ROUTES[name].path]
)
def test_lists_hold_nothing_of_anybody_else(world: World, name: str) -> None:
    route = ROUTES[name]
    owner = OWNER[route.access]
    if owner not in STRANGER:
        return
    filled(world)
    mine, theirs = (ENTRIES[name](world).send(route, world.token_of(who)) for who in (owner, STRANGER[owner]))
    assert mine.status == 200
    assert theirs.status == 200 or (theirs.status, theirs.json["code"]) == (404, "not_found"), theirs
    ours = {world.buyer.account_id, world.buyer.address_id, world.shop.merchant_id, world.sale.purchase.purchase_id}
    assert [each for each in ours if each in theirs.body] == []


def filled(world: World) -> None:
    """See to it that every list of the owner's holds something."""
    assert world.sale
    assert world.complaint
    assert world.listed
