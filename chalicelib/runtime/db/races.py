"""Losing a race is no fault: read again, decide again, commit again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate
from chalicelib.runtime import metrics

RACES = 8
"""How often a use case that lost a race reads again and repeats."""
S = TypeVar("S")
T = TypeVar("T")


def lost(_: object) -> Exception:
    """Refuse a write as a lost race, also where a rival created what was not there yet."""
    return ConcurrentUpdate()


def starting_from(known: S | None, read: Callable[[], S]) -> Callable[[], S]:
    """Return how the attempts of a race read: the first takes what is known already (if it is), each later one reads.

    What was read a moment ago spares a read; its version guards the write: what is stale loses.
    """
    held = [known] if known is not None else []
    return lambda: held.pop() if held else read()


def racing(
    attempt: Callable[[], T],
    *,
    otherwise: Callable[[], Exception] = ConcurrentUpdate,
    losing: tuple[type[Exception], ...] = (ConcurrentUpdate, AlreadyExists),
) -> T:
    """Repeat a load-decide-commit that lost a race, which is what ``losing`` says; each attempt reads anew.

    Raises:
        ConcurrentUpdate: if it lost every time, or what is to be raised ``otherwise``.
    """
    for _ in range(RACES):
        try:
            return attempt()
        except losing:
            metrics.count("lost_races")
    raise otherwise()
