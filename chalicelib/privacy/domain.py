"""Erasure: what a person asks for, what stands in its way, and when it goes on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.pages import Place

GRACE = timedelta(days=7)
"""How long the person may think better of it. With a week for what follows it is done within fifteen days
(CN-PIP-47-1), unless something holds it."""
TOKENS_DIE = timedelta(minutes=15)
"""An access token lives for ten minutes, a request of it for seconds: after this nobody acts for the account."""
LOOK_AGAIN = timedelta(days=1)


class OfficeHeld(Conflict):
    """The account acts for the platform or a merchant."""

    code = "office_held"
    en = "Give up your role first: what is done in it needs its author."
    zh = "请先卸任平台或商家角色：任职期间的操作须有责任人。"


class Status(StrEnum):
    """States of an erasure."""

    REQUESTED = "requested"
    CLOSING = "closing"
    ERASING = "erasing"
    HELD = "held"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class Cause(StrEnum):
    """What moves an erasure."""

    WITHDRAW = "withdraw"
    CLOSE = "close"
    ERASE = "erase"
    HOLD = "hold"
    FINISH = "finish"
    ASK_AGAIN = "ask_again"


MACHINE = StateMachine(
    name="erasure",
    initial=Status.REQUESTED,
    edges={
        Status.REQUESTED: {Cause.WITHDRAW: Status.WITHDRAWN, Cause.CLOSE: Status.CLOSING},
        Status.CLOSING: {Cause.ERASE: Status.ERASING, Cause.CLOSE: Status.CLOSING},
        Status.ERASING: {Cause.HOLD: Status.HELD, Cause.FINISH: Status.DONE, Cause.ERASE: Status.ERASING},
        Status.HELD: {Cause.ERASE: Status.ERASING},
        Status.DONE: {},
        Status.WITHDRAWN: {Cause.ASK_AGAIN: Status.REQUESTED},
    },
    deadlines={
        Status.REQUESTED: (GRACE, Cause.CLOSE),
        Status.CLOSING: (TOKENS_DIE, Cause.ERASE),
        Status.ERASING: (LOOK_AGAIN, Cause.ERASE),
        Status.HELD: (LOOK_AGAIN, Cause.ERASE),
    },
)


class HoldKind(StrEnum):
    """Why something of a person is not erased yet."""

    OPEN_ORDER = "open_order"
    OPEN_MONEY = "open_money"
    RUNNING_COMPLAINT = "running_complaint"
    RUNNING_RETURN = "running_return"
    RUNNING_CONVERSATION = "running_conversation"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One person's wish to be forgotten."""

    account_id: str
    status: Status
    requested_at: datetime
    since: datetime
    holds: tuple[tuple[HoldKind, str], ...] = ()
    """What was found in the way, and which record it is; the pass that runs adds to it."""
    after: Place | None = None
    """Where the pass that runs goes on."""
    step: int = 0
    purchases: int = 0
    """How many purchases were looked at in the last pass."""
    version: int = field(default=0, compare=False)

    @property
    def due_at(self) -> datetime | None:
        """Return when the state times out."""
        return MACHINE.due_at(self.status, self.since)

    def moved(self, cause: Cause, now: datetime) -> Erasure:
        """Return the erasure after a cause.

        Raises:
            IllegalTransition: if the state does not take it.
        """
        return replace(self, status=MACHINE.next(self.status, cause), since=now, step=self.step + 1)


MOST_SHOWN = 20
"""Holds that are remembered: one is enough to wait."""


def erasure_id(account_id: str) -> str:
    """Return the id of an account's erasure."""
    return f"ers_{account_id.partition('_')[2]}"


def account_of(erasure_id: str) -> str:
    """Return whose erasure it is."""
    return f"acc_{erasure_id.partition('_')[2]}"
