"""Losing a race is no fault: read again, decide again, commit again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate
from chalicelib.runtime import metrics

RACES = 8
"""How often a use case that lost a race reads again and repeats."""
T = TypeVar("T")


def lost(_: object) -> Exception:
    """Refuse a write as a lost race, also where a rival created what was not there yet."""
    return ConcurrentUpdate()


def racing(attempt: Callable[[], T], *, otherwise: Callable[[], Exception] = ConcurrentUpdate) -> T:
    """Repeat a load-decide-commit that lost a race; each attempt reads anew.

    Raises:
        ConcurrentUpdate: if it lost every time, or what is to be raised ``otherwise``.
    """
    for _ in range(RACES):
        try:
            return attempt()
        except (ConcurrentUpdate, AlreadyExists):
            metrics.count("lost_races")
    raise otherwise()
