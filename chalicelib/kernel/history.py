"""Histories remember the requests that made their entries: a repeat is seen for one, without a row of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chalicelib.kernel.errors import IdempotencyKeyReused


class Remembering(Protocol):
    """An entry that remembers the request which made it; one of the system's own has neither."""

    @property
    def intent(self) -> str:
        """Return the short name of the request's key."""

    @property
    def fingerprint(self) -> str:
        """Return the digest of its body."""


def remembered(history: Iterable[Remembering], intent: str, fingerprint: str) -> bool:
    """Say whether this very request already made its entry. Without a key nothing is remembered.

    Raises:
        IdempotencyKeyReused: if its key made an entry with another body.
    """
    for entry in history:
        if intent and entry.intent == intent:
            if entry.fingerprint != fingerprint:
                raise IdempotencyKeyReused
            return True
    return False
