"""Cases of deadlines that are refused for ever; what resolves one as corrected has the deadline tried again."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chalicelib.kernel import ids
from chalicelib.kernel.clock import CHINA
from chalicelib.reconciliation import cases
from chalicelib.runtime.events import DeadlineParked

OURS: Final = "shop"
"""In place of a provider: the trouble is our own."""


def deadline_parked(event: DeadlineParked, at: datetime) -> str:
    """Open a case about a deadline that nobody tries any more; parked once more after a release, it opens again."""
    said = {
        "why": event.reason,
        "record": event.kind,
        "parent_id": event.parent_id,
        "due_at_s": str(event.due_at_s),
    }
    day = at.astimezone(CHINA).date().isoformat()
    purchase_id = _purchase_of(event.record_id, event.parent_id)
    return cases.open_case(cases.PARKED, OURS, day, event.record_id, said=said, purchase_id=purchase_id)


def _purchase_of(record_id: str, parent_id: str) -> str:
    for known in (parent_id, record_id):
        if ids.is_id("pur", known):
            return known
        if ids.is_child_id("ord", known):
            return ids.parent_id("pur", known)
    return ""
