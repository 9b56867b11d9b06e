"""What a person wants brought to them, how, and at which hours not. Pure.

Whatever they say, everything stands in their inbox, and what is about their account's safety is always brought.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.kernel.errors import Invalid
from chalicelib.notifications.domain import Kind
from chalicelib.notifications.topics import TOPICS, Topic

DAY_MIN = 24 * 60
CHINA_MIN = 8 * 60

Choice = tuple[Topic, Kind]


class AlwaysTold(Invalid):
    """What is about the account's safety cannot be turned off."""

    code = "always_told"
    en = "Messages about your account's safety cannot be turned off."
    zh = "账号安全类消息无法关闭。"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours at which nothing is brought: minutes of a day, by the clock where the person lives. May pass midnight."""

    begins_min: int = 22 * 60
    ends_min: int = 8 * 60
    offset_min: int = CHINA_MIN
    """By how much that clock is ahead of UTC."""

    def over_at(self, now: datetime) -> datetime | None:
        """Return when the hours end that this moment is in; None outside of them."""
        there = now + timedelta(minutes=self.offset_min)
        minute = there.hour * 60 + there.minute
        since = (minute - self.begins_min) % DAY_MIN
        length = (self.ends_min - self.begins_min) % DAY_MIN
        if since >= length:
            return None
        return now.replace(second=0, microsecond=0) + timedelta(minutes=length - since)


@dataclass(frozen=True, slots=True)
class Preferences:
    """One person's; whoever said nothing has those of everybody."""

    account_id: str
    off: frozenset[Choice] = frozenset()
    quiet: Quiet | None = Quiet()
    read_until: datetime | None = None
    """All entries up to then count as read."""
    version: int = 0

    def wants(self, topic: Topic, kind: Kind) -> bool:
        """Say whether something is brought this way."""
        return not TOPICS[topic].may_end or (topic, kind) not in self.off

    def not_before(self, topic: Topic, now: datetime) -> datetime | None:
        """Return when something may be brought that is told now; None: at once."""
        if TOPICS[topic].wakes or self.quiet is None:
            return None
        return self.quiet.over_at(now)

    def chosen(self, off: Iterable[Choice], quiet: Quiet | None) -> Preferences:
        """Return what the person says now, whole.

        Raises:
            AlwaysTold: if they want to be told nothing of their account's safety.
        """
        choices = frozenset(off)
        if any(not TOPICS[topic].may_end for topic, _ in choices):
            raise AlwaysTold
        return replace(self, off=choices, quiet=quiet)

    def reading(self, until: datetime) -> Preferences:
        """Return that everything up to a moment was read; never less than before."""
        return replace(self, read_until=max(until, self.read_until or until))
