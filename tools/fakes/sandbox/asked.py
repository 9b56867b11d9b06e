"""What people may tell a stand-in, checked before it is done: a typing mistake must not break its books for good."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

MOST_COPIES = 100
LONGEST_S = 90 * 86400
SLOWEST_S = 60
LARGEST = 10**15
HOWS = ("won", "lost", "warning_closed", "needs_response")
_LIMITS = {"duplicates": MOST_COPIES, "delay_s": LONGEST_S, "refund_after_s": LONGEST_S, "slow_s": SLOWEST_S}


def body_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a call.

    Raises:
        ValueError: if it is none, or nested absurdly deep.
    """
    try:
        content = json.loads(body, parse_constant=_no_constant) if body else {}
    except RecursionError as error:
        raise ValueError("that is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("send a JSON object")
    return content


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def steering(changes: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes of a steering in their types.

    Raises:
        ValueError: naming the word that is wrong.
    """
    found = dict(changes)
    for word, value in changes.items():
        if word not in kinds:
            continue  # Whoever is steered says that it does not know it.
        try:
            found[word] = msgspec.convert(value, kinds[word], strict=True)
        except msgspec.ValidationError as error:
            raise ValueError(f"{word}: {error}") from error
        if word in _LIMITS and not 0 <= found[word] <= _LIMITS[word]:
            raise ValueError(f"{word} is 0 to {_LIMITS[word]}")
    return found


def payment(content: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return what is really taken, and how often the notices go out.

    Raises:
        ValueError: if an amount is no amount, or a currency no code, or they are told too often.
    """
    taken = dict(content)
    times = taken.pop("times", 1)
    if type(times) is not int or not 1 <= times <= MOST_COPIES:
        raise ValueError(f"times is 1 to {MOST_COPIES}")
    if "amount" in taken:
        amount(taken["amount"])
    if "currency" in taken and not (isinstance(taken["currency"], str) and len(taken["currency"]) == 3):
        raise ValueError("a currency is a code of three letters")
    return taken, times


def amount(value: Any) -> int:
    """Return an amount.

    Raises:
        ValueError: if it is none.
    """
    if type(value) is not int or not 1 <= value <= LARGEST:
        raise ValueError("an amount is a whole number of the smallest unit, 1 or more")
    return value


def dispute(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a bank contests.

    Raises:
        ValueError: if it is not said rightly.
    """
    if content.get("amount") is not None:
        amount(content["amount"])
    if type(content.get("inquiry", False)) is not bool:
        raise ValueError("inquiry is true or false")
    return dict(content)


def end_of_dispute(content: Mapping[str, Any]) -> str:
    """Return how a dispute ends.

    Raises:
        ValueError: if no dispute ends so.
    """
    how = content.get("how", "lost")
    if how not in HOWS:
        raise ValueError(f"a dispute ends as {', '.join(HOWS)}")
    return str(how)
