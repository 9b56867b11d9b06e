"""Wire models of conversations."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from chalicelib.conversations import answers, domain, figures
from chalicelib.conversations.domain import About, Cause, Entry, Queue, Side, Status, Thread
from chalicelib.conversations.texts import STEPS, side_text, step_text
from chalicelib.kernel import context
from chalicelib.runtime.schema import Day, Id, PageQuery, Schema, Timestamp, refusal

Text = Annotated[str, StringConstraints(max_length=domain.MOST_TEXT)]
PictureIds = Annotated[tuple[Id, ...], Field(max_length=domain.MOST_PICTURES)]
Number = Annotated[int, Field(ge=0, le=domain.MOST_WORDS * 2, strict=True)]


class SayWords(Schema):
    """Words, pictures that were uploaded as files of complaints are, or both."""

    text: Text = ""
    pictures: PictureIds = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.text and not self.pictures:
            raise refusal("nothing_said", "say something, or show a picture")
        return self


class BeginConversation(SayWords):
    """What is talked about, and the first words."""

    about: About
    subject_id: Id

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        prefix = {About.PRODUCT: "prd_", About.ORDER: "ord_", About.COMPLAINT: "cmp_"}[self.about]
        if not self.subject_id.startswith(prefix):
            raise refusal("not_of_its_kind", "is not the number of what is talked about")
        return self


class MarkRead(Schema):
    """Up to which entry was read."""

    number: Number


class Transfer(Schema):
    """Where a conversation goes: to a queue or to somebody, with a note for the service."""

    queue: Queue | None = None
    to: Annotated[Id | None, Field(description="The account of somebody of the service.")] = None
    note: Annotated[str, StringConstraints(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.queue is None) is (self.to is None):
            raise refusal("queue_or_person", "name a queue or a person")
        return self


class Nothing(Schema):
    """Nothing to say."""


class ConversationsQuery(PageQuery):
    """Which conversations of a merchant: all, or those that wait for it."""

    view: Literal["all", "waiting"] = "all"


class DeskQuery(PageQuery):
    """Which conversations of the service: those in a queue, or those that the caller has in hand."""

    queue: Queue | None = None


class PictureView(Schema):
    """A picture of an entry."""

    picture_id: str
    content_type: str
    size: int


class PictureLinkView(Schema):
    """An address that downloads a picture until a moment."""

    url: str
    expires_at: Timestamp


class EntryView(Schema):
    """One entry: words, or a step."""

    number: int
    at: Timestamp
    side: Side
    side_text: str
    step: Cause | None = None
    step_text: str | None = None
    """What happened, for people, in the caller's language."""
    text: str | None = None
    pictures: list[PictureView]
    masked: bool
    """Ways to reach somebody elsewhere were taken out: nothing is paid yet."""
    inner: bool
    """For the service alone."""
    author: str | None = None
    """Who of the service it was, for the service."""

    @classmethod
    def of(cls, entry: Entry, *, to: Side) -> EntryView:
        """Return the wire form for one side in the caller's language."""
        language = context.current().language
        step = entry.cause if entry.cause in STEPS else None
        return cls(
            number=entry.number,
            at=entry.at,
            side=entry.side,
            side_text=side_text(entry.side, language),
            step=step,
            step_text=step_text(step, language) if step else None,
            text=entry.text or None,
            pictures=[
                PictureView(picture_id=one.picture_id, content_type=one.content_type, size=one.size)
                for one in entry.pictures
            ],
            masked=entry.masked,
            inner=entry.inner,
            author=entry.author if to is Side.SERVICE and entry.side is Side.SERVICE else None,
        )


class ConversationView(Schema):
    """A conversation as it stands: whose turn it is, until when, and who has read how far."""

    conversation_id: str
    about: About
    subject_id: str
    title: str
    merchant_id: str
    status: Status
    turn: Side | None = None
    due_at: Timestamp | None = None
    opened_at: Timestamp
    moved_at: Timestamp
    count: int
    unread: bool
    """Whether the caller's side has something to read."""
    read: dict[Side, int]
    """How far each side has read."""
    with_service: bool
    queue: Queue | None = None
    waits_since: Timestamp | None = None
    """Since when the service's answer is waited for."""
    buyer_id: str | None = None
    agent: str | None = None

    @classmethod
    def of(cls, thread: Thread, *, to: Side) -> ConversationView:
        """Return the wire form for one side: who of the service it is, the service alone is told."""
        inside = to is Side.SERVICE
        return cls(
            conversation_id=thread.conversation_id,
            about=thread.about,
            subject_id=thread.subject_id,
            title=thread.title,
            merchant_id=thread.merchant_id,
            status=thread.status,
            turn=thread.turn,
            due_at=thread.due_at,
            opened_at=thread.opened_at,
            moved_at=thread.moved_at,
            count=thread.count,
            unread=thread.unread_by(to),
            read=dict(thread.read),
            with_service=thread.status in domain.WITH_SERVICE,
            queue=thread.queue if inside else None,
            waits_since=thread.called_at if inside else None,
            buyer_id=thread.buyer_id if inside else None,
            agent=(thread.agent or None) if inside else None,
        )


class SaidView(Schema):
    """The conversation after a step, and the entry that it made; none where it was so already."""

    conversation: ConversationView
    entry: EntryView | None = None


class EntriesView(Schema):
    """A conversation and one page of what was said, the last first."""

    conversation: ConversationView
    items: list[EntryView]
    next_cursor: str | None = None


class ConversationPageView(Schema):
    """One page of conversations."""

    items: list[ConversationView]
    next_cursor: str | None = None


class CannedAnswer(Schema):
    """What is said again and again."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    text: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class SetAnswers(Schema):
    """A list in the place of the one with a version."""

    version: Annotated[int, Field(ge=0, strict=True)]
    items: Annotated[tuple[CannedAnswer, ...], Field(max_length=answers.MOST_ANSWERS)]

    def wanted(self) -> tuple[answers.Answer, ...]:
        """Return the answers."""
        return tuple(answers.Answer(one.title, one.text) for one in self.items)


class AnswersView(Schema):
    """The canned answers of a merchant or of the service."""

    version: int
    items: list[CannedAnswer]

    @classmethod
    def of(cls, found: answers.Answers) -> AnswersView:
        """Return the wire form."""
        return cls(version=found.version, items=[CannedAnswer(title=one.title, text=one.text) for one in found.items])


class FiguresQuery(Schema):
    """Between which days (of China); at most a quarter of a year."""

    first: Day
    last: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 <= (self.last - self.first).days <= 92:
            raise refusal("too_many_days", "send a first day that is not after the last, within 92 days")
        return self


class DeskFiguresQuery(FiguresQuery):
    """Whose: of an agent, of a merchant, or of the whole service."""

    of: Annotated[Id | None, Field(description="An account of the service, or a merchant.")] = None


class CountsView(Schema):
    """What was counted."""

    day: date | None = None
    opened: int
    answered: int
    mean_answer_s: int | None = None
    """How long a first answer took in the middle of all."""
    late: int
    solved: int
    lapsed: int
    reopened: int

    @classmethod
    def of(cls, counts: figures.Counts, day: date | None = None) -> CountsView:
        """Return the wire form."""
        return cls(
            day=day,
            opened=counts.opened,
            answered=counts.answered,
            mean_answer_s=counts.mean_answer_s,
            late=counts.late,
            solved=counts.solved,
            lapsed=counts.lapsed,
            reopened=counts.reopened,
        )


class FiguresView(Schema):
    """Figures of whoever answers: in all, and of each day on which something was counted."""

    total: CountsView
    days: list[CountsView]

    @classmethod
    def of(cls, days: dict[date, figures.Counts]) -> FiguresView:
        """Return the wire form."""
        return cls(
            total=CountsView.of(figures.total(days.values())),
            days=[CountsView.of(counts, day) for day, counts in sorted(days.items())],
        )
