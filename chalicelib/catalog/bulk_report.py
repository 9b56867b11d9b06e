"""What an import tells its merchant: counts, refused lines, and what is to be known of what was taken. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from chalicelib.catalog import csvcolumns
from chalicelib.catalog.csvfile import Group
from chalicelib.catalog.csvreasons import Finding, note
from chalicelib.catalog.jobs import NoteCount, Progress

NOTES_KEPT: Final = 10_000
"""Single notes beyond this are counted, not listed."""
KINDS_KEPT: Final = 500
IGNORED: Final = "column_ignored"


@dataclass(slots=True)
class Tally:
    """What one step of an import did."""

    created: int = 0
    updated: int = 0
    refused: int = 0
    lines: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    """Lines with something in a column that is not kept."""

    @property
    def products(self) -> int:
        """Return how many were dealt with."""
        return self.created + self.updated + self.refused

    def refuse(self, findings: Sequence[Finding]) -> None:
        """Count a refused product and keep why."""
        self.refused += 1
        self.findings += findings

    def take(self, notes: Sequence[Finding], *, created: bool) -> None:
        """Count a product that was taken, and keep what is to be known of it."""
        self.notes += notes
        if created:
            self.created += 1
        else:
            self.updated += 1

    def leave_out(self, group: Group, ignored: Sequence[str]) -> None:
        """Count what a product's lines hold in columns that are not kept."""
        for line in group.lines:
            for column in ignored:
                if line.get(column):
                    self.ignored[column] = self.ignored.get(column, 0) + 1


def header_notes(columns: Sequence[str]) -> tuple[NoteCount, ...]:
    """Return a note for each column of the file that is not kept; of one without a name, once it holds something."""
    found = [NoteCount(IGNORED, column, 1, 0) for column in csvcolumns.ignored(columns) if not column.startswith("#")]
    return tuple(found[:KINDS_KEPT])


def counted(progress: Progress, tally: Tally) -> Progress:
    """Return the progress with what a step did."""
    notes = {(one.code, one.column): one for one in progress.notes}
    for found in tally.notes:
        _count(notes, found.code, found.column, found.line, 1)
    for column, lines in tally.ignored.items():
        _count(notes, IGNORED, column, 1, lines)
    return replace(
        progress,
        created=progress.created + tally.created,
        updated=progress.updated + tally.updated,
        refused=progress.refused + tally.refused,
        lines=progress.lines + tally.lines,
        lines_refused=progress.lines_refused + len({one.line for one in tally.findings}),
        notes=tuple(notes.values()),
    )


def _count(notes: dict[tuple[str, str], NoteCount], code: str, column: str, line: int, more: int) -> None:
    had = notes.get((code, column))
    if had is not None:
        notes[code, column] = replace(had, lines=had.lines + more)
    elif len(notes) < KINDS_KEPT:
        notes[code, column] = NoteCount(code, column, line, more)


def of_columns(notes: Iterable[NoteCount]) -> list[Finding]:
    """Return the notes about whole columns as lines of the report."""
    return [note(one.line, one.column, one.code) for one in notes if one.code == IGNORED]
