"""How many complaints one may file: about a line in all, and as one account in a day and in thirty.

Whoever files and withdraws again and again fills a merchant's list; an honest buyer comes nowhere near these numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.complaints.refusals import TooManyComplaints
from chalicelib.runtime.config import setting

DEFAULT = "line:3,day:40,month:120"
"""The setting ``BIANDAN_COMPLAINTS`` lists others in the same way; what it leaves out stays as it is here."""
DAY = timedelta(days=1)
MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most complaints about one line ever, and of one account in a day and in thirty."""

    line: int
    day: int
    month: int


def limits() -> Limits:
    """Return the caps of this installation."""
    return Limits(**{**_read(DEFAULT), **_read(setting("BIANDAN_COMPLAINTS"))})


def _read(text: str) -> Mapping[str, int]:
    found = {}
    for part in text.split(","):
        name, _, most = part.strip().partition(":")
        if name in Limits.__slots__ and most.isdigit():
            found[name] = int(most)
    return found


def check_line(filed: int) -> None:
    """Refuse one more complaint about a line.

    Raises:
        TooManyComplaints: if there were so many before, however they ended.
    """
    most = limits().line
    if filed >= most:
        raise TooManyComplaints(about="line", most=most)


def counted(before: Iterable[datetime], now: datetime) -> tuple[datetime, ...]:
    """Return when an account filed lately, with one more complaint now.

    Raises:
        TooManyComplaints: if it filed as many as it may.
    """
    most = limits()
    recent = sorted(moment for moment in before if now - moment < MONTH)
    for span, cap, about in ((DAY, most.day, "day"), (MONTH, most.month, "month")):
        if sum(now - moment < span for moment in recent) >= cap:
            raise TooManyComplaints(about=about, most=cap)
    return (*recent, now)
