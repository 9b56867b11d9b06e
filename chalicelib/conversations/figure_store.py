"""Rows of figures: one a day (of China) for a merchant, an agent or the service, added to in the work that moves."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import date, datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.conversations.figures import Counts
from chalicelib.kernel import clock
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork

_ALWAYS = "attribute_not_exists(#version) OR attribute_exists(#version)"


class FigureRow(Row):
    """Key: ``fig_<whose>``, the day."""

    class Meta:
        table_name = names.table_name("conversations")
        region = region()

    conversation_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    opened = NumberAttribute(null=True)
    answered = NumberAttribute(null=True)
    answer_s = NumberAttribute(null=True)
    late = NumberAttribute(null=True)
    solved = NumberAttribute(null=True)
    lapsed = NumberAttribute(null=True)
    reopened = NumberAttribute(null=True)


def add(work: UnitOfWork, whose: str, counts: Counts, at: datetime) -> None:
    """Add to the day's figures in the work that moves the conversation: exactly once, whatever is repeated."""
    more = {name: count for name, count in asdict(counts).items() if count}
    if not more:
        return
    work.update_raw(
        FigureRow(conversation_id=_key(whose), id=at.astimezone(clock.CHINA).date().isoformat()),
        "ADD " + ", ".join(f"#{name} :{name}" for name in (*more, "version")),
        condition=_ALWAYS,
        names={f"#{name}": name for name in (*more, "version")},
        values={**{f":{name}": {"N": str(count)} for name, count in more.items()}, ":version": {"N": "1"}},
        refuse=lost,
        label="figures",
    )


def between(whose: str, first: date, last: date) -> dict[date, Counts]:
    """Read the figures of each day between two on which something was counted."""
    rows = reads.query_rows(
        FigureRow,
        _key(whose),
        range_condition=FigureRow.id.between(first.isoformat(), last.isoformat()),
        limit=max((last - first).days + 1, 1),  # A day has one small row.
    )
    return {date.fromisoformat(row.id): _counts(row) for row in rows}


def _counts(row: FigureRow) -> Counts:
    return Counts(*(int(getattr(row, one.name) or 0) for one in fields(Counts)))


def _key(whose: str) -> str:
    return f"fig_{whose}"
