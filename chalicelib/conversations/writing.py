"""Writes an entry of a conversation with all that follows from it: head, request, figures, events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from chalicelib.complaints import service as complaints
from chalicelib.conversations import domain, events, figure_store, figures, store, subjects
from chalicelib.conversations.domain import About, Cause, Entry, Picture, Queue, Side, Thread
from chalicelib.conversations.masking import masked
from chalicelib.kernel import clock
from chalicelib.kernel.events import Event
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

PICTURES = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: the side, the account, and the id by which conversations are theirs (an account's or a merchant's)."""

    side: Side
    account_id: str
    owner_id: str = ""

    def owns(self, thread: Thread) -> bool:
        """Say whether the conversation is theirs to see."""
        if self.side is Side.SERVICE:
            return True
        return self.owner_id == (thread.buyer_id if self.side is Side.BUYER else thread.merchant_id)


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody says."""

    text: str
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What a use case adds: an entry (its number and time come with it), and where the conversation goes."""

    cause: Cause | None = None
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    masked: bool = False
    inner: bool = False
    agent: str = ""
    queue: Queue | None = None
    is_paid: bool = False
    is_news: bool = True
    """False where nothing is to be done: somebody asked for what is so already."""


def fresh(conversation_id: str, about: About, subject_id: str, subject: subjects.Subject, *, by: Side) -> Thread:
    """Return a conversation in which nothing is said yet."""
    now = clock.now()
    return Thread(
        conversation_id=conversation_id,
        buyer_id=subject.buyer_id,
        merchant_id=subject.merchant_id,
        about=about,
        subject_id=subject_id,
        title=subject.title,
        status=domain.MACHINE.initial,
        queue=domain.FIRST_QUEUE[about],
        opened_at=now,
        since=now,
        moved_at=now,
        asked_at=now if by is Side.BUYER else None,
        is_paid=subject.is_paid,
    )


def words_of(party: Party, thread: Thread, words: Words) -> Step:
    """Return what somebody says as an entry: ways to reach them elsewhere taken out where nothing is paid yet."""
    is_paid = thread.is_paid or (thread.version > 0 and subjects.is_paid(thread.about, thread.subject_id))
    text = words.text if is_paid or party.side is Side.SERVICE else masked(words.text)
    pictures = tuple(
        Picture(*complaints.copy_upload(thread.conversation_id, party.account_id, one, only=PICTURES))
        for one in dict.fromkeys(words.pictures)
    )
    return Step(domain.cause_of(thread, party.side), text, pictures, masked=text != words.text, is_paid=is_paid)


def write(
    work: UnitOfWork, before: Thread | None, thread: Thread, party: Party, step: Step, *, intent: Intent | None
) -> tuple[Thread, Entry]:
    """Add an entry, the head that follows from it, the request and what it counts to one unit of work."""
    entry = Entry(
        number=thread.count + 1,
        at=clock.now(),
        side=party.side,
        author=party.account_id,
        cause=step.cause,
        text=step.text,
        pictures=step.pictures,
        masked=step.masked,
        inner=step.inner,
    )
    after = domain.with_entry(thread, entry, agent=step.agent, queue=step.queue)
    after = replace(after, is_paid=after.is_paid or step.is_paid)
    store.save(work, after, _told(before, after, entry))
    store.add(work, after, entry, intent)
    for whose, counts in figures.changes(before, after, entry).items():
        figure_store.add(work, whose, counts, entry.at)
    return replace(after, version=after.version + 1), entry


def _told(before: Thread | None, after: Thread, entry: Entry) -> list[Event]:
    subject: dict[str, Any] = {
        "conversation_id": after.conversation_id,
        "buyer_id": after.buyer_id,
        "merchant_id": after.merchant_id,
        "number": entry.number,
    }
    told: list[Event] = [
        events.ConversationUnread(**subject, side=side.value)
        for side in (Side.BUYER, Side.MERCHANT)
        if after.unread_by(side) and not (before is not None and before.unread_by(side))
    ]
    if entry.cause in (Cause.CALL, Cause.SILENCE, Cause.REOPEN):
        told.append(events.ConversationCalled(**subject, why=entry.cause.value))
    if entry.cause in domain.ENDINGS:
        told.append(events.ConversationSolved(**subject, how=entry.cause.value))
    return told
