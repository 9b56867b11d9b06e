"""How we learn of a parcel's scans: the machine of the watching, and how long we wait before we ask again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.machine import StateMachine


class Watch(StrEnum):
    """How we learn of a parcel's scans."""

    WAITING = "waiting"
    """To be subscribed at a hub."""
    WATCHED = "watched"
    """The hub pushes."""
    POLLED = "polled"
    """The hub does not push this number; we ask."""
    BROKEN = "broken"
    """The hub gave the number up, or stopped pushing; to be subscribed again."""
    FINISHED = "finished"


class WatchCause(StrEnum):
    """What moves a watch."""

    SUBSCRIBE = "subscribe"
    RETRY = "retry"
    GIVE_UP = "give_up"
    ASK = "ask"
    ABORT = "abort"
    CORRECT = "correct"
    """The merchant named another number: to be subscribed anew."""
    FINISH = "finish"


WATCH = StateMachine(
    name="watch",
    initial=Watch.WAITING,
    edges={
        Watch.WAITING: {
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.RETRY: Watch.WAITING,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.CORRECT: Watch.WAITING,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.WATCHED: {
            WatchCause.ASK: Watch.WATCHED,
            WatchCause.ABORT: Watch.BROKEN,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.CORRECT: Watch.WAITING,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.POLLED: {
            WatchCause.ASK: Watch.POLLED,
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.CORRECT: Watch.WAITING,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.BROKEN: {
            WatchCause.RETRY: Watch.WAITING,
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.CORRECT: Watch.WAITING,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.FINISHED: {},
    },
    deadlines={
        Watch.WAITING: (timedelta(minutes=10), WatchCause.RETRY),
        Watch.WATCHED: (timedelta(hours=24), WatchCause.ASK),
        Watch.POLLED: (timedelta(hours=8), WatchCause.ASK),
        Watch.BROKEN: (timedelta(minutes=40), WatchCause.RETRY),
    },
)

LONGEST_TRY = timedelta(hours=6)
LONGEST_SILENCE = timedelta(hours=72)
"""We ask at least so often, however often the answer told nothing new."""
LONGEST_REPEAT = timedelta(hours=8)
"""A hub that does not answer is tried at least so often."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one hub allows of one number, and when it stops pushing by itself."""

    ask_every: timedelta = timedelta(minutes=30)
    """A hub locks numbers that are queried more often."""
    subscriptions: int = 4
    tries: int = 8
    """Subscribing fails so often before we ask instead, or go to another hub."""
    questions_a_day: int | None = None
    """Of all numbers together."""
    pushes_end_after: timedelta | None = None
    """Without news for so long the hub pushes no more, and does not say so."""


ANY = Limits()
"""Of a hub of which nothing else is known."""


def due_at(watch: Watch, since: datetime, *, tries: int = 0, quiet: int = 0) -> datetime | None:
    """Return when a watch times out. A failing subscription backs off, and so do questions that told nothing new."""
    if watch is Watch.WAITING and tries > 1:
        return since + min(timedelta(minutes=10) * (1 << tries - 1), LONGEST_TRY)
    if watch in (Watch.WATCHED, Watch.POLLED):
        return since + pause(watch, quiet)
    return WATCH.due_at(watch, since)


def pause(watch: Watch, quiet: int) -> timedelta:
    """Return how long we wait for pushes before we ask, after so many questions in a row that told nothing new."""
    usual = WATCH.deadlines[watch][0]
    return min(usual * (1 << min(max(quiet - 1, 0), 10)), LONGEST_SILENCE)


def repeat_after(missed: int, limits: Limits) -> timedelta:
    """Return when to ask again a hub that did not answer so many times in a row."""
    return max(limits.ask_every, min(timedelta(minutes=30) * (1 << min(max(missed - 1, 0), 10)), LONGEST_REPEAT))
