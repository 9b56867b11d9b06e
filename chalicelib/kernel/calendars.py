"""Terms in natural days, working days and business hours of the PRC. Pure; days of rest are ``chinesecalendar``'s.

Counting (Civil Code 201, 203): the day it begins on is not counted, the last day ends at 24:00 in Shanghai, and a
buyer's window whose last day is a day of rest goes on to the first day that is none. Merchants' and the platform's
duties never do.

The State Council names a year's days of rest in the November before. A year that nobody has named yet is unknown:
:func:`is_working` and what counts by it raise :class:`UnknownYear` and never guess. A :class:`Term` that needs a
deadline all the same estimates it and says so: to a duty no day of rest is granted that might be none, to a buyer every
Saturday and Sunday is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache

from chalicelib.kernel.clock import CHINA
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.texts import Texts, said

OPENS, CLOSES = time(9), time(18)
"""Business hours of a working day, Shanghai."""
_DAY = timedelta(days=1)
_SATURDAY = 5


class UnknownYear(ShopError):
    """Nobody has named this year's days of rest yet; no day of it is taken for one."""

    code, status = "calendar_unknown", 503
    en = "The working days of {year} are not known yet."
    zh = "{year} 年的工作日安排尚未公布。"
    shown = ("year",)


@cache
def _named() -> tuple[frozenset[date], frozenset[date], frozenset[int]]:
    """Return days off, weekend days that are worked, and the years of which both are known."""
    from chinese_calendar.constants import holidays, workdays  # 20 ms, for whoever counts by it first.

    return frozenset(holidays), frozenset(workdays), frozenset(day.year for day in holidays)


def is_known(year: int) -> bool:
    """Say whether the days of rest of a year are known."""
    return year in _named()[2]


def is_working(day: date) -> bool:
    """Say whether a day is a working day: Monday to Friday without days off, and the weekend days worked for them.

    Raises:
        UnknownYear: if its year's days of rest are not known.
    """
    off, worked, years = _named()
    if day.year not in years:
        raise UnknownYear(year=day.year)
    return day in worked or (day.weekday() < _SATURDAY and day not in off)


def _is_weekday(day: date) -> bool:
    return day.weekday() < _SATURDAY


def _is_any(_: date) -> bool:
    return True


Works = Callable[[date], bool]


def natural_days(since: datetime, days: int) -> datetime:
    """Return the end of the ``days``-th day after the one it begins on."""
    return _end_of(_day_of(since) + days * _DAY)


def window(since: datetime, days: int, *, works: Works = is_working) -> datetime:
    """Return the end of a buyer's window of natural days: a last day of rest moves it to the first that is none.

    Raises:
        UnknownYear: if it ends in a year whose days of rest are not known.
    """
    last = _day_of(since) + days * _DAY
    while not works(last):
        last += _DAY
    return _end_of(last)


def working_days(since: datetime, days: int, *, works: Works = is_working) -> datetime:
    """Return the end of the ``days``-th working day after the day it begins on.

    Raises:
        UnknownYear: if that is in a year whose days of rest are not known.
    """
    last, left = _day_of(since), days
    while left:
        last += _DAY
        left -= works(last)
    return _end_of(last)


def business_hours(since: datetime, hours: int, *, works: Works = is_working) -> datetime:
    """Return when so many hours between nine and six of working days have passed; those of the first day count.

    Raises:
        UnknownYear: if that is in a year whose days of rest are not known.
    """
    day, left = _day_of(since), timedelta(hours=hours)
    while True:
        opens, closes = (datetime.combine(day, at, CHINA) for at in (OPENS, CLOSES))
        begins = max(opens, since)
        if begins < closes and works(day):
            if begins + left <= closes:
                return (begins + left).astimezone(UTC)
            left -= closes - begins
        day += _DAY


def _day_of(moment: datetime) -> date:
    return moment.astimezone(CHINA).date()


def _end_of(day: date) -> datetime:
    return datetime.combine(day + _DAY, time(), CHINA).astimezone(UTC)


class Unit(StrEnum):
    """What a term is counted in."""

    HOURS = "hours"
    NATURAL_DAYS = "natural_days"
    BUYERS_DAYS = "buyers_days"
    """Natural days, a last day of rest rolled over: the windows in which a buyer may still act."""
    BUSINESS_HOURS = "business_hours"
    WORKING_DAYS = "working_days"


@dataclass(frozen=True, slots=True)
class Due:
    """When a term ends; ``estimated`` where its year's days of rest are not known yet."""

    at: datetime
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """So many of a unit: how long somebody has."""

    amount: int
    unit: Unit

    def __post_init__(self) -> None:
        """Refuse a term that ends where it begins.

        Raises:
            ValueError: then.
        """
        if self.amount <= 0:
            raise ValueError("a term ends after it begins")

    def exactly(self, since: datetime) -> datetime:
        """Return when the term ends that began at ``since``.

        Raises:
            UnknownYear: if it ends in a year whose days of rest are not known.
        """
        return _COUNTED[self.unit](since, self.amount, is_working)

    def due(self, since: datetime) -> Due:
        """Return when it ends; where the days of rest are not known, a duty rather sooner, a buyer's window later."""
        try:
            return Due(self.exactly(since))
        except UnknownYear:
            guess = _is_weekday if self.unit is Unit.BUYERS_DAYS else _is_any
            return Due(_COUNTED[self.unit](since, self.amount, _known_or(guess)), estimated=True)

    def text(self, language: str) -> str:
        """Return how long that is, for a person."""
        return said(_TEXTS[self.unit], language).format(self.amount, s="s" if self.amount > 1 else "")


def _known_or(guess: Works) -> Works:
    return lambda day: is_working(day) if is_known(day.year) else guess(day)


_COUNTED: dict[Unit, Callable[[datetime, int, Works], datetime]] = {
    Unit.HOURS: lambda since, amount, _: since + timedelta(hours=amount),
    Unit.NATURAL_DAYS: lambda since, amount, _: natural_days(since, amount),
    Unit.BUYERS_DAYS: lambda since, amount, works: window(since, amount, works=works),
    Unit.BUSINESS_HOURS: lambda since, amount, works: business_hours(since, amount, works=works),
    Unit.WORKING_DAYS: lambda since, amount, works: working_days(since, amount, works=works),
}
_TEXTS: dict[Unit, Texts] = {
    Unit.HOURS: ("{} hour{s}", "{} 小时"),
    Unit.NATURAL_DAYS: ("{} day{s}", "{} 个自然日"),
    Unit.BUYERS_DAYS: ("{} day{s}, to the end of a working day", "{} 个自然日（遇休息日顺延）"),
    Unit.BUSINESS_HOURS: ("{} business hour{s}", "{} 个工作小时"),
    Unit.WORKING_DAYS: ("{} working day{s}", "{} 个工作日"),
}
