"""When a provider is asked again about what its notices should have told us: attempts, and refunds. Pure.

An attempt is asked about every ninety seconds for as long as a cashier may be open, whatever its age: a payment of
which every notice is lost is known within two minutes. That is :data:`MOST_QUESTIONS` at most in the half hour that a
purchase waits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

BEGIN = (timedelta(seconds=30), timedelta(seconds=60))
"""How long to wait before the first and the second question about a new attempt."""
EVERY = timedelta(seconds=90)
"""How long to wait before each later one. The two minutes leave half of one for the message's way and a slow answer."""
AFTER_EXPIRY = timedelta(seconds=60)
"""The purchase's own expiry asks and closes first; this is the net behind it."""
SILENT = (timedelta(seconds=60), timedelta(seconds=180), timedelta(seconds=300), timedelta(seconds=540))
"""How long to wait after the expiry while a provider stays silent, the last repeated: nobody can pay any more. It
leaves a minute of the ten in which everything must be known: the deadline job may miss a run, and an answer takes its
way."""
REFUNDS = (timedelta(seconds=30), timedelta(seconds=60), *SILENT[1:])
"""How long to wait before asking about a refund the first, second, ... time; the last is repeated."""
LINGER_FIRST, LINGER_LAST = timedelta(seconds=60), timedelta(seconds=600)
"""When an attempt that was given up while the provider did not know it is looked at first, and after the expiry."""
MOST_QUESTIONS = 24
"""Questions about one attempt in half an hour, its first and those around its expiry included."""


def poll_at(now: datetime, *, polls: int, expires_at: datetime) -> datetime:
    """Return when to ask again about an open attempt, after so many questions."""
    net = expires_at + AFTER_EXPIRY
    if now < net:
        return min(now + (BEGIN[polls] if polls < len(BEGIN) else EVERY), net)
    overdue = now - net
    return now + next((wait for wait in SILENT if overdue < 2 * wait), SILENT[-1])


def look_at(now: datetime, *, ended_at: datetime, expires_at: datetime) -> datetime | None:
    """Return when to look again at an attempt that was given up and not known there; None if that was the last time.

    Whoever holds its link may open the cashier until the purchase's expiry.
    """
    over = max(ended_at, expires_at)
    if now < over:
        return min(now + EVERY, over + LINGER_FIRST)
    return over + LINGER_LAST if now < over + LINGER_LAST else None


def refund_wait(polls: int) -> timedelta:
    """Return how long to wait before the next question about a refund, after so many."""
    return REFUNDS[min(polls, len(REFUNDS) - 1)]
