"""What a message is, how it goes through its states, and what an answer of a channel means for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.kernel.machine import StateMachine


class ChannelMissing(ShopError):
    """This installation has nobody who carries such messages."""

    code, status = "channel_missing", 503
    en, zh = "No messages can be sent to {kind} here.", "此处暂时无法向{kind}发送消息。"
    shown = ("kind",)
    texts_of = {  # noqa: RUF012
        "kind": {
            "email": ("e-mail addresses", "邮箱"),
            "sms": ("phone numbers", "手机号"),
            "wechat": ("WeChat", "微信"),
            "qq": ("QQ", "QQ"),
        }
    }


class NotAgreed(Conflict):
    """The message needs a consent that its reader has not given, or has withdrawn."""

    code = "not_agreed"
    en, zh = "The person did not agree to such messages.", "对方未同意接收此类消息。"


class Kind(StrEnum):
    """By what a message travels."""

    EMAIL = "email"
    SMS = "sms"
    WECHAT = "wechat"
    """A subscribe message of our WeChat mini program."""
    QQ = "qq"
    """One of our QQ mini program."""


class Status(StrEnum):
    """States of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    """Given to a channel; how that ended is not known yet."""
    SENT = "sent"
    FAILED = "failed"
    UNCLEAR = "unclear"
    """The channel may have taken it, or not: it is not sent again, for nobody gets a message twice."""
    EXPIRED = "expired"
    UNWANTED = "unwanted"
    """Never sent: the consent it needed was withdrawn meanwhile."""


class Cause(StrEnum):
    """What changes a message's state."""

    BEGIN = "begin"
    TAKEN = "taken"
    REFUSED = "refused"
    NOT_TAKEN = "not_taken"
    UNANSWERED = "unanswered"
    TOO_LATE = "too_late"
    WITHDRAWN = "withdrawn"
    """Its reader agrees to such messages no more."""
    PASSED_ON = "passed_on"
    """This way it certainly did not reach its reader: the next one is tried."""


MESSAGES = StateMachine(
    name="message",
    initial=Status.WAITING,
    edges={
        Status.WAITING: {
            Cause.BEGIN: Status.SENDING,
            Cause.TOO_LATE: Status.EXPIRED,
            Cause.REFUSED: Status.FAILED,
            Cause.WITHDRAWN: Status.UNWANTED,
            Cause.PASSED_ON: Status.WAITING,
        },
        Status.SENDING: {
            Cause.TAKEN: Status.SENT,
            Cause.REFUSED: Status.FAILED,
            Cause.NOT_TAKEN: Status.WAITING,
            Cause.PASSED_ON: Status.WAITING,
            Cause.UNANSWERED: Status.UNCLEAR,
        },
        Status.SENT: {},
        Status.FAILED: {},
        Status.UNCLEAR: {},
        Status.EXPIRED: {},
        Status.UNWANTED: {},
    },
)


class Outcome(StrEnum):
    """What a channel's answer means."""

    SENT = "sent"
    FINAL = "final"
    """Sending it again would be refused again."""
    LIMIT = "limit"
    """The carrier has a limit for this number or address that was reached: for the person it is too late, too."""
    ALERT = "alert"
    """Refused for something that only we can mend: an empty account, a template or signature that is not approved."""
    RETRY = "retry"
    """Certainly not taken; later it may be."""
    UNKNOWN = "unknown"
    """No answer: it may have been taken."""


CAUSES: Mapping[Outcome, Cause] = {
    Outcome.SENT: Cause.TAKEN,
    Outcome.FINAL: Cause.REFUSED,
    Outcome.LIMIT: Cause.REFUSED,
    Outcome.ALERT: Cause.REFUSED,
    Outcome.RETRY: Cause.NOT_TAKEN,
    Outcome.UNKNOWN: Cause.UNANSWERED,
}

LEASE = timedelta(seconds=60)
"""So long a message that is being sent belongs to whoever began: longer than the function may run."""
RETRY_S = 20
KEPT = timedelta(days=30)
"""How long it is remembered what became of a message; what it said is gone as soon as that is known."""


@dataclass(frozen=True, slots=True)
class Content:
    """To whom, and what fills the template: all of a message that is about a person."""

    to: str = field(repr=False)
    values: dict[str, str] = field(default_factory=dict, repr=False)
    others: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The ways that are tried next, each with where it leads, if this one certainly does not reach its reader."""
    reader: str = ""
    """The account it is for; empty where it is for whoever reads the contact."""
    about: str = ""
    """The number of what it leads to."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person about one fact."""

    message_id: str
    kind: Kind
    template: str
    language: str
    status: Status
    asked_at: datetime
    useless_at: datetime
    """When it need not be sent any more."""
    sealed: str = field(default="", repr=False)
    """Its content; empty once it is over."""
    attempt: int = 0
    """How often it was given to a channel; a repeat of what was not answered is the same attempt."""
    began_at: datetime | None = None
    channel: str = ""
    reference: str = ""
    """The carrier's own number of it."""
    reason: str = ""
    """The carrier's code, where it was not sent."""
    consent: tuple[str, str] | None = None
    """Whose consent to which purpose it needs; None where the contract wants it sent."""
    not_before: datetime | None = None
    """When quiet hours are over in which it was asked for; the deadline job tells it then."""
    cost: int = 0
    """What carriers take for it, in millionths."""
    currency: str = ""
    version: int = 0

    def begin(self, channel: str, now: datetime) -> Message:
        """Return the message as it is given to a channel."""
        status = MESSAGES.next(self.status, Cause.BEGIN)
        return replace(self, status=status, channel=channel, began_at=now, attempt=self.attempt + 1, not_before=None)

    def pass_on(self, kind: Kind, sealed: str, *, reason: str) -> Message:
        """Return it as it goes the next way."""
        status = MESSAGES.next(self.status, Cause.PASSED_ON)
        return replace(self, status=status, kind=kind, sealed=sealed, reason=reason, channel="", not_before=None)

    def is_early(self, now: datetime) -> bool:
        """Say whether its reader has quiet hours."""
        return self.not_before is not None and now < self.not_before

    def again(self, now: datetime) -> Message:
        """Return a message that is given to the same channel once more, which knows it if it had taken it."""
        return replace(self, began_at=now)

    def end(self, cause: Cause, *, reference: str = "", reason: str = "") -> Message:
        """Return what a channel's answer, or the lack of one, makes of it. When it is over what it said is gone."""
        status = MESSAGES.next(self.status, cause)
        sealed = "" if MESSAGES.is_terminal(status) else self.sealed
        return replace(self, status=status, sealed=sealed, reference=reference, reason=reason)

    def is_held(self, now: datetime) -> bool:
        """Say whether somebody else is sending it at this moment."""
        return self.status is Status.SENDING and self.began_at is not None and now < self.began_at + LEASE


_LINE = re.compile(r"[^\x00-\x1f\x7f]*")


def is_one_line(text: str) -> bool:
    """Say whether a text can stand in a header: no line ends, no other control characters."""
    return _LINE.fullmatch(text) is not None
