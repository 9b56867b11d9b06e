"""Wire models of the audit."""

from __future__ import annotations

from chalicelib.oversight.domain import Line
from chalicelib.runtime.schema import Day, PageQuery, Schema, Timestamp


class AuditQuery(PageQuery):
    """Which day (UTC); today if none is named."""

    day: Day | None = None


class ChangeView(Schema):
    """A value that an act changed; ``*`` stands for one that is not shown. What was not there has no ``before``."""

    where: str
    before: str | None = None
    after: str | None = None


class LineView(Schema):
    """An act of an operator that changed something: who, when, by which request, on what, and what was said."""

    at: Timestamp
    by: str
    act: str
    request_id: str
    records: dict[str, str]
    said: dict[str, str]
    changes: list[ChangeView]

    @classmethod
    def of(cls, line: Line) -> LineView:
        """Return the wire form."""
        return cls(
            at=line.at,
            by=line.by,
            act=line.act,
            request_id=line.request_id,
            records=dict(line.records),
            said=dict(line.said),
            changes=[ChangeView(where=one.where, before=one.before, after=one.after) for one in line.changes],
        )


class AuditView(Schema):
    """One page of a day's audit, the latest first."""

    items: list[LineView]
    next_cursor: str | None = None
