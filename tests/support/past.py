"""Stands in for what the embedded engine's DynamoDB does not do: it restores a table as it is, not as it was.

One seam alone: ``restore_table_to_point_in_time`` of a client gives the rows of a moment that a test has kept, and what
DynamoDB says of the past (from when on it can be had, of what a table is a copy) is said. All else is the engine's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]


def rows(dynamodb: Any, table: str) -> list[Json]:
    """Return every row of a table."""
    found: list[Json] = []
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        found += page["Items"]
    return found


class Past:
    """A client of DynamoDB that remembers the moments it was told to keep."""

    def __init__(self, dynamodb: Any) -> None:
        self._real = dynamodb
        self._kept: dict[datetime, dict[str, list[Json]]] = {}
        self._copies: dict[str, Json] = {}
        self.begun: list[str] = []
        """Tables whose restoration was asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def keep(self, tables: list[str]) -> datetime:
        """Keep the rows of these tables as they are now; returns the moment."""
        now = datetime.now(UTC).replace(microsecond=0)
        self._kept[now] = {table: rows(self._real, table) for table in tables}
        return now

    def describe_continuous_backups(self, TableName: str) -> Json:  # noqa: N803 - as boto3 calls it
        """Say that the kept moments lie within what can be had."""
        found: Json = self._real.describe_continuous_backups(TableName=TableName)
        if any(TableName in moment for moment in self._kept.values()):
            told = found["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            told["EarliestRestorableDateTime"] = min(self._kept) - timedelta(days=1)
            told["LatestRestorableDateTime"] = max(self._kept)
        return found

    def describe_table(self, TableName: str) -> Json:  # noqa: N803 - as boto3 calls it
        """Say of what a table is a copy, as DynamoDB does."""
        found: Json = self._real.describe_table(TableName=TableName)
        if TableName in self._copies:
            found["Table"]["RestoreSummary"] = {**self._copies[TableName], "RestoreInProgress": False}
        return found

    def restore_table_to_point_in_time(self, **asked: Any) -> Json:
        """Let the engine make the copy, then give it the rows of the moment."""
        source, target, at = asked["SourceTableName"], asked["TargetTableName"], asked["RestoreDateTime"]
        answer: Json = self._real.restore_table_to_point_in_time(**asked)
        self.begun.append(target)
        self._turn_back(target, self._kept[at][source])
        arn = self._real.describe_table(TableName=source)["Table"]["TableArn"]
        self._copies[target] = {"SourceTableArn": arn, "RestoreDateTime": at}
        return answer

    def _turn_back(self, table: str, wanted: list[Json]) -> None:
        """Undo what has changed since: of thousands of rows most are as they were."""
        schema = self._real.describe_table(TableName=table)["Table"]["KeySchema"]
        there, then = (_by_key(schema, found) for found in (rows(self._real, table), wanted))
        for key, row in there.items():
            if key not in then:
                self._real.delete_item(
                    TableName=table, Key={p["AttributeName"]: row[p["AttributeName"]] for p in schema}
                )
        for key, row in then.items():
            if there.get(key) != row:
                self._real.put_item(TableName=table, Item=row)


def _by_key(schema: list[Json], found: list[Json]) -> dict[str, Json]:
    return {str([row[part["AttributeName"]] for part in schema]): row for row in found}
