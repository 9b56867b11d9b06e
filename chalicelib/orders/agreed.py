"""Units of an order that somebody is to come for at an agreed time, as the order's row keeps them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

SETTLED_WITHIN: Final = timedelta(days=3)
"""How long after the last agreed time an order does not time out: by then it is known what became of it."""


@dataclass(frozen=True, slots=True)
class Appointment:
    """Units of a line that are provided at an agreed time."""

    booking_id: str
    line_id: str
    quantity: int
    fixed_at: datetime
    """From when on the buyer cannot change it."""
    ends_at: datetime


def units(appointments: Iterable[Appointment]) -> dict[str, int]:
    """Return the agreed units of each line; lines with none are absent."""
    found: dict[str, int] = {}
    for one in appointments:
        found[one.line_id] = found.get(one.line_id, 0) + one.quantity
    return found


def late_enough(due_at: datetime | None, appointments: Iterable[Appointment]) -> datetime | None:
    """Return a deadline, put off until what is agreed is over."""
    until = max((one.ends_at for one in appointments), default=None)
    return due_at if due_at is None or until is None else max(due_at, until + SETTLED_WITHIN)
