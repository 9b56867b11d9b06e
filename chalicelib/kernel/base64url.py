"""Base64url without padding (RFC 4648 section 5), as tokens, states and cursors are written."""

from __future__ import annotations

import base64


def encode(raw: bytes) -> str:
    """Return bytes as text."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Return the bytes of a text that has the one spelling that :func:`encode` gives it.

    What counts once would otherwise count again, written differently.

    Raises:
        ValueError: for anything else.
    """
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    if encode(raw) != text:
        raise ValueError("not as it was written")
    return raw
