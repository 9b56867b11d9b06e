"""Lists are read a page at a time: how many, from which place on, and where the next page begins. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
Place = Mapping[str, Any]
"""A place in a list, as its store knows it. Nobody else looks into it; callers hold it sealed, as a cursor."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked of a list: at most so many, after a place or from the beginning."""

    limit: int
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """A piece of a list, and the place after which it goes on; None: this was the last."""

    items: Sequence[T_co]
    after: Place | None = None
