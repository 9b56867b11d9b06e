"""Which fact is told to whom, and in which words: the whole table, as data.

A fact that somebody wants told is one row here, its words in ``fact_templates``, and the queue ``telling`` behind its
event in ``topology.EVENTS``; a test holds the three together. Whom a row means is worked out (``telling.whom``) from
the ids that the event carries, so an event needs one of these fields:

- for the buyer: ``buyer_id``, ``order_id``, ``purchase_id`` or ``payment_id``;
- for the shop (the merchant's people at the named posts): ``merchant_id``, or one of the last three;
- for a person: ``account_id``.

Fields of a template are fields of the event; beside them ``order`` (the number that people know), ``shop`` and
``amount`` (of ``amount_minor`` and ``currency``) are filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chalicelib.auth.events import RoleGranted, RoleRevoked, SessionReused
from chalicelib.bookings.events import (
    BookingConfirmed,
    BookingEnded,
    BookingMissed,
    BookingMoved,
    BookingRedeemed,
)
from chalicelib.complaints.events import (
    ComplaintAsked,
    ComplaintClosed,
    ComplaintDecided,
    ComplaintEscalated,
    ComplaintFiled,
    ComplaintReopened,
    ComplaintReplied,
)
from chalicelib.conversations.events import ConversationUnread
from chalicelib.feedback.events import FeedbackAnswered, SatisfactionAsked
from chalicelib.kernel.events import Event
from chalicelib.kernel.roles import Post
from chalicelib.logistics.events import ShipmentCreated, ShipmentDelivered, ShipmentLost, ShipmentTurnedBack
from chalicelib.notifications.topics import Topic
from chalicelib.orders.events import (
    AddressAsked,
    AddressChanged,
    OrderCancelled,
    PurchaseExpired,
    ShippingDue,
    ShippingLate,
)
from chalicelib.payments.events import PaymentCaptured, RefundBounced, RefundSucceeded
from chalicelib.requests.events import RequestAccepted, RequestAsked, RequestEnded, RequestOffered, RequestSaid
from chalicelib.returns.events import ReturnClosed, ReturnMoved, ReturnRequested
from chalicelib.virtual.events import PoolRanLow, VirtualAwaited, VirtualDelivered, VirtualMissed
from chalicelib.webhooks.events import WebhookEnded


class Audience(StrEnum):
    """Whom a fact is told."""

    BUYER = "buyer"
    """Whose purchase it is."""
    SHOP = "shop"
    """The people of the merchant whose order it is, at the row's posts."""
    PERSON = "person"
    """Whose account the event names."""


SHIPS: Final = frozenset({Post.OWNER, Post.MANAGER, Post.CLERK})
ANSWERS: Final = frozenset({Post.OWNER, Post.MANAGER})


@dataclass(frozen=True, slots=True)
class Row:
    """One fact and one kind of reader."""

    fact: type[Event]
    to: Audience
    template: str
    topic: Topic
    about: str = "order_id"
    """The field of the event that names what the message leads to (where that is empty: the purchase), or none."""
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Only where these fields of the event are one of these."""
    posts: frozenset[Post] = ANSWERS
    """Of the shop's people, whom."""

    def fits(self, fact: Event) -> bool:
        """Say whether the fact is one of those that the row is about."""
        return all(str(getattr(fact, name)) in values for name, values in self.when.items())


_BOUGHT = {"surplus": ("",)}
"""Money that goes back at once bought nothing."""
_ASKS_BUYER, _ASKS_SHOP = {"side": ("buyer",)}, {"side": ("merchant",)}
_HELPED, _DROPPED = {"status": ("resolved",)}, {"status": ("dismissed",)}

_FREED = {"status": ("cancelled", "void")}
_REFUSED, _TAKEN_BACK = {"status": ("declined",)}, {"status": ("withdrawn",)}

_FOR_NOTHING = {"status": ("dismissed", "lapsed", "withdrawn")}
_RETURN_MOVES = (
    (Audience.BUYER, "return_approved", ("approved",)),
    (Audience.BUYER, "return_refused", ("refused",)),
    (Audience.BUYER, "return_escalated", ("escalated", "contested")),
    (Audience.SHOP, "return_escalated", ("escalated", "contested")),
    (Audience.SHOP, "return_sent", ("sent",)),
    (Audience.SHOP, "return_received", ("received",)),
    (Audience.BUYER, "return_missing", ("missing",)),
    (Audience.SHOP, "return_missing", ("missing",)),
    (Audience.BUYER, "return_inspected", ("withheld", "declined")),
    (Audience.SHOP, "return_replacing", ("replacing",)),
    (Audience.BUYER, "return_replaced", ("replacement_sent",)),
)
"""Who is told of which state of a return, by which words: whose turn it is, and what comes to whom."""

FACTS: Final[tuple[Row, ...]] = (
    # What somebody bought.
    Row(PaymentCaptured, Audience.BUYER, "paid", Topic.ORDERS, about="payment_id", when=_BOUGHT),
    Row(PaymentCaptured, Audience.SHOP, "sold", Topic.SHOP, about="payment_id", when=_BOUGHT, posts=SHIPS),
    Row(PurchaseExpired, Audience.BUYER, "unpaid", Topic.ORDERS, about="purchase_id"),
    Row(OrderCancelled, Audience.BUYER, "cancelled", Topic.ORDERS),
    # Parcels.
    Row(ShipmentCreated, Audience.BUYER, "shipped", Topic.PARCELS),
    Row(ShipmentDelivered, Audience.BUYER, "delivered", Topic.PARCELS),
    Row(AddressAsked, Audience.BUYER, "address_asked", Topic.ORDERS),
    Row(AddressChanged, Audience.SHOP, "address_changed", Topic.SHOP, posts=SHIPS),
    Row(ShippingDue, Audience.SHOP, "shipping_due", Topic.SHOP, posts=SHIPS),
    Row(ShippingLate, Audience.BUYER, "shipping_late", Topic.ORDERS),
    Row(ShippingLate, Audience.SHOP, "shipping_late_shop", Topic.SHOP, posts=SHIPS),
    Row(ShipmentLost, Audience.BUYER, "parcel_lost", Topic.PARCELS),
    Row(ShipmentLost, Audience.SHOP, "parcel_lost_shop", Topic.SHOP, posts=SHIPS),
    Row(ShipmentTurnedBack, Audience.BUYER, "turned_back", Topic.PARCELS),
    Row(ShipmentTurnedBack, Audience.SHOP, "turned_back_shop", Topic.SHOP, posts=SHIPS),
    # Virtual goods.
    Row(VirtualDelivered, Audience.BUYER, "virtual_delivered", Topic.ORDERS),
    Row(VirtualAwaited, Audience.SHOP, "virtual_awaited", Topic.SHOP, posts=SHIPS),
    Row(VirtualMissed, Audience.BUYER, "virtual_missed", Topic.ORDERS),
    Row(VirtualMissed, Audience.SHOP, "virtual_missed_shop", Topic.SHOP, posts=SHIPS),
    Row(PoolRanLow, Audience.SHOP, "pool_ran_low", Topic.SHOP, about="sku_id", posts=SHIPS),
    # Money that goes back.
    Row(RefundSucceeded, Audience.BUYER, "refunded", Topic.MONEY),
    Row(RefundBounced, Audience.BUYER, "refund_bounced", Topic.MONEY),
    # Complaints.
    Row(ComplaintFiled, Audience.SHOP, "complaint_filed", Topic.CASES, about="complaint_id"),
    Row(ComplaintReplied, Audience.BUYER, "complaint_replied", Topic.CASES, about="complaint_id"),
    Row(ComplaintEscalated, Audience.BUYER, "complaint_escalated", Topic.CASES, about="complaint_id"),
    Row(ComplaintEscalated, Audience.SHOP, "complaint_escalated", Topic.CASES, about="complaint_id"),
    Row(
        ComplaintAsked, Audience.BUYER, "complaint_asked", Topic.CASES, about="complaint_id", when={"side": ("buyer",)}
    ),
    Row(
        ComplaintAsked,
        Audience.SHOP,
        "complaint_asked",
        Topic.CASES,
        about="complaint_id",
        when={"side": ("merchant",)},
    ),
    Row(ComplaintDecided, Audience.BUYER, "complaint_decided", Topic.CASES, about="complaint_id"),
    Row(ComplaintDecided, Audience.SHOP, "complaint_decided", Topic.CASES, about="complaint_id"),
    Row(ComplaintReopened, Audience.SHOP, "complaint_reopened", Topic.CASES, about="complaint_id"),
    Row(ComplaintClosed, Audience.BUYER, "complaint_resolved", Topic.CASES, about="complaint_id", when=_HELPED),
    Row(ComplaintClosed, Audience.BUYER, "complaint_dismissed", Topic.CASES, about="complaint_id", when=_DROPPED),
    Row(ComplaintClosed, Audience.SHOP, "complaint_closed", Topic.CASES, about="complaint_id"),
    # Goods that go back: the money of it is told as any other.
    Row(ReturnRequested, Audience.SHOP, "return_asked", Topic.CASES, about="return_id"),
    *(
        Row(ReturnMoved, reader, template, Topic.CASES, about="return_id", when={"status": statuses})
        for reader, template, statuses in _RETURN_MOVES
    ),
    Row(ReturnClosed, Audience.BUYER, "return_dismissed", Topic.CASES, about="return_id", when=_DROPPED),
    Row(ReturnClosed, Audience.BUYER, "return_lapsed", Topic.CASES, about="return_id", when={"status": ("lapsed",)}),
    Row(ReturnClosed, Audience.SHOP, "return_ended_shop", Topic.CASES, about="return_id", when=_FOR_NOTHING),
    # A merchant's own systems.
    Row(WebhookEnded, Audience.SHOP, "webhook_ended", Topic.SHOP, about="", posts=frozenset({Post.OWNER})),
    # Conversations, feedback, how a case was.
    Row(
        ConversationUnread,
        Audience.BUYER,
        "conversation_unread",
        Topic.CASES,
        about="conversation_id",
        when={"side": ("buyer",)},
    ),
    Row(
        ConversationUnread,
        Audience.SHOP,
        "conversation_unread_shop",
        Topic.SHOP,
        about="conversation_id",
        when={"side": ("merchant",)},
        posts=SHIPS,
    ),
    Row(FeedbackAnswered, Audience.PERSON, "feedback_answered", Topic.CASES, about="feedback_id"),
    Row(SatisfactionAsked, Audience.PERSON, "satisfaction_asked", Topic.CASES, about="survey_id"),
    # Times of services.
    Row(BookingConfirmed, Audience.BUYER, "booked", Topic.ORDERS),
    Row(BookingConfirmed, Audience.SHOP, "booked_shop", Topic.SHOP, posts=SHIPS),
    Row(BookingMoved, Audience.SHOP, "booking_moved", Topic.SHOP, posts=SHIPS),
    Row(BookingEnded, Audience.SHOP, "booking_freed", Topic.SHOP, when=_FREED, posts=SHIPS),
    Row(BookingEnded, Audience.BUYER, "booking_declined", Topic.ORDERS, when={"status": ("declined",)}),
    Row(BookingRedeemed, Audience.BUYER, "booking_redeemed", Topic.ORDERS),
    Row(BookingMissed, Audience.BUYER, "booking_missed", Topic.ORDERS),
    # Made to order.
    Row(RequestAsked, Audience.SHOP, "request_asked", Topic.CASES, about="request_id"),
    Row(RequestSaid, Audience.SHOP, "request_said", Topic.CASES, about="request_id", when={"by": ("buyer",)}),
    Row(RequestSaid, Audience.BUYER, "request_said", Topic.CASES, about="request_id", when={"by": ("merchant",)}),
    Row(RequestOffered, Audience.BUYER, "request_offered", Topic.CASES, about="request_id"),
    Row(RequestAccepted, Audience.SHOP, "request_accepted", Topic.CASES, about="request_id"),
    Row(RequestEnded, Audience.BUYER, "request_declined", Topic.CASES, about="request_id", when=_REFUSED),
    Row(RequestEnded, Audience.SHOP, "request_withdrawn", Topic.CASES, about="request_id", when=_TAKEN_BACK),
    # Somebody's account.
    Row(SessionReused, Audience.PERSON, "session_reused", Topic.SECURITY, about=""),
    Row(RoleGranted, Audience.PERSON, "role_granted", Topic.SECURITY, about=""),
    Row(RoleRevoked, Audience.PERSON, "role_revoked", Topic.SECURITY, about=""),
)
