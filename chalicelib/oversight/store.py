"""Rows of the audit, a partition a day. They are only ever added: the function's policy allows nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.pages import Page, Window
from chalicelib.oversight.domain import Change, Line
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region


@dataclass(frozen=True, slots=True)
class _Doc:
    request_id: str
    records: dict[str, str]
    said: dict[str, str]
    about: tuple[str, ...] = ()
    changes: tuple[tuple[str, tuple[tuple[str, str | None, str | None], ...]], ...] = ()
    """By the row: a row's name once, for these are the longest part of a line."""


class AuditRow(Row):
    """Key: the day (UTC); milliseconds and a digest of who did what by which request."""

    class Meta:
        table_name = names.table_name("audit")
        region = region()

    day = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    at_ms = NumberAttribute()
    by = UnicodeAttribute()
    act = UnicodeAttribute()
    doc = DocumentAttribute[_Doc](_Doc)


def row(line: Line) -> AuditRow:
    """Return the row of a line."""
    at_ms = epoch_ms(line.at)
    return AuditRow(
        day=line.at.date().isoformat(),
        id=f"{at_ms:014d}#{ids.digest(line.request_id, line.by, line.act)}",
        at_ms=at_ms,
        by=line.by,
        act=line.act,
        doc=_Doc(
            line.request_id,
            dict(line.records),
            dict(line.said),
            line.about,
            _by_row(line.changes),
        ),
    )


def list_day(day: date, window: Window) -> Page[Line]:
    """Return one page of a day's lines, the latest first."""
    page = reads.windowed(AuditRow, day.isoformat(), window, descending=True, consistent=True)
    return Page([line_of(item) for item in page.items], page.after)


def raw_lines(keys: Iterable[tuple[str, str]]) -> dict[str, reads.Raw]:
    """Return lines as the table holds them, by ``day/id``; what is missing is absent."""
    found = reads.get_many_raw(((AuditRow, day, line_id) for day, line_id in keys), consistent=True)
    return {f"{day}/{line_id}": item for (day, line_id), item in found.items()}


def line_of(item: reads.Raw) -> Line:
    """Return the line of a row's raw attributes."""
    row = AuditRow.from_raw_data(item)
    doc = row.doc
    changes = tuple(Change(f"{of}{field}", was, now) for of, fields in doc.changes for field, was, now in fields)
    return Line(from_epoch_ms(row.at_ms), row.by, row.act, doc.request_id, doc.records, doc.said, doc.about, changes)


def _by_row(changes: Iterable[Change]) -> tuple[tuple[str, tuple[tuple[str, str | None, str | None], ...]], ...]:
    found: dict[str, list[tuple[str, str | None, str | None]]] = {}
    for one in changes:
        row, dot, field = one.where.partition(".")
        found.setdefault(row, []).append((f"{dot}{field}", one.before, one.after))
    return tuple((row, tuple(fields)) for row, fields in found.items())
