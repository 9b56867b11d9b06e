"""Finds the Python that the zip is made for: the newest on this machine that Lambda supports.

Byte code counts for one minor version alone, so the interpreter that compiles the zip decides about its runtime. It
needs none of our packages: pip resolves for another version than its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
    asked: set[str] = set()
    for path in (sys.executable, *_places()):
        if path not in asked:
            asked.add(path)
            found = ask(path)
            if found is not None:
                yield found


def _places() -> Iterator[str]:
    """Yield where a Python may be: the whole ``PATH``, whose first may be a shim that does not run, then managers'."""
    for runtime in runtimes.RUNTIMES.values():
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            path = shutil.which(runtime.identifier, path=folder) if folder else None
            if path:
                yield path
        version = runtime.identifier.removeprefix("python")
        for root, pattern in _managers(version):
            yield from sorted(map(str, root.glob(f"{pattern}/bin/{runtime.identifier}")), reverse=True)


def _managers(version: str) -> Iterator[tuple[Path, str]]:
    """Yield the folder of each manager of versions, and what it calls those of one minor version."""
    home = Path(os.environ.get("HOME") or "/nowhere")
    yield Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions", f"{version}.*"
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    yield Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python"), f"cpython-{version}.*"


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
