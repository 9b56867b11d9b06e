"""Wire models of bookings."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from chalicelib.bookings import domain
from chalicelib.bookings.domain import AHEAD, LONGEST, MAX_CAPACITY, SHOWN, Booking, Slot
from chalicelib.kernel import clock, context
from chalicelib.runtime.schema import Count, Moment, PageQuery, Schema, Timestamp, refusal

MOST_SLOTS = 60


def _zoned(moment: Moment) -> Moment:
    if moment.tzinfo is None:
        raise refusal("no_zone", "say in which time zone")
    return moment


def _on_the_minute(moment: Moment) -> Moment:
    if moment.second or moment.microsecond:
        raise refusal("not_on_the_minute", "times begin on a full minute")
    return moment


When = Annotated[Moment, AfterValidator(_zoned)]
Start = Annotated[Moment, AfterValidator(_zoned), AfterValidator(_on_the_minute)]


class SlotOffer(Schema):
    """A time that is offered: how long it takes, and how many may come. None may come to one with no capacity."""

    starts_at: Start
    minutes: Annotated[int, Field(ge=5, le=int(LONGEST.total_seconds() // 60), strict=True)]
    capacity: Annotated[int, Field(ge=0, le=MAX_CAPACITY, strict=True)]


class OfferSlots(Schema):
    """Times of a service, and what buyers may change of their bookings: until when, and how often."""

    slots: Annotated[list[SlotOffer], Field(min_length=1, max_length=MOST_SLOTS)]
    change_hours: Annotated[int, Field(ge=0, le=720, strict=True)] = 24
    moves: Annotated[int, Field(ge=0, le=10, strict=True)] = 2

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        now = clock.now()
        starts = [one.starts_at for one in self.slots]
        if len(set(starts)) != len(starts):
            raise refusal("same_time_twice", "a time is there twice")
        if not all(now < one <= now + AHEAD for one in starts):
            raise refusal("not_ahead", "times begin in the future, within a year")
        return self

    def offered(self, sku_id: str, merchant_id: str) -> list[Slot]:
        """Return the slots as the domain has them."""
        return [
            Slot(
                sku_id=sku_id,
                merchant_id=merchant_id,
                starts_at=one.starts_at,
                ends_at=one.starts_at + timedelta(minutes=one.minutes),
                capacity=one.capacity,
                change_within=timedelta(hours=self.change_hours),
                moves=self.moves,
            )
            for one in self.slots
        ]


def _check_span(since: Moment, until: Moment) -> None:
    if not since < until <= since + SHOWN:
        raise refusal("bad_span", "`until` is after `since`, and within 31 days of it")


class Span(Schema):
    """From one moment until before another, 31 days at most."""

    since: When
    until: When

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_span(self.since, self.until)
        return self


class CalendarQuery(PageQuery):
    """Which bookings: those that begin from one moment until before another, 31 days at most."""

    since: When
    until: When

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_span(self.since, self.until)
        return self


class SlotView(Schema):
    """A time that can be booked: how many places are left, and until when its booking can be changed."""

    starts_at: Timestamp
    ends_at: Timestamp
    left: int
    change_until: Timestamp
    moves: int

    @classmethod
    def of(cls, slot: Slot) -> SlotView:
        """Return the wire form."""
        return cls(
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            left=slot.left,
            change_until=slot.starts_at - slot.change_within,
            moves=slot.moves,
        )


class SlotsView(Schema):
    """Times, in order."""

    items: list[SlotView]


class OwnSlotView(SlotView):
    """A merchant's own time: also how many may come, and how many booked."""

    capacity: int
    taken: int

    @classmethod
    def of(cls, slot: Slot) -> OwnSlotView:
        """Return the wire form."""
        return cls(**dict(SlotView.of(slot)), capacity=slot.capacity, taken=slot.taken)


class OwnSlotsView(Schema):
    """A merchant's own times, in order."""

    items: list[OwnSlotView]


class Book(Schema):
    """Which time for which units."""

    line_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
    starts_at: Start
    quantity: Count = 1


class MoveBooking(Schema):
    """The other time."""

    starts_at: Start


class Nothing(Schema):
    """Nothing to say."""


class DeclineBooking(Schema):
    """Why, for the buyer to read."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RedeemCode(Schema):
    """The buyer's code."""

    code: Annotated[str, StringConstraints(pattern=rf"^[0-9]{{{domain.CODE_DIGITS}}}$")]


class BookingChangeView(Schema):
    """One entry of a booking's history."""

    at: Timestamp
    what: str
    by: str
    note: str | None = None


class BookingView(Schema):
    """A booking: its time, how it stands, and until when its buyer may change it."""

    booking_id: str
    order_id: str
    line_id: str
    sku_id: str
    quantity: int
    status: str
    status_text: str
    """In the caller's language."""
    starts_at: Timestamp
    ends_at: Timestamp
    change_until: Timestamp
    moves_left: int
    history: list[BookingChangeView]

    @classmethod
    def of(cls, booking: Booking) -> BookingView:
        """Return the wire form."""
        return cls(
            booking_id=booking.booking_id,
            order_id=booking.order_id,
            line_id=booking.line_id,
            sku_id=booking.sku_id,
            quantity=booking.quantity,
            status=booking.status.value,
            status_text=domain.status_text(booking.status, context.current().language),
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            change_until=booking.fixed_at,
            moves_left=max(0, booking.moves - booking.moved) if booking.is_open else 0,
            history=[
                BookingChangeView(at=one.at, what=one.what, by=one.by, note=one.note or None) for one in booking.history
            ],
        )


class OwnBookingView(BookingView):
    """A buyer's own booking: with its code once it is paid, and as long as somebody may ask for it."""

    code: str | None = None

    @classmethod
    def of(cls, booking: Booking) -> OwnBookingView:
        """Return the wire form."""
        code = booking.code if booking.status is domain.Status.BOOKED else None
        return cls(**dict(BookingView.of(booking)), code=code)


class OwnBookingsView(Schema):
    """The bookings of an order, the first to begin first."""

    items: list[OwnBookingView]


class BookingPageView(Schema):
    """One page of a merchant's bookings, the first to begin first."""

    items: list[BookingView]
    next_cursor: str | None = None
