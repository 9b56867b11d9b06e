"""Wire models of reviews and rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.kernel import context
from chalicelib.risk import texts
from chalicelib.risk.domain import FactKind, Mode, Proposal, Rule, SubjectKind
from chalicelib.risk.reviews.domain import Cause, Review, Status, Step
from chalicelib.runtime.schema import PageQuery, Schema, Timestamp

Words = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class ReviewsQuery(PageQuery):
    """Which reviews: those in one state."""

    status: Status = Status.OPEN


class FactView(Schema):
    """One fact that a rule went by."""

    kind: FactKind
    record_id: str
    at: Timestamp


class StepView(Schema):
    """One step of a review."""

    at: Timestamp
    cause: Cause
    by: str
    said: str | None = None

    @classmethod
    def of(cls, step: Step) -> StepView:
        """Return the wire form."""
        return cls(at=step.at, cause=step.cause, by=step.by, said=step.said or None)


class ReviewView(Schema):
    """What a rule found of whom, by which facts, and what people made of it."""

    review_id: str
    status: Status
    since: Timestamp
    due_at: Timestamp | None = None
    subject_kind: SubjectKind
    subject: str
    rule_id: str
    rule_version: int
    explanation: str
    facts: list[FactView]
    holder: str | None = None
    history: list[StepView]

    @classmethod
    def of(cls, review: Review) -> ReviewView:
        """Return the wire form in the caller's language."""
        finding = review.finding
        return cls(
            review_id=review.review_id,
            status=review.status,
            since=review.since,
            due_at=review.due_at,
            subject_kind=finding.subject.kind,
            subject=finding.subject.name,
            rule_id=finding.rule.rule_id,
            rule_version=finding.rule.version,
            explanation=texts.explain(finding, context.current().language),
            facts=[FactView(kind=kind, record_id=record, at=at) for kind, record, at in finding.evidence],
            holder=review.holder or None,
            history=[StepView.of(step) for step in review.history],
        )


class ReviewsView(Schema):
    """One page of reviews."""

    items: list[ReviewView]
    next_cursor: str | None = None


class MyReviewView(Schema):
    """What a person is shown: what was found of them, by which facts, and until when they may object."""

    review_id: str
    status: Status
    explanation: str
    facts: list[FactView]
    reason: str | None = None
    due_at: Timestamp | None = None

    @classmethod
    def of(cls, review: Review) -> MyReviewView:
        """Return the wire form; who decided is not told, why is."""
        shown = ReviewView.of(review)
        reasons = [step.said for step in review.history if step.cause in (Cause.UPHOLD, Cause.DISMISS)]
        return cls(
            review_id=shown.review_id,
            status=shown.status,
            explanation=shown.explanation,
            facts=[fact for fact in shown.facts if not fact.record_id.startswith("acc_")],
            reason=reasons[-1] if reasons and reasons[-1] else None,
            due_at=shown.due_at,
        )


class MyReviewsView(Schema):
    """One page of what a person is shown."""

    items: list[MyReviewView]
    next_cursor: str | None = None


class DecideReview(Schema):
    """Whether it is so, and why."""

    decision: Literal["upheld", "dismissed"]
    reason: Words


class Appeal(Schema):
    """Why it is not so."""

    text: Words


class AskRule(Schema):
    """Another version of a rule: what is not said stays as it is."""

    reason: Words
    mode: Mode | None = None
    least: Annotated[int, Field(ge=1, le=60, strict=True)] | None = None
    window_h: Annotated[int, Field(ge=1, le=840, strict=True)] | None = None
    half_life_h: Annotated[int, Field(ge=0, le=840, strict=True)] | None = None
    per_mille: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None

    def changes(self) -> dict[str, Mode | int]:
        """Return what is to be otherwise."""
        found = {name: getattr(self, name) for name in ("mode", "least", "window_h", "half_life_h", "per_mille")}
        return {name: value for name, value in found.items() if value is not None}


class DecideRule(Schema):
    """Which version is decided on: it may have been asked for anew."""

    version: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]


class RuleView(Schema):
    """A version of a rule."""

    rule_id: str
    version: int
    subject_kind: SubjectKind
    of: list[FactKind]
    window_h: int
    least: int
    half_life_h: int
    per: FactKind | None = None
    per_mille: int
    young_h: int
    mode: Mode
    asked_by: str | None = None
    reason: str | None = None

    @classmethod
    def of_rule(cls, rule: Rule, proposal: Proposal | None = None) -> RuleView:
        """Return the wire form."""
        return cls(
            rule_id=rule.rule_id,
            version=rule.version,
            subject_kind=rule.subject,
            of=list(rule.of),
            window_h=rule.window_h,
            least=rule.least,
            half_life_h=rule.half_life_h,
            per=rule.per,
            per_mille=rule.per_mille,
            young_h=rule.young_h,
            mode=rule.mode,
            asked_by=proposal.asked_by if proposal else None,
            reason=proposal.reason if proposal else None,
        )


class RulesView(Schema):
    """The rules in force, and what is asked for."""

    items: list[RuleView]
    asked: list[RuleView]
