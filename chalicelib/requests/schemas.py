"""Wire models of requests."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from chalicelib.kernel import clock, context
from chalicelib.kernel.money import MAX_MINOR
from chalicelib.requests import domain
from chalicelib.requests.domain import STANDS_AT_MOST, Entry, Offer, Request
from chalicelib.requests.service import Terms
from chalicelib.runtime.schema import Count, Currency, Day, Id, Moment, MoneyView, Schema, Timestamp, refusal

Text = Annotated[str, StringConstraints(min_length=1, max_length=domain.TEXT_CHARS)]
FileIds = Annotated[tuple[Id, ...], Field(max_length=9)]


class AskForSomething(Schema):
    """What is wanted, like a product or otherwise than it, and pictures of it."""

    product_id: Id
    text: Text
    files: FileIds = ()


class SaySomething(Schema):
    """What somebody writes, and files to it."""

    text: Text
    files: FileIds = ()


class Price(Schema):
    """What one of it costs."""

    minor: Annotated[int, Field(strict=True, ge=1, le=MAX_MINOR)]
    currency: Currency = "CNY"


class MakeOffer(Schema):
    """What would be made: for how much each, how many, by which day, and until when the offer stands."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=domain.TITLE_CHARS)]
    price: Price
    quantity: Count = 1
    ready_by: Day
    until: Moment
    text: Text
    files: FileIds = ()

    @model_validator(mode="after")
    def _ahead(self) -> Self:
        now = clock.now()
        if self.until.tzinfo is None:
            raise refusal("no_zone", "say in which time zone")
        if not now < self.until <= now + STANDS_AT_MOST:
            raise refusal("not_ahead", "an offer stands until a moment of the next 90 days")
        if self.ready_by < now.astimezone(clock.CHINA).date():
            raise refusal("ready_in_the_past", "the day by which it is ready is past")
        return self

    def terms(self) -> Terms:
        """Return what is offered, as the service takes it."""
        price = MoneyView(minor=self.price.minor, currency=self.price.currency).money()
        return Terms(self.title, price, self.quantity, self.ready_by, self.until)


class AcceptOffer(Schema):
    """The number of the offer that is accepted: not another one that was made meanwhile."""

    offer: Annotated[int, Field(ge=1, le=domain.MAX_ENTRIES, strict=True)]


class QuoteRequest(Schema):
    """Where it goes, if anything is shipped."""

    address_id: Id | None = None


class Nothing(Schema):
    """Nothing to say."""


class FileView(Schema):
    """A checked file of the request."""

    file_id: str
    content_type: str
    size: int


class FileLinkView(Schema):
    """An address that downloads the file until a moment."""

    url: str
    expires_at: Timestamp


class OfferView(Schema):
    """What a merchant would make."""

    number: int
    title: str
    price: MoneyView
    quantity: int
    ready_by: str
    until: Timestamp

    @classmethod
    def of(cls, offer: Offer) -> OfferView:
        """Return the wire form."""
        return cls(
            number=offer.number,
            title=offer.title,
            price=MoneyView.of(offer.price),
            quantity=offer.quantity,
            ready_by=offer.ready_by.isoformat(),
            until=offer.until,
        )


class RequestEntryView(Schema):
    """What was said or done in a request."""

    at: Timestamp
    by: str
    what: str
    text: str | None = None
    files: list[FileView]
    offer: OfferView | None = None

    @classmethod
    def of(cls, entry: Entry) -> RequestEntryView:
        """Return the wire form."""
        return cls(
            at=entry.at,
            by=entry.by.value,
            what=entry.what,
            text=entry.text or None,
            files=[
                FileView(file_id=file.file_id, content_type=file.content_type, size=file.size) for file in entry.files
            ],
            offer=OfferView.of(entry.offer) if entry.offer is not None else None,
        )


class RequestView(Schema):
    """A request: how it stands, the offer that stands, and all that was said."""

    request_id: str
    merchant_id: str
    product_id: str
    status: str
    status_text: str
    """In the caller's language."""
    asked_at: Timestamp
    offer: OfferView | None = None
    sku_id: str | None = None
    """What was made for the buyer to order, once an offer was accepted."""
    history: list[RequestEntryView]

    @classmethod
    def of(cls, request: Request) -> RequestView:
        """Return the wire form."""
        return cls(
            request_id=request.request_id,
            merchant_id=request.merchant_id,
            product_id=request.product_id,
            status=request.status.value,
            status_text=domain.status_text(request.status, context.current().language),
            asked_at=request.made_at,
            offer=OfferView.of(request.offer) if request.offer is not None else None,
            sku_id=request.sku_id or None,
            history=[RequestEntryView.of(entry) for entry in request.history],
        )


class RequestPageView(Schema):
    """One page of requests, newest first."""

    items: list[RequestView]
    next_cursor: str | None = None
