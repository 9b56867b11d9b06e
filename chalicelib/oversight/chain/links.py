"""What was done about a subject: its lines in the order of its chain, with the digests that prove them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Page, Window
from chalicelib.oversight import store as lines_store
from chalicelib.oversight.chain import domain, store
from chalicelib.oversight.domain import Line

UNSEALED_DAYS = 2
"""What is not linked yet was written today, or yesterday a moment ago."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A line, and where it hangs on the subject's chain; a ``batch`` of 0: the job has not come to it yet."""

    line: Line
    digest: str
    link: str = ""
    number: int = 0
    batch: int = 0
    as_sealed: bool = True
    """Whether the line is what it was when it was sealed."""


def about(subject: str, window: Window) -> Page[Proven]:
    """Return one page of what was done about a subject, the first first; lines that are missing are left out.

    What is too young to be linked is not among them: see :func:`unsealed`.
    """
    page = store.links(subject, window)
    items = lines_store.raw_lines((found.line[:10], found.line[11:]) for found in page.items)
    proven = []
    for found in page.items:
        item = items.get(found.line)
        if item is None:
            continue
        same = domain.line_digest(item) == found.line_digest
        line = lines_store.line_of(item)
        proven.append(Proven(line, found.line_digest, found.link.digest, found.link.number, found.batch, same))
    return Page(proven, page.after)


def unsealed(subject: str) -> list[Proven]:
    """Return what was done about a subject a moment ago, before the job came to it."""
    progress = store.progress_of(store.progress_row())
    today = clock.now().date()
    found = []
    for day in ((today - timedelta(days=back)).isoformat() for back in reversed(range(UNSEALED_DAYS))):
        place = progress.places.get(day, "") if progress is not None else ""
        if progress is not None and progress.places and day < min(progress.places):
            continue
        for item in store.raw_from(day, after=place):
            line = lines_store.line_of(item)
            if subject in (domain.day_subject(day), *line.subjects()):
                found.append(Proven(line, domain.line_digest(item)))
    return found
