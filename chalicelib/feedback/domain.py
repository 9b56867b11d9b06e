"""Feedback: sorted, answered, closed; whose turn it is and until when. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.kernel.machine import StateMachine

MOST_TEXT: Final = 2000
A_DAY: Final = 10
MOST_STEPS: Final = 40
"""What was written first is kept, then the last of the steps."""


class TooMuchFeedback(ShopError):
    """The account told so much today that nobody could read it."""

    code, status = "too_much_feedback", 429
    en, zh = "That is enough feedback for today.", "今日反馈次数已达上限。"


class ObjectedBefore(Conflict):
    """The writer said before that the answer is none."""

    code = "objected_before"
    en, zh = "You objected once; the second answer stands.", "您已提出过一次异议，第二次答复为最终答复。"


class Kind(StrEnum):
    """What its writer takes it for."""

    FAULT = "fault"
    WISH = "wish"
    REPORT = "report"
    """Something that breaks the law or the rules."""
    RULES = "rules"
    """A word on rules that the platform means to change."""
    OTHER = "other"


class FeedbackTopic(StrEnum):
    """Where it belongs, says whoever sorts it."""

    SHOP = "shop"
    ACCOUNT = "account"
    PAYING = "paying"
    DELIVERY = "delivery"
    GOODS = "goods"
    MERCHANT = "merchant"
    RULES = "rules"
    OTHER = "other"


class Status(StrEnum):
    """States of feedback."""

    NEW = "new"
    SORTED = "sorted"
    ANSWERED = "answered"
    CLOSED = "closed"


class Cause(StrEnum):
    """What moves feedback."""

    SORT = "sort"
    CHASE = "chase"
    ANSWER = "answer"
    OBJECT = "object"
    CLOSE = "close"
    LAPSE = "lapse"


MACHINE = StateMachine(
    name="feedback",
    initial=Status.NEW,
    edges={
        Status.NEW: {Cause.SORT: Status.SORTED, Cause.CHASE: Status.NEW},
        Status.SORTED: {Cause.SORT: Status.SORTED, Cause.ANSWER: Status.ANSWERED, Cause.CHASE: Status.SORTED},
        Status.ANSWERED: {
            Cause.OBJECT: Status.SORTED,
            Cause.CLOSE: Status.CLOSED,
            Cause.LAPSE: Status.CLOSED,
        },
        Status.CLOSED: {},
    },
    deadlines={
        Status.NEW: (timedelta(hours=48), Cause.CHASE),
        Status.SORTED: (timedelta(days=7), Cause.CHASE),
        Status.ANSWERED: (timedelta(days=14), Cause.LAPSE),
    },
)
"""What nobody looks at rings, again and again: it is never closed unanswered (CN-ECL-59-1, CN-PRM-11-1)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of its history: by the writer, by the platform, or by the clock (nobody)."""

    at: datetime
    cause: Cause | None
    """None: it was written."""
    by: str
    text: str = field(default="", repr=False)
    intent: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody told the platform, and what became of it."""

    feedback_id: str
    account_id: str
    kind: Kind
    status: Status
    filed_at: datetime
    since: datetime
    topic: FeedbackTopic | None = None
    history: tuple[Step, ...] = ()
    chased: int = 0
    version: int = field(default=0, compare=False)

    @property
    def due_at(self) -> datetime | None:
        """Return when the state times out."""
        return MACHINE.due_at(self.status, self.since)

    @property
    def objected(self) -> bool:
        """Say whether its writer objected to the answer."""
        return any(step.cause is Cause.OBJECT for step in self.history)

    def moved(self, step: Step, topic: FeedbackTopic | None = None) -> Feedback:
        """Return it after a step. What is chased is only counted: it may be for ever.

        Raises:
            IllegalTransition: if the state does not take it.
            ObjectedBefore: if its writer objects a second time.
        """
        if step.cause is None:
            raise ValueError("a step moves something")
        status = MACHINE.next(self.status, step.cause)
        if step.cause is Cause.OBJECT and self.objected:
            raise ObjectedBefore
        is_chase = step.cause is Cause.CHASE
        kept = self.history if len(self.history) < MOST_STEPS else (self.history[0], *self.history[2:])
        return replace(
            self,
            status=status,
            since=step.at,
            topic=topic or self.topic,
            history=self.history if is_chase else (*kept, step),
            chased=self.chased + 1 if is_chase else self.chased,
        )
