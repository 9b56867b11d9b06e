"""Strays: genuine words of a provider that fit nothing of ours, and the money they speak of. Pure.

Money on an account of ours whose number we never gave is in suspense: it is in the books, on an account of its own,
until somebody says whose it is. An event of a kind that we do not know is kept until a person has seen it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel import ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.kernel.second_person import SecondPersonNeeded

_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}", re.ASCII)
"""What a provider takes as a merchant's number of an order."""


class StrayKind(StrEnum):
    """What a stray is."""

    MONEY = "money"
    """The provider holds money under a number that is none of ours."""
    CLAIM = "claim"
    """It was said so, and the provider, asked, does not say the same."""
    EVENT = "event"
    """An event of a kind that we do not act on."""


class StrayStatus(StrEnum):
    """States of a stray."""

    OPEN = "open"
    PLACED = "placed"
    """It was an attempt of ours after all, whose capture is recorded."""
    RETURNED = "returned"
    """The money is no longer there: it went back, or to whom it belongs."""
    CLOSED = "closed"
    """A person has seen it; money stays where it is."""


class StrayCause(StrEnum):
    """What moves a stray."""

    HEAR = "hear"
    """More was said of it: what was claimed is there now."""
    PLACE = "place"
    RETURN = "return"
    CLOSE = "close"


STRAY = StateMachine(
    name="stray",
    initial=StrayStatus.OPEN,
    edges={
        StrayStatus.OPEN: {
            StrayCause.HEAR: StrayStatus.OPEN,
            StrayCause.PLACE: StrayStatus.PLACED,
            StrayCause.RETURN: StrayStatus.RETURNED,
            StrayCause.CLOSE: StrayStatus.CLOSED,
        },
        StrayStatus.PLACED: {},
        StrayStatus.RETURNED: {StrayCause.HEAR: StrayStatus.OPEN},
        StrayStatus.CLOSED: {
            StrayCause.HEAR: StrayStatus.OPEN,
            StrayCause.PLACE: StrayStatus.PLACED,
            StrayCause.RETURN: StrayStatus.RETURNED,
        },
    },
)


class StrayNotFound(NotFound):
    """No such stray."""

    code = "stray_not_found"
    en, zh = "There is no such record.", "没有该记录。"


class ReturnNeedsTwo(SecondPersonNeeded):
    """One person alone may not take so much out of the books."""

    code = "return_needs_two"
    en = (
        "Money of {currency} above {limit} is not taken out of suspense by one person: let another operator look and "
        "mark it as seen, then say that it was returned."
    )
    zh = (
        "挂账款项（{currency}）超过 {limit} 不能由一人注销："
        "请先由另一位运营人员核对并标记为“已查看”，再登记为“已退回”。"
    )
    shown = ("limit", "currency")


@dataclass(frozen=True, slots=True)
class Stray:
    """One genuine word of a provider that fits nothing of ours; said again, it is the same one."""

    stray_id: str
    kind: StrayKind
    status: StrayStatus
    provider: str
    number: str
    """What it names: somebody's number of an order, or the provider's own of a thing; an event's kind where none."""
    heard_at: datetime
    since: datetime
    amount: Money | None = None
    """Of money: what the provider's answer, or its bill, says. It is in suspense while the stray is open or closed."""
    transaction_id: str = ""
    at: datetime | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    billed_on: str = ""
    """The day of the bill that speaks of it, where one has."""
    by: str = ""
    note: str = ""
    intent: str = ""
    fingerprint: str = ""
    seen_by: str = ""
    """Who closed it last without moving its money: the first of two persons where one may not move so much."""
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Say whether somebody still has to look."""
        return self.status is StrayStatus.OPEN


def stray_id(provider: str, number: str, transaction_id: str = "") -> str:
    """Return the id of what is said of a number; a second transaction under it has one of its own."""
    return ids.derived_id("str", provider, number, transaction_id)


def event_id(provider: str, notice_id: str) -> str:
    """Return the id of an event of an unknown kind."""
    return ids.derived_id("str", provider, "event", notice_id)


def may_be_asked(number: str) -> bool:
    """Say whether a number is of a form that a provider can be asked about."""
    return _NUMBER.fullmatch(number) is not None


def move(stray: Stray, cause: StrayCause, *, now: datetime) -> Stray:
    """Take an edge of the stray's table.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = STRAY.next(stray.status, cause)
    return replace(stray, status=status, since=stray.since if status is stray.status else now)
