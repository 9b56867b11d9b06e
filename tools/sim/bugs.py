"""Where known bugs are listed, each under the words that a person would use for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

Bug = Callable[[], AbstractContextManager[Any]]


class Bugs(dict[str, Bug]):
    """Known bugs by name; each puts itself in for the length of a block."""

    def called(self, name: str) -> Callable[[Bug], Bug]:
        """List a bug under a name."""

        def register(bug: Bug) -> Bug:
            self[name] = bug
            return bug

        return register
