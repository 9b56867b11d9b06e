"""What a provider says of a payment that the payer's bank contests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.money import Money


class DisputePhase(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    ENDED = "ended"
    """An inquiry that came to nothing."""


@dataclass(frozen=True, slots=True)
class DisputeReport:
    """What the provider says of a dispute now. ``taken``: it holds the amount back from us."""

    number: str
    payment_id: str
    """Our number of the attempt; empty if it is none of this shop's."""
    phase: DisputePhase
    amount: Money
    taken: bool
    reason: str = ""
    answer_by: datetime | None = None
    opened_at: datetime | None = None
