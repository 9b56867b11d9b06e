"""Use cases of feedback: tell, sort, answer, object, close; and asking how a case was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.feedback import domain, events, store, surveys
from chalicelib.feedback.asking import answer as answer_survey
from chalicelib.feedback.asking import ask_about_complaint as ask_about_complaint  # noqa: PLC0414 - others call it here
from chalicelib.feedback.asking import ask_about_conversation as ask_about_conversation  # noqa: PLC0414 - as above
from chalicelib.feedback.domain import Cause, Feedback, FeedbackTopic, Kind, Status, Step
from chalicelib.feedback.figures import Figures, of_merchant, of_platform
from chalicelib.feedback.forgetting import forget as forget  # noqa: PLC0414 - whoever forgets asks here
from chalicelib.feedback.surveys import Survey, SurveyOver
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.kernel.history import remembered
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = ["Figures", "Survey", "SurveyOver", "answer_survey", "of_merchant", "of_platform", "surveys"]


def tell(account_id: str, kind: Kind, text: str, intent: Intent) -> tuple[Feedback, bool]:
    """Take what somebody tells the platform; says whether the same intent told it before.

    Raises:
        TooMuchFeedback: if they told so much today.
        IdempotencyKeyReused, Busy: as named.
    """
    feedback_id = intent.record_id("fbk")

    def attempt() -> tuple[Feedback, bool]:
        before = store.find(feedback_id)
        if before is not None:
            intent.check(before.history[0].fingerprint)
            return before, True
        now = clock.now()
        day = store.today(account_id, now.astimezone(clock.CHINA).date().isoformat())
        if int(day.number) >= domain.A_DAY:
            raise domain.TooMuchFeedback
        step = Step(now, None, account_id, text, intent.token, intent.fingerprint)
        made = Feedback(feedback_id, account_id, kind, domain.MACHINE.initial, now, now, history=(step,))
        with UnitOfWork() as work:
            store.save(work, made)
            store.count_today(work, day)
            store.count(work, store.ALL, month_now(), "told")
        return replace(made, version=1), False

    return racing(attempt, otherwise=Busy)


def month_now() -> str:
    """Return this month in China."""
    return clock.now().astimezone(clock.CHINA).date().isoformat()[:7]


def sort(feedback_id: str, topic: FeedbackTopic, *, by: str, intent: Intent) -> tuple[Feedback, bool]:
    """Say where feedback belongs.

    Raises:
        NotFound, IllegalTransition, IdempotencyKeyReused, Busy: as named.
    """
    return _act(store.load, feedback_id, Cause.SORT, by=by, text="", intent=intent, topic=topic)


def answer(feedback_id: str, text: str, *, by: str, intent: Intent) -> tuple[Feedback, bool]:
    """Answer feedback that was sorted.

    Raises:
        NotFound, IllegalTransition, IdempotencyKeyReused, Busy: as named.
    """
    return _act(store.load, feedback_id, Cause.ANSWER, by=by, text=text, intent=intent)


def object_to(account_id: str, feedback_id: str, text: str, intent: Intent) -> tuple[Feedback, bool]:
    """Say that the answer is none, once: it is answered again.

    Raises:
        NotFound: if it is not the caller's.
        ObjectedBefore, IllegalTransition, IdempotencyKeyReused, Busy: as named.
    """
    return _act(_own(account_id), feedback_id, Cause.OBJECT, by=account_id, text=text, intent=intent)


def close(account_id: str, feedback_id: str, intent: Intent) -> tuple[Feedback, bool]:
    """Say that the answer is enough.

    Raises:
        NotFound: if it is not the caller's.
        IllegalTransition, IdempotencyKeyReused, Busy: as named.
    """
    return _act(_own(account_id), feedback_id, Cause.CLOSE, by=account_id, text="", intent=intent)


def load(feedback_id: str) -> Feedback:
    """Return feedback.

    Raises:
        NotFound: if there is none.
    """
    return store.load(feedback_id)


def own(account_id: str, feedback_id: str) -> Feedback:
    """Return feedback of somebody's own.

    Raises:
        NotFound: if there is none of theirs.
    """
    return _own(account_id)(feedback_id)


def list_by(status: Status, window: Window) -> Page[Feedback]:
    """Return one page of feedback in a state, the oldest first."""
    return store.list_by(status, window)


def list_of(account_id: str, window: Window) -> Page[Feedback]:
    """Return one page of what somebody told, the latest first."""
    return store.list_of(account_id, window)


def surveys_of(account_id: str, window: Window) -> Page[Survey]:
    """Return one page of what somebody was asked, the latest first."""
    return store.surveys_of(account_id, window)


def time_out(feedback_id: str) -> None:
    """Move on feedback whose time is over; a stale call is a no-op."""

    def attempt() -> Cause | None:
        before = store.load(feedback_id)
        cause = domain.MACHINE.timeout(before.status)
        if cause is None or before.due_at is None or before.due_at > clock.now():
            return None
        with UnitOfWork() as work:
            store.save(work, before.moved(Step(clock.now(), cause, "")))
        return cause

    if racing(attempt, otherwise=Busy) is Cause.CHASE:
        metrics.count("feedback_overdue")
        log.warning("feedback waits for the platform", feedback_id=feedback_id)


def _own(account_id: str) -> Callable[[str], Feedback]:
    def read(feedback_id: str) -> Feedback:
        found = store.load(feedback_id)
        if found.account_id != account_id:
            raise NotFound(what="feedback")
        return found

    return read


def _act(
    read: Callable[[str], Feedback],
    feedback_id: str,
    cause: Cause,
    *,
    by: str,
    text: str,
    intent: Intent,
    topic: FeedbackTopic | None = None,
) -> tuple[Feedback, bool]:
    def attempt() -> tuple[Feedback, bool]:
        before = read(feedback_id)
        if remembered(before.history, intent.token, intent.fingerprint):
            return before, True
        step = Step(clock.now(), cause, by, text, intent.token, intent.fingerprint)
        after = before.moved(step, topic)
        answered = sum(one.cause is Cause.ANSWER for one in after.history)
        told = (
            [events.FeedbackAnswered(feedback_id=feedback_id, account_id=after.account_id, number=answered)]
            if cause is Cause.ANSWER
            else []
        )
        with UnitOfWork() as work:
            store.save(work, after, told)
            if cause is Cause.ANSWER and answered == 1:
                store.count(work, store.ALL, month_now(), "answered")
        return replace(after, version=before.version + 1), False

    return racing(attempt, otherwise=Busy)
