"""The page of the stand-in: a person says yes or no, and picks what the platforms answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tools.fakes.sandbox.cashier import HEADERS

__all__ = ["HEADERS", "page"]

_MARK = "/*STATE*/null"


@cache
def _template() -> str:
    return Path(__file__).with_suffix(".html").read_text("utf-8")


def page(state: Mapping[str, Any]) -> str:
    """Return the page with what is known now."""
    text = json.dumps(state, default=list, ensure_ascii=False)
    for mark in "<>&":  # It stands inside a script element.
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return _template().replace(_MARK, text)
