"""Reviews: the states of what a rule found, whose turn it is, and until when. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict, Forbidden
from chalicelib.kernel.machine import StateMachine
from chalicelib.risk.domain import Finding


class NotYourReview(Conflict):
    """Who decides has taken the review before."""

    code = "not_your_review"
    en, zh = "Somebody else has this review, or nobody: take it first.", "该复核由他人处理或尚未领取，请先领取。"


class SamePerson(Forbidden):
    """An objection is decided by somebody else than who decided before."""

    code = "same_person"
    en, zh = "Somebody else must look at this objection.", "该申诉须由另一位运营人员处理。"


class Status(StrEnum):
    """States of a review."""

    OPEN = "open"
    CLAIMED = "claimed"
    UPHELD = "upheld"
    DISMISSED = "dismissed"
    APPEALED = "appealed"
    RECLAIMED = "reclaimed"
    CONFIRMED = "confirmed"
    LAPSED = "lapsed"


class Cause(StrEnum):
    """What moves a review."""

    CLAIM = "claim"
    GIVE_BACK = "give_back"
    UPHOLD = "uphold"
    DISMISS = "dismiss"
    APPEAL = "appeal"
    LAPSE = "lapse"


MACHINE = StateMachine(
    name="review",
    initial=Status.OPEN,
    edges={
        Status.OPEN: {Cause.CLAIM: Status.CLAIMED, Cause.LAPSE: Status.LAPSED},
        Status.CLAIMED: {
            Cause.UPHOLD: Status.UPHELD,
            Cause.DISMISS: Status.DISMISSED,
            Cause.GIVE_BACK: Status.OPEN,
        },
        Status.UPHELD: {Cause.APPEAL: Status.APPEALED, Cause.LAPSE: Status.LAPSED},
        Status.APPEALED: {Cause.CLAIM: Status.RECLAIMED, Cause.DISMISS: Status.DISMISSED},
        Status.RECLAIMED: {
            Cause.UPHOLD: Status.CONFIRMED,
            Cause.DISMISS: Status.DISMISSED,
            Cause.GIVE_BACK: Status.APPEALED,
        },
        Status.CONFIRMED: {Cause.LAPSE: Status.LAPSED},
        Status.DISMISSED: {},
        Status.LAPSED: {},
    },
    deadlines={
        Status.OPEN: (timedelta(days=3), Cause.LAPSE),
        Status.CLAIMED: (timedelta(days=1), Cause.GIVE_BACK),
        Status.UPHELD: (timedelta(days=30), Cause.LAPSE),
        Status.APPEALED: (timedelta(days=10), Cause.DISMISS),
        Status.RECLAIMED: (timedelta(days=1), Cause.GIVE_BACK),
        Status.CONFIRMED: (timedelta(days=30), Cause.LAPSE),
    },
)
"""An objection that nobody looked at in ten days is right; what nobody looked at lapses."""

SHOWN = frozenset({Status.UPHELD, Status.APPEALED, Status.RECLAIMED, Status.CONFIRMED})
"""States in which a review is shown to whom it is about: a person has said that it is so."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a review's history."""

    at: datetime
    cause: Cause
    by: str
    said: str = field(default="", repr=False)
    intent: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """What a rule found, and what people made of it."""

    review_id: str
    finding: Finding
    status: Status
    since: datetime
    holder: str = ""
    """Who has it in hand."""
    decided_by: str = ""
    """Who decided first."""
    history: tuple[Step, ...] = ()
    version: int = field(default=0, compare=False)

    @property
    def due_at(self) -> datetime | None:
        """Return when the state times out."""
        return MACHINE.due_at(self.status, self.since)

    def moved(self, step: Step) -> Review:
        """Return the review after a step.

        Raises:
            IllegalTransition: if the state does not take it.
        """
        status = MACHINE.next(self.status, step.cause)
        taken = step.cause is Cause.CLAIM
        decides = step.cause in (Cause.UPHOLD, Cause.DISMISS) and not self.decided_by
        return replace(
            self,
            status=status,
            since=step.at,
            holder=step.by if taken else "",
            decided_by=step.by if decides else self.decided_by,
            history=(*self.history, step),
        )


def check_taker(review: Review, by: str) -> None:
    """Check that somebody may take a review.

    Raises:
        SamePerson: if they decided what is objected to.
    """
    if review.status is Status.APPEALED and review.decided_by == by:
        raise SamePerson


def check_holder(review: Review, by: str) -> None:
    """Check that somebody has a review in hand.

    Raises:
        NotYourReview: if not.
    """
    if review.status in (Status.CLAIMED, Status.RECLAIMED) and review.holder != by:
        raise NotYourReview
