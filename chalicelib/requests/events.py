"""Facts about requests."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class RequestEvent(Event, frozen=True):
    """Base: a fact about one request; ``number`` is that of the entry in its history."""

    request_id: str
    buyer_id: str
    merchant_id: str
    number: int

    @property
    def subject(self) -> str:
        """The request and the entry: more than one offer may be made."""
        return f"{self.request_id}#{self.number}"


class RequestAsked(RequestEvent, frozen=True, tag="request.asked"):
    """A buyer wants something made."""


class RequestSaid(RequestEvent, frozen=True, tag="request.said"):
    """One side wrote to the other."""

    by: str


class RequestOffered(RequestEvent, frozen=True, tag="request.offered"):
    """The merchant made an offer, or another one."""


class RequestAccepted(RequestEvent, frozen=True, tag="request.accepted"):
    """The buyer accepted: it is made for the buyer to order."""


class RequestEnded(RequestEvent, frozen=True, tag="request.ended"):
    """The merchant declined, or the buyer withdrew."""

    status: str
