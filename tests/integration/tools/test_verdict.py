"""The verdict after a load finds what is not whole, and nothing in a shop that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.runtime import aws, names, outbound
from tests.support.paying import Till
from tests.support.shop import buyer, shop
from tools.bench import verdict


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    found = Till.open(noon)
    for total in (1999, 5000):
        found.paid((total,))
    found.sale((700,))
    found.settle()
    yield found
    outbound.install(None)


def changed(table: str, has: str, name: str, value: Any) -> None:
    """Change a field of the first row that has another behind the shop's back."""
    row = next(row for row in verdict.rows(table) if has in str(row) and name in row)
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name(table), "Item": {**row, name: value}})


def test_a_shop_that_is_whole_is_found_whole(till: Till) -> None:
    wrong, looked_at = verdict.judge()
    assert wrong == []
    assert (looked_at["purchases"], looked_at["paid"], looked_at["entries"]) == (3, 2, 2)


def test_stock_that_orders_hold_is_found_whole_and_what_they_do_not_hold_is_not(cloud: str) -> None:
    sku_id = shop().product().sku_id
    buyer().buy((sku_id, 2))
    assert verdict.judge()[0] == []

    row = next(row for row in verdict.rows("stock") if row["sku_id"]["S"] == sku_id and int(row["available"]["N"]))
    fewer = {**row, "available": {"N": str(int(row["available"]["N"]) - 1)}}
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("stock"), "Item": fewer})
    assert any(sku_id in each for each in verdict.judge()[0])


@pytest.mark.parametrize(
    ("table", "has", "name", "value", "says"),
    [
        ("payments", "captured", "status", {"S": "closed"}, "captured 0 times"),
        ("ledger", "clearing", "postings", {"S": '[["clearing:x",7,"CNY"],["commission",-6,"CNY"]]'}, "sum to zero"),
        ("orders", "awaiting_payment", "status", {"S": "paid"}, "captured 0 times"),
        ("balances", "books", "sums", {"S": '{"commission#CNY":[1,1,1]}'}, "kept"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_found(till: Till, table: str, has: str, name: str, value: Any, says: str) -> None:
    verdict.judge()  # Counts the balances.
    changed(table, has, name, value)
    wrong, _ = verdict.judge()
    assert any(says in each for each in wrong), wrong


def test_stock_that_came_from_nowhere_is_found(till: Till) -> None:
    row = {"sku_id": {"S": "sku_x_01"}, "bucket": {"S": "0"}, "available": {"N": "3"}, "version": {"N": "1"}}
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("stock"), "Item": row})
    wrong, _ = verdict.judge()
    assert any("3 available" in each for each in wrong), wrong
