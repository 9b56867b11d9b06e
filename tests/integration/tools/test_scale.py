"""Every use case costs the same beside ten products and orders as beside thousands; what grows says why."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.runtime import caches
from chalicelib.runtime.db import reads
from tools.bench import scale
from tools.bench.crowd import Copies, opened_in_memory
from tools.dev.server import log_to
from tools.sim.storage import Storage


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BIANDAN_STAGE", "local")
    caches.forget_all()
    yield
    caches.forget_all()


@pytest.mark.many_calls("of a store in memory: every use case, thrice")
def test_no_use_case_costs_more_where_there_is_more() -> None:
    log_to(None)
    few, many = scale.measure(300), scale.measure(20_000)
    assert {name: (few[name], many[name]) for name in few if few[name] != many[name] and name not in scale.GROWS} == {}
    assert len(few) > 30


def test_copies_are_found_by_key_and_in_order_in_what_they_share() -> None:
    spec = {
        "TableName": "t",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "kind", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "all",
                "KeySchema": [{"AttributeName": "of", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }
    table = Storage([spec], now_s=lambda: 0.0).tables["t"]
    item = {"id": {"S": "prd_abcdef"}, "kind": {"S": "head"}, "of": {"S": "mer"}, "at": {"N": "5"}, "no": {"S": "x"}}
    copies = Copies(table, item, "abcdef", 1000)
    made = copies.get(("prd_000042", "head"))
    assert made == {**item, "id": {"S": "prd_000042"}}
    assert copies.get(("prd_001000", "head")) is None
    assert copies.get(("prd_000042", "tail")) is None
    assert copies.get(("prd_xyzabc", "head")) is None
    [tell] = copies.places(table.indexes["all"], "mer")
    assert [place[1][0] for place in tell(forward=True)][:2] == ["prd_000000", "prd_000001"]
    assert next(iter(tell(forward=False)))[1][0] == "prd_000999"
    assert copies.places(table.indexes["all"], "other") == []
    [own] = copies.places(None, "prd_000007")
    assert [place[1] for place in own(forward=True)] == [("prd_000007", "head")]


def test_the_lab_in_memory_sells(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened_in_memory() as lab:
        originals = scale._originals(lab)
        assert lab.crowd(originals, 50) > 5
        _, staff = lab.merchant()
        found = staff.get("/v1/merchant/orders?limit=10")
        assert len(found["items"]) == 10
        assert found.get("next_cursor")


@pytest.mark.many_calls("of a store in memory: every use case, thrice")
def test_what_reads_more_the_more_there_is_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    log_to(None)
    real = reads.query
    monkeypatch.setattr(reads, "query", lambda *arguments, **more: real(*arguments, **{**more, "limit": None}))
    few, many = scale.measure(100), scale.measure(300)
    text, differing = scale.report({100: few, 300: many})
    assert "list a buyer's orders" in differing
    assert "list a category" in differing
    assert "GROWS" in text
