"""How long one piece of work may wait for others altogether: a budget over all its calls out, and over each silence.

A request, or a batch of messages, opens a budget; parts of it open smaller ones inside. Every call of
``runtime.outbound`` gets what is left of all of them at most, and a host that let us wait too often is not called
again within the budget: one silent service costs one wait, not one for each record that it is asked about.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.kernel import clock

SHORTEST_S = 0.2
"""With less than this left nothing is sent: no answer could come in time, and the other side might act all the same."""
LONG_S = 1.0
"""A call without an answer that took less is no silence: it was refused, or cut off, and cost nothing."""

Timer = Callable[[], float]
_timer: Timer = time.monotonic


def install(timer: Timer | None) -> None:
    """Replace the stopwatch; ``None`` puts the system's back. For the simulator, whose time is its clock's alone."""
    global _timer
    _timer = timer or time.monotonic


@dataclass
class Budget:
    """What is left of a piece of work's time for others."""

    seconds: float
    each_s: float | None = None
    """What one call may take at most."""
    silences: int = 2
    """How often a host may let us wait in vain before it is left alone."""
    outer: Budget | None = None
    began: float = field(default_factory=lambda: _timer())  # noqa: PLW0108 - the timer may be replaced
    began_at: datetime = field(default_factory=clock.now)
    silent: dict[str, int] = field(default_factory=dict)

    def left_s(self) -> float:
        """Return how many seconds are left, here and in every budget around it."""
        gone = max(_timer() - self.began, (clock.now() - self.began_at).total_seconds())
        left = self.seconds - gone
        return min(left, self.outer.left_s()) if self.outer is not None else left

    def longest_s(self, wanted: float) -> float:
        """Return how long one call may take that wants so long."""
        each = wanted if self.each_s is None else min(wanted, self.each_s)
        return self.outer.longest_s(each) if self.outer is not None else each

    def gave_up(self, host: str) -> bool:
        """Say whether a host was silent too often."""
        if self.silent.get(host, 0) >= self.silences:
            return True
        return self.outer is not None and self.outer.gave_up(host)

    def note_silence(self, host: str) -> None:
        """Note that a host let us wait in vain."""
        self.silent[host] = self.silent.get(host, 0) + 1
        if self.outer is not None:
            self.outer.note_silence(host)


_current: ContextVar[Budget | None] = ContextVar("biandan_patience", default=None)


@contextmanager
def within(seconds: float, *, each_s: float | None = None, silences: int = 2) -> Iterator[Budget]:
    """Let all calls out of a block take so long together, and no longer than what surrounds it has left."""
    budget = Budget(seconds, each_s, silences, _current.get())
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)


def spent() -> bool:
    """Say whether no time is left for another call."""
    budget = _current.get()
    return budget is not None and budget.left_s() < SHORTEST_S


def granted_s(host: str, wanted_s: float) -> float:
    """Return how long a call to a host may take; 0 if it is not to be made."""
    budget = _current.get()
    if budget is None:
        return wanted_s
    granted = min(budget.longest_s(wanted_s), budget.left_s())
    return 0.0 if granted < SHORTEST_S or budget.gave_up(host) else granted


@contextmanager
def watched(host: str) -> Iterator[Callable[[], None]]:
    """Watch a call; what is yielded notes that it got no answer, which is a silence if it took its time."""
    budget = _current.get()
    began, began_at = _timer(), clock.now()

    def unanswered() -> None:
        took = max(_timer() - began, (clock.now() - began_at).total_seconds())
        if budget is not None and took >= LONG_S:
            budget.note_silence(host)

    yield unanswered
