"""Wire models of inboxes, and of what people want brought to them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from chalicelib.kernel.texts import said
from chalicelib.notifications.domain import Kind
from chalicelib.notifications.preferences import Preferences, Quiet
from chalicelib.notifications.reading import Shown
from chalicelib.notifications.topics import TOPICS, Topic
from chalicelib.runtime.schema import Id, Moment, PageQuery, Schema, Timestamp, refusal


class InboxQuery(PageQuery):
    """Which page."""


class EntryView(Schema):
    """What the caller was told of one fact, in their language."""

    message_id: Id
    topic: Topic
    title: str
    text: str
    at: Timestamp
    about: str | None = None
    """The number of what it leads to: an order, a purchase, a complaint."""
    read: bool

    @classmethod
    def of(cls, shown: Shown) -> EntryView:
        """Return the wire form."""
        entry = shown.entry
        return cls(
            message_id=entry.entry_id,
            topic=entry.topic,
            title=shown.title,
            text=shown.text,
            at=entry.at,
            about=entry.about or None,
            read=entry.read_at is not None,
        )


class InboxView(Schema):
    """One page of an inbox, newest first."""

    items: list[EntryView]
    next_cursor: str | None = None


class UnreadView(Schema):
    """How many of the newest messages were not read."""

    unread: int
    counted: int
    """Of at most so many: as many unread ones may be more."""


class ReadAll(Schema):
    """Up to when everything was read: the time of the newest message that was shown."""

    until: Moment

    @model_validator(mode="after")
    def _in_a_zone(self) -> ReadAll:
        if self.until.tzinfo is None:
            raise refusal("no_zone", "send the time with its zone")
        return self


_Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


class QuietHours(Schema):
    """At which hours nothing is brought but what is about the account's safety. May pass midnight."""

    begins: _Clock
    ends: _Clock
    utc_offset_minutes: Annotated[int, Field(strict=True, ge=-720, le=840, multiple_of=15)] = 480
    """By how much the clock they are read on is ahead of UTC; China's unless said."""

    @classmethod
    def of(cls, quiet: Quiet) -> QuietHours:
        """Return the wire form."""
        begins, ends = (f"{one // 60:02d}:{one % 60:02d}" for one in (quiet.begins_min, quiet.ends_min))
        return cls(begins=begins, ends=ends, utc_offset_minutes=quiet.offset_min)

    def quiet(self) -> Quiet:
        """Return the domain's hours."""
        return Quiet(_minutes(self.begins), _minutes(self.ends), self.utc_offset_minutes)


class Choice(Schema):
    """What is not to be brought, and by which channel."""

    topic: Topic
    channel: Kind


class ChoosePreferences(Schema):
    """All that the caller wants: what is not named in ``off`` is brought; without ``quiet_hours`` at any hour."""

    off: Annotated[list[Choice], Field(default_factory=list, max_length=len(Topic) * len(Kind))]
    quiet_hours: QuietHours | None = None


class TopicView(Schema):
    """How one topic is brought."""

    topic: Topic
    title: str
    brought: bool
    """Whether anything of it is brought to people at all, beside standing in their inbox."""
    may_end: bool
    channels: dict[Kind, bool]


class PreferencesView(Schema):
    """What the caller wants brought, topic by topic."""

    topics: list[TopicView]
    quiet_hours: QuietHours | None = None

    @classmethod
    def of(cls, found: Preferences, language: str) -> PreferencesView:
        """Return the wire form."""
        return cls(
            topics=[
                TopicView(
                    topic=topic,
                    title=said(habits.title, language),
                    brought=habits.carried,
                    may_end=habits.may_end,
                    channels={kind: found.wants(topic, kind) for kind in Kind},
                )
                for topic, habits in TOPICS.items()
            ],
            quiet_hours=QuietHours.of(found.quiet) if found.quiet else None,
        )
