"""Guards tables' indexes: DynamoDB makes or deletes one in an update; a template that asks for more fails half-way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.release.errors import DeployError

Json = dict[str, Any]


class TooManyIndexes(DeployError):
    """A table would get or lose more than one index in one update; the message says how to go about it."""


def indexes(template: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return each table's indexes of a template: table -> index -> what it is, as text."""
    return {
        name: {
            str(index["IndexName"]): json.dumps({**index, "IndexName": ""}, sort_keys=True)
            for index in resource.get("Properties", {}).get("GlobalSecondaryIndexes", [])
        }
        for name, resource in template.get("Resources", {}).items()
        if resource.get("Type") == "AWS::DynamoDB::Table"
    }


def steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return each table's steps: an index made, deleted, or both where it becomes another under its old name."""
    old, new = indexes(before), indexes(after)
    found: dict[str, list[str]] = {}
    for table in old.keys() & new.keys():
        had, has = old[table], new[table]
        gone = [f"-{name}" for name in sorted(had) if had[name] != has.get(name)]
        come = [f"+{name}" for name in sorted(has) if has[name] != had.get(name)]
        if gone or come:
            found[table] = gone + come
    return dict(sorted(found.items()))


def check(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse an update that takes more than one step of a table.

    Raises:
        TooManyIndexes: with each such table and its steps.
    """
    wrong = {table: told for table, told in steps(before, after).items() if len(told) > 1}
    if wrong:
        tables = "; ".join(f"{table} {' '.join(told)}" for table, told in wrong.items())
        raise TooManyIndexes(
            f"DynamoDB makes or deletes one index of a table in an update, and this asks for more: {tables}. Release "
            f"them one after the other; an index that changes is a new one under a new name first (docs/upgrading.md)"
        )


def refuse_too_many(cloudformation: Any, stack: str, template: Mapping[str, Any]) -> None:
    """Compare with the template that is deployed.

    Raises:
        TooManyIndexes: as :func:`check`.
    """
    found = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    check(json.loads(found) if isinstance(found, str) else found, template)
