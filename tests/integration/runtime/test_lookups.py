"""Rows of several stores in one call: each read as strongly as its store wants, and for what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import dynamo, lookups
from chalicelib.runtime.db.lookups import Found, Lookup
from chalicelib.runtime.db.rows import Row
from chalicelib.runtime.db.work import UnitOfWork
from tools.bench import metering

Proceed = Callable[[], dict[str, Any]]


class CartLike(Row):
    """Key: owner_id. The table is the carts', for the meter knows it."""

    class Meta:
        table_name = names.table_name("carts")
        region = "us-east-1"

    owner_id = UnicodeAttribute(hash_key=True)
    grains = NumberAttribute(default=0)


class HolderLike(Row):
    """Key: holder."""

    class Meta:
        table_name = names.table_name("holds")
        region = "us-east-1"

    holder = UnicodeAttribute(hash_key=True)
    grains = NumberAttribute(default=0)


@pytest.fixture
def filled(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tables in which the same key means two things."""
    monkeypatch.setattr(dynamo, "sleep", lambda seconds: None)
    for row in (CartLike("same", grains=1), HolderLike("same", grains=2), HolderLike("other", grains=3)):
        with UnitOfWork() as work:
            work.save(row)


def cart(owner_id: str = "same", *, consistent: bool = False) -> Lookup[int]:
    def make(found: Found) -> int:
        row = found.row(CartLike, owner_id)
        if row is None:
            raise NotFound(what="cart")
        return int(row.grains)

    return Lookup.of([(CartLike, owner_id, None)], make, consistent=consistent)


def holders(*wanted: str, consistent: bool = False) -> Lookup[list[int]]:
    def make(found: Found) -> list[int]:
        rows = [found.row(HolderLike, one) for one in wanted]
        return [int(row.grains) for row in rows if row is not None]

    return Lookup.of([(HolderLike, one, None) for one in wanted], make, consistent=consistent)


def asked(act: Callable[[], object]) -> list[dict[str, Any]]:
    """Return what each BatchGetItem of an act asked; anything else it called is a failure."""
    found: list[dict[str, Any]] = []

    def note(service: str, operation: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        assert (service, operation) == ("dynamodb", "BatchGetItem")
        found.append(params["RequestItems"])
        return proceed()

    with aws.hooked(note):
        act()
    return found


def test_one_call_answers_each_in_its_own_terms(filled: None) -> None:
    with metering.measured() as meter:
        assert lookups.together(cart(), holders("same", "other", "nobody")) == (1, [2, 3])

    assert (meter.calls, meter.read_units) == (1, 2.0)  # Half a unit a row, also one that is not there.


def test_a_table_is_read_consistently_where_somebody_wants_it(filled: None) -> None:
    with metering.measured() as meter:
        assert lookups.together(cart(), holders("same", consistent=True), holders("other")) == (1, [2], [3])

    assert (meter.calls, meter.read_units) == (1, 2.5)
    [request] = asked(lambda: lookups.together(cart(), holders("same", consistent=True), holders("other")))
    assert {table: part.get("ConsistentRead", False) for table, part in request.items()} == {
        CartLike.Meta.table_name: False,
        HolderLike.Meta.table_name: True,
    }


def test_what_two_want_is_asked_for_once_and_nothing_costs_nothing(filled: None) -> None:
    [request] = asked(lambda: lookups.together(holders("same"), holders("same", "other")))
    assert len(request[HolderLike.Meta.table_name]["Keys"]) == 2
    assert asked(lambda: lookups.together(holders(), holders())) == []


def test_a_hundred_rows_a_call(filled: None) -> None:
    many = [f"h{number}" for number in range(130)]
    requests = asked(lambda: lookups.together(holders(*many), cart()))
    assert [sum(len(part["Keys"]) for part in request.values()) for request in requests] == [100, 31]


def test_what_is_not_processed_is_asked_again_as_strongly(filled: None) -> None:
    seen: list[dict[str, Any]] = []

    def half(service: str, operation: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        seen.append(params["RequestItems"])
        if len(seen) > 1:
            return proceed()
        left = params["RequestItems"].pop(HolderLike.Meta.table_name)
        return {**proceed(), "UnprocessedKeys": {HolderLike.Meta.table_name: left}}

    with aws.hooked(half):
        assert lookups.together(cart(), holders("same", "other", consistent=True)) == (1, [2, 3])
    assert list(seen[1]) == [HolderLike.Meta.table_name]
    assert seen[1][HolderLike.Meta.table_name]["ConsistentRead"] is True


def test_what_is_never_processed_is_busy(filled: None) -> None:
    def never(service: str, operation: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": params["RequestItems"]}

    with aws.hooked(never), pytest.raises(Busy):
        lookups.together(cart(), holders("same"))


def test_who_makes_nothing_of_it_says_so(filled: None) -> None:
    with pytest.raises(NotFound):
        lookups.together(holders("same"), cart("nobody"))
    assert cart().read() == 1
