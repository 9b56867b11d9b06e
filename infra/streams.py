"""Which changes of a table wake the relay: those that tell something. All others cost an invocation for nothing.

AWS applies these patterns before it invokes; the pumps of a laptop and of the tests apply them by :func:`passes`.
They let through all that ``runtime.relay`` makes events of, and as little else as patterns can say: numbers can only
be compared for equality there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib import topology

Pattern = dict[str, Any]
THERE: list[Any] = [{"exists": True}]
MISSING: list[Any] = [{"exists": False}]

CARRIES_EVENTS: Pattern = {"dynamodb": {"NewImage": {"events": {"S": THERE}}}}
DERIVED: dict[str, list[Pattern]] = {
    "stock": [
        # Sold out, on sale again, or new: between these a sale tells nothing.
        {"dynamodb": {"NewImage": {"available": {"N": ["0"]}}}},
        {"dynamodb": {"OldImage": {"available": {"N": ["0"]}}, "NewImage": {"available": {"N": THERE}}}},
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"available": {"N": THERE}}}},
    ],
    # Entries of the release before, which do not say when they were written: nobody else's are told.
    "ledger": [
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"postings": {"S": THERE}, "written_on": {"S": MISSING}}}}
    ],
}
"""What makes a row of a table in ``topology.DERIVED`` worth a look."""


def patterns(table: str) -> list[Pattern]:
    """Return a table's patterns; a change that fits any of them wakes the relay."""
    found = [CARRIES_EVENTS]
    if table in topology.DERIVED:
        found += DERIVED[table]
    return found


def passes(table: str, record: Mapping[str, Any]) -> bool:
    """Say whether a change of a table wakes the relay."""
    return any(_fits(pattern, record) for pattern in patterns(table))


def _fits(pattern: Mapping[str, Any], there: Any) -> bool:
    """Compare as EventBridge's patterns do, as far as they are used here."""
    if not isinstance(there, Mapping):
        there = {}
    for name, wanted in pattern.items():
        if wanted == MISSING:
            if name in there:
                return False
        elif isinstance(wanted, dict):
            if not _fits(wanted, there.get(name)):
                return False
        elif wanted == THERE:
            if name not in there:
                return False
        elif there.get(name) not in wanted:
            return False
    return True
