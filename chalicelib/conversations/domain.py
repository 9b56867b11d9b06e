"""Conversations: whose turn it is and until when, who has read how far, who of the service has it in hand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.kernel.machine import StateMachine

MOST_TEXT: Final = 2000
MOST_PICTURES: Final = 6
MOST_IN_A_ROW: Final = 20
"""So much may one side write until another says something: whoever has more to say waits, or calls the service."""
MOST_WORDS: Final = 2000
"""So many entries a thread has at most: one more, and it is no conversation."""
OPENED_A_DAY: Final = 30
"""So many conversations may an account begin a day; the setting ``BIANDAN_CONVERSATIONS_A_DAY`` says otherwise."""


class TooManyWords(ShopError):
    """A side wrote so much in a row, or the thread is full, or the account opened too many threads today."""

    code, status = "too_many_words", 429
    en, zh = "{why}", "{why}"
    shown = ("why",)
    texts_of = {  # noqa: RUF012
        "why": {
            "in_a_row": ("Wait until somebody answers.", "请等待对方回复后再发送。"),
            "full": ("This conversation is full; the service opens another.", "此会话已满，请联系客服另开会话。"),
            "day": ("That is enough conversations for today.", "今日新开会话已达上限。"),
        }
    }


class NotInHand(Conflict):
    """Who acts for the service has not taken the conversation."""

    code = "conversation_not_in_hand"
    en, zh = "Somebody else has this conversation, or nobody: take it first.", "该会话由他人处理或尚未领取，请先领取。"


class NoSuchAgent(Conflict):
    """Who is to have the conversation does not work at the service's desk, or is a party to it."""

    code = "no_such_agent"
    en, zh = "This person cannot take the conversation.", "该人员不能处理此会话。"


class Side(StrEnum):
    """Who says something."""

    BUYER = "buyer"
    MERCHANT = "merchant"
    SERVICE = "service"
    PLATFORM = "platform"
    """The clock."""


class About(StrEnum):
    """What is talked about."""

    PRODUCT = "product"
    ORDER = "order"
    COMPLAINT = "complaint"


class Queue(StrEnum):
    """Where a conversation waits for somebody of the service."""

    GOODS = "goods"
    ORDERS = "orders"
    CASES = "cases"


FIRST_QUEUE: Final[Mapping[About, Queue]] = {
    About.PRODUCT: Queue.GOODS,
    About.ORDER: Queue.ORDERS,
    About.COMPLAINT: Queue.CASES,
}


class Status(StrEnum):
    """States of a conversation."""

    ASKED = "asked"
    """The merchant's turn."""
    ANSWERED = "answered"
    """The buyer's turn."""
    CALLED = "called"
    """Waits in a queue of the service."""
    HELD = "held"
    """Somebody of the service has it, and it is their turn."""
    WAITING = "waiting"
    """Somebody of the service has it, and waits for the others."""
    SOLVED = "solved"


class Cause(StrEnum):
    """What moves a conversation."""

    ASK = "ask"
    ANSWER = "answer"
    SPEAK = "speak"
    CALL = "call"
    SILENCE = "silence"
    TAKE = "take"
    PASS_ON = "pass_on"  # noqa: S105 - no password
    HAND_OVER = "hand_over"
    GIVE_BACK = "give_back"
    CHASE = "chase"
    SOLVE = "solve"
    LAPSE = "lapse"
    CLOSE = "close"
    REOPEN = "reopen"


ANSWER_WITHIN: Final = timedelta(hours=48)
"""How long the merchant has (CN-ECL-59-1); after it the service is called without being asked."""

MACHINE = StateMachine(
    name="conversation",
    initial=Status.ASKED,
    edges={
        Status.ASKED: {
            Cause.ANSWER: Status.ANSWERED,
            Cause.CALL: Status.CALLED,
            Cause.SILENCE: Status.CALLED,
            Cause.SOLVE: Status.SOLVED,
            Cause.CLOSE: Status.SOLVED,
        },
        Status.ANSWERED: {
            Cause.ASK: Status.ASKED,
            Cause.ANSWER: Status.ANSWERED,
            Cause.CALL: Status.CALLED,
            Cause.SOLVE: Status.SOLVED,
            Cause.LAPSE: Status.SOLVED,
            Cause.CLOSE: Status.SOLVED,
        },
        Status.CALLED: {
            Cause.TAKE: Status.HELD,
            Cause.PASS_ON: Status.CALLED,
            Cause.CHASE: Status.CALLED,
            Cause.SOLVE: Status.SOLVED,
        },
        Status.HELD: {
            Cause.SPEAK: Status.WAITING,
            Cause.PASS_ON: Status.CALLED,
            Cause.HAND_OVER: Status.HELD,
            Cause.GIVE_BACK: Status.CALLED,
            Cause.SOLVE: Status.SOLVED,
        },
        Status.WAITING: {
            Cause.ASK: Status.HELD,
            Cause.ANSWER: Status.HELD,
            Cause.SPEAK: Status.WAITING,
            Cause.PASS_ON: Status.CALLED,
            Cause.HAND_OVER: Status.HELD,
            Cause.SOLVE: Status.SOLVED,
            Cause.LAPSE: Status.SOLVED,
        },
        Status.SOLVED: {Cause.ASK: Status.ASKED, Cause.REOPEN: Status.CALLED},
    },
    deadlines={
        Status.ASKED: (ANSWER_WITHIN, Cause.SILENCE),
        Status.ANSWERED: (timedelta(days=7), Cause.LAPSE),
        Status.CALLED: (timedelta(hours=24), Cause.CHASE),
        Status.HELD: (timedelta(hours=24), Cause.GIVE_BACK),
        Status.WAITING: (timedelta(days=7), Cause.LAPSE),
    },
)
"""A silent merchant brings the service in; who took it and is silent loses it; what nobody goes on with is over."""

IN_HAND: Final = frozenset({Status.HELD, Status.WAITING})
WITH_SERVICE: Final = frozenset({Status.CALLED, *IN_HAND})
ENDINGS: Final = frozenset({Cause.SOLVE, Cause.LAPSE})
"""After which the buyer is asked how it was; nobody is asked of a conversation that closes because its person goes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture beside words."""

    picture_id: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of a conversation: words, or a step (``cause`` alone, or with a note for the service)."""

    number: int
    at: datetime
    side: Side
    author: str
    """The account that wrote it; nobody's of the clock."""
    cause: Cause | None = None
    """What it moved; None where it moved nothing."""
    text: str = field(default="", repr=False)
    pictures: tuple[Picture, ...] = ()
    masked: bool = False
    """Whether ways to reach somebody elsewhere were taken out."""
    inner: bool = False
    """For the service alone."""

    @property
    def is_words(self) -> bool:
        """Say whether somebody says something to the others."""
        return not self.inner and bool(self.text or self.pictures)


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation of one buyer about one thing."""

    conversation_id: str
    buyer_id: str
    merchant_id: str
    about: About
    subject_id: str
    title: str
    status: Status
    queue: Queue
    opened_at: datetime
    since: datetime
    """Since when the state is what it is."""
    moved_at: datetime
    """When somebody last said something."""
    count: int = 0
    """Entries so far; the next one's number is one more."""
    said: Mapping[Side, int] = field(default_factory=dict)
    """The last words of each side."""
    read: Mapping[Side, int] = field(default_factory=dict)
    """How far each side has read."""
    last_side: Side | None = None
    in_a_row: int = 0
    agent: str = ""
    """Who of the service has it in hand, or had it last."""
    asked_at: datetime | None = None
    """Since when the merchant's first answer is waited for; None once it came."""
    called_at: datetime | None = None
    """Since when the service's first answer is waited for; None where it is not."""
    chased: int = 0
    is_paid: bool = False
    """Whether what is talked about was ever paid: until then ways to reach somebody elsewhere are taken out."""
    version: int = field(default=0, compare=False)

    @property
    def due_at(self) -> datetime | None:
        """Return when the state times out."""
        return MACHINE.due_at(self.status, self.since)

    @property
    def is_open(self) -> bool:
        """Say whether somebody waits for something."""
        return self.status is not Status.SOLVED

    @property
    def turn(self) -> Side | None:
        """Return whose turn it is."""
        return {
            Status.ASKED: Side.MERCHANT,
            Status.ANSWERED: Side.BUYER,
            Status.CALLED: Side.SERVICE,
            Status.HELD: Side.SERVICE,
            Status.WAITING: Side.BUYER,
        }.get(self.status)

    def unread_by(self, side: Side) -> bool:
        """Say whether others said something that a side has not read."""
        others = [number for other, number in self.said.items() if other is not side]
        return max(others, default=0) > self.read.get(side, 0)


def cause_of(thread: Thread, side: Side) -> Cause | None:
    """Return what words of a side move; None where they only stand in the thread."""
    if side is Side.SERVICE:
        wanted: Cause = Cause.SPEAK
    elif side is Side.MERCHANT:
        wanted = Cause.ANSWER
    elif thread.status is Status.SOLVED and thread.agent:
        wanted = Cause.REOPEN
    else:
        wanted = Cause.ASK
    return wanted if MACHINE.takes(thread.status, wanted) else None


def check_room(thread: Thread, side: Side) -> None:
    """Check that a side may say one more thing.

    Raises:
        TooManyWords: if it wrote so many in a row, or the thread is full.
    """
    if thread.count >= MOST_WORDS:
        raise TooManyWords(why="full")
    if side is not Side.SERVICE and thread.last_side is side and thread.in_a_row >= MOST_IN_A_ROW:
        raise TooManyWords(why="in_a_row")


def check_solver(thread: Thread, side: Side, account_id: str) -> None:
    """Check that a side may say that a conversation is over: the buyer always, the merchant while it is theirs alone.

    Raises:
        NotInHand: if somebody else has it.
    """
    if side is Side.SERVICE:
        check_agent(thread, account_id)
    elif side is Side.MERCHANT and thread.status in WITH_SERVICE:
        raise NotInHand


def check_agent(thread: Thread, account_id: str) -> None:
    """Check that somebody of the service has the conversation in hand.

    Raises:
        NotInHand: if not.
    """
    if thread.status in WITH_SERVICE and (thread.status is Status.CALLED or thread.agent != account_id):
        raise NotInHand


def with_entry(before: Thread, entry: Entry, *, agent: str = "", queue: Queue | None = None) -> Thread:
    """Return the thread after one more entry; ``agent`` and ``queue`` where it goes to somebody, or elsewhere.

    Raises:
        IllegalTransition: if the state does not take the entry's cause.
    """
    cause = entry.cause
    status = MACHINE.next(before.status, cause) if cause is not None else before.status
    after = replace(
        before,
        status=status,
        since=entry.at if cause is not None else before.since,
        count=before.count + 1,
        queue=queue or before.queue,
        agent=agent or before.agent,
        chased=before.chased + 1 if cause is Cause.CHASE else 0 if cause is not None else before.chased,
    )
    after = _waited_for(before, after, entry)
    if not entry.is_words:
        return after
    return replace(
        after,
        moved_at=entry.at,
        said={**before.said, entry.side: entry.number},
        last_side=entry.side,
        in_a_row=before.in_a_row + 1 if before.last_side is entry.side else 1,
    )


def _waited_for(before: Thread, after: Thread, entry: Entry) -> Thread:
    """Note since when whose first answer is waited for."""
    asked, called = before.asked_at, before.called_at
    if before.status not in WITH_SERVICE and after.status in WITH_SERVICE:
        called = entry.at
    if entry.is_words and entry.side is Side.MERCHANT:
        asked = None
    if (entry.is_words and entry.side is Side.SERVICE) or after.status is Status.SOLVED:
        called = None
    return replace(after, asked_at=asked, called_at=called)


def with_read(before: Thread, side: Side, number: int) -> Thread:
    """Return the thread as a side has read it up to an entry: never further than there is, never back."""
    mark = max(before.read.get(side, 0), min(number, before.count))
    return replace(before, read={**before.read, side: mark})
