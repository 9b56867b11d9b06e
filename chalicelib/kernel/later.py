"""A value that is worked out when somebody looks at it, once: most who read a purchase never ask where it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Self, TypeVar, cast

T = TypeVar("T")
_UNKNOWN = object()


class Later(Generic[T]):
    """Call it to get the value. Two are equal if their values are; what it holds is never shown."""

    __slots__ = ("_make", "_value")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._value: object = _UNKNOWN

    @classmethod
    def of(cls, value: T) -> Self:
        """Return one whose value is known already."""
        return cls(lambda: value)

    def __call__(self) -> T:
        """Return the value."""
        if self._value is _UNKNOWN:
            self._value = self._make()
        return cast("T", self._value)

    def __eq__(self, other: object) -> bool:
        """Compare the values."""
        return self() == other() if isinstance(other, Later) else NotImplemented

    def __hash__(self) -> int:
        """Hash the value."""
        return hash(self())

    def __repr__(self) -> str:
        """Say nothing of the value."""
        return "Later(...)"
