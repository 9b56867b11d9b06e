"""The job behind the audit: links the lines that are new, closes days that are over, and looks at each once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final

from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_ms
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate
from chalicelib.oversight.chain import domain, store
from chalicelib.oversight.chain.domain import Batch, Found, Link, Progress
from chalicelib.runtime import lifetime, log, metrics, write_once
from chalicelib.runtime.db.work import UnitOfWork

ROOT: Final = "audit/"
BEHIND: Final = timedelta(minutes=1)
"""An act is written within the twenty seconds of its request: a minute later its line is there to be read."""
CLOSES: Final = timedelta(hours=1)
"""So long after its end a day is closed."""
BEGIN: Final = timedelta(days=30)
"""So far back the first run of all looks for lines that nobody linked."""
MOST_LINKS: Final = 90
"""Of one batch: its links and the job's progress are one transaction."""
MOST_LINES: Final = 50
ENOUGH_S: Final = 5.0
"""With less than this left a run stops where it is; the next goes on there."""


def key_of(number: int) -> str:
    """Return the key of a batch."""
    return f"{ROOT}{number:010d}.json"


def run() -> dict[str, int]:
    """Seal what is new; returns how many lines were linked and how many days closed.

    Raises:
        AlreadyExists: if links are where ours belong, and no run of ours put them there.
    """
    told = {"lines": 0, "late": 0, "days": 0}
    while lifetime.left_s() > ENOUGH_S:
        row = store.progress_row()
        progress = store.progress_of(row) or Progress(places={_first_day().isoformat(): ""})
        batch = _next(progress)
        if batch is None:
            break
        if not write_once.write(key_of(batch.number), domain.written(batch)):
            batch = _as_written(batch.number)
        try:
            with UnitOfWork() as work:
                store.save(work, row, batch, domain.after(progress, batch))
        except (ConcurrentUpdate, AlreadyExists):
            if (store.progress_of(store.progress_row()) or Progress()).number < batch.number:
                raise  # Nobody was faster: somebody else's links are in the way.
            log.info("the audit was sealed by another run already")
            break
        _count(told, batch)
    _tell(told)
    return told


def _as_written(number: int) -> Batch:
    """Return a batch that is in its place already: a run was cut off behind it, or another is at it."""
    content = write_once.read(key_of(number))
    if content is None:
        raise ConcurrentUpdate
    return domain.read(content)


def _next(progress: Progress) -> Batch | None:
    """Return the batch that comes next, or None if there is nothing to seal and no day to close."""
    for day in _open_days(progress):
        found = store.lines(day, after=progress.places.get(day, ""), before=_until(), limit=MOST_LINES)
        if found:
            return _chained(progress, found)
    return _closing(progress)


def _closing(progress: Progress) -> Batch | None:
    day = min(progress.places)
    end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), UTC)
    if clock.now() < end + CLOSES:
        return None
    sealed = store.digests_on(domain.day_subject(day))
    late = list(islice(_not_sealed(day, sealed), MOST_LINES + 1))
    if len(late) > MOST_LINES:
        return _chained(progress, late[:MOST_LINES], late=True)
    return _chained(progress, late, late=True, closes=day)


def _not_sealed(day: str, sealed: Mapping[str, str]) -> Iterator[Found]:
    """Yield the lines of a day that no run saw; what is sealed must still be what it was."""
    left = dict(sealed)
    for line in store.all_lines(day):
        was = left.pop(domain.line_key(day, line.id), None)
        if was is None:
            yield line
        elif was != line.digest:
            _broken("a line of the audit was changed", domain.line_key(day, line.id))
    for key in left:
        _broken("a line of the audit is missing", key)


def _broken(what: str, key: str) -> None:
    log.error(what, line=key)
    metrics.count("audit_broken")


def _chained(progress: Progress, found: list[Found], *, late: bool = False, closes: str | None = None) -> Batch:
    """Return the batch of as many of the lines as a transaction takes."""
    taken: list[Found] = []
    room = MOST_LINKS
    for line in found:
        room -= 1 + len(line.subjects)
        if room < 0:
            break
        taken.append(line)
    if len(taken) < len(found):
        closes = None
    return domain.chained(progress, taken, _heads(taken, closes), late=late, closes=closes)


def _heads(found: list[Found], closes: str | None) -> dict[str, Link]:
    subjects = dict.fromkeys(subject for line in found for subject in (domain.day_subject(line.day), *line.subjects))
    if closes is not None:
        subjects[domain.day_subject(closes)] = None
    heads = {subject: store.head(subject) for subject in subjects}
    return {subject: head for subject, head in heads.items() if head is not None}


def _open_days(progress: Progress) -> Iterator[str]:
    day, today = date.fromisoformat(min(progress.places)), clock.now().date()
    while day <= today:
        yield day.isoformat()
        day += timedelta(days=1)


def _until() -> str:
    """Return the place before which every line is there to be read."""
    return f"{epoch_ms(clock.now() - BEHIND):014d}"


def _first_day() -> date:
    """Return the day of the first line that may be left from before there was a chain; today if there is none."""
    today = clock.now().date()
    for back in range(BEGIN.days, 0, -1):
        if store.has_lines((today - timedelta(days=back)).isoformat()):
            return today - timedelta(days=back)
    return today


def _count(told: dict[str, int], batch: Batch) -> None:
    late = sum(line.late for line in batch.lines)
    told["lines"] += len(batch.lines)
    told["late"] += late
    told["days"] += batch.closed is not None


def _tell(told: dict[str, int]) -> None:
    if told["lines"]:
        metrics.count("audit_lines_sealed", told["lines"])
    if told["late"]:
        log.warning("lines of the audit arrived late", **told)
        metrics.count("audit_lines_late", told["late"])
