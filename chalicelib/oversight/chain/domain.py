"""Digests, links and batches of the audit's chain. Pure.

A *link* ties a line to the line before it on the same subject: its digest covers that link's digest, the subject, the
place on it, the line's key and the digest of the line as the table holds it. A *batch* holds the links of some lines
and the digest of the batch before; it is written once. So whoever knows the last batch's digest knows every line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from chalicelib.kernel import ids

BEGINNING: Final = "0" * 64
"""What stands before the first batch, and before the first link of a subject."""
MOST_SUBJECTS: Final = 12
"""A line hangs on its day and on so many subjects at most: what it names, nearest first."""
_OF_PURCHASE = ("ord", "pay", "ref")
_SUBJECTS = ("pur", *_OF_PURCHASE, "cmp", "mer", "acc", "rrq", "cas", "str", "apr")


@dataclass(frozen=True, slots=True)
class Link:
    """A line's place in the chain of one subject."""

    subject: str
    number: int
    """Counted from 1 on each subject."""
    digest: str


@dataclass(frozen=True, slots=True)
class SealedLine:
    """A line as it was when it was sealed."""

    day: str
    id: str
    digest: str
    links: tuple[Link, ...]
    late: bool = False
    """It was found only when its day was closed: the job had passed its place before."""

    @property
    def key(self) -> str:
        """Return the line's key in one word."""
        return line_key(self.day, self.id)


@dataclass(frozen=True, slots=True)
class Closed:
    """A day that is over: so many lines it has, and this is the last link of its chain."""

    day: str
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one run of the job sealed. ``digest`` covers all the rest."""

    number: int
    previous: str
    lines: tuple[SealedLine, ...] = ()
    closed: Closed | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job is: the last batch, and for each day that is open the place up to which it was read."""

    number: int = 0
    digest: str = BEGINNING
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """A line as the table holds it."""

    day: str
    id: str
    digest: str
    subjects: tuple[str, ...]


_decode = msgspec.json.Decoder(Batch)


def day_subject(day: str) -> str:
    """Return the subject on which all lines of a day hang."""
    return f"day#{day}"


def line_key(day: str, line_id: str) -> str:
    """Return a line's key in one word."""
    return f"{day}/{line_id}"


def subject_of(record_id: str) -> str | None:
    """Return the subject that a record's id belongs to: of what hangs on a purchase, the purchase; None if of none."""
    prefix = record_id.partition("_")[0]
    if prefix not in _SUBJECTS or not ids.is_id(prefix, record_id):
        return None
    return ids.parent_id("pur", record_id) if prefix in _OF_PURCHASE else record_id


def subjects_of(named: Iterable[str]) -> tuple[str, ...]:
    """Return the subjects among what a line names, each once, in that order."""
    found = dict.fromkeys(subject for text in named if (subject := subject_of(text)) is not None)
    return tuple(found)[:MOST_SUBJECTS]


def digest_of(*parts: Any) -> str:
    """Return the SHA-256 of a list of plain values, the same whoever writes it down."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def line_digest(item: Mapping[str, Any]) -> str:
    """Return the digest of a line: of every attribute, as the table holds it."""
    return digest_of("line", item)


def link_digest(previous: str, subject: str, number: int, key: str, line: str) -> str:
    """Return the digest of a link."""
    return digest_of("link", previous, subject, number, key, line)


def batch_digest(batch: Batch) -> str:
    """Return the digest of a batch."""
    return digest_of("batch", msgspec.to_builtins(replace(batch, digest="")))


def written(batch: Batch) -> bytes:
    """Return a batch as it is written down."""
    return msgspec.json.encode(batch)


def read(content: bytes) -> Batch:
    """Return a batch of what was written down.

    Raises:
        msgspec.ValidationError, msgspec.DecodeError: if it is none.
    """
    return _decode.decode(content)


def chained(
    progress: Progress,
    found: Sequence[Found],
    heads: Mapping[str, Link],
    *,
    late: bool = False,
    closes: str | None = None,
) -> Batch:
    """Return the batch that links the lines behind the ``heads`` of their subjects, and closes a day."""
    last = dict(heads)
    lines = []
    for line in found:
        key = line_key(line.day, line.id)
        links = []
        for subject in (day_subject(line.day), *line.subjects):
            before = last.get(subject, Link(subject, 0, BEGINNING))
            number = before.number + 1
            link = Link(subject, number, link_digest(before.digest, subject, number, key, line.digest))
            last[subject] = link
            links.append(link)
        lines.append(SealedLine(line.day, line.id, line.digest, tuple(links), late))
    closed = None
    if closes is not None:
        head = last.get(day_subject(closes), Link("", 0, BEGINNING))
        closed = Closed(closes, head.number, head.digest)
    batch = Batch(progress.number + 1, progress.digest, tuple(lines), closed)
    return replace(batch, digest=batch_digest(batch))


def after(progress: Progress, batch: Batch) -> Progress:
    """Return how far the job is when a batch is in its place."""
    places = dict(progress.places)
    for line in batch.lines:
        if not line.late:
            places[line.day] = max(places.get(line.day, ""), line.id)
    if batch.closed is not None:
        places.pop(batch.closed.day, None)
        places.setdefault(_next_day(batch.closed.day), "")
    return Progress(batch.number, batch.digest, places)


def _next_day(day: str) -> str:
    from datetime import date, timedelta

    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
