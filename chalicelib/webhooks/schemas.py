"""Wire models of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from chalicelib.runtime.schema import EACH_ONCE, ONE_LINE, Id, PageQuery, Schema, Timestamp, WebAddress, refusal
from chalicelib.webhooks.domain import Attempt, Delivery, DeliveryStatus, Endpoint, EndpointStatus
from chalicelib.webhooks.fact_types import TYPES
from chalicelib.webhooks.service import Wanted, address_fault

_FAULTS = {
    "not_an_address": "send an absolute address of printable ASCII, 500 characters at most",
    "holds_a_password": "an address holds no user and no password",
    "holds_a_fragment": "an address holds no fragment",
    "not_https": "send an address that begins with https://",
    "not_the_usual_port": "send an address without a port",
    "not_a_public_name": "send an address whose host is a public name, not a number",
}


def _address(value: str) -> str:
    code = address_fault(value)
    if code:
        raise refusal(code, _FAULTS[code])
    return value


def _type(value: str) -> str:
    if value not in TYPES:
        raise refusal("unknown_type", "is no type of fact that is told")
    return value


Address = Annotated[WebAddress, AfterValidator(_address)]
FactType = Annotated[
    str, StringConstraints(max_length=40), AfterValidator(_type), Field(json_schema_extra={"enum": list(TYPES)})
]

FactTypes = Annotated[list[FactType], Field(max_length=len(TYPES)), *EACH_ONCE]


class SetWebhook(Schema):
    """What an endpoint is to be: where, of which facts it is told (none named: all), and whether it is told any."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=ONE_LINE)]
    url: Address
    types: FactTypes = Field(default=[])
    active: Annotated[bool, Field(strict=True)] = True

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        return Wanted(self.name, self.url, tuple(sorted(self.types)), self.active)


class WebhookView(Schema):
    """An endpoint without its secret. ``failing_since``: it has taken nothing from then on."""

    webhook_id: Id
    name: str
    url: str
    types: list[str]
    status: EndpointStatus
    made_at: Timestamp
    failing_since: Timestamp | None = None
    paused_until: Timestamp | None = None
    rotated_at: Timestamp | None = None

    @classmethod
    def of(cls, endpoint: Endpoint) -> WebhookView:
        """Return the wire form."""
        return WebhookView(
            webhook_id=endpoint.webhook_id,
            name=endpoint.name,
            url=endpoint.url,
            types=list(endpoint.types),
            status=endpoint.status,
            made_at=endpoint.made_at,
            failing_since=endpoint.failing_since,
            paused_until=endpoint.paused_until,
            rotated_at=endpoint.rotated_at,
        )


class WebhookShownView(WebhookView):
    """An endpoint that was made, or given another secret, just now. A repeat has no ``secret``."""

    secret: Annotated[str, Field(json_schema_extra={"format": "password"})] | None = None

    @classmethod
    def showing(cls, endpoint: Endpoint, secret: str | None) -> WebhookShownView:
        """Return the wire form."""
        return cls(**WebhookView.of(endpoint).model_dump(), secret=secret)


class WebhooksView(Schema):
    """A merchant's endpoints, ten at most: no pages; and the types of facts there are."""

    items: list[WebhookView]
    types: list[str]


class DeliveriesQuery(PageQuery):
    """Which deliveries: all, or those in one state."""

    status: DeliveryStatus | None = None


class AttemptView(Schema):
    """One attempt: the status that came back, or why there was none."""

    at: Timestamp
    answer: str
    took_ms: int

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptView:
        """Return the wire form."""
        return cls(at=attempt.at, answer=attempt.answer, took_ms=attempt.took_ms)


class DeliveryView(Schema):
    """One fact on its way to one endpoint, and the body that is sent. ``attempts`` are those of the last round."""

    delivery_id: Id
    type: str
    status: DeliveryStatus
    made_at: Timestamp
    next_at: Timestamp | None = None
    round: int
    attempts: list[AttemptView]
    body: str

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        """Return the wire form."""
        return cls(
            delivery_id=delivery.delivery_id,
            type=delivery.type,
            status=delivery.status,
            made_at=delivery.made_at,
            next_at=_next(delivery),
            round=delivery.round,
            attempts=[AttemptView.of(one) for one in delivery.attempts],
            body=delivery.body,
        )


def _next(delivery: Delivery) -> datetime | None:
    return delivery.due_at if delivery.status is DeliveryStatus.WAITING else None


class DeliveriesView(Schema):
    """One page of what an endpoint is told, the latest first."""

    items: list[DeliveryView]
    next_cursor: str | None = None


class ReplayedView(Schema):
    """How many deliveries are told again; ask once more while it is not 0."""

    replayed: int
