"""Facts about complaints."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class ComplaintEvent(Event, frozen=True):
    """Base: a fact about one complaint; ``number`` is that of the entry in its history."""

    complaint_id: str
    order_id: str
    number: int

    @property
    def subject(self) -> str:
        """The complaint and the entry: it may be escalated or decided more than once."""
        return f"{self.complaint_id}#{self.number}"


class ComplaintFiled(ComplaintEvent, frozen=True, tag="complaint.filed"):
    """A buyer complained; it is the merchant's turn."""


class ComplaintReplied(ComplaintEvent, frozen=True, tag="complaint.replied"):
    """The merchant offered something or rejected; it is the buyer's turn."""

    status: str


class ComplaintEscalated(ComplaintEvent, frozen=True, tag="complaint.escalated"):
    """It is the operator's turn: the buyer asked, or somebody missed a turn (the operator too), or a refund failed."""

    why: str


class ComplaintAsked(ComplaintEvent, frozen=True, tag="complaint.asked"):
    """The platform asks one side, ``buyer`` or ``merchant``, for what is missing; it is that side's turn."""

    side: str


class ComplaintDecided(ComplaintEvent, frozen=True, tag="complaint.decided"):
    """An operator decided, or turns that were missed again did."""

    decision: str


class ComplaintReopened(ComplaintEvent, frozen=True, tag="complaint.reopened"):
    """The buyer was not helped after all, or a side appealed: it is the operator's turn."""


class ComplaintClosed(ComplaintEvent, frozen=True, tag="complaint.closed"):
    """It is nobody's turn: resolved, dismissed or withdrawn."""

    status: str
