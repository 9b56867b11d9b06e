"""Rows of webhooks: a merchant's endpoints in one, each delivery in one of its endpoint's."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, due_time, region
from chalicelib.runtime.db.sealed import SealedDocument
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.webhooks.domain import (
    KEPT,
    Attempt,
    Delivery,
    DeliveryStatus,
    Endpoint,
    Endpoints,
    EndpointStatus,
)
from chalicelib.webhooks.events import WebhookAsked

_ENDPOINTS = "endpoints"
READ_MOST = 500
"""So many deliveries are looked at for one page of those in one state."""


class _EndpointDoc(msgspec.Struct, omit_defaults=True):
    webhook_id: str
    name: str
    url: str
    types: tuple[str, ...]
    made_ms: int
    by: str
    fingerprint: str
    status: str = EndpointStatus.ACTIVE.value
    failing_ms: int = 0
    paused_ms: int = 0
    rotated_ms: int = 0
    rotation: tuple[str, str] = ("", "")
    tested: tuple[str, str, str] = ("", "", "")


class _AttemptDoc(msgspec.Struct, array_like=True):
    at_ms: int
    answer: str
    took_ms: int


class EndpointsRow(Row):
    """Key: the merchant, ``endpoints``."""

    class Meta:
        table_name = names.table_name("webhooks")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    items = DocumentAttribute[tuple[_EndpointDoc, ...]](tuple[_EndpointDoc, ...])
    secrets = SealedDocument[dict[str, tuple[str, str]]](dict[str, tuple[str, str]])


class DeliveryRow(DueRow):
    """Key: the endpoint, the delivery. ``expires`` collects it."""

    class Meta:
        table_name = names.table_name("webhooks")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    merchant_id = UnicodeAttribute()
    status = UnicodeAttribute()
    type = UnicodeAttribute()
    body = UnicodeAttribute()
    made_ms = NumberAttribute()
    round = NumberAttribute(default=0)
    attempts = DocumentAttribute[tuple[_AttemptDoc, ...]](tuple[_AttemptDoc, ...], null=True)
    expires = TTLAttribute()
    due = DueIndex()


def load(merchant_id: str, *, consistent: bool = True) -> Endpoints:
    """Read a merchant's endpoints; none is no row."""
    row = reads.get(EndpointsRow, merchant_id, _ENDPOINTS, consistent=consistent)
    if row is None:
        return Endpoints(merchant_id)
    return Endpoints(
        merchant_id,
        tuple(_endpoint(doc) for doc in row.items),
        row.unopened("secrets"),
        int(row.version),
    )


def save(work: UnitOfWork, endpoints: Endpoints, events: Sequence[Event] = ()) -> None:
    """Write a merchant's endpoints; a rival's write is a lost race."""
    row = EndpointsRow(
        owner=endpoints.merchant_id,
        id=_ENDPOINTS,
        items=tuple(_endpoint_doc(one) for one in endpoints.items),
        secrets=endpoints.secrets,
        version=endpoints.version,
    )
    work.save(row, events=events, refuse=lost, label="webhooks")


def add(work: UnitOfWork, delivery: Delivery) -> None:
    """Write a new delivery, to be tried at once; one that is there already is refused as ``AlreadyExists``."""
    work.save(_row(delivery), events=[_asked(delivery)], label="delivery")


def change(work: UnitOfWork, delivery: Delivery, *, ask: bool = False) -> None:
    """Write a delivery that was read; ``ask`` has it tried at once. A rival's write is a lost race."""
    work.save(_row(delivery), events=[_asked(delivery)] if ask else [], refuse=lost, label="delivery")


def _asked(delivery: Delivery) -> WebhookAsked:
    return WebhookAsked(webhook_id=delivery.webhook_id, delivery_id=delivery.delivery_id, round=delivery.round)


def find(webhook_id: str, delivery_id: str) -> Delivery | None:
    """Read one delivery as it is now."""
    row = reads.get(DeliveryRow, webhook_id, delivery_id, consistent=True)
    return _delivery(row) if row is not None else None


def list_of(webhook_id: str, window: Window, status: DeliveryStatus | None) -> Page[Delivery]:
    """Return one page of an endpoint's deliveries, the latest first; of those in one state it may be a short one."""
    if status is None:
        found = reads.windowed(DeliveryRow, webhook_id, window, descending=True)
        return Page([_delivery(DeliveryRow.from_raw_data(item)) for item in found.items], found.after)
    kept: list[Delivery] = []
    after, looked = window.after, 0
    while len(kept) < window.limit and looked < READ_MOST:
        found = reads.query(DeliveryRow, webhook_id, limit=window.limit, start_key=after, descending=True)
        looked += window.limit
        for item in found.items:
            row = DeliveryRow.from_raw_data(item)
            if row.status == status.value:
                kept.append(_delivery(row))
            if len(kept) == window.limit:
                return Page(kept, {"owner": {"S": row.owner}, "id": {"S": row.id}})
        after = found.after
        if after is None:
            break
    return Page(kept, after)


def _endpoint_doc(one: Endpoint) -> _EndpointDoc:
    return _EndpointDoc(
        webhook_id=one.webhook_id,
        name=one.name,
        url=one.url,
        types=one.types,
        made_ms=epoch_ms(one.made_at),
        by=one.by,
        fingerprint=one.fingerprint,
        status=one.status.value,
        failing_ms=epoch_ms_or_none(one.failing_since) or 0,
        paused_ms=epoch_ms_or_none(one.paused_until) or 0,
        rotated_ms=epoch_ms_or_none(one.rotated_at) or 0,
        rotation=one.rotation,
        tested=one.tested,
    )


def _endpoint(doc: _EndpointDoc) -> Endpoint:
    return Endpoint(
        webhook_id=doc.webhook_id,
        name=doc.name,
        url=doc.url,
        types=doc.types,
        made_at=from_epoch_ms(doc.made_ms),
        by=doc.by,
        fingerprint=doc.fingerprint,
        status=EndpointStatus(doc.status),
        failing_since=from_epoch_ms_or_none(doc.failing_ms or None),
        paused_until=from_epoch_ms_or_none(doc.paused_ms or None),
        rotated_at=from_epoch_ms_or_none(doc.rotated_ms or None),
        rotation=doc.rotation,
        tested=doc.tested,
    )


def _row(delivery: Delivery) -> DeliveryRow:
    row = DeliveryRow(
        owner=delivery.webhook_id,
        id=delivery.delivery_id,
        merchant_id=delivery.merchant_id,
        status=delivery.status.value,
        type=delivery.type,
        body=delivery.body,
        made_ms=epoch_ms(delivery.made_at),
        round=delivery.round,
        attempts=tuple(_AttemptDoc(epoch_ms(one.at), one.answer, one.took_ms) for one in delivery.attempts) or None,
        expires=delivery.made_at + KEPT,
        version=delivery.version,
    )
    row.set_due(delivery.due_at, delivery.delivery_id)
    return row


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        delivery_id=row.id,
        webhook_id=row.owner,
        merchant_id=row.merchant_id,
        type=row.type,
        body=row.body,
        made_at=from_epoch_ms(row.made_ms),
        status=DeliveryStatus(row.status),
        round=int(row.round or 0),
        attempts=tuple(Attempt(from_epoch_ms(one.at_ms), one.answer, one.took_ms) for one in row.attempts or ()),
        due_at=due_time(row),
        version=int(row.version),
    )
