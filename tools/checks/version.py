"""The product's version. It stands in ``pyproject.toml`` and nowhere else; whoever needs it asks here."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def version() -> str:
    """Return the version of what stands here: released already, or being worked on."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])
