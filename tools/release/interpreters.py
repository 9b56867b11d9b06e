"""Finds the Python that the zip is made for: the newest on this machine that Lambda supports.

Byte code counts for one minor version alone, so the interpreter that compiles the zip decides about its runtime. It
needs none of our packages: pip resolves for another version than its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from infra import runtimes
from infra.runtimes import Runtime, Version

_ASK = "import sys; print(sys.implementation.name, *sys.version_info[:2], sys.version.replace('\\n', ' '))"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One Python on this machine."""

    path: str
    version: Version
    build: str
    """All that it says of itself: byte code of another build may differ."""

    @property
    def tag(self) -> str:
        """Return its minor version as pip writes it."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def runtime(self) -> Runtime:
        """Return its runtime."""
        return runtimes.RUNTIMES[self.version]


def ask(path: str) -> Interpreter | None:
    """Return what an interpreter says of itself; None if it is no CPython that runs."""
    try:
        done = subprocess.run([path, "-S", "-c", _ASK], check=False, capture_output=True, text=True, timeout=30)
        name, major, minor, build = done.stdout.split(" ", 3)
        found = Interpreter(path, (int(major), int(minor)), build.strip())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return found if name == "cpython" and done.returncode == 0 else None


def at_hand() -> Iterator[Interpreter]:
    """Yield the interpreters on this machine that Lambda might have: the one that runs us first."""
    paths = [sys.executable, *(shutil.which(runtime.identifier) for runtime in runtimes.RUNTIMES.values())]
    for path in paths:
        found = ask(path) if path else None
        if found is not None:
            yield found


def chosen(named: str | None = None) -> Interpreter:
    """Return the interpreter to package for: the one that was named, else the newest that is supported.

    Raises:
        Unsupported: if there is none.
    """
    today = datetime.now(UTC).date()
    if named:
        path = shutil.which(named)
        found = ask(path) if path else None
        if found is None:
            raise runtimes.Unsupported(f"{named} is no CPython that runs here")
        runtimes.supported(found.version, today)
        return found
    there = list(at_hand())
    best = runtimes.newest((one.version for one in there), today)
    return next(one for one in there if one.version == best.version)
