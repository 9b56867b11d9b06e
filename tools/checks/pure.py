"""Which files decide and do nothing else: no clock of their own, no storage, no network."""

from __future__ import annotations

from pathlib import Path

from tools.checks.version import ROOT

PURE = ("kernel/*.py", "*/domain.py", "*/domain/*.py", "*/*_rules.py")
"""Patterns below ``chalicelib``."""


def pure_files() -> list[Path]:
    """Return the files, seen from the repository's root."""
    folder = ROOT / "chalicelib"
    return sorted({found.relative_to(ROOT) for pattern in PURE for found in folder.glob(pattern)})
