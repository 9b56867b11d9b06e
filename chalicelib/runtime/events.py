"""Facts that the runtime itself tells."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class DeadlineParked(Event, frozen=True, kw_only=True, tag="deadline.parked"):
    """A record's deadline was refused so often that nobody tries it any more: an operator must look."""

    kind: str
    record_id: str
    parent_id: str
    due_at_s: int
    reason: str

    @property
    def subject(self) -> str:
        """One deadline of one record."""
        return f"{self.record_id}#{self.due_at_s}"
