"""Rows of the ``feedback`` table: feedback, questions how a case was, and what is counted of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.feedback.domain import Cause, Feedback, FeedbackTopic, Kind, Status, Step
from chalicelib.feedback.surveys import CaseKind, Month, Survey
from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, SealedDocument, region
from chalicelib.runtime.db.work import UnitOfWork

ALL: Final = "all"
"""Whose figures those of the whole platform are."""
_ALWAYS = "attribute_not_exists(#version) OR attribute_exists(#version)"


class _StepDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    at_ms: int
    cause: str
    by: str
    intent: str = ""
    fingerprint: str = ""


class _FeedbackDoc(msgspec.Struct, omit_defaults=True):
    kind: str
    topic: str = ""
    chased: int = 0
    history: tuple[_StepDoc, ...] = ()


class WriterIndex(GlobalSecondaryIndex["FeedbackRow"]):
    """What somebody told, or was asked, the latest first: ``fbk#<account>``, ``sat#<account>``."""

    class Meta:
        index_name = "writer"
        projection = KeysOnlyProjection()

    writer = UnicodeAttribute(hash_key=True)
    at_ms = NumberAttribute(range_key=True)


class ShelfIndex(GlobalSecondaryIndex["FeedbackRow"]):
    """Sparse: feedback by its state, the oldest first."""

    class Meta:
        index_name = "shelf"
        projection = KeysOnlyProjection()

    shelf = UnicodeAttribute(hash_key=True)
    shelf_ms = NumberAttribute(range_key=True)


class FeedbackRow(DueRow):
    """Key: the feedback's id. What was written is sealed, each step's words in its place."""

    class Meta:
        table_name = names.table_name("feedback")
        region = region()

    feedback_id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()
    writer = UnicodeAttribute()
    at_ms = NumberAttribute()
    shelf = UnicodeAttribute()
    shelf_ms = NumberAttribute()
    status = UnicodeAttribute()
    doc = DocumentAttribute[_FeedbackDoc](_FeedbackDoc)
    words = SealedDocument[tuple[str, ...]](tuple[str, ...])
    due = DueIndex()
    by_writer = WriterIndex()
    on_shelf = ShelfIndex()


class SurveyRow(Row):
    """Key: the survey's id, which is that of its case in another shape: there is one a case."""

    class Meta:
        table_name = names.table_name("feedback")
        region = region()

    feedback_id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()
    writer = UnicodeAttribute()
    at_ms = NumberAttribute()
    merchant_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    case_id = UnicodeAttribute()
    agent = UnicodeAttribute(null=True)
    score = NumberAttribute(null=True)
    answered_ms = NumberAttribute(null=True)
    intent = UnicodeAttribute(null=True)
    fingerprint = UnicodeAttribute(null=True)
    words = SealedDocument[str](str, null=True)


class MonthRow(Row):
    """Key: ``fig_<whose>#<month>``."""

    class Meta:
        table_name = names.table_name("feedback")
        region = region()

    feedback_id = UnicodeAttribute(hash_key=True)
    asked = NumberAttribute(null=True)
    score1 = NumberAttribute(null=True)
    score2 = NumberAttribute(null=True)
    score3 = NumberAttribute(null=True)
    score4 = NumberAttribute(null=True)
    score5 = NumberAttribute(null=True)
    told = NumberAttribute(null=True)
    answered = NumberAttribute(null=True)


class DayRow(Row):
    """Key: ``day_<account's body>``. How much somebody told on a day; the next day writes over it."""

    class Meta:
        table_name = names.table_name("feedback")
        region = region()

    feedback_id = UnicodeAttribute(hash_key=True)
    day = UnicodeAttribute()
    number = NumberAttribute()


def find(feedback_id: str) -> Feedback | None:
    """Read feedback as it is now."""
    if not ids.is_id("fbk", feedback_id):
        return None
    row = reads.get(FeedbackRow, feedback_id, consistent=True)
    return _feedback(row) if row is not None else None


def load(feedback_id: str) -> Feedback:
    """Read feedback as it is now.

    Raises:
        NotFound: if there is none.
    """
    found = find(feedback_id)
    if found is None:
        raise NotFound(what="feedback")
    return found


def save(work: UnitOfWork, feedback: Feedback, events: Sequence[Event] = ()) -> None:
    """Write feedback in the caller's work; a rival's write is a lost race."""
    row = FeedbackRow(
        feedback_id=feedback.feedback_id,
        account_id=feedback.account_id,
        writer=f"fbk#{feedback.account_id}",
        at_ms=epoch_ms(feedback.filed_at),
        shelf=f"shelf#{feedback.status}",
        shelf_ms=epoch_ms(feedback.since),
        status=feedback.status.value,
        doc=_FeedbackDoc(
            kind=feedback.kind.value,
            topic=feedback.topic.value if feedback.topic else "",
            chased=feedback.chased,
            history=tuple(
                _StepDoc(epoch_ms(one.at), one.cause.value if one.cause else "", one.by, one.intent, one.fingerprint)
                for one in feedback.history
            ),
        ),
        words=tuple(one.text for one in feedback.history),
        version=feedback.version,
    )
    row.set_due(feedback.due_at, feedback.feedback_id)
    work.save(row, events=events, refuse=lost, label="feedback")


def delete(feedback: Feedback) -> None:
    """Delete feedback, exactly as it was read.

    Raises:
        ConcurrentUpdate: if it changed meanwhile.
    """
    with UnitOfWork() as work:
        work.delete(FeedbackRow(feedback_id=feedback.feedback_id, version=feedback.version), refuse=lost)


def list_by(status: Status, window: Window) -> Page[Feedback]:
    """Return one page of feedback in a state, the oldest first."""
    page = reads.windowed(FeedbackRow, f"shelf#{status}", window, index=FeedbackRow.on_shelf)
    return Page([_feedback(row) for row in _rows(FeedbackRow, page) if isinstance(row, FeedbackRow)], page.after)


def list_of(account_id: str, window: Window) -> Page[Feedback]:
    """Return one page of what somebody told, the latest first."""
    page = reads.windowed(FeedbackRow, f"fbk#{account_id}", window, index=FeedbackRow.by_writer, descending=True)
    return Page([_feedback(row) for row in _rows(FeedbackRow, page) if isinstance(row, FeedbackRow)], page.after)


def survey(survey_id: str) -> Survey | None:
    """Read a question as it is now."""
    if not ids.is_id("sat", survey_id):
        return None
    row = reads.get(SurveyRow, survey_id, consistent=True)
    return _survey(row) if row is not None else None


def save_survey(work: UnitOfWork, found: Survey, events: Sequence[Event] = ()) -> None:
    """Write a question in the caller's work; a rival's write is a lost race."""
    row = SurveyRow(
        feedback_id=found.survey_id,
        account_id=found.account_id,
        writer=f"sat#{found.account_id}",
        at_ms=epoch_ms(found.asked_at),
        merchant_id=found.merchant_id,
        kind=found.kind.value,
        case_id=found.case_id,
        agent=found.agent or None,
        score=found.score,
        answered_ms=epoch_ms_or_none(found.answered_at),
        intent=found.intent or None,
        fingerprint=found.fingerprint or None,
        words=found.text or None,
        version=found.version,
    )
    work.save(row, events=events, refuse=lost, label="survey")


def surveys_of(account_id: str, window: Window) -> Page[Survey]:
    """Return one page of what somebody was asked, the latest first."""
    page = reads.windowed(FeedbackRow, f"sat#{account_id}", window, index=FeedbackRow.by_writer, descending=True)
    return Page([_survey(row) for row in _rows(SurveyRow, page) if isinstance(row, SurveyRow)], page.after)


def today(account_id: str, day: str) -> DayRow:
    """Read how much somebody told today."""
    key = f"day_{ids.body(account_id)}"
    row = reads.get(DayRow, key, consistent=True)
    if row is None:
        return DayRow(feedback_id=key, day=day, number=0)
    if row.day != day:
        row.day, row.number = day, 0
    return row


def count_today(work: UnitOfWork, row: DayRow) -> None:
    """Count one more."""
    row.number = int(row.number) + 1
    work.save(row, refuse=lost, label="day")


def forget_today(account_id: str) -> None:
    """Delete what is counted of somebody's day."""
    row = reads.get(DayRow, f"day_{ids.body(account_id)}", consistent=True)
    if row is not None:
        with UnitOfWork() as work:
            work.delete(row, refuse=lost)


def count(work: UnitOfWork, whose: str, month: str, *what: str) -> None:
    """Count one of each of these in somebody's month, in the work that makes it so: once, whatever is repeated."""
    work.update_raw(
        MonthRow(feedback_id=_month_key(whose, month)),
        "ADD " + ", ".join(f"#{name} :one" for name in (*what, "version")),
        condition=_ALWAYS,
        names={f"#{name}": name for name in (*what, "version")},
        values={":one": {"N": "1"}},
        refuse=lost,
        label="figures",
    )


def month(whose: str, month: str) -> Month:
    """Read what was counted of somebody in a month."""
    row = reads.get(MonthRow, _month_key(whose, month))
    if row is None:
        return Month(month)
    one, two, three, four, five = (int(getattr(row, f"score{number}") or 0) for number in range(1, 6))
    return Month(
        month,
        asked=int(row.asked or 0),
        scores=(one, two, three, four, five),
        told=int(row.told or 0),
        answered=int(row.answered or 0),
    )


def _month_key(whose: str, month: str) -> str:
    return f"fig_{whose}#{month}"


def _rows(kind: type[Row], page: Page[reads.Raw]) -> list[Row]:
    wanted = [item["feedback_id"]["S"] for item in page.items]
    found = reads.get_many((kind, one, None) for one in wanted) if wanted else {}
    return [found[(one, None)] for one in wanted if (one, None) in found]


def _feedback(row: FeedbackRow) -> Feedback:
    doc = row.doc
    words: tuple[str, ...] = row.words
    return Feedback(
        feedback_id=row.feedback_id,
        account_id=row.account_id,
        kind=Kind(doc.kind),
        status=Status(row.status),
        filed_at=from_epoch_ms(row.at_ms),
        since=from_epoch_ms(row.shelf_ms),
        topic=FeedbackTopic(doc.topic) if doc.topic else None,
        history=tuple(
            Step(
                from_epoch_ms(one.at_ms),
                Cause(one.cause) if one.cause else None,
                one.by,
                text,
                one.intent,
                one.fingerprint,
            )
            for one, text in zip(doc.history, words, strict=True)
        ),
        chased=doc.chased,
        version=int(row.version),
    )


def _survey(row: SurveyRow) -> Survey:
    return Survey(
        survey_id=row.feedback_id,
        account_id=row.account_id,
        merchant_id=row.merchant_id,
        kind=CaseKind(row.kind),
        case_id=row.case_id,
        asked_at=from_epoch_ms(row.at_ms),
        agent=row.agent or "",
        score=int(row.score) if row.score is not None else None,
        text=row.words if row.attribute_values.get("words") else "",
        answered_at=from_epoch_ms_or_none(row.answered_ms),
        intent=row.intent or "",
        fingerprint=row.fingerprint or "",
        version=int(row.version),
    )
