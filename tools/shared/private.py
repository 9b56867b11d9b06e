"""Files that are nobody else's business: what a laptop keeps of a shop holds passwords, keys and people."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

FOLDER = 0o700
FILE = 0o600


def folder(path: Path, ours: Collection[str]) -> Path:
    """Make a folder that only its owner enters; in one that is there, close the files that are ours."""
    if not path.exists():
        path.mkdir(mode=FOLDER, parents=True)
    known = [path / name for name in ours if (path / name).is_file() and not (path / name).is_symlink()]
    if known or not any(path.iterdir()):  # Else it is somebody's folder that only happens to be named.
        path.chmod(FOLDER)
    for file in known:
        file.chmod(FILE)
    return path


def touch(path: Path) -> Path:
    """Make sure that a file is there which only its owner reads, to be appended to."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE))
    path.chmod(FILE)
    return path


def write(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    beside.replace(path)
