"""A merchant's endpoints: made, changed, given another secret, tried, removed; and what became of each delivery."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import log
from chalicelib.runtime.config import config
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent
from chalicelib.webhooks import addresses, fact_types, signing, store, telling
from chalicelib.webhooks.domain import (
    Delivery,
    DeliveryStatus,
    Endpoint,
    EndpointCause,
    EndpointStatus,
    TooManyWebhooks,
    WebhookOff,
)

__all__ = ["TooManyWebhooks", "WebhookOff"]

REPLAYED_AT_ONCE = 25
"""So many deliveries one call tells again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an endpoint is to be."""

    name: str
    url: str
    types: tuple[str, ...]
    active: bool = True


def address_fault(url: str) -> str:
    """Return what is wrong with an address here, as a code; empty where nothing is."""
    return addresses.fault(url, on_a_laptop=config().is_local)


def listed(merchant_id: str) -> tuple[Endpoint, ...]:
    """Return a merchant's endpoints."""
    return store.load(merchant_id).items


def get(merchant_id: str, webhook_id: str) -> Endpoint:
    """Return one.

    Raises:
        NotFound: if the merchant has no such.
    """
    return store.load(merchant_id).find(webhook_id)


def make(merchant_id: str, wanted: Wanted, *, by: str, intent: Intent) -> tuple[Endpoint, str | None]:
    """Make an endpoint. Returns it and its secret: none where this intent had made it.

    Raises:
        TooManyWebhooks: if the merchant has as many as it can.
        IdempotencyKeyReused: if the intent made another one.
    """
    webhook_id, secret = intent.record_id("whk"), ids.random_bytes(signing.SECRET_BYTES)

    def attempt() -> tuple[Endpoint, str | None]:
        known = store.load(merchant_id)
        if known.has(webhook_id):
            before = known.find(webhook_id)
            intent.check(before.fingerprint)
            return before, None
        made = Endpoint(
            webhook_id,
            wanted.name,
            wanted.url,
            wanted.types,
            clock.now(),
            by,
            status=EndpointStatus.ACTIVE if wanted.active else EndpointStatus.OFF,
            fingerprint=intent.fingerprint,
        )
        with UnitOfWork() as work:
            store.save(work, known.having(made, secret))
        log.info("webhook made", merchant_id=merchant_id, webhook_id=webhook_id, by=by)
        return made, signing.written(secret)

    return racing(attempt)


def change(merchant_id: str, webhook_id: str, wanted: Wanted, *, by: str) -> Endpoint:
    """Make an endpoint what is wanted; switched on it starts with nothing held against it.

    Raises:
        NotFound: if the merchant has no such.
    """

    def attempt() -> Endpoint:
        known = store.load(merchant_id)
        before = known.find(webhook_id)
        after = replace(before, name=wanted.name, url=wanted.url, types=wanted.types)
        if wanted.active != (before.status is EndpointStatus.ACTIVE):
            after = after.moved(EndpointCause.SWITCH_ON if wanted.active else EndpointCause.SWITCH_OFF)
        if after != before:
            with UnitOfWork() as work:
                store.save(work, known.having(after))
            log.info("webhook changed", merchant_id=merchant_id, webhook_id=webhook_id, by=by)
        return after

    return racing(attempt)


def rotate(merchant_id: str, webhook_id: str, *, by: str, intent: Intent) -> tuple[Endpoint, str | None]:
    """Give an endpoint another secret; the one of now signs beside it for a day. Returns as :func:`make`.

    Raises:
        NotFound: if the merchant has no such.
        IdempotencyKeyReused: if the intent did something else.
    """
    secret = ids.random_bytes(signing.SECRET_BYTES)

    def attempt() -> tuple[Endpoint, str | None]:
        known = store.load(merchant_id)
        before = known.find(webhook_id)
        if before.rotation[0] == intent.token:
            intent.check(before.rotation[1])
            return before, None
        rotated = replace(before, rotated_at=clock.now(), rotation=(intent.token, intent.fingerprint))
        with UnitOfWork() as work:
            store.save(work, known.having(rotated, secret))
        log.info("webhook given another secret", merchant_id=merchant_id, webhook_id=webhook_id, by=by)
        return rotated, signing.written(secret)

    return racing(attempt)


def remove(merchant_id: str, webhook_id: str, *, by: str) -> None:
    """Remove an endpoint; what waits for it is dropped when its time comes.

    Raises:
        NotFound: if the merchant has no such.
    """

    def attempt() -> None:
        known = store.load(merchant_id)
        known.find(webhook_id)
        with UnitOfWork() as work:
            store.save(work, known.without(webhook_id))
        log.info("webhook removed", merchant_id=merchant_id, webhook_id=webhook_id, by=by)

    racing(attempt)


def test(merchant_id: str, webhook_id: str, *, intent: Intent) -> tuple[Delivery, bool]:
    """Send an endpoint a fact that says nothing; says whether this intent did before.

    Raises:
        NotFound: if the merchant has no such.
        WebhookOff: if it is told nothing.
        IdempotencyKeyReused: if the intent did something else.
    """

    def attempt() -> tuple[Delivery, bool]:
        known = store.load(merchant_id)
        endpoint = known.find(webhook_id)
        token, fingerprint, delivery_id = endpoint.tested
        if token == intent.token:
            intent.check(fingerprint)
            return delivery(merchant_id, webhook_id, delivery_id), True
        if endpoint.status is not EndpointStatus.ACTIVE:
            raise WebhookOff
        told = fact_types.Told(fact_types.TEST, f"test#{intent.token}", clock.now(), {"webhook_id": webhook_id})
        made = telling.delivery_of(endpoint, merchant_id, told)
        with UnitOfWork() as work:
            tested = (intent.token, intent.fingerprint, made.delivery_id)
            store.save(work, known.having(replace(endpoint, tested=tested)))
            store.add(work, made)
        return replace(made, version=1), False

    return racing(attempt)


def deliveries(merchant_id: str, webhook_id: str, window: Window, status: DeliveryStatus | None) -> Page[Delivery]:
    """Return one page of what an endpoint is told, the latest first.

    Raises:
        NotFound: if the merchant has no such.
    """
    get(merchant_id, webhook_id)
    return store.list_of(webhook_id, window, status)


def delivery(merchant_id: str, webhook_id: str, delivery_id: str) -> Delivery:
    """Return one delivery.

    Raises:
        NotFound: if the merchant has no such.
    """
    get(merchant_id, webhook_id)
    found = store.find(webhook_id, delivery_id)
    if found is None:
        raise NotFound(what="delivery")
    return found


def replay(merchant_id: str, webhook_id: str, delivery_id: str) -> Delivery:
    """Tell a delivery again under its id, with ten attempts more. One that waits already is left as it is.

    Raises:
        NotFound: if the merchant has no such.
        WebhookOff: if its endpoint is told nothing.
    """
    if get(merchant_id, webhook_id).status is not EndpointStatus.ACTIVE:
        raise WebhookOff

    def attempt() -> Delivery:
        before = delivery(merchant_id, webhook_id, delivery_id)
        return before if before.status is DeliveryStatus.WAITING else _again(before)

    return racing(attempt)


def replay_failed(merchant_id: str, webhook_id: str) -> int:
    """Tell again the latest deliveries that failed or were dropped, 25 at most; returns how many.

    Raises:
        NotFound: if the merchant has no such.
        WebhookOff: if it is told nothing.
    """
    if get(merchant_id, webhook_id).status is not EndpointStatus.ACTIVE:
        raise WebhookOff
    told = 0
    for status in (DeliveryStatus.FAILED, DeliveryStatus.DROPPED):
        for found in store.list_of(webhook_id, Window(REPLAYED_AT_ONCE - told), status).items:
            replay(merchant_id, webhook_id, found.delivery_id)
            told += 1
        if told >= REPLAYED_AT_ONCE:
            break
    return told


def _again(before: Delivery) -> Delivery:
    after = before.replayed()
    with UnitOfWork() as work:
        store.change(work, after, ask=True)
    log.info("webhook told again", webhook_id=after.webhook_id, delivery_id=after.delivery_id)
    return replace(after, version=after.version + 1)
