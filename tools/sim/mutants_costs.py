"""Known bugs where a write is saved: what is left as it was, and looked at later, must be looked at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

BUGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {}
Bug = Callable[[], AbstractContextManager[Any]]


def _bug(name: str) -> Callable[[Bug], Bug]:
    def register(made: Bug) -> Bug:
        BUGS[name] = made
        return made

    return register


@_bug("who paid is refused as if it were held unpaid")
def _never_look() -> AbstractContextManager[Any]:
    from chalicelib.orders import holds

    return patch.object(holds, "_looked", lambda standing: replace(standing, looked=True))
