"""Lambda's Python runtimes: on which Linux each runs, and until when AWS supports it.

From AWS's page "Lambda runtimes" (docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html), looked up on the day that
:data:`CHECKED` says. A runtime that AWS adds gets a line here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

CHECKED = date(2026, 11, 29)
SOON = timedelta(days=270)
"""So long before its end a runtime is spoken of at each packaging: a change of interpreter wants testing."""

Version = tuple[int, int]


class Unsupported(Exception):
    """AWS does not support the runtime (any more); the message says what to take."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One runtime."""

    version: Version
    glibc_minor: int
    """Lambda's glibc, 2.x: Amazon Linux 2 up to Python 3.11, Amazon Linux 2023 after."""
    ends: date
    """The last day with security updates."""
    last_update: date
    """After it functions of this runtime can be neither created nor changed."""

    @property
    def identifier(self) -> str:
        """Return what Lambda calls it."""
        return f"python{self.version[0]}.{self.version[1]}"

    def said(self) -> str:
        """Return it in words."""
        return f"{self.identifier}, supported by AWS until {self.ends.isoformat()}"


RUNTIMES: dict[Version, Runtime] = {
    runtime.version: runtime
    for runtime in (
        Runtime((3, 11), 26, date(2027, 6, 30), date(2027, 8, 31)),
        Runtime((3, 12), 34, date(2028, 10, 31), date(2029, 1, 10)),
        Runtime((3, 13), 34, date(2029, 6, 30), date(2029, 8, 31)),
        Runtime((3, 14), 34, date(2029, 6, 30), date(2029, 8, 31)),
    )
}


def supported(version: Version, today: date) -> Runtime:
    """Return the runtime of a Python version.

    Raises:
        Unsupported: if there is none that we know of, or its support has ended.
    """
    names = ", ".join(runtime.identifier for runtime in RUNTIMES.values() if today <= runtime.ends)
    found = RUNTIMES.get(version)
    if found is None:
        told = f"{version[0]}.{version[1]}"
        raise Unsupported(f"Lambda has no Python {told} that we know of; there are {names or 'none'}")
    if today > found.ends:
        raise Unsupported(f"AWS ended {found.identifier} on {found.ends.isoformat()}; take one of {names or 'none'}")
    return found


def newest(versions: Iterable[Version], today: date) -> Runtime:
    """Return the newest supported runtime among the Python versions at hand.

    Raises:
        Unsupported: if none of them is supported.
    """
    at_hand = sorted(set(versions), reverse=True)
    for version in at_hand:
        if version in RUNTIMES and today <= RUNTIMES[version].ends:
            return RUNTIMES[version]
    return supported(at_hand[0], today)


def warning(runtime: Runtime, today: date) -> str:
    """Return what is to be said about a runtime that ends soon, nothing otherwise."""
    left = runtime.ends - today
    if left > SOON:
        return ""
    return f"{runtime.identifier} ends in {left.days} days, on {runtime.ends.isoformat()}: install a newer Python"
