"""How somebody found a case: asked once, answered once, within a month. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.kernel.errors import Conflict

ANSWER_WITHIN: Final = timedelta(days=30)
LEAST_SHOWN: Final = 5
"""Fewer scores than this are not told to the public: they would say who gave them."""


class SurveyOver(Conflict):
    """The question was answered before, or too long ago."""

    code = "survey_over"
    en, zh = "This was answered before, or is too long ago.", "该评价已提交或已过期。"


class CaseKind(StrEnum):
    """Of what kind the case was."""

    COMPLAINT = "complaint"
    CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class Survey:
    """One question about one case."""

    survey_id: str
    account_id: str
    merchant_id: str
    kind: CaseKind
    case_id: str
    asked_at: datetime
    agent: str = ""
    score: int | None = None
    text: str = field(default="", repr=False)
    answered_at: datetime | None = None
    intent: str = ""
    fingerprint: str = ""
    version: int = field(default=0, compare=False)

    def is_open(self, now: datetime) -> bool:
        """Say whether it can be answered."""
        return self.score is None and now < self.asked_at + ANSWER_WITHIN


@dataclass(frozen=True, slots=True)
class Month:
    """What was counted of somebody in a month (of China)."""

    month: str
    asked: int = 0
    scores: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    """How many gave one to five."""
    told: int = 0
    """Feedback that came in."""
    answered: int = 0
    """Feedback that got its first answer."""

    @property
    def given(self) -> int:
        """Return how many scores were given."""
        return sum(self.scores)

    @property
    def mean_percent(self) -> int | None:
        """Return the mean score times a hundred; None while so few were given that it would say by whom."""
        if self.given < LEAST_SHOWN:
            return None
        return sum((number + 1) * count for number, count in enumerate(self.scores)) * 100 // self.given


def days_of(month: str) -> tuple[date, date]:
    """Return the first and the last day of a month."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
