"""Survivors that mean nothing, each with the reason why no test can tell them from the rule."""

from __future__ import annotations

import tomllib
from pathlib import Path

FILE = Path(__file__).with_name("known.toml")


def known(file: Path = FILE) -> dict[str, str]:
    """Return the reason of each known survivor by its name.

    Raises:
        ValueError: if one has no reason.
    """
    entries = tomllib.loads(file.read_text("utf-8")).get("known", [])
    without = [entry["what"] for entry in entries if not entry.get("why", "").strip()]
    if without:
        raise ValueError(f"known.toml: say why of {', '.join(without)}")
    return {entry["what"]: entry["why"] for entry in entries}
