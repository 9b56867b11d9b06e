"""Whether the audit is what it was: batches, lines and links held against each other. Pure.

The batches are the witness, for they stand where nobody can change them; each carries the digest of the one before. A
line, a link or a day that differs from them is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.oversight.chain import domain
from chalicelib.oversight.chain.domain import BEGINNING, Batch, Link, Progress, SealedLine


class Kind(StrEnum):
    """What can be wrong. Those that begin with ``waits`` or ``older`` are no harm, but worth saying."""

    BATCH_MISSING = "batch_missing"
    BATCH_CHANGED = "batch_changed"
    BATCH_REWRITTEN = "batch_rewritten"
    BATCH_FORGED = "batch_forged"
    LINE_CHANGED = "line_changed"
    LINE_MISSING = "line_missing"
    LINE_INSERTED = "line_inserted"
    LINE_LATE = "line_late"
    LINK_CHANGED = "link_changed"
    LINK_MISSING = "link_missing"
    LINK_FORGED = "link_forged"
    DAY_DIFFERS = "day_differs"
    END_MISSING = "end_missing"
    HEAD_DIFFERS = "head_differs"
    WAITS = "waits"
    OLDER = "older"


HARMLESS = frozenset({Kind.WAITS, Kind.OLDER, Kind.LINE_LATE})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, and where."""

    kind: Kind
    where: str

    @property
    def harms(self) -> bool:
        """Say whether somebody must have changed something."""
        return self.kind not in HARMLESS


@dataclass(slots=True)
class Proof:
    """What the batches say, read one after the other; what differs is found on the way."""

    findings: list[Finding] = field(default_factory=list)
    batches: dict[int, str] = field(default_factory=dict)
    """Number -> digest."""
    progress: Progress = field(default_factory=Progress)
    _lines: dict[str, str] = field(default_factory=dict)
    _links: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    _heads: dict[str, Link] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _first_day: str = ""
    _gap: bool = False
    """A batch is missing: of what it held, later ones say only where it ended."""

    def add(self, number: int, batch: Batch | None) -> None:
        """Take the next batch; None: it is not there."""
        where = f"batch {number}"
        if batch is None:
            self._find(Kind.BATCH_MISSING, where)
            self._gap = True
            return
        if batch.number != number or batch.digest != domain.batch_digest(batch):
            self._find(Kind.BATCH_CHANGED, where)
        elif batch.previous != self.progress.digest and (number == 1 or number - 1 in self.batches):
            self._find(Kind.BATCH_FORGED, where)
        for line in batch.lines:
            self._take(line)
        closed = batch.closed
        if closed is not None:
            head = self._heads.get(domain.day_subject(closed.day), Link("", 0, BEGINNING))
            if (closed.count, closed.digest) != (head.number, head.digest) and not self._gap:
                self._find(Kind.DAY_DIFFERS, closed.day)
            self._closed.add(closed.day)
        days = [line.day for line in batch.lines] + ([closed.day] if closed is not None else [])
        self._first_day = min([*days, *([self._first_day] if self._first_day else [])], default="")
        self.batches[number] = batch.digest
        self.progress = domain.after(self.progress, batch)

    def _take(self, line: SealedLine) -> None:
        if line.late:
            self._find(Kind.LINE_LATE, line.key)
        if line.key in self._lines:
            self._find(Kind.BATCH_FORGED, line.key)
        self._lines[line.key] = line.digest
        for link in line.links:
            before = self._heads.get(link.subject, Link(link.subject, 0, BEGINNING))
            wanted = domain.link_digest(before.digest, link.subject, before.number + 1, line.key, line.digest)
            known = link.number == before.number + 1 or not self._gap
            if known and (link.number, link.digest) != (before.number + 1, wanted):
                self._find(Kind.BATCH_FORGED, f"{line.key} on {link.subject}")
            self._heads[link.subject] = link
            self._links[(link.subject, link.number)] = (line.key, link.digest)

    def rewritten(self, number: int) -> None:
        """Note that a batch was written again, or hidden."""
        self._find(Kind.BATCH_REWRITTEN, f"batch {number}")

    def check_line(self, day: str, line_id: str, digest: str, *, before: str) -> None:
        """Hold a line that is there against the seals. What is older than ``before`` (a place) should have one."""
        key = domain.line_key(day, line_id)
        was = self._lines.pop(key, None)
        if was is not None:
            if was != digest:
                self._find(Kind.LINE_CHANGED, key)
        elif self._first_day and day < self._first_day:
            self._find(Kind.OLDER, key)
        elif day in self._closed:
            self._find(Kind.LINE_INSERTED, key)
        elif line_id <= self.progress.places.get(day, ""):
            self._find(Kind.LINE_LATE, key)
        elif line_id < before:
            self._find(Kind.WAITS, key)

    def check_link(self, link: Link, line: str) -> None:
        """Hold a link that is there against the seals."""
        was = self._links.pop((link.subject, link.number), None)
        if was is None:
            self._find(Kind.LINK_FORGED, f"{line} on {link.subject} as {link.number}")
        elif was != (line, link.digest):
            self._find(Kind.LINK_CHANGED, f"{was[0]} on {link.subject} as {link.number}")

    def check_end(self, progress: Progress | None, *, head: tuple[int, str] | None = None) -> None:
        """Hold what the job says of itself, and what somebody noted of it elsewhere, against the seals.

        Call it last: what no line and no link was there for is missing.
        """
        for key in sorted(self._lines):
            self._find(Kind.LINE_MISSING, key)
        for (subject, number), (key, _) in sorted(self._links.items()):
            self._find(Kind.LINK_MISSING, f"{key} on {subject} as {number}")
        last = max(self.batches, default=0)
        said = progress or Progress()
        # A run that was cut off between the two leaves the job one behind its seals; the next takes it up.
        if said.number > last or said.number < last - 1 or self._digest(said.number) != said.digest:
            self._find(Kind.END_MISSING, f"the job is at batch {said.number}, the seals end at {last}")
        if head is not None and self.batches.get(head[0]) != head[1]:
            self._find(Kind.HEAD_DIFFERS, f"batch {head[0]}")

    def _digest(self, number: int) -> str | None:
        return self.batches.get(number) if number else BEGINNING

    def _find(self, kind: Kind, where: str) -> None:
        self.findings.append(Finding(kind, where))

    @property
    def broken(self) -> Iterator[Finding]:
        """Yield what nobody but an intruder leaves."""
        return (found for found in self.findings if found.harms)
