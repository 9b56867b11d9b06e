"""Known bugs of mediation: who bears what was decided, and a turn without an end."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("what the platform bears is never booked")
def _bear_nothing() -> AbstractContextManager[Any]:
    from chalicelib.complaints import bearing

    return patch.object(bearing, "settle", lambda *_: False)


@BUGS.called("an appeal has no deadline")
def _judge_never() -> AbstractContextManager[Any]:
    from chalicelib.complaints import domain
    from chalicelib.complaints.states import Cause

    real = domain.move

    def move(complaint: Any, cause: Any, entry: Any) -> Any:
        moved = real(complaint, cause, entry)
        return replace(moved, due=None) if cause is Cause.APPEAL else moved

    return patch.object(domain, "move", move)
