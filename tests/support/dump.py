"""Everything an account keeps, for tests that compare before and after: tables by Scan, queues by their counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chalicelib import topology
from chalicelib.runtime import aws, names
from chalicelib.runtime.config import config

Dump = dict[str, dict[str, str]]
WRITES = (
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
    "SendMessage",
    "SendMessageBatch",
    "PutObject",
    "CopyObject",
    "DeleteObject",
)


def tables(*left_out: str) -> Dump:
    """Return every item of every table by its JSON text; tests may scan, the product never does."""
    return {table: _scan(names.table_name(table)) for table in topology.TABLES if table not in left_out}


def _scan(table: str) -> dict[str, str]:
    found: dict[str, str] = {}
    params: dict[str, Any] = {"TableName": table}
    while True:
        answer = aws.call("dynamodb", "Scan", params)
        for item in answer["Items"]:
            text = json.dumps(item, sort_keys=True, ensure_ascii=False)
            found[text] = text
        if not answer.get("LastEvaluatedKey"):
            return found
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def objects() -> set[str]:
    """Return the keys of every object in the bucket, with their tags."""
    answer = aws.call("s3", "ListObjectsV2", {"Bucket": config().bucket})
    return {f"{entry['Key']} {entry['ETag']}" for entry in answer.get("Contents", [])}


def differences(before: Dump, after: Dump) -> list[str]:
    """Return what appeared and what went."""
    return [
        f"{sign} {table} {text[:300]}"
        for table in before
        for sign, one, other in (("+", after, before), ("-", before, after))
        for text in one[table].keys() - other[table].keys()
    ]


class Writes:
    """A hook that remembers the writes AWS accepted."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(
        self, service: str, operation: str, params: dict[str, Any], proceed: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Let the call through; remember it if it wrote."""
        answer = proceed()
        if operation in WRITES:
            self.seen.append(f"{service}:{operation} {json.dumps(params, default=str, ensure_ascii=False)[:300]}")
        return answer
