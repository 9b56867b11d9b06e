"""Gives old rows a field they lack: the second of three steps of a change (docs/upgrading.md).

    BIANDAN_STAGE=prod python -m tools.operate.backfill orders channel '{"S": "web"}' --rows-per-second 200

Rows that have the field, whatever its value, are left alone: code that writes it went out before. What is done is
noted (``--state``), so that a run that was stopped goes on where it was; running it again changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib import topology
from chalicelib.runtime import aws, names
from tools.shared import place

Json = dict[str, Any]
Say = Callable[[str], None]

PAGE = 25
"""Rows that are read at once, and done again where a run is stopped between two notes."""
TELL_EVERY_S = 10.0


class BackfillError(Exception):
    """It cannot be begun, or not gone on with; the message says why."""


@dataclass(frozen=True, slots=True)
class Fill:
    """What rows of a table get."""

    table: str
    field: str
    value: Json
    """As DynamoDB writes it: ``{"S": "web"}``."""


@dataclass(slots=True)
class Progress:
    """How far it is."""

    seen: int = 0
    filled: int = 0
    key: Json | None = None
    """After which row it goes on; None at the beginning."""
    done: bool = False


class Note:
    """Where progress is noted, of one fill of one installation."""

    def __init__(self, path: Path, fill: Fill) -> None:
        self._path = path
        self._of = [names.table_name(fill.table), fill.field, fill.value]

    def read(self) -> Progress:
        """Return how far it was.

        Raises:
            BackfillError: if the file is of another fill.
        """
        if not self._path.exists():
            return Progress()
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            of, progress = found.pop("of"), Progress(**found)
        except (OSError, ValueError, TypeError, KeyError) as error:
            why = type(error).__name__
            raise BackfillError(f"{self._path} cannot be read ({why}): delete it to begin anew") from error
        if of != self._of:
            raise BackfillError(f"{self._path} is of another backfill: name another file with --state")
        return progress

    def write(self, progress: Progress) -> None:
        """Note how far it is, whole or not at all."""
        content = {"of": self._of, "seen": progress.seen, "filled": progress.filled, "key": progress.key}
        half = self._path.with_suffix(".half")
        half.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(json.dumps({**content, "done": progress.done}), encoding="utf-8")
        half.replace(self._path)


def keys_of(table: str) -> list[str]:
    """Return the names of a table's keys."""
    found = aws.call("dynamodb", "DescribeTable", {"TableName": names.table_name(table)})["Table"]
    return [part["AttributeName"] for part in found["KeySchema"]]


def check(fill: Fill, keys: list[str]) -> None:
    """Refuse what would break rows.

    Raises:
        BackfillError: for a key, a field of ours that carries versions or events, or a value that is none.
    """
    if fill.field in (*keys, "version", "events", "event_version"):
        raise BackfillError(f"{fill.field} is not to be filled")
    if len(fill.value) != 1 or next(iter(fill.value)) not in ("S", "N", "BOOL", "M", "L", "NULL", "SS", "NS"):
        raise BackfillError('a value is written as DynamoDB does, such as {"S": "web"} or {"N": "0"}')


def run(
    fill: Fill,
    note: Note,
    say: Say,
    *,
    rows_per_second: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """Fill all rows that lack the field, no faster than told.

    Raises:
        BackfillError: as :func:`check` and :meth:`Note.read`.
    """
    keys = keys_of(fill.table)
    check(fill, keys)
    progress = note.read()
    begun, at_first, told = clock(), progress.seen, clock()
    while not progress.done:
        page = _page(fill.table, progress.key)
        for row in page["Items"]:
            progress.filled += fill.field not in row and _fill(fill, {name: row[name] for name in keys})
        progress.seen += len(page["Items"])
        progress.key = page.get("LastEvaluatedKey")
        progress.done = progress.key is None
        note.write(progress)
        if clock() - told >= TELL_EVERY_S or progress.done:
            say(f"{progress.seen} rows seen, {progress.filled} filled{', done' if progress.done else ''}")
            told = clock()
        ahead_s = (progress.seen - at_first) / rows_per_second - (clock() - begun)
        if ahead_s > 0 and not progress.done:
            sleep(ahead_s)
    return progress


def _page(table: str, after: Json | None) -> Json:
    params: Json = {"TableName": names.table_name(table), "Limit": PAGE, "ConsistentRead": True}
    if after is not None:
        params["ExclusiveStartKey"] = after
    return aws.call("dynamodb", "Scan", params)


def _fill(fill: Fill, key: Json) -> bool:
    """Fill one row, unless it got the field or went away meanwhile."""
    try:
        aws.call(
            "dynamodb",
            "UpdateItem",
            {
                "TableName": names.table_name(fill.table),
                "Key": key,
                # Events ride on the change that they were written with: they are not told again by this one.
                "UpdateExpression": "SET #field = :value REMOVE event_version",
                "ConditionExpression": "attribute_exists(#key) AND attribute_not_exists(#field)",
                "ExpressionAttributeNames": {"#field": fill.field, "#key": next(iter(key))},
                "ExpressionAttributeValues": {":value": fill.value},
            },
        )
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True


def main(arguments: list[str] | None = None) -> int:
    """Fill from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=sorted(topology.TABLES))
    parser.add_argument("field", help="the field's name in the table")
    parser.add_argument("value", type=json.loads, help="""as DynamoDB writes it, such as '{"S": "web"}'""")
    parser.add_argument("--rows-per-second", type=float, default=100.0)
    parser.add_argument("--state", type=Path, help="file in which progress is noted (.build/backfill/...)")
    options = parser.parse_args(arguments)
    if not isinstance(options.value, dict) or options.rows_per_second <= 0:
        parser.error("the value is an object, and the rate is more than nothing")
    fill = Fill(options.table, options.field, options.value)
    try:
        print(place.settle(), file=sys.stderr)
        installed = os.environ.get("BIANDAN_INSTALLATION", os.environ.get("BIANDAN_STAGE", "local"))
        path = options.state or Path(".build") / "backfill" / f"{installed}-{fill.table}-{fill.field}.json"
        run(fill, Note(path, fill), print, rows_per_second=options.rows_per_second)
    except (BackfillError, place.Nowhere) as error:
        print(f"backfill: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
