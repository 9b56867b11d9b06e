"""How a carrier goes wrong on demand: refuses with a code, answers nothing, or takes it and then falls silent."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

Answer = tuple[int, dict[str, str], bytes]


class Silence(Exception):
    """The carrier gives no answer."""


class Refused(Exception):
    """The carrier answers a code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def demand(fits: object, code: str) -> None:
    """Refuse with a code what does not fit.

    Raises:
        Refused: then.
    """
    if not fits:
        raise Refused(code)


@dataclass
class Steering:
    """What the next calls meet, one after the other."""

    _next: deque[str] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def then(self, *what: str) -> None:
        """Let the next calls meet these: a carrier's code, ``silent`` (not taken) or ``taken_silent``."""
        with self._lock:
            self._next.extend(what)

    def take(self) -> str:
        """Return what this call meets; nothing where all is well."""
        with self._lock:
            return self._next.popleft() if self._next else ""
