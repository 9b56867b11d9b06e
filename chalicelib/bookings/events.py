"""Facts about bookings."""

from __future__ import annotations

from datetime import datetime

from chalicelib.kernel.events import Event


class BookingEvent(Event, frozen=True):
    """Base: a fact about one booking; ``number`` is that of the change in its history, 0 for the first."""

    booking_id: str
    order_id: str
    number: int

    @property
    def subject(self) -> str:
        """The booking and the change: it may be moved more than once."""
        return f"{self.booking_id}#{self.number}"


class BookingConfirmed(BookingEvent, frozen=True, tag="booking.confirmed"):
    """A time is agreed and paid for."""

    starts_at: datetime


class BookingMoved(BookingEvent, frozen=True, tag="booking.moved"):
    """The buyer took another time."""

    starts_at: datetime


class BookingEnded(BookingEvent, frozen=True, tag="booking.ended"):
    """The time is free again: cancelled by the buyer, declined by the merchant, or not paid for (any more)."""

    status: str


class BookingRedeemed(BookingEvent, frozen=True, tag="booking.redeemed"):
    """The merchant provided it, and the buyer's code proves that."""


class BookingMissed(BookingEvent, frozen=True, tag="booking.missed"):
    """Nobody came; it counts as provided."""
