"""Copies the tables of an installation, as they were at one moment, to the names of another one, and makes them whole.

A table that DynamoDB restored has its rows and indexes and nothing else: no stream, no expiry of rows, no further
backups, no protection, no tags. All of it is taken from the template of the installation that will use it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib import topology
from chalicelib.runtime import names
from infra import protection
from infra.names import stack_name
from infra.policies import table_resource

Json = dict[str, Any]
Say = Callable[[str], None]

TIMEOUT_S = 24 * 3600.0
"""AWS names no limit; what takes longer than a day wants looking at."""
BUSY = ("LimitExceededException", "ThrottlingException", "ResourceInUseException")
FROM, AT = "restored-from", "restored-at"


class RestoreError(Exception):
    """Nothing can be restored so; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What DynamoDB still has of one table."""

    table: str
    source: str
    rows: int
    size: int
    earliest: datetime | None
    latest: datetime | None

    def said(self) -> str:
        """Return it as a line."""
        if self.earliest is None or self.latest is None:
            return f"{self.source}: no point-in-time recovery"
        return (
            f"{self.source}: {self.earliest:%Y-%m-%dT%H:%M:%SZ} to {self.latest:%Y-%m-%dT%H:%M:%SZ}, "
            f"about {self.rows:,} rows, {self.size / 1e6:,.1f} MB"
        )


def name_of(installed: str, table: str) -> str:
    """Return what a table of an installation is called."""
    return f"{stack_name(installed)}-{table}"


def kept(dynamodb: Any, installed: str) -> Iterator[Kept]:
    """Yield what there is of each table.

    Raises:
        RestoreError: if a table is gone.
    """
    for table in topology.TABLES:
        source = name_of(installed, table)
        described = _described(dynamodb, source)
        if described is None:
            raise RestoreError(
                f"there is no table {source}: DynamoDB keeps a backup of a deleted table for 35 days; restore that "
                f"first (RestoreTableFromBackup) under the table's own name"
            )
        told = dynamodb.describe_continuous_backups(TableName=source)["ContinuousBackupsDescription"]
        found = told.get("PointInTimeRecoveryDescription", {})
        yield Kept(
            table,
            source,
            int(described.get("ItemCount", 0)),
            int(described.get("TableSizeBytes", 0)),
            _utc(found.get("EarliestRestorableDateTime")),
            _utc(found.get("LatestRestorableDateTime")),
        )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def refuse(found: list[Kept], at: datetime) -> None:
    """Refuse a moment that not every table can go back to: half a shop is none.

    Raises:
        RestoreError: with each such table.
    """
    wrong = [
        one.said()
        for one in found
        if one.earliest is None or one.latest is None or not one.earliest <= at <= one.latest
    ]
    if wrong:
        raise RestoreError(
            f"not every table can go back to {at:%Y-%m-%dT%H:%M:%SZ} (what is newer than about five minutes cannot be "
            f"had yet): {'; '.join(wrong)}"
        )


# Copying


def copy(dynamodb: Any, found: list[Kept], target: str, at: datetime, say: Say, *, poll_s: float = 10.0) -> None:
    """Bring every table to the names of ``target``, going on where an earlier run was stopped.

    Raises:
        RestoreError: if a name is taken by what is no such copy, or it takes too long.
    """
    for one in found:
        refuse_taken(dynamodb, one, target, at)
    waiting = list(found)
    began = time.monotonic()
    last = ""
    while waiting:
        waiting = [one for one in waiting if not _is_there(dynamodb, one, target, at)]
        line = f"{len(found) - len(waiting)} of {len(found)} tables are there"
        if line != last:
            say(f"  {time.monotonic() - began:6.0f} s  {line}")
            last = line
        if time.monotonic() - began > TIMEOUT_S:
            raise RestoreError(f"not there after a day: {', '.join(one.table for one in waiting)}")
        if waiting:
            time.sleep(poll_s)


def refuse_taken(dynamodb: Any, one: Kept, target: str, at: datetime) -> None:
    """Refuse to write over, or go on with, what is something else.

    Raises:
        RestoreError: with the table's name.
    """
    name = name_of(target, one.table)
    described = _described(dynamodb, name)
    if described is not None and not _is_copy(dynamodb, described, one, at):
        raise RestoreError(
            f"there is a table {name} already, which is no copy of {one.source} at that moment: take another label"
        )


def _is_copy(dynamodb: Any, described: Json, one: Kept, at: datetime) -> bool:
    summary = described.get("RestoreSummary", {})
    if summary:
        source = str(summary.get("SourceTableArn", "")).rpartition("/")[2]
        return source == one.source and _utc(summary.get("RestoreDateTime")) == at
    tags = dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"]).get("Tags", [])
    found = {tag["Key"]: tag["Value"] for tag in tags}
    return (found.get(FROM), found.get(AT)) == (one.source, at.isoformat())


def _is_there(dynamodb: Any, one: Kept, target: str, at: datetime) -> bool:
    name = name_of(target, one.table)
    described = _described(dynamodb, name)
    if described is None:
        _begin(dynamodb, one.source, name, at)
        return False
    return bool(described["TableStatus"] == "ACTIVE")


def _begin(dynamodb: Any, source: str, name: str, at: datetime) -> None:
    try:
        dynamodb.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=name, RestoreDateTime=at)
    except dynamodb.exceptions.ClientError as error:
        if (
            error.response["Error"]["Code"] not in BUSY
        ):  # Of the copies at once AWS has a most: the next round begins it.
            raise


def _described(dynamodb: Any, name: str) -> Json | None:
    try:
        found: Json = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    return found


# What a restored table lacks


def make_whole(
    dynamodb: Any, one: Kept, target: str, wanted: Mapping[str, Any], at: datetime, *, poll_s: float = 2.0
) -> list[str]:
    """Give a copy what its template says; returns what was done. Running it again does nothing more.

    Raises:
        RestoreError: if it has other indexes than the release that will use it.
    """
    name = name_of(target, one.table)
    described = dynamodb.describe_table(TableName=name)["Table"]
    _refuse_indexes(name, described, wanted)
    done = []
    if not described.get("StreamSpecification", {}).get("StreamEnabled"):
        stream = {"StreamEnabled": True, **wanted["StreamSpecification"]}
        dynamodb.update_table(TableName=name, StreamSpecification=stream)
        _wait(dynamodb, name, poll_s)
        done.append("stream")
    if not _has_backups(dynamodb, name):
        backups = wanted["PointInTimeRecoverySpecification"]
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=backups)
        done.append("point-in-time recovery")
    ttl = wanted.get("TimeToLiveSpecification")
    if ttl and not _expires(dynamodb, name):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
        done.append("expiry")
    tags = {"project": names.PROJECT, "installation": target, FROM: one.source, AT: at.isoformat()}
    arn = described["TableArn"]
    there = {tag["Key"]: tag["Value"] for tag in dynamodb.list_tags_of_resource(ResourceArn=arn).get("Tags", [])}
    if not tags.items() <= there.items():
        dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
        done.append("tags")
    if protection.default(target.partition("-")[0]) == "on" and not described.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
        _wait(dynamodb, name, poll_s)
        done.append("protection")
    return done


def _refuse_indexes(name: str, described: Json, wanted: Mapping[str, Any]) -> None:
    has = {index["IndexName"] for index in described.get("GlobalSecondaryIndexes", [])}
    needs = {index["IndexName"] for index in wanted.get("GlobalSecondaryIndexes", [])}
    if has != needs:
        raise RestoreError(
            f"{name} has the indexes {', '.join(sorted(has)) or 'none'} and this release wants "
            f"{', '.join(sorted(needs)) or 'none'}: take the commit that was deployed when the source had these"
        )


def _has_backups(dynamodb: Any, name: str) -> bool:
    told = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return bool(told.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED")


def _expires(dynamodb: Any, name: str) -> bool:
    told = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")


def _wait(dynamodb: Any, name: str, poll_s: float) -> None:
    deadline = time.monotonic() + timedelta(minutes=30).total_seconds()
    while dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        if time.monotonic() > deadline:
            raise RestoreError(f"{name} is still being changed after half an hour")
        time.sleep(poll_s)


# The stack that the others will grow into


def template(finished: Mapping[str, Any]) -> Json:
    """Return the part of an installation's finished template that an import may hold: its tables, and nothing else."""
    wanted = {table_resource(table) for table in topology.TABLES}
    return {
        "Parameters": {protection.PARAMETER: finished["Parameters"][protection.PARAMETER]},
        "Conditions": dict(protection.CONDITIONS),
        "Resources": {name: part for name, part in finished["Resources"].items() if name in wanted},
    }
