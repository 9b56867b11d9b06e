"""Notes where this process wrote, so that a test's pump looks there and at no idle stream or queue.

Every AWS call of a test passes ``runtime.aws``; the hook stands there from before the first (``tests/conftest.py``), as
the innermost, and sees what was really sent. What other processes write it can't see: ``Pump.drain(everywhere=True)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from chalicelib.runtime import aws

WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
SENDS = {"SendMessage", "SendMessageBatch"}

Place = tuple[str, str]
"""``dynamodb`` or ``sqs``, and the full name of a table or queue there: many have one name in both."""

_moments = count(1)
_calls = 0
_last: dict[Place, int] = {}


def forget() -> None:
    """Know of nothing: in an account that nobody used."""
    _last.clear()


def calls() -> int:
    """Return how many calls this process has made."""
    return _calls


def last(place: Place) -> int:
    """Return the moment at which something was last written to a table, or sent to a queue; 0 for never."""
    return _last.get(place, 0)


def noting(service: str, operation: str, params: dict[str, Any], proceed: Callable[[], dict[str, Any]]) -> Any:
    """Stand around a call as ``aws.hooked`` wants it. A write may have happened though its answer was lost."""
    global _calls
    _calls += 1
    try:
        return proceed()
    finally:
        note(service, operation, params)


def note(service: str, operation: str, params: dict[str, Any]) -> None:
    """Note one call, if it writes."""
    for place in _places(service, operation, params):
        _last[place] = next(_moments)


def is_on() -> bool:
    """Say whether the calls of this process are noted: in tests, not in a bench."""
    return noting in aws._hooks


def _places(service: str, operation: str, params: dict[str, Any]) -> Iterable[Place]:
    if service == "dynamodb" and operation in WRITES:
        return [("dynamodb", name) for name in tables(params)]
    return [("sqs", params["QueueUrl"].rsplit("/", 1)[-1])] if service == "sqs" and operation in SENDS else ()


def tables(params: dict[str, Any]) -> set[str]:
    """Return the full names of the tables that a write goes to."""
    if "TableName" in params:
        return {params["TableName"]}
    return {next(iter(item.values()))["TableName"] for item in params.get("TransactItems", ())} | set(
        params.get("RequestItems", ())
    )
