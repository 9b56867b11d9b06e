"""Rows of the chain, and the audit's lines as the table holds them.

Only the job writes here; what it writes follows from the batches, which stand where even the job cannot change them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.pages import Page, Window
from chalicelib.oversight.chain.domain import Batch, Found, Link, Progress, line_digest
from chalicelib.oversight.store import AuditRow, line_of
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

JOB = "job"
"""The partition of the row that says how far the job is."""
_PLACE = "progress"
Raw = dict[str, Any]


class LinkRow(Row):
    """Key: subject; the link's number on it, in eight digits."""

    class Meta:
        table_name = names.table_name("chains")
        region = region()

    subject = UnicodeAttribute(hash_key=True)
    number = UnicodeAttribute(range_key=True)
    line = UnicodeAttribute()
    line_digest = UnicodeAttribute()
    digest = UnicodeAttribute()
    batch = NumberAttribute()


@dataclass(frozen=True, slots=True)
class _Doc:
    number: int
    digest: str
    places: dict[str, str]


class ProgressRow(Row):
    """Key: ``job``, ``progress``."""

    class Meta:
        table_name = names.table_name("chains")
        region = region()

    subject = UnicodeAttribute(hash_key=True)
    number = UnicodeAttribute(range_key=True)
    doc = DocumentAttribute[_Doc](_Doc)


@dataclass(frozen=True, slots=True)
class Linked:
    """A link with the line that it is of, and the batch that holds it."""

    link: Link
    line: str
    line_digest: str
    batch: int


def number_key(number: int) -> str:
    """Return a link's number as the key holds it."""
    return f"{number:08d}"


def progress_row() -> ProgressRow | None:
    """Return the row that says how far the job is, or None if it never ran."""
    return reads.get(ProgressRow, JOB, _PLACE, consistent=True)


def progress_of(row: ProgressRow | None) -> Progress | None:
    """Return how far the job is."""
    return Progress(row.doc.number, row.doc.digest, row.doc.places) if row is not None else None


def save(work: UnitOfWork, row: ProgressRow | None, batch: Batch, progress: Progress) -> None:
    """Add a batch's links to the work, and how far the job is then: refused if another run was faster."""
    row = row or ProgressRow(subject=JOB, number=_PLACE)
    row.doc = _Doc(progress.number, progress.digest, dict(progress.places))
    work.save(row, label="progress")
    for line in batch.lines:
        for link in line.links:
            made = LinkRow(subject=link.subject, number=number_key(link.number))
            made.line, made.line_digest, made.digest = line.key, line.digest, link.digest
            made.batch = batch.number
            work.save(made, label="link")


def head(subject: str) -> Link | None:
    """Return the last link of a subject."""
    page = reads.query(LinkRow, subject, limit=1, descending=True, consistent=True)
    return linked(page.items[0]).link if page.items else None


def links(subject: str, window: Window) -> Page[Linked]:
    """Return one page of a subject's links, the first first."""
    page = reads.windowed(LinkRow, subject, window, consistent=True)
    return Page([linked(item) for item in page.items], page.after)


def linked(item: Raw) -> Linked:
    """Return a link of its raw attributes."""
    row = LinkRow.from_raw_data(item)
    return Linked(Link(row.subject, int(row.number), row.digest), row.line, row.line_digest, int(row.batch))


def digests_on(subject: str) -> dict[str, str]:
    """Return the digests of all lines on a subject, by their keys: of a day, say, up to what was sealed just now."""
    items = reads.query_items(LinkRow, subject, consistent=True)
    return {found.line: found.line_digest for found in map(linked, items)}


def lines(day: str, *, after: str, before: str, limit: int) -> list[Found]:
    """Return the first lines of a day behind one place and before another."""
    page = reads.query(AuditRow, day, range_condition=_between(after, before), limit=limit, consistent=True)
    return [found(item) for item in page.items]


MOST_WAITING = 200
"""So many lines of a day are looked through that the job has not come to: a minute has a few."""


def raw_from(day: str, *, after: str) -> list[Raw]:
    """Return the raw lines of a day behind a place: what the job has not come to."""
    page = reads.query(AuditRow, day, range_condition=_between(after, "~"), limit=MOST_WAITING, consistent=True)
    return list(page.items)


def _between(after: str, before: str) -> Any:
    return AuditRow.id.between(f"{after}!", before)  # "!" sorts before every character of an id.


def all_lines(day: str) -> Iterator[Found]:
    """Yield every line of a day, a page at a time."""
    window = Window(200)
    while True:
        page = reads.windowed(AuditRow, day, window, consistent=True)
        yield from map(found, page.items)
        if page.after is None:
            return
        window = Window(200, page.after)


def has_lines(day: str) -> bool:
    """Say whether a day has any line."""
    return bool(reads.query(AuditRow, day, limit=1, consistent=True).items)


def found(item: Mapping[str, Any]) -> Found:
    """Return a line as the table holds it."""
    return Found(item["day"]["S"], item["id"]["S"], line_digest(item), line_of(dict(item)).subjects())
