"""Prints tables that a person can read in a terminal and paste into Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers stand right."""
    texts = [[_text(value) for value in row] for row in rows]
    kept = [list(row) for row in rows] if isinstance(rows, list) else []
    widths = [max(len(name), *(len(row[at]) for row in texts), 3) for at, name in enumerate(names)]
    right = [all(isinstance(row[at], (int, float)) for row in kept) and bool(kept) for at in range(len(names))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(cells, widths, right, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = (
        "|"
        + "|".join(f"{'-' * (w + 1)}:" if r else f"{'-' * (w + 2)}" for w, r in zip(widths, right, strict=True))
        + "|"
    )
    return "\n".join([line(list(names)), rule, *(line(row) for row in texts)])


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
