"""Waiting for many answers at once: S3 takes tens of milliseconds an object, and one pass touches dozens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from chalicelib.runtime import metrics

AT_ONCE = 16
"""So many calls wait at the same time. 1: one after another, in this thread, for whoever needs one order of things."""
T = TypeVar("T")


def all_of(tasks: Iterable[Callable[[], T]]) -> list[T]:
    """Run independent tasks at once, each in this context; returns what they return, in their order.

    All have ended when this returns or raises.

    Raises:
        BaseException: what the first of them that failed raised.
    """
    wanted = list(tasks)
    if AT_ONCE <= 1 or len(wanted) <= 1:
        return [task() for task in wanted]
    metrics.share()
    with ThreadPoolExecutor(min(AT_ONCE, len(wanted))) as pool:
        started = [pool.submit(copy_context().run, task) for task in wanted]
    return [one.result() for one in started]
