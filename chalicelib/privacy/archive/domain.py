"""An archive: what moves it, until when it is there, and how far its making is. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict, Throttled
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.pages import Place

KEPT = timedelta(days=3)
"""Long enough to fetch it at home, short enough for a second copy of everything to lie about."""
MADE_WITHIN = timedelta(hours=1)
"""A step takes seconds; whose message is lost is given up by then, and may be asked for again."""
AGAIN_AFTER = timedelta(hours=1)
"""Each costs reads of everything: somebody who deletes theirs at once asks for the next one after this."""
LINK_FOR = timedelta(minutes=10)
PREFIX = "archives/"
"""Where archives lie in the private bucket."""
MOST_BYTES = 300 * 1024 * 1024
"""What a function's disk holds with room to spare. Files that no longer fit are named in it, and stay where they are
shown otherwise."""


class NotReady(Conflict):
    """There is no archive to fetch now."""

    code = "archive_not_ready"
    en = "There is no archive to fetch: it is not made yet, or gone. Ask for one."
    zh = "当前没有可下载的个人信息副本：尚未生成或已删除，请申请生成。"


class AskedTooSoon(Throttled):
    """One was made a moment ago, and deleted."""

    code = "archive_asked_too_soon"
    en = "Your last archive was asked for less than an hour ago."
    zh = "距上次申请个人信息副本不足一小时。"


class Leaving(Conflict):
    """The account is being closed."""

    code = "account_closing"
    en = "This account is being deleted: there is nothing left to hand out."
    zh = "账号正在注销，无法再生成个人信息副本。"


class Status(StrEnum):
    """States of an archive."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"


class Cause(StrEnum):
    """What moves an archive."""

    GO_ON = "go_on"
    FINISH = "finish"
    GIVE_UP = "give_up"
    EXPIRE = "expire"
    DROP = "drop"
    ASK_AGAIN = "ask_again"


MACHINE = StateMachine(
    name="archive",
    initial=Status.MAKING,
    edges={
        Status.MAKING: {
            Cause.GO_ON: Status.MAKING,
            Cause.FINISH: Status.READY,
            Cause.GIVE_UP: Status.FAILED,
            Cause.DROP: Status.GONE,
        },
        Status.READY: {Cause.EXPIRE: Status.GONE, Cause.DROP: Status.GONE},
        Status.FAILED: {Cause.ASK_AGAIN: Status.MAKING},
        Status.GONE: {Cause.ASK_AGAIN: Status.MAKING},
    },
    deadlines={Status.MAKING: (MADE_WITHIN, Cause.GIVE_UP), Status.READY: (KEPT, Cause.EXPIRE)},
)


@dataclass(frozen=True, slots=True)
class Making:
    """How far the making is: the part that comes next, and what is in it so far."""

    section: int = 0
    after: Place | None = None
    part: int = 0
    """How many parts the running section has."""
    records: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Archive:
    """The one archive of a person."""

    account_id: str
    status: Status
    asked_at: datetime
    since: datetime
    number: int = 1
    """Which one it is: each has objects of its own."""
    step: int = 0
    making: Making = Making()
    size: int = 0
    language: str = "zh"
    version: int = field(default=0, compare=False)

    @property
    def archive_id(self) -> str:
        """Return its id."""
        return archive_id(self.account_id)

    @property
    def due_at(self) -> datetime | None:
        """Return when the state times out."""
        return MACHINE.due_at(self.status, self.since)

    def moved(self, cause: Cause, now: datetime) -> Archive:
        """Return the archive after a cause.

        Raises:
            IllegalTransition: if the state does not take it.
        """
        return replace(self, status=MACHINE.next(self.status, cause), since=now, step=self.step + 1)

    @property
    def folder(self) -> str:
        """Return where all that was ever made for the person lies."""
        return f"{PREFIX}{self.archive_id}/"

    def half_made(self, step: int) -> str:
        """Return where a step finds what those before it made: each writes elsewhere, so it may be done again."""
        return f"{self.folder}{self.number}-{step}.part"

    @property
    def whole(self) -> str:
        """Return where the finished one lies."""
        return f"{self.folder}{self.number}.zip"


def archive_id(account_id: str) -> str:
    """Return the id of an account's archive."""
    return f"arc_{account_id.partition('_')[2]}"


def account_of(archive_id: str) -> str:
    """Return whose archive it is."""
    return f"acc_{archive_id.partition('_')[2]}"
