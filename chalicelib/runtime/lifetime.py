"""How long this invocation may still run: Lambda's own word, which every wait for AWS or for others keeps to.

Lambda ends a function at its timeout without a word: a batch then comes back whole, finished messages too, and a caller
of the API gets nothing that it could read. So no wait may be longer than what is left, less what answering takes::

    with lifetime.of(lambda_context), lifetime.keeping(1.0):
        ...
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

Left = Callable[[], float]

_current: ContextVar[Left] = ContextVar("biandan_lifetime", default=lambda: math.inf)


def left_s() -> float:
    """Return how many seconds are left; without an end (a laptop, a test) infinitely many."""
    return _current.get()()


def of(lambda_context: Any) -> AbstractContextManager[None]:
    """Keep to what Lambda says is left of this invocation, and to what surrounds the block."""
    ask = getattr(lambda_context, "get_remaining_time_in_millis", None)
    outer = _current.get()
    return _Limited(outer if ask is None else lambda: min(outer(), float(ask()) / 1000))


def at_most(seconds: float) -> AbstractContextManager[None]:
    """Let a block have so many seconds, and no more than are left."""
    outer, until = _current.get(), time.monotonic() + seconds
    return _Limited(lambda: min(outer(), until - time.monotonic()))


def keeping(seconds: float) -> AbstractContextManager[None]:
    """Keep so many seconds of what is left for what comes after a block."""
    outer = _current.get()
    return _Limited(lambda: outer() - seconds)


class _Limited(AbstractContextManager[None]):
    """A class, for every call to AWS passes through one: it costs a quarter of what a generator does."""

    def __init__(self, left: Left) -> None:
        self._left = left

    def __enter__(self) -> None:
        self._token = _current.set(self._left)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
