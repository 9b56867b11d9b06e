"""Known bugs of refunds that are sent to a card."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs


def _count_none() -> AbstractContextManager[Any]:
    from chalicelib.payments.refunds import to_card

    return patch.object(to_card, "offline", SimpleNamespace(count_alone=lambda *_: None))


def _write_none() -> AbstractContextManager[Any]:
    from chalicelib.payments.refunds import to_card

    def written(record: Any, **changes: Any) -> Any:
        changes.pop("redirect", None)
        return replace(record, **changes)

    return patch.object(to_card, "replace", written)


BUGS = Bugs(
    {
        "what one person sends to a card is not counted": _count_none,
        "the provider hears of a card that is not written": _write_none,
    }
)
