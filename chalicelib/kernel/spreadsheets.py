"""Text in a spreadsheet's cell: kept from being run as a formula, and exactly restored. Pure."""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef"
)
"""White space and characters without width: a spreadsheet that drops them sees what stands behind."""
_SIGNS: Final = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""What begins a formula, in the full and small widths too: Chinese and Japanese spreadsheets fold them."""
_RUN: Final = re.compile(f"'*[{_UNSEEN}]*[{_SIGNS}\\t\\r]")
"""A text that would be run, behind any number of apostrophes: so that one more can be told from the text's own."""


def guard(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula."""
    return f"'{text}" if _RUN.match(text) else text


def unguard(text: str) -> str:
    """Take the guard off again: ``unguard(guard(text)) == text`` for every text."""
    return text[1:] if text.startswith("'") and _RUN.match(text, 1) else text
