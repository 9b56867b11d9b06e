"""Routes of bookings: everybody sees times, buyers book, move and cancel, merchants offer, decline and redeem."""

from __future__ import annotations

from chalicelib.bookings import service, slots
from chalicelib.bookings.domain import (
    Booking,
    BookingFixed,
    NotAService,
    NotBookable,
    SlotInUse,
    SlotRefused,
    TooManyCodes,
    UnknownCode,
)
from chalicelib.bookings.schemas import (
    Book,
    BookingPageView,
    BookingView,
    CalendarQuery,
    DeclineBooking,
    MoveBooking,
    Nothing,
    OfferSlots,
    OwnBookingsView,
    OwnBookingView,
    OwnSlotsView,
    OwnSlotView,
    RedeemCode,
    SlotsView,
    SlotView,
    Span,
)
from chalicelib.bookings.service import Wanted
from chalicelib.catalog.service import ProductNotFound
from chalicelib.kernel.errors import Busy, IllegalTransition, NotFound
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("bookings")

_MOVES = (NotFound, IllegalTransition, Busy)


def _own(done: tuple[Booking, bool], status: int = 200) -> Reply:
    booking, replayed = done
    return Reply(OwnBookingView.of(booking), status, replayed_header(replayed))


def _merchants(done: tuple[Booking, bool]) -> Reply:
    booking, replayed = done
    return Reply(BookingView.of(booking), 200, replayed_header(replayed))


@routes.route(
    "GET",
    "/v1/products/{product_id}/skus/{sku_id}/slots",
    access=Access.PUBLIC,
    query=Span,
    returns=SlotsView,
    raises=(ProductNotFound,),
    cache_control="public, max-age=5",
    etag=True,
)
def list_slots(product_id: str, sku_id: str, query: Span) -> SlotsView:
    """List the times of a service that have not begun, full ones too."""
    return SlotsView(items=[SlotView.of(one) for one in slots.shown(product_id, sku_id, query.since, query.until)])


@routes.route(
    "PUT",
    "/v1/merchant/products/{product_id}/skus/{sku_id}/slots",
    access=Access.MERCHANT,
    body=OfferSlots,
    returns=OwnSlotsView,
    raises=(ProductNotFound, NotAService, SlotInUse, Busy),
)
def offer_slots(product_id: str, sku_id: str, body: OfferSlots, caller: Caller) -> OwnSlotsView:
    """Offer times of a service, or change how many may come to them; what is booked stays booked."""
    merchant_id = caller.owned_merchant()
    offered = slots.offer(merchant_id, product_id, sku_id, body.offered(sku_id, merchant_id))
    return OwnSlotsView(items=[OwnSlotView.of(one) for one in offered])


@routes.route(
    "GET",
    "/v1/merchant/products/{product_id}/skus/{sku_id}/slots",
    access=Access.MERCHANT,
    query=Span,
    returns=OwnSlotsView,
    raises=(ProductNotFound,),
)
def list_own_slots(product_id: str, sku_id: str, query: Span, caller: Caller) -> OwnSlotsView:
    """List the merchant's own times of a service, past ones too."""
    found = slots.own(caller.owned_merchant(), product_id, sku_id, query.since, query.until)
    return OwnSlotsView(items=[OwnSlotView.of(one) for one in found])


@routes.route(
    "POST",
    "/v1/orders/{order_id}/bookings",
    access=Access.BUYER,
    body=Book,
    returns=OwnBookingView,
    status=201,
    raises=(NotFound, NotBookable, SlotRefused, Busy),
)
def book_slot(order_id: str, body: Book, caller: Caller, intent: Intent) -> Reply:
    """Agree on a time for units of a line of the caller's order, paid or not yet.

    A place is kept as long as the order waits for its money. The code that the merchant asks for is shown once it is
    paid.
    """
    wanted = Wanted(order_id, body.line_id, body.starts_at, body.quantity)
    return _own(service.book(caller.account_id, wanted, intent), 201)


@routes.route("GET", "/v1/orders/{order_id}/bookings", access=Access.BUYER, returns=OwnBookingsView, raises=(NotFound,))
def list_bookings(order_id: str, caller: Caller) -> OwnBookingsView:
    """List the bookings of one of the caller's orders, with the codes of those that are paid."""
    found = service.of_order(order_id, caller.account_id)
    return OwnBookingsView(items=[OwnBookingView.of(one) for one in found])


@routes.route(
    "POST",
    "/v1/orders/{order_id}/bookings/{booking_id}/move",
    access=Access.BUYER,
    body=MoveBooking,
    returns=OwnBookingView,
    raises=(*_MOVES, BookingFixed, SlotRefused),
)
def move_booking(order_id: str, booking_id: str, body: MoveBooking, caller: Caller, intent: Intent) -> Reply:
    """Take another time: until the booking's `change_until`, as often as its time allows."""
    return _own(service.move(caller.account_id, order_id, booking_id, body.starts_at, intent))


@routes.route(
    "POST",
    "/v1/orders/{order_id}/bookings/{booking_id}/cancel",
    access=Access.BUYER,
    body=Nothing,
    returns=OwnBookingView,
    raises=(*_MOVES, BookingFixed),
)
def cancel_booking(order_id: str, booking_id: str, caller: Caller, intent: Intent) -> Reply:
    """Give a time back, until the booking's `change_until`: book another one, or cancel the order."""
    return _own(service.cancel(caller.account_id, order_id, booking_id, intent))


@routes.route(
    "GET",
    "/v1/merchant/bookings",
    access=Access.MERCHANT,
    query=CalendarQuery,
    returns=BookingPageView,
    raises=(BadCursor,),
)
def list_merchant_bookings(query: CalendarQuery, caller: Caller) -> BookingPageView:
    """List the bookings of the merchant's services that begin in a span of time, in order; codes are not shown."""
    merchant_id = caller.owned_merchant()
    scope = f"bookings#{merchant_id}#{query.since.timestamp():.0f}#{query.until.timestamp():.0f}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    page = service.calendar(merchant_id, query.since, query.until, window)
    return BookingPageView(
        items=[BookingView.of(one) for one in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route(
    "POST",
    "/v1/merchant/bookings/redeem",
    access=Access.MERCHANT,
    body=RedeemCode,
    returns=BookingView,
    raises=(UnknownCode, TooManyCodes, IllegalTransition, Busy),
)
def redeem_code(body: RedeemCode, caller: Caller, intent: Intent) -> Reply:
    """Take a buyer's code, once: the service counts as provided from now on."""
    return _merchants(service.redeem(caller.owned_merchant(), body.code, intent))


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/bookings/{booking_id}/decline",
    access=Access.MERCHANT,
    body=DeclineBooking,
    returns=BookingView,
    raises=_MOVES,
)
def decline_booking(order_id: str, booking_id: str, body: DeclineBooking, caller: Caller, intent: Intent) -> Reply:
    """Give a time back that the merchant cannot keep: the buyer takes another, or cancels the order."""
    done = service.decline(caller.owned_merchant(), order_id, booking_id, body.reason, intent)
    return _merchants(done)
