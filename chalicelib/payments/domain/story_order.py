"""In which order to tell what happened: by time, and never an effect before its cause.

Providers tell whole seconds, by clocks of their own: a capture may bear a time before that of its own attempt. The
times are shown as they were told; only the order heeds what led to what. Pure.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """Something that happened: its time, its name, and the names of what must have happened before it."""

    what: T
    at: datetime
    name: str
    after: tuple[str, ...] = ()
    rank: int = 0
    """Of things of one moment that have nothing to do with each other, the lower goes first."""


def in_order(found: Iterable[Told[T]]) -> list[T]:
    """Return what happened, the earliest first among all whose causes were told.

    Names of causes that are not there are ignored. Should causes ever run in a circle, its members are told by time.
    """
    told = list(found)
    effects, open_causes = _links(told)
    waiting = [(one.at, one.rank, number) for number, one in enumerate(told) if not open_causes[number]]
    heapq.heapify(waiting)
    ordered: list[int] = []
    while waiting:
        _, _, number = heapq.heappop(waiting)
        ordered.append(number)
        for effect in effects[number]:
            open_causes[effect] -= 1
            if not open_causes[effect]:
                heapq.heappush(waiting, (told[effect].at, told[effect].rank, effect))
    rest = sorted(set(range(len(told))) - set(ordered), key=lambda number: (told[number].at, told[number].rank, number))
    return [told[number].what for number in (*ordered, *rest)]


def _links(told: Sequence[Told[T]]) -> tuple[list[list[int]], list[int]]:
    """Return each one's effects, and how many causes it has."""
    named: dict[str, list[int]] = {}
    for number, one in enumerate(told):
        named.setdefault(one.name, []).append(number)
    effects: list[list[int]] = [[] for _ in told]
    open_causes = [0] * len(told)
    for number, one in enumerate(told):
        causes = {cause for name in one.after for cause in named.get(name, ())} - {number}
        open_causes[number] = len(causes)
        for cause in causes:
            effects[cause].append(number)
    return effects, open_causes
