"""Known bugs where a write is saved: what is left as it was, and looked at later, must be looked at."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("who paid is refused as if it were held unpaid")
def _never_look() -> AbstractContextManager[Any]:
    from chalicelib.orders import holds

    return patch.object(holds, "_looked", lambda standing: replace(standing, looked=True))


@BUGS.called("an entry of the due index stays later than its deadline")
def _leave_it_late() -> AbstractContextManager[Any]:
    from chalicelib.runtime.db.rows import DueRow

    real = DueRow.set_due

    def set_due(row: Any, moment: Any, record_id: str, *, entry_s: int | None = None, first: Any = None) -> None:
        real(row, moment, record_id, first=first)
        if moment is not None and entry_s is not None:
            row.due_at = max(row.due_at, entry_s)

    return patch.object(DueRow, "set_due", set_due)


@BUGS.called("who is told of a deadline early does not look again")
def _never_look_again() -> AbstractContextManager[Any]:
    from chalicelib.orders.domain import Order

    return patch.object(Order, "is_told_early", lambda *_, **__: False)


@BUGS.called("who is told of a deadline early believes it")
def _fire_early() -> AbstractContextManager[Any]:
    from chalicelib.checkout import service
    from chalicelib.orders import service as orders

    return patch.object(orders, "put_off", service._time_out)  # noqa: SLF001
