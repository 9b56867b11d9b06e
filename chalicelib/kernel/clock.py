"""The one clock. Nothing else in the package asks the operating system for the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))
"""China has one zone and no daylight saving; a fixed offset needs no time zone data in Lambda."""

Source = Callable[[], datetime]


def _system() -> datetime:
    return datetime.now(UTC)


_source: Source = _system


def now() -> datetime:
    """Return the current time, UTC, in whole milliseconds (what we store and compare)."""
    moment = _source()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def epoch_s(moment: datetime) -> int:
    """Return whole seconds since 1970, rounded down."""
    return int(moment.timestamp())


def up_to_second(moment: datetime) -> datetime:
    """Return the first whole second that is not before a moment: as rows keep deadlines, so none is early."""
    return from_epoch_s(-int(-moment.timestamp() // 1))


def from_epoch_s(seconds: float) -> datetime:
    """Return the UTC time of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def epoch_ms(moment: datetime) -> int:
    """Return milliseconds since 1970, rounded: how rows keep a time."""
    return round(moment.timestamp() * 1000)


def from_epoch_ms(milliseconds: float) -> datetime:
    """Return the UTC time of milliseconds since 1970."""
    return from_epoch_s(milliseconds / 1000)


def epoch_ms_or_none(moment: datetime | None) -> int | None:
    """Return :func:`epoch_ms` of a time that may be missing."""
    return epoch_ms(moment) if moment is not None else None


def from_epoch_ms_or_none(milliseconds: float | None) -> datetime | None:
    """Return the time that a row keeps, None where it keeps none (some documents say 0 then)."""
    return from_epoch_ms(milliseconds) if milliseconds else None


def rfc3339(moment: datetime) -> str:
    """Return a moment of UTC as RFC 3339 writes it, with milliseconds: ``2026-01-02T03:04:05.678Z``."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def install(source: Source | None) -> None:
    """Replace the time source; ``None`` puts the system's clock back. For the dev server and the simulator."""
    global _source
    _source = source or _system


@contextmanager
def use(source: Source) -> Iterator[None]:
    """Replace the time source for the length of a block."""
    before = _source
    install(source)
    try:
        yield
    finally:
        install(before)


class Adjustable:
    """The system's clock, moved by an offset: what the dev server and tests install to make time pass."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def __call__(self) -> datetime:
        """Return the shifted time."""
        return _system() + self.offset

    def advance(self, by: timedelta) -> None:
        """Move forward; time never runs backwards here."""
        if by < timedelta():
            raise ValueError("the clock only moves forward")
        self.offset += by


class Fixed:
    """A clock that stands still until it is moved: for exact assertions."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        """Return the set time."""
        return self.moment

    def advance(self, by: timedelta) -> None:
        """Move forward."""
        self.moment += by
