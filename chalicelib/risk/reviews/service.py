"""Opening reviews, taking them, deciding with a reason, objecting; and what happens when nobody does."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Page, Window
from chalicelib.risk.domain import Finding, SubjectKind
from chalicelib.risk.reviews import domain, store
from chalicelib.risk.reviews.domain import Cause, Review, Status, Step
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

SYSTEM = "system"


def review_id_of(finding: Finding) -> str:
    """Return the review of a finding: one a rule, subject and window, however often it is found."""
    return ids.derived_id("rvw", finding.rule.rule_id, finding.subject.key, str(finding.period))


def open_review(finding: Finding) -> None:
    """Put a finding before operators, unless it lies there."""
    review_id = review_id_of(finding)

    def attempt() -> bool:
        try:
            store.load(review_id)
        except NotFound:
            with UnitOfWork() as work:
                store.save(work, Review(review_id, finding, domain.MACHINE.initial, clock.now()))
            return True
        return False

    if racing(attempt):
        metrics.count("risk_reviews_opened")
        log.info("review opened", review_id=review_id, rule=finding.rule.rule_id)


def get(review_id: str) -> Review:
    """Return one review.

    Raises:
        NotFound: if there is none.
    """
    return store.load(review_id)


def parties(review_id: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the accounts and the merchants that a review is about.

    Raises:
        NotFound: if there is none.
    """
    subject = store.load(review_id).finding.subject
    about = frozenset({subject.name})
    nobody: frozenset[str] = frozenset()
    return (
        about if subject.kind is SubjectKind.ACCOUNT else nobody,
        about if subject.kind is SubjectKind.MERCHANT else nobody,
    )


def list_by(status: Status, window: Window) -> Page[Review]:
    """Return one page of reviews in a state, the oldest first."""
    return store.list_by(status, window)


def list_of(account_id: str, window: Window) -> Page[Review]:
    """Return one page of what a person is shown of themselves."""
    return store.list_of(account_id, window)


def claim(review_id: str, *, by: str, intent: Intent) -> tuple[Review, bool]:
    """Take a review in hand; says whether this intent did before.

    Raises:
        NotFound: if there is none.
        SamePerson: if it is an objection to what the caller decided.
        IllegalTransition: if it is not to be taken.
        IdempotencyKeyReused: if the key did something else.
    """
    return _act(review_id, Cause.CLAIM, by=by, said="", intent=intent)


def decide(review_id: str, *, uphold: bool, reason: str, by: str, intent: Intent) -> tuple[Review, bool]:
    """Say whether it is so, and why; says whether this intent did before.

    Raises:
        NotFound: if there is none.
        NotYourReview: if the caller has not taken it.
        IllegalTransition: if it is decided, or was never taken.
        IdempotencyKeyReused: if the key did something else.
    """
    return _act(review_id, Cause.UPHOLD if uphold else Cause.DISMISS, by=by, said=reason, intent=intent)


def appeal(review_id: str, *, account_id: str, said: str, intent: Intent) -> tuple[Review, bool]:
    """Object to a decision about oneself: another person looks at it; says whether this intent did before.

    Raises:
        NotFound: if there is none, or it is not about the caller or not shown to them.
        IllegalTransition: if it was objected to before, or is over.
        IdempotencyKeyReused: if the key did something else.
    """
    return _act(review_id, Cause.APPEAL, by=account_id, said=said, intent=intent)


def time_out(review_id: str) -> None:
    """Move on a review whose time is over: what nobody looked at counts for nothing."""

    def attempt() -> Review | None:
        before = store.load(review_id)
        cause = domain.MACHINE.timeout(before.status)
        if before.due_at is None or before.due_at > clock.now() or cause is None:
            return None
        _write(before.moved(Step(clock.now(), cause, SYSTEM)))
        return before

    before = racing(attempt)
    if before is not None and before.status in (Status.OPEN, Status.APPEALED):
        metrics.count("risk_reviews_lapsed")


def _act(review_id: str, cause: Cause, *, by: str, said: str, intent: Intent) -> tuple[Review, bool]:
    def attempt() -> tuple[Review, bool]:
        before = store.load(review_id)
        _check(before, cause, by)
        for step in before.history:
            if step.intent == intent.token:
                intent.check(step.fingerprint)
                return before, True
        if cause is Cause.CLAIM:
            domain.check_taker(before, by)
        elif cause is not Cause.APPEAL:
            domain.check_holder(before, by)
            if before.status is Status.APPEALED:
                raise domain.NotYourReview  # Only time decides what nobody took.
        moved = before.moved(Step(clock.now(), cause, by, said, intent.token, intent.fingerprint))
        _write(moved)
        return replace(moved, version=moved.version + 1), False

    return racing(attempt)


def _check(review: Review, cause: Cause, by: str) -> None:
    subject = review.finding.subject
    own = subject.kind is SubjectKind.ACCOUNT and subject.name == by
    objected = any(step.cause is Cause.APPEAL for step in review.history)
    if cause is Cause.APPEAL and not (own and (objected or review.status in domain.SHOWN)):
        raise NotFound(what="review")


def _write(review: Review) -> None:
    with UnitOfWork() as work:
        store.save(work, review)
