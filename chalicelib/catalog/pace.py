"""How long a step may go on, and how often it was begun: what a queue's function knows of its own run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Final

STEP_S: Final = 25.0
"""A step takes no longer, however much time its function has."""
RESERVE_S: Final = 15.0
"""What the function keeps for writing down where the step stopped."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Until when the step may take up more work, and the how-manieth time its message came."""

    until_s: float = inf
    receives: int = 1


_UNBOUND: Final = Pace()
_current: ContextVar[Pace] = ContextVar("biandan_pace", default=_UNBOUND)


@contextmanager
def of(*, remaining_s: float, receives: int) -> Iterator[None]:
    """Run a block as a function with so many seconds left."""
    token = _current.set(Pace(time.monotonic() + min(STEP_S, remaining_s - RESERVE_S), receives))
    try:
        yield
    finally:
        _current.reset(token)


def is_spent() -> bool:
    """Say whether no further work may be taken up."""
    return time.monotonic() >= _current.get().until_s


def receives() -> int:
    """Return how often the step was begun, this time included."""
    return _current.get().receives
