"""Facts that nobody waits for yet: they ride on no row, so a test listens where they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.kernel.events import Envelope
from chalicelib.runtime.db import work


@contextmanager
def listening() -> Iterator[list[Envelope]]:
    """Collect what is committed in the block, oldest first."""
    told: list[Envelope] = []
    with work.listening(told.extend):
        yield told
