"""Text in a spreadsheet's cell: kept from being run as a formula, and exactly restored. Pure."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.kernel import text

_UNSEEN: Final = r"\s" + text.UNSEEN
"""White space and characters without width: a spreadsheet that drops them sees what stands behind."""
_SIGNS: Final = (
    r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212\u207a\u207b\u207c\u208a\u208b\u208c\ufb29\u2795\u2796"
)
"""What begins a formula, in other widths and places too: Chinese and Japanese spreadsheets fold them."""
_RUN: Final = re.compile(f"'*[{_UNSEEN}]*[{_SIGNS}\\t\\r\\n]")
"""A text that would be run, behind any number of apostrophes: so that one more can be told from the text's own."""


def guard(cell: str) -> str:
    """Keep a spreadsheet from running a text as a formula."""
    return f"'{cell}" if _RUN.match(cell) else cell


def unguard(cell: str) -> str:
    """Take the guard off again: ``unguard(guard(cell)) == cell`` for every text."""
    return cell[1:] if cell.startswith("'") and _RUN.match(cell, 1) else cell
