"""Reads the decisions in ``docs/adr``: numbered, each with its status, listed in an index that is generated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.checks.version import ROOT

FOLDER = ROOT / "docs" / "adr"
INDEX = "docs/adr/README.md"
_NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
_STATUS = re.compile(r"Status: (proposed|accepted|rejected|superseded by \[(\d{4})\]\((\S+)\)), (\d{4}-\d\d-\d\d)")


class BadDecision(ValueError):
    """A page in ``docs/adr`` without number, title or status, or one that names a successor that is not there."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One page."""

    number: int
    file: str
    title: str
    status: str


def decisions(folder: Path = FOLDER) -> list[Decision]:
    """Return all decisions in the order of their numbers.

    Raises:
        BadDecision: if a page breaks the form, a number is used twice or left out, or a successor is missing.
    """
    found = [_read(page) for page in sorted(folder.glob("*.md")) if page.name != "README.md"]
    numbers = [decision.number for decision in found]
    if numbers != list(range(1, len(numbers) + 1)):
        raise BadDecision(f"docs/adr: the numbers are {numbers}; count them from 0001 without a gap, each once")
    return found


def _read(page: Path) -> Decision:
    named = _NAME.fullmatch(page.name)
    if named is None:
        raise BadDecision(f"docs/adr/{page.name}: call it NNNN-name.md, with the next free number")
    lines = page.read_text("utf-8").splitlines()
    status = _STATUS.fullmatch(lines[2]) if len(lines) > 2 else None
    if not lines[0].startswith("# ") or status is None:
        raise BadDecision(f"docs/adr/{page.name}: begin with '# <the rule>', a blank line, 'Status: accepted, <date>'")
    if status[3] and not (page.parent / status[3]).is_file():
        raise BadDecision(f"docs/adr/{page.name}: its successor {status[3]} is not there")
    return Decision(int(named[1]), page.name, lines[0].removeprefix("# "), lines[2].removeprefix("Status: "))


def index_text() -> str:
    """Return ``docs/adr/README.md``."""
    lines = [
        "<!-- Written by `make generate` from the pages beside it; do not edit. -->",
        "",
        "# Decisions",
        "",
        "Half a page each: what was decided and why, what it costs, what was rejected. A page is named `NNNN-name.md`,",
        "its title is the rule, and its third line says how it stands: `Status: accepted, 2026-11-22` (or `proposed`,",
        "`rejected`, `superseded by [0042](0042-name.md)`). A decision that changes gets a successor; its page stays.",
        "",
        "| | decision | status |",
        "|---|---|---|",
    ]
    lines += [
        f"| {decision.number:04d} | [{decision.title}]({decision.file}) | {decision.status} |"
        for decision in decisions()
    ]
    return "\n".join([*lines, ""])
