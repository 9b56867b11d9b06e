"""Facts about returns."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class ReturnEvent(Event, frozen=True):
    """Base: a fact about one return; ``number`` is that of the entry in its history."""

    return_id: str
    order_id: str
    number: int

    @property
    def subject(self) -> str:
        """The return and the entry."""
        return f"{self.return_id}#{self.number}"


class ReturnRequested(ReturnEvent, frozen=True, tag="return.requested"):
    """A buyer wants to send units back; it is the merchant's turn."""


class ReturnMoved(ReturnEvent, frozen=True, tag="return.moved"):
    """It is in another state, and it is ``turn``'s turn now."""

    status: str
    turn: str


class ReturnClosed(ReturnEvent, frozen=True, tag="return.closed"):
    """It is nobody's turn: refunded, replaced, dismissed, lapsed or withdrawn."""

    status: str
