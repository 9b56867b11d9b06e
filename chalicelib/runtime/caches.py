"""A registry of the process's caches, so that tests and the simulator can forget all of them at once."""

from __future__ import annotations

from collections.abc import Callable

_forgets: list[Callable[[], None]] = []


def register(forget: Callable[[], None]) -> Callable[[], None]:
    """Register the function that empties a cache."""
    _forgets.append(forget)
    return forget


def forget_all() -> None:
    """Empty every registered cache, as a new process would start."""
    for forget in _forgets:
        forget()
