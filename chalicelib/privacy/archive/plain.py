"""What rooms keep, as plain values that a person can read: JSON of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money

MACHINERY = frozenset(
    {
        # How rows are kept, repeated and guarded: nothing that is about anybody.
        "version", "fingerprint", "fingerprints", "intent", "token", "polls", "tries", "questions", "bucket_count",
        "lines_inside", "booked_on", "commission_bps", "instruction", "subscriptions", "corrections", "claimed",
        "watch", "epoch", "stock", "by_refund", "entry_s",
    }
)  # fmt: skip
SOMEBODY_ELSE = "another person"
YOU = "you"


def plain(value: Any, *, of: str) -> Any:
    """Return a value as JSON knows it, for the person whose account it is ``of``; others' numbers are theirs."""
    if isinstance(value, Later):
        value = value()
    if isinstance(value, Money):
        return {"minor": value.minor, "currency": value.currency}
    if is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in fields(value) if one.name not in MACHINERY}
    if isinstance(value, Mapping):
        return {str(name): plain(one, of=of) for name, one in value.items() if one not in (None, "", ())}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one, of=of) for one in value]
    return _leaf(value, of)


def _leaf(value: Any, of: str) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, str) and value.startswith("acc_"):
        return YOU if value == of else SOMEBODY_ELSE
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
