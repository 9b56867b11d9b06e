"""How long this invocation may still run: Lambda's own word, which every wait for AWS or for others keeps to.

Lambda ends a function at its timeout without a word: a batch then comes back whole, finished messages too, and a caller
of the API gets nothing that it could read. So no wait may be longer than what is left, less what answering takes::

    with lifetime.of(lambda_context), lifetime.keeping(1.0):
        ...
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Left = Callable[[], float]

_current: ContextVar[Left] = ContextVar("biandan_lifetime", default=lambda: math.inf)


def left_s() -> float:
    """Return how many seconds are left; without an end (a laptop, a test) infinitely many."""
    return _current.get()()


@contextmanager
def of(lambda_context: Any) -> Iterator[None]:
    """Keep to what Lambda says is left of this invocation, and to what surrounds the block."""
    ask = getattr(lambda_context, "get_remaining_time_in_millis", None)
    with _limited(_current.get() if ask is None else lambda: float(ask()) / 1000):
        yield


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let a block have so many seconds, and no more than are left."""
    until = time.monotonic() + seconds
    with _limited(lambda: until - time.monotonic()):
        yield


@contextmanager
def keeping(seconds: float) -> Iterator[None]:
    """Keep so many seconds of what is left for what comes after a block."""
    outer = _current.get()
    with _limited(lambda: outer() - seconds):
        yield


@contextmanager
def _limited(left: Left) -> Iterator[None]:
    outer = _current.get()
    token = _current.set(lambda: min(outer(), left()))
    try:
        yield
    finally:
        _current.reset(token)
