"""Figures of whoever answers: how soon at first, how many were solved, how many came back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from chalicelib.conversations.domain import ANSWER_WITHIN, WITH_SERVICE, Cause, Entry, Side, Status, Thread

SERVICE = "service"
"""Whose figures those of the whole service are."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a merchant, an agent, or the service: each of these is only ever added to."""

    opened: int = 0
    """Conversations that began with a buyer's words, or calls of the service."""
    answered: int = 0
    """How many of them got a first answer."""
    answer_s: int = 0
    """How long those waited for it, together."""
    late: int = 0
    """How many waited for longer than they should."""
    solved: int = 0
    lapsed: int = 0
    """How many were over because nobody went on with them."""
    reopened: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def mean_answer_s(self) -> int | None:
        """Return how long a first answer took in the middle of all; None where there was none."""
        return self.answer_s // self.answered if self.answered else None


def total(days: Iterable[Counts]) -> Counts:
    """Return all together."""
    found = Counts()
    for day in days:
        found = found.plus(day)
    return found


def changes(before: Thread | None, after: Thread, entry: Entry) -> dict[str, Counts]:
    """Return what an entry adds to whose figures."""
    found: dict[str, Counts] = {}
    for part in (_begun, _first_answers, _over):
        for whose, counts in part(before, after, entry):
            found[whose] = found.get(whose, Counts()).plus(counts)
    return found


def _begun(before: Thread | None, after: Thread, entry: Entry) -> Iterator[tuple[str, Counts]]:
    if before is None and entry.side is Side.BUYER:
        yield after.merchant_id, Counts(opened=1)
    if after.status in WITH_SERVICE and (before is None or before.status not in WITH_SERVICE):
        yield SERVICE, Counts(opened=1)
    if before is not None and before.status is Status.SOLVED and after.status is not Status.SOLVED:
        for whose in (SERVICE, after.agent) if after.agent else (after.merchant_id,):
            yield whose, Counts(reopened=1)


def _first_answers(before: Thread | None, after: Thread, entry: Entry) -> Iterator[tuple[str, Counts]]:
    if before is None:
        return
    if before.asked_at is not None and after.asked_at is None:
        yield after.merchant_id, _answered(before.asked_at, entry.at)
    if before.called_at is not None and entry.is_words and entry.side is Side.SERVICE:
        for whose in (SERVICE, entry.author):
            yield whose, _answered(before.called_at, entry.at)


def _over(before: Thread | None, after: Thread, entry: Entry) -> Iterator[tuple[str, Counts]]:
    if before is None or entry.cause not in (Cause.SOLVE, Cause.LAPSE) or after.status is not Status.SOLVED:
        return
    ended = Counts(solved=1) if entry.cause is Cause.SOLVE else Counts(lapsed=1)
    if before.status not in WITH_SERVICE:
        yield before.merchant_id, ended
        return
    yield SERVICE, ended
    if before.agent and before.status is not Status.CALLED:
        yield before.agent, ended


def _answered(asked_at: datetime, at: datetime) -> Counts:
    waited = at - asked_at
    return Counts(answered=1, answer_s=int(waited.total_seconds()), late=int(waited > ANSWER_WITHIN))
