"""Every route x every key, as ``matrix.toml`` says: a system does what its scopes allow for its merchant, no more."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth.keys import domain
from chalicelib.auth.keys import service as keys
from chalicelib.kernel import ids
from chalicelib.merchants import service as merchants
from chalicelib.runtime import aws
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Route
from chalicelib.runtime.intents import system_intent
from tests.integration.routes.test_access import ANSWERS_FOR_NONE, ROUTES, records
from tests.integration.routes.test_matrix import IN, TABLE, code, missing, probe, said
from tests.support import dump, keyed, people
from tests.support import shop as shops
from tests.support.entries import ENTRIES, Ask, World
from tests.support.http import Answer

KEYS: dict[str, Any] = TABLE["keys"]
KIND_OF = {
    name: (scope, kind) for scope, kinds in KEYS["routes"].items() for kind, names in kinds.items() for name in names
}
NOBODY_ASKS = (Access.PUBLIC, Access.PROVIDER)


class Ring:
    """What each system shows, by the names of the table."""

    def __init__(self, world: World) -> None:
        """Make the keys."""
        closed, elsewhere = shops.shop().merchant_id, shops.shop().merchant_id
        whole = keyed.key(world.shop.merchant_id)[1]
        revoked, revoked_shown = keyed.key(closed)
        keys.revoke(closed, revoked.key_id, by=revoked.by)
        rotated, former = keyed.key(closed)
        self._rotate(closed, rotated.key_id)
        self.narrow = {scope: keyed.key(elsewhere, *(set(keys.SCOPES) - {scope}))[1] for scope in keys.SCOPES}
        self.shown = {
            "key_with_the_scope": whole,
            "key_of_another_merchant": keyed.key(world.other_shop.merchant_id)[1],
            "key_of_a_suspended_merchant": keyed.key(closed)[1],
            "key_from_elsewhere": keyed.key(elsewhere, networks=("203.0.113.0/24",))[1],
            "revoked_key": revoked_shown,
            "expired_key": keyed.key(closed, lasts=timedelta())[1],
            "former_key": former,
            "forged_key": domain.written(domain.read(whole)[0], ids.random_bytes(domain.SECRET_BYTES)),
            "mistyped_key": whole[:-1] + ("0" if whole[-1] != "0" else "1"),
        }
        merchants.change(closed, {"status": "suspended"})

    @staticmethod
    def _rotate(merchant_id: str, key_id: str) -> None:
        by = people.staff(merchant_id).account_id
        intent = system_intent(ids.random_bytes(8).hex())
        keys.rotate(merchant_id, key_id, overlap=timedelta(), lasts=timedelta(days=1), by=by, intent=intent)

    def of(self, who: str, scope: str) -> str:
        """Return what a caller shows where this scope is wanted."""
        return self.narrow[scope] if who == "key_without_it" else self.shown[who]


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


@pytest.fixture(scope="module")
def asks(world: World) -> dict[str, Ask]:
    return {name: ENTRIES[name](world) for name in ROUTES if ROUTES[name].access not in NOBODY_ASKS}


@pytest.fixture(scope="module")
def ring(world: World, asks: dict[str, Ask]) -> Ring:
    return Ring(world)


def send(ask: Ask, route: Route, shown: str) -> Answer:
    return replace(ask, headers={**ask.headers, **keyed.header(shown)}).send(route, None)


def test_every_route_that_takes_a_key_stands_under_its_scope_once() -> None:
    assert {name: scope for name, (scope, _) in KIND_OF.items()} == {
        name: route.rule.scope for name, route in ROUTES.items() if route.rule.scope
    }
    assert sum(len(names) for kinds in KEYS["routes"].values() for names in kinds.values()) == len(KIND_OF)
    for kind in ("reading", "changing", "open_while_suspended"):
        assert set(KEYS[kind]) == set(KEYS["callers"])


def test_no_key_is_a_second_person_or_has_a_proof() -> None:
    for name in KIND_OF:
        rule = ROUTES[name].rule
        assert (rule.access, rule.second.value, rule.fresh) == (Access.MERCHANT, "", None), name


def test_every_key_is_told_what_the_table_says(ring: Ring, asks: dict[str, Ask], monkeypatch: Any) -> None:
    """Routes x keys; the first call of a key in an hour is written down, beyond that nothing by any of it."""
    monkeypatch.setenv("BIANDAN_THROTTLE_FACTOR", "1000")  # Guessing is throttled in a test of its own.
    unexpected, cells = [], 0
    before = dump.tables("identities")
    writes = dump.Writes()
    with aws.hooked(writes):
        for name, ask in asks.items():
            scope, kind = KIND_OF.get(name, ("", ""))
            expected = KEYS[kind] if kind else dict.fromkeys(KEYS["callers"], KEYS["otherwise"])
            for who in KEYS["callers"]:
                if not scope and who == "key_without_it":
                    continue
                cells += 1
                answer = send(probe(ROUTES[name], ask), ROUTES[name], ring.of(who, scope))
                if code(answer) != expected[who] or (code(answer) == IN and answer.status not in (413, 422)):
                    unexpected.append((name, who, expected[who], answer.status, code(answer)))
    assert unexpected == []
    assert dump.differences(before, dump.tables("identities")) == []
    assert [
        one for one in writes.seen if not re.search(r'-identities", "Key": {"identity_id": {"S": "(key|thr)_', one)
    ] == []
    assert cells == len(KIND_OF) * len(KEYS["callers"]) + (len(asks) - len(KIND_OF)) * (len(KEYS["callers"]) - 1)


def test_a_key_reads_what_is_its_merchants_and_nothing_of_others(ring: Ring, asks: dict[str, Ask]) -> None:
    cells = 0
    for name in KIND_OF:
        route, ask = ROUTES[name], asks[name]
        own, other = ring.shown["key_with_the_scope"], ring.shown["key_of_another_merchant"]
        if route.method == "GET":
            cells += 1
            assert send(ask, route, own).status == 200, name
        if records(route, ask) and name not in ANSWERS_FOR_NONE:
            cells += 1
            gone = missing(route, ask)
            told, foreign = send(gone, route, own), send(ask, route, other)
            assert told.status in (404, 409), (name, told)
            assert said(foreign, ask) == said(told, gone), name
    assert cells > 30
