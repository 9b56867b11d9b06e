"""``python -m tools.checks.mutants [FILE ...]``: which small changes of the rules does no pure test notice?

Every pure function of the kernel and the domains is changed in one place; the tests that call it run in a child process
that was forked with everything imported. A change that they all pass is a survivor: a test is missing, or the change
means nothing. What means nothing stands in ``known.toml`` with its reason. The share that is noticed may not fall.
Tables and limits at a module's top are not changed: they are checked at import, and drawn in ``docs/states.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.checks.mutants.known import known
from tools.checks.mutants.mutations import mutants
from tools.checks.mutants.runner import Runner
from tools.checks.pure import pure_files
from tools.checks.version import ROOT

PYTEST = (
    "tests/unit",
    "--ignore-glob=tests/unit/test_*.py",
    "--ignore=tests/unit/tools",
    "--ignore=tests/unit/site",
    "--no-engine",
    "-m",
    "not process",
    "-p",
    "no:terminal",
    "-o",
    "addopts=-p no:cacheprovider",
)
FLOOR_PERCENT = 84
"""Of the changes in functions that some test calls, so many must be noticed."""


def main() -> int:
    """Change, test, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="only these files")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    started = time.monotonic()
    files = options.files or pure_files()
    runner = Runner([found for path in files for found in mutants(ROOT, path)], workers=options.workers)
    pytest.main([*PYTEST, "-W", "ignore::pytest.PytestAssertRewriteWarning"], plugins=[runner])
    for line in _told(runner, known(), whole=not options.files):
        print(line)
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if runner.broken or not runner.killed or runner.percent < FLOOR_PERCENT else 0


def _told(runner: Runner, explained: dict[str, str], *, whole: bool) -> Iterator[str]:
    if runner.broken:
        yield f"the tests fail as they are: {runner.broken}"
        return
    for found in sorted(runner.survived, key=lambda mutant: (mutant.path, mutant.line)):
        if found.name not in explained:
            yield f"survived: {found.path}:{found.line} {found.function}: {found.change}"
    alive = {found.name for found in runner.survived}
    if whole:
        yield from (
            f"known.toml: does not survive any more, take it out: {name}" for name in explained if name not in alive
        )
    untested = Counter(found.path.as_posix() for found in runner.untested)
    yield from (f"no pure test calls: {count} changes of {path}" for path, count in sorted(untested.items()))
    yield f"{len(runner.killed)} noticed, {len(runner.survived)} survived ({len(alive & explained.keys())} known)"
    yield f"{len(runner.untested)} in functions that no pure test calls"
    yield f"{runner.percent:.1f} % of those called are noticed"


if __name__ == "__main__":
    sys.exit(main())
