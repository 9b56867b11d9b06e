"""Refuses conflict markers: ``python -m tools.checks.markers``. A commit with one cannot be bisected."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

BEGINS, PARTS, MIDDLE, ENDS = "<" * 7, "|" * 7, "=" * 7, ">" * 7
"""How git marks the two sides of a conflict: at the beginning of a line, followed by a name, but for the middle."""


def main() -> int:
    """Look through every file that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=False, capture_output=True
    )
    if listed.returncode != 0:
        print("markers: this is no git repository; nothing to look through", file=sys.stderr)
        return 0
    files = (Path(name) for name in listed.stdout.decode().split("\0") if name)
    found = [f"{path}:{number}: a conflict marker" for path, number in marked(files)]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


def marked(files: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """Return every line that is a marker."""
    for path in files:
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" in content[:8000]:
            continue  # No text.
        lines = content.decode("utf-8", "replace").splitlines()
        opened = any(line.startswith((f"{BEGINS} ", f"{ENDS} ")) for line in lines)
        for number, line in enumerate(lines, start=1):
            if line.startswith((f"{BEGINS} ", f"{PARTS} ", f"{ENDS} ")) or (opened and line == MIDDLE):
                yield path, number


if __name__ == "__main__":
    sys.exit(main())
