"""Wire models of feedback, of questions how a case was, and of public figures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.feedback import domain
from chalicelib.feedback.domain import Cause, Feedback, FeedbackTopic, Kind, Status
from chalicelib.feedback.service import Figures, Survey
from chalicelib.feedback.surveys import ANSWER_WITHIN, CaseKind
from chalicelib.feedback.texts import status_text
from chalicelib.kernel import clock, context
from chalicelib.runtime.schema import PageQuery, Schema, Timestamp

Text = Annotated[str, StringConstraints(min_length=1, max_length=domain.MOST_TEXT)]


class Tell(Schema):
    """What somebody tells the platform."""

    kind: Kind
    text: Text


class Sort(Schema):
    """Where it belongs."""

    topic: FeedbackTopic


class Answer(Schema):
    """What the platform answers, or what is objected to it."""

    text: Text


class Nothing(Schema):
    """Nothing to say."""


class FeedbackQuery(PageQuery):
    """Which feedback: that in one state."""

    status: Status = Status.NEW


class StepView(Schema):
    """One step: what was written, by its writer or by the platform."""

    at: Timestamp
    cause: Cause | None = None
    by_writer: bool
    text: str | None = None


class FeedbackView(Schema):
    """What somebody told, how it stands, and what was answered."""

    feedback_id: str
    kind: Kind
    topic: FeedbackTopic | None = None
    status: Status
    status_text: str
    filed_at: Timestamp
    due_at: Timestamp | None = None
    may_object: bool
    history: list[StepView]
    account_id: str | None = None
    chased: int | None = None

    @classmethod
    def of(cls, found: Feedback, *, inside: bool = False) -> FeedbackView:
        """Return the wire form in the caller's language; ``inside`` for the platform's people."""
        return cls(
            feedback_id=found.feedback_id,
            kind=found.kind,
            topic=found.topic,
            status=found.status,
            status_text=status_text(found.status, context.current().language),
            filed_at=found.filed_at,
            due_at=found.due_at,
            may_object=found.status is Status.ANSWERED and not found.objected,
            history=[
                StepView(at=one.at, cause=one.cause, by_writer=one.by == found.account_id, text=one.text or None)
                for one in found.history
            ],
            account_id=found.account_id if inside else None,
            chased=found.chased if inside else None,
        )


class FeedbackPageView(Schema):
    """One page of feedback."""

    items: list[FeedbackView]
    next_cursor: str | None = None


class GiveScore(Schema):
    """How a case was, from one to five, and why."""

    score: Annotated[int, Field(ge=1, le=5, strict=True)]
    text: Annotated[str, StringConstraints(max_length=500)] = ""


class SurveyView(Schema):
    """A question how a case was."""

    survey_id: str
    kind: CaseKind
    case_id: str
    merchant_id: str
    asked_at: Timestamp
    until: Timestamp
    is_open: bool
    score: int | None = None
    text: str | None = None
    answered_at: Timestamp | None = None

    @classmethod
    def of(cls, found: Survey) -> SurveyView:
        """Return the wire form."""
        return cls(
            survey_id=found.survey_id,
            kind=found.kind,
            case_id=found.case_id,
            merchant_id=found.merchant_id,
            asked_at=found.asked_at,
            until=found.asked_at + ANSWER_WITHIN,
            is_open=found.is_open(clock.now()),
            score=found.score,
            text=found.text or None,
            answered_at=found.answered_at,
        )


class SurveyPageView(Schema):
    """One page of questions."""

    items: list[SurveyView]
    next_cursor: str | None = None


class MonthQuery(Schema):
    """Which month (of China)."""

    month: Annotated[str, StringConstraints(pattern=r"^20[2-9][0-9]-(0[1-9]|1[0-2])$")]


class ServiceFiguresView(Schema):
    """What everybody may see of a month: how soon is answered, what is solved, how people found it."""

    month: str
    opened: int
    answered: int
    mean_answer_s: int | None = None
    """How long a first answer took in the middle of all."""
    late: int
    solved: int
    reopened: int
    asked: int
    """How many were asked how their case was."""
    scores: int
    """How many of them said so."""
    mean_score_percent: int | None = None
    """Their mean times a hundred; not told while so few answered that it would say who."""
    feedback_received: int | None = None
    feedback_answered: int | None = None

    @classmethod
    def of(cls, found: Figures, *, whole: bool) -> ServiceFiguresView:
        """Return the wire form; ``whole`` of the platform, whose feedback it is."""
        counts, month = found.answering, found.month
        return cls(
            month=month.month,
            opened=counts.opened,
            answered=counts.answered,
            mean_answer_s=counts.mean_answer_s,
            late=counts.late,
            solved=counts.solved,
            reopened=counts.reopened,
            asked=month.asked,
            scores=month.given,
            mean_score_percent=month.mean_percent,
            feedback_received=month.told if whole else None,
            feedback_answered=month.answered if whole else None,
        )
