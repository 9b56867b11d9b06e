"""The cashier of a stand-in: one self-contained page on which a person plays the buyer, the provider, and bad luck."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_MARK = "/*STATE*/null"
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""Nobody may show the page in a frame and have people click on what they do not see."""


@cache
def _template() -> str:
    return Path(__file__).with_suffix(".html").read_text("utf-8")


def page(state: Mapping[str, Any]) -> str:
    """Return the page with what is known now; it asks for ``/state`` by itself from then on."""
    text = json.dumps(state, default=list, ensure_ascii=False)
    for mark in "<>&":  # It stands inside a script element.
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return _template().replace(_MARK, text)
