from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from chalicelib.kernel.calendars import Due, Term, Unit
from chalicelib.kernel.errors import IllegalTransition
from chalicelib.kernel.machine import StateMachine


class S(StrEnum):
    OPEN = "open"
    SHUT = "shut"


class C(StrEnum):
    CLOSE = "close"
    KNOCK = "knock"


def test_a_table_says_what_follows_and_when_it_times_out() -> None:
    machine = StateMachine(
        name="door",
        initial=S.OPEN,
        edges={S.OPEN: {C.CLOSE: S.SHUT, C.KNOCK: S.OPEN}, S.SHUT: {}},
        deadlines={S.OPEN: (timedelta(hours=2), C.CLOSE)},
    )
    since = datetime(2026, 1, 1, tzinfo=UTC)

    assert machine.next(S.OPEN, C.CLOSE) is S.SHUT
    assert machine.due_at(S.OPEN, since) == since + timedelta(hours=2)
    assert (machine.due_at(S.SHUT, since), machine.timeout(S.SHUT), machine.timeout(S.OPEN)) == (None, None, C.CLOSE)
    assert machine.is_terminal(S.SHUT)
    assert "open --> shut: close (after 2 h)" in machine.mermaid()
    with pytest.raises(IllegalTransition) as refused:
        machine.next(S.SHUT, C.KNOCK)
    assert refused.value.members() == {"machine": "door", "state": "shut", "cause": "knock"}


def test_a_wrong_table_fails_when_it_is_written() -> None:
    with pytest.raises(ValueError, match="no row"):
        StateMachine(name="x", initial=S.OPEN, edges={S.OPEN: {C.CLOSE: S.SHUT}})
    with pytest.raises(ValueError, match="unreachable"):
        StateMachine(name="x", initial=S.OPEN, edges={S.OPEN: {C.KNOCK: S.OPEN}, S.SHUT: {}})
    with pytest.raises(ValueError, match="does not take"):
        StateMachine(
            name="x",
            initial=S.OPEN,
            edges={S.OPEN: {C.CLOSE: S.SHUT}, S.SHUT: {}},
            deadlines={S.SHUT: (timedelta(1), C.KNOCK)},
        )
    with pytest.raises(ValueError, match="future"):
        StateMachine(
            name="x",
            initial=S.OPEN,
            edges={S.OPEN: {C.CLOSE: S.SHUT}, S.SHUT: {}},
            deadlines={S.OPEN: (timedelta(), C.CLOSE)},
        )


def test_a_term_is_counted_by_the_calendar_and_drawn_in_words() -> None:
    machine = StateMachine(
        name="door",
        initial=S.OPEN,
        edges={S.OPEN: {C.CLOSE: S.SHUT}, S.SHUT: {}},
        terms={S.OPEN: (Term(1, Unit.WORKING_DAYS), C.CLOSE)},
    )
    friday = datetime(2026, 11, 6, 4, tzinfo=UTC)

    assert machine.timeout(S.OPEN) is C.CLOSE
    assert machine.due_at(S.OPEN, friday) == datetime(2026, 11, 9, 16, tzinfo=UTC)
    assert machine.due(S.OPEN, friday.replace(month=12, day=31)) == Due(datetime(2027, 1, 1, 16, tzinfo=UTC), True)
    assert (machine.due(S.SHUT, friday), machine.due_at(S.SHUT, friday)) == (None, None)
    assert "open --> shut: close (after 1 working day)" in machine.mermaid()


def test_a_state_has_one_deadline_and_one_that_it_takes() -> None:
    edges = {S.OPEN: {C.CLOSE: S.SHUT}, S.SHUT: {}}
    day = Term(1, Unit.WORKING_DAYS)
    with pytest.raises(ValueError, match="two deadlines"):
        StateMachine(
            name="door",
            initial=S.OPEN,
            edges=edges,
            terms={S.OPEN: (day, C.CLOSE)},
            deadlines={S.OPEN: (timedelta(hours=2), C.CLOSE)},
        )
    with pytest.raises(ValueError, match="does not take"):
        StateMachine(name="door", initial=S.OPEN, edges=edges, terms={S.OPEN: (day, C.KNOCK)})
