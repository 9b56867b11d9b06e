"""Units by AWS's published rules, checked against worked examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.runtime import aws, names
from tools.bench import metering


@pytest.mark.parametrize(
    ("item", "bytes_"),
    [
        ({"ab": {"S": "茶"}}, 5),
        ({"n": {"N": "0"}}, 2),
        ({"n": {"N": "12345"}}, 5),
        ({"n": {"N": "-12345"}}, 6),
        ({"n": {"N": "100"}}, 3),
        ({"b": {"BOOL": True}}, 2),
        ({"z": {"NULL": True}}, 2),
        ({"l": {"L": []}}, 4),
        ({"l": {"L": [{"S": "a"}, {"S": "b"}]}}, 8),
        ({"m": {"M": {"k": {"S": "v"}}}}, 7),
        ({"s": {"SS": ["ab", "c"]}}, 4),
        (None, 0),
    ],
)
def test_sizes(item: dict[str, Any] | None, bytes_: int) -> None:
    assert metering.size(item) == bytes_


@pytest.fixture
def meter(cloud: str) -> Iterator[metering.Meter]:
    with metering.measured() as found:
        yield found


def put(kilobytes: float, *, due: int | None = None, condition: str = "") -> dict[str, Any]:
    item: dict[str, Any] = {
        "purchase_id": {"S": "pur_a"},
        "id": {"S": "pur_a"},
        "text": {"S": "x" * int(kilobytes * 1024 - 34)},
    }
    if due is not None:
        item |= {"due_shard": {"S": "due0"}, "due_at": {"N": str(due)}}
    params: dict[str, Any] = {"TableName": names.table_name("orders"), "Item": item}
    return params | ({"ConditionExpression": condition} if condition else {})


def units(meter: metering.Meter) -> list[tuple[float, float]]:
    return [(use.write_units, use.read_units) for use in meter.uses]


def test_writes_cost_the_larger_image(meter: metering.Meter) -> None:
    for kilobytes in (1, 2.5, 0.5):
        aws.call("dynamodb", "PutItem", put(kilobytes))

    assert units(meter) == [(1, 0), (3, 0), (3, 0)]


def test_a_failed_condition_costs_the_existing_item(meter: metering.Meter) -> None:
    aws.call("dynamodb", "PutItem", put(2.5))
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        aws.call("dynamodb", "PutItem", put(1, condition="attribute_not_exists(purchase_id)"))

    assert units(meter) == [(3, 0), (3, 0)]
    assert [use.failed for use in meter.uses] == [False, True]


def test_transactions_cost_double_and_checks_too(meter: metering.Meter) -> None:
    check = {
        "TableName": names.table_name("orders"),
        "Key": {"purchase_id": {"S": "pur_b"}, "id": {"S": "pur_b"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    aws.call("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": put(1.5)}, {"ConditionCheck": check}]})

    assert units(meter) == [(6, 0)]


def test_a_sparse_index_costs_only_what_changes_in_it(meter: metering.Meter) -> None:
    steps = (put(0.2), put(0.2, due=5), put(0.3, due=5), put(0.3, due=9), put(0.3), put(0.4))
    for params in steps:
        aws.call("dynamodb", "PutItem", params)

    assert [use.index_units for use in meter.uses] == [0, 1, 0, 2, 1, 0]


def test_reads(meter: metering.Meter) -> None:
    aws.call("dynamodb", "PutItem", put(6))
    table = names.table_name("orders")
    key = {"purchase_id": {"S": "pur_a"}, "id": {"S": "pur_a"}}
    other = {"purchase_id": {"S": "pur_b"}, "id": {"S": "pur_b"}}
    aws.call("dynamodb", "GetItem", {"TableName": table, "Key": key})
    aws.call("dynamodb", "GetItem", {"TableName": table, "Key": key, "ConsistentRead": True})
    aws.call("dynamodb", "GetItem", {"TableName": table, "Key": other})
    aws.call("dynamodb", "BatchGetItem", {"RequestItems": {table: {"Keys": [key, other]}}})
    query = {"KeyConditionExpression": "purchase_id = :p", "ExpressionAttributeValues": {":p": {"S": "pur_a"}}}
    aws.call("dynamodb", "Query", {"TableName": table, **query})

    assert [use.read_units for use in meter.uses[1:]] == [1, 2, 0.5, 1.5, 1]
    assert meter.figures == (6, 6, 6)
