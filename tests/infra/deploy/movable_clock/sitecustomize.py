"""On the path of the engine's Lambda workers: lets a test move the clock of functions that run from the finished zip.

Nothing in the zip knows of it. When a worker imports ``chalicelib.kernel.clock``, a source is installed that adds the
seconds in the file named by ``BIANDAN_TEST_CLOCK``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

CLOCK = "chalicelib.kernel.clock"
FILE = os.environ.get("BIANDAN_TEST_CLOCK", "")


def moved() -> datetime:
    """Return the system's time plus the offset in the file."""
    text = Path(FILE).read_text(encoding="ascii") if Path(FILE).exists() else ""
    return datetime.now(UTC) + timedelta(seconds=float(text or 0))


class Finder(MetaPathFinder):
    """Finds the clock as everybody does, but installs the source once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the wrapped spec of the clock, None for everything else."""
        if fullname != CLOCK:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = Installing(spec.loader)
        return spec


class Installing(Loader):
    """Runs the real loader, then installs the source."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the real loader."""
        created: ModuleType | None = self._real.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Load and install."""
        self._real.exec_module(module)
        module.install(moved)


if FILE:
    sys.meta_path.insert(0, Finder())
