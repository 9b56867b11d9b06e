"""The simulator's storage answers as the embedded engine does: the same random operations, the same answers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.runtime import aws
from tools.sim.storage import Storage

TABLE = "biandan-conformance"
SPEC: dict[str, Any] = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "hash", "KeyType": "HASH"}, {"AttributeName": "range", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "hash", "AttributeType": "S"},
        {"AttributeName": "range", "AttributeType": "S"},
        {"AttributeName": "group", "AttributeType": "S"},
        {"AttributeName": "due_at", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "due",
            "KeySchema": [
                {"AttributeName": "group", "KeyType": "HASH"},
                {"AttributeName": "due_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
CONDITIONS = [
    "attribute_not_exists(#hash)",
    "attribute_exists(#hash)",
    "n >= :n",
    "n < :n OR attribute_not_exists(n)",
    "NOT (n = :n) AND attribute_exists(#lines)",
    "size(#lines) < :n",
    "begins_with(#range, :prefix)",
    "attribute_exists(#lines.#sku) OR size(#lines) < :n",
    "attribute_not_exists(tags) OR size(tags) < :n OR contains(tags, :tag)",
    "n BETWEEN :n AND :m",
    "(n = :n OR n = :m) AND n <> :n",
]
UPDATES = [
    "SET n = n - :n",
    "SET n = if_not_exists(n, :n) + :m",
    "ADD n :n",
    "SET #group = :group, due_at = :due REMOVE #lines",
    "REMOVE #group, due_at",
    "SET #lines.#sku = :n ADD version :m",
    "REMOVE #lines.#sku SET n = :m",
    "SET #lines = :lines",
    "ADD tags :tags",
    "DELETE tags :tags",
]


def pick_key(rng: random.Random) -> dict[str, Any]:
    return {"hash": {"S": f"h{rng.randrange(3)}"}, "range": {"S": f"r{rng.randrange(4)}"}}


def pick_item(rng: random.Random) -> dict[str, Any]:
    item = pick_key(rng)
    if rng.random() < 0.7:
        item["n"] = {"N": str(rng.randrange(12))}
    if rng.random() < 0.4:
        item["lines"] = {"M": {f"s{number}": {"N": "1"} for number in range(rng.randrange(4))}}
    if rng.random() < 0.5:
        item["group"] = {"S": f"g{rng.randrange(2)}"}
        item["due_at"] = {"N": str(rng.randrange(30))}
    return item


def expression(rng: random.Random, params: dict[str, Any], *, change: bool) -> dict[str, Any]:
    names = {
        "#hash": "hash",
        "#range": "range",
        "#group": "group",
        "#lines": "lines",
        "#sku": f"s{rng.randrange(4)}",
    }
    values = {
        ":n": {"N": str(rng.randrange(8))},
        ":m": {"N": str(rng.randrange(8, 12))},
        ":prefix": {"S": "r1"},
        ":group": {"S": "g1"},
        ":due": {"N": str(rng.randrange(30))},
        ":tags": {"SS": sorted({f"t{rng.randrange(4)}", f"t{rng.randrange(4)}"})},
        ":tag": {"S": f"t{rng.randrange(4)}"},
        ":lines": {"M": {"s1": {"N": "4"}}},
    }
    text = ""
    if change:
        params["UpdateExpression"] = rng.choice(UPDATES)
        text += params["UpdateExpression"]
    if not change or rng.random() < 0.6:
        params["ConditionExpression"] = rng.choice(CONDITIONS)
        text += " " + params["ConditionExpression"]
        params["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    used = {name: value for name, value in names.items() if name in text}
    used_values = {name: value for name, value in values.items() if name in text.replace(":lines", ":lines ")}
    used_values = {name: value for name, value in used_values.items() if _uses(text, name)}
    if used:
        params["ExpressionAttributeNames"] = used
    if used_values:
        params["ExpressionAttributeValues"] = used_values
    return params


def _uses(text: str, name: str) -> bool:
    import re

    return re.search(re.escape(name) + r"(?![a-z])", text) is not None


def pick_action(rng: random.Random) -> dict[str, Any]:
    verb = rng.choice(["Put", "Put", "Update", "Delete", "ConditionCheck"])
    params: dict[str, Any] = {"TableName": TABLE}
    if verb == "Put":
        params["Item"] = pick_item(rng)
        return {verb: expression(rng, params, change=False) if rng.random() < 0.5 else params}
    params["Key"] = pick_key(rng)
    if verb == "Update":
        return {verb: expression(rng, params, change=True)}
    if verb == "Delete" and rng.random() < 0.5:
        return {verb: params}
    return {verb: expression(rng, params, change=False)}


def pick_call(rng: random.Random) -> tuple[str, dict[str, Any]]:
    kind = rng.randrange(10)
    if kind < 3:
        verb, params = next(iter(pick_action(rng).items()))
        if verb == "ConditionCheck":
            return "GetItem", {"TableName": TABLE, "Key": params["Key"], "ConsistentRead": True}
        if verb == "Update":
            params["ReturnValues"] = rng.choice(["NONE", "ALL_NEW", "ALL_OLD"])
        return f"{verb}Item", params
    if kind < 6:
        actions = [pick_action(rng) for _ in range(rng.randrange(1, 4))]
        params = {"TransactItems": actions}
        if rng.random() < 0.3:
            params["ClientRequestToken"] = f"token-{rng.randrange(3)}"
        return "TransactWriteItems", params
    if kind < 8:
        forward = rng.random() < 0.5
        if rng.random() < 0.5:
            return "Query", {
                "TableName": TABLE,
                "KeyConditionExpression": "#hash = :h AND begins_with(#range, :r)",
                "ExpressionAttributeNames": {"#hash": "hash", "#range": "range"},
                "ExpressionAttributeValues": {":h": {"S": f"h{rng.randrange(3)}"}, ":r": {"S": "r"}},
                "Limit": rng.randrange(1, 6),
                "ScanIndexForward": forward,
                "ConsistentRead": True,
            }
        return "Query", {
            "TableName": TABLE,
            "IndexName": "due",
            "KeyConditionExpression": "#group = :g AND due_at <= :d",
            "ExpressionAttributeNames": {"#group": "group"},
            "ExpressionAttributeValues": {":g": {"S": f"g{rng.randrange(2)}"}, ":d": {"N": str(rng.randrange(30))}},
            "Limit": 50,
            "ScanIndexForward": True,
        }
    keys = [pick_key(rng) for _ in range(3)]
    unique = [key for number, key in enumerate(keys) if key not in keys[:number]]
    return "BatchGetItem", {"RequestItems": {TABLE: {"Keys": unique, "ConsistentRead": True}}}


def outcome(call: Any) -> Any:
    try:
        answer = call()
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", [])
        short = [{name: reason[name] for name in ("Code", "Item") if reason.get(name)} for reason in reasons]
        return (error.response["Error"]["Code"], short, error.response.get("Item"))
    kept = {name: answer[name] for name in ("Item", "Items", "Attributes", "LastEvaluatedKey") if answer.get(name)}
    if "Responses" in answer:
        kept["Responses"] = sorted(str(sorted(item.items())) for item in answer["Responses"].get(TABLE, []))
    if "Items" in kept:  # Equal range keys of an index have no order.
        kept["Items"] = sorted(str(sorted(item.items())) for item in kept["Items"])
    return kept


@pytest.mark.parametrize("seed", range(4))
def test_random_operations_are_answered_alike(cloud: str, seed: int) -> None:
    rng = random.Random(seed)
    aws.call("dynamodb", "CreateTable", dict(SPEC))
    storage = Storage([SPEC], now_s=lambda: 0.0)
    seen: set[str] = set()
    for step in range(400):
        operation, params = pick_call(rng)
        expected = outcome(lambda: aws.call("dynamodb", operation, params))  # noqa: B023  called at once
        actual = outcome(lambda: storage.call(operation, params))  # noqa: B023
        assert actual == expected, (step, operation, params)
        seen.add(expected[0] if isinstance(expected, tuple) else operation)
    assert {"TransactionCanceledException", "ConditionalCheckFailedException", "Query", "ValidationException"} <= seen

    stream = _stream()
    assert [_change(record) for record in storage.tables[TABLE].stream] == [_change(record) for record in stream]


def _stream() -> list[dict[str, Any]]:
    (found,) = aws.call("dynamodbstreams", "ListStreams", {"TableName": TABLE})["Streams"]
    described = aws.call("dynamodbstreams", "DescribeStream", {"StreamArn": found["StreamArn"]})
    place = aws.call(
        "dynamodbstreams",
        "GetShardIterator",
        {
            "StreamArn": found["StreamArn"],
            "ShardId": described["StreamDescription"]["Shards"][0]["ShardId"],
            "ShardIteratorType": "TRIM_HORIZON",
        },
    )["ShardIterator"]
    records: list[dict[str, Any]] = []
    while True:
        answer = aws.call("dynamodbstreams", "GetRecords", {"ShardIterator": place, "Limit": 1000})
        if not answer["Records"]:
            return records
        records += answer["Records"]
        place = answer["NextShardIterator"]


def _change(record: dict[str, Any]) -> Any:
    change = record["dynamodb"]
    return record["eventName"], change["Keys"], change.get("OldImage"), change.get("NewImage")
