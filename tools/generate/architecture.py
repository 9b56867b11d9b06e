"""Writes ``docs/architecture.md``: one paragraph a room, and who knows whom, read from the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from chalicelib import topology

PACKAGE = Path(__file__).resolve().parents[2] / "chalicelib"
PAGE = "docs/architecture.md"

ENTRANCES: dict[str, tuple[str, ...]] = {
    "auth": ("auth", "consents", "risk", "oversight", "privacy", "explaining", "notifications", "telling", "webhooks"),
    "catalog": ("merchants", "catalog", "inventory", "publishing", "site"),
    "checkout": ("cart", "checkout", "orders", "bookings", "virtual", "requests"),
    "payment webhooks": ("payments", "ledger", "reconciliation"),
    "logistics tracking": ("logistics",),
    "complaints": ("complaints", "conversations", "feedback"),
    "returns": ("returns",),
}
"""The six entrances -> the capabilities behind each. A drawing's order and no more: the folders lie side by side
(docs/adr/0035-rooms.md)."""

GROUND = ("kernel", "runtime")

_INTRO = """# Architecture

What each room of `chalicelib/` owns, tells and hears, in the words of its own `__init__.py`, and who knows whom. The
words are explained in [glossary.md](glossary.md), the rules in [design.md](design.md), the decisions in
[adr/](adr/README.md); [where.md](where.md) says where a change goes. Facts that travel through queues are drawn in
[events.md](events.md).

## Who knows whom

An arrow is an import: the room at its tail calls the `service` of the one at its head. Nobody calls in a circle. What
is missing here goes through events. `kernel` and `runtime` are known to all and drawn nowhere."""

_GROUND_INTRO = """## The ground

Not capabilities: they know none of the rooms above. `topology.py` beside them is the whole chain on one
page, `policy.py` who may do what ([policy.md](policy.md))."""


def text() -> str:
    """Return the page."""
    lines = [_INTRO, "", "```mermaid", "flowchart LR", *_boxes(), *_arrows(), "```", ""]
    for entrance, names in ENTRANCES.items():
        lines += [f"## {entrance.capitalize()}", ""]
        for name in names:
            lines += [f"### {name}", "", _paragraph(name), ""]
    lines += [_GROUND_INTRO, ""]
    for name in GROUND:
        lines += [f"### {name}", "", _paragraph(name), ""]
    return "\n".join(lines)


@cache
def calls() -> dict[str, tuple[str, ...]]:
    """Return for each capability those it imports from; of a capability's events anybody may hear."""
    return {
        name: tuple(sorted({other for other in _imported(name) if other != name})) for name in topology.CAPABILITIES
    }


def _boxes() -> Iterator[str]:
    for number, (entrance, names) in enumerate(ENTRANCES.items()):
        yield f'    subgraph entrance{number}["{entrance}"]'
        yield from (f"        {name}" for name in names)
        yield "    end"


def _arrows() -> Iterator[str]:
    for names in ENTRANCES.values():
        for name in names:
            yield from (f"    {name} --> {other}" for other in calls()[name])


def _imported(name: str) -> Iterator[str]:
    for path in sorted((PACKAGE / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    _, *parts = f"{node.module}.{alias.name}".split(".")
                    if parts and parts[0] in topology.CAPABILITIES and parts[1:2] != ["events"]:
                        yield parts[0]


def _paragraph(name: str) -> str:
    docstring = ast.get_docstring(ast.parse((PACKAGE / name / "__init__.py").read_text(encoding="utf-8"))) or ""
    return docstring.replace("``", "`")
