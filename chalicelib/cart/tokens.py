"""A guest's token: random, and signed, so that only we begin carts."""

from __future__ import annotations

import hashlib
import hmac
import re

from chalicelib.kernel import ids
from chalicelib.runtime import secrets

_SHAPE = re.compile(r"[0-9a-f]{40}")
_RANDOM_BYTES = 12
_RANDOM_CHARACTERS = 2 * _RANDOM_BYTES


def new() -> str:
    """Return a fresh token: 96 random bits that name the cart, and 64 bits that say we gave it out."""
    random = ids.random_bytes(_RANDOM_BYTES).hex()
    return random + _mac(random)


def is_shaped(token: str) -> bool:
    """Say whether it looks like a token at all."""
    return _SHAPE.fullmatch(token) is not None


def is_ours(token: str) -> bool:
    """Say whether we gave it out."""
    random, mac = token[:_RANDOM_CHARACTERS], token[_RANDOM_CHARACTERS:]
    return is_shaped(token) and hmac.compare_digest(mac, _mac(random))


def _mac(random: str) -> str:
    key = secrets.text("http", "cursor_key").encode()
    return hmac.new(key, f"cart\n{random}".encode(), hashlib.sha256).hexdigest()[: 40 - _RANDOM_CHARACTERS]
