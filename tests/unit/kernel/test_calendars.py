from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.kernel import calendars
from chalicelib.kernel.calendars import Due, Term, Unit, UnknownYear
from chalicelib.kernel.clock import CHINA

OFF_2026 = (
    *((1, day) for day in range(1, 4)),
    *((2, day) for day in range(15, 24)),
    *((4, day) for day in range(4, 7)),
    *((5, day) for day in range(1, 6)),
    *((6, day) for day in range(19, 22)),
    *((9, day) for day in range(25, 28)),
    *((10, day) for day in range(1, 8)),
)
WORKED_2026 = ((1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10))


def china(month: int, day: int, hour: int = 12, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=CHINA)


def days_of(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def test_every_day_of_2026_is_as_the_state_council_said() -> None:
    working = [
        day
        for day in days_of(2026)
        if (day.month, day.day) in WORKED_2026 or (day.weekday() < 5 and (day.month, day.day) not in OFF_2026)
    ]
    assert [day for day in days_of(2026) if calendars.is_working(day)] == working
    assert (len(working), len(OFF_2026)) == (248, 33)


@pytest.mark.parametrize(
    ("term", "since", "ends"),
    [
        (Term(48, Unit.HOURS), china(9, 30, 18), china(10, 2, 18)),
        # The day it begins on does not count, at whatever hour it begins; the last ends at 24:00 in Shanghai.
        (Term(7, Unit.NATURAL_DAYS), china(11, 2, 0), china(11, 10, 0)),
        (Term(7, Unit.NATURAL_DAYS), china(11, 2, 23, 59), china(11, 10, 0)),
        # 1 to 7 October are days off, the 8th is the first that is none: a buyer's window goes on, a duty does not.
        (Term(3, Unit.NATURAL_DAYS), china(9, 29), china(10, 3, 0)),
        (Term(3, Unit.BUYERS_DAYS), china(9, 29), china(10, 9, 0)),
        # It would end on a Saturday; this one is worked for a day off.
        (Term(3, Unit.BUYERS_DAYS), china(11, 4), china(11, 10, 0)),
        (Term(3, Unit.BUYERS_DAYS), china(10, 7), china(10, 11, 0)),
        (Term(3, Unit.WORKING_DAYS), china(11, 6), china(11, 12, 0)),
        (Term(1, Unit.WORKING_DAYS), china(9, 30), china(10, 9, 0)),
        (Term(2, Unit.WORKING_DAYS), china(2, 13), china(2, 25, 0)),
        # Nine to six; the hours of the first day count from when it began.
        (Term(8, Unit.BUSINESS_HOURS), china(11, 3, 8), china(11, 3, 17)),
        (Term(8, Unit.BUSINESS_HOURS), china(11, 3, 16, 30), china(11, 4, 15, 30)),
        (Term(9, Unit.BUSINESS_HOURS), china(11, 3, 9), china(11, 3, 18)),
        (Term(8, Unit.BUSINESS_HOURS), china(11, 6, 18), china(11, 9, 17)),
        (Term(20, Unit.BUSINESS_HOURS), china(9, 30, 17), china(10, 10, 10)),
    ],
)
def test_when_a_term_ends(term: Term, since: datetime, ends: datetime) -> None:
    assert term.exactly(since) == ends
    assert term.due(since.astimezone(UTC)) == Due(ends.astimezone(UTC))
    assert term.due(since).at.tzinfo is UTC or term.unit is Unit.HOURS


def test_a_year_that_nobody_named_is_not_guessed() -> None:
    assert calendars.is_known(2026)
    assert not calendars.is_known(2027)
    with pytest.raises(UnknownYear) as refused:
        calendars.is_working(date(2027, 1, 4))
    assert refused.value.members() == {"year": 2027}
    for term in (Term(3, Unit.WORKING_DAYS), Term(30, Unit.BUSINESS_HOURS), Term(3, Unit.BUYERS_DAYS)):
        with pytest.raises(UnknownYear):
            term.exactly(china(12, 30))
    assert Term(3, Unit.NATURAL_DAYS).exactly(china(12, 30)) == china(1, 3, 0, year=2027)
    assert Term(1, Unit.WORKING_DAYS).exactly(china(12, 30)) == china(1, 1, 0, year=2027), "31 December is known"


@pytest.mark.parametrize(
    ("term", "ends"),
    [
        # 1 January 2027 is a Friday. No day of rest is granted to whoever has a duty, every weekend is to buyers.
        (Term(3, Unit.WORKING_DAYS), china(1, 3, 0, year=2027)),
        (Term(20, Unit.BUSINESS_HOURS), china(1, 1, 14, year=2027)),
        (Term(3, Unit.BUYERS_DAYS), china(1, 5, 0, year=2027)),
    ],
)
def test_a_deadline_in_such_a_year_is_estimated_and_says_so(term: Term, ends: datetime) -> None:
    assert term.due(china(12, 30)) == Due(ends, estimated=True)


@given(
    st.integers(0, 660 * 24 * 60).map(lambda minutes: china(1, 1, 0, year=2025) + timedelta(minutes=minutes)),
    st.integers(1, 20),
)
def test_how_the_units_lie_to_each_other(since: datetime, amount: int) -> None:
    natural, buyers, working = (
        Term(amount, unit).exactly(since) for unit in (Unit.NATURAL_DAYS, Unit.BUYERS_DAYS, Unit.WORKING_DAYS)
    )
    hours = Term(amount, Unit.BUSINESS_HOURS).exactly(since)

    assert since < natural <= buyers <= natural + timedelta(days=10)
    assert natural <= working
    for ends in (natural, buyers, working):
        assert ends.astimezone(CHINA).hour == 0
    for ends in (buyers, working):
        assert calendars.is_working((ends - timedelta(seconds=1)).astimezone(CHINA).date())
    assert since < hours
    assert 9 <= (hours - timedelta(seconds=1)).astimezone(CHINA).hour < 18


def test_a_term_is_said_in_both_languages_and_is_not_nothing() -> None:
    for unit in Unit:
        assert "3" in Term(3, unit).text("zh") != Term(3, unit).text("en")
        with pytest.raises(ValueError, match="after it begins"):
            Term(0, unit)
