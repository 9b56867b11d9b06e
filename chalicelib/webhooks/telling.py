"""From a fact to what an endpoint has taken: one row a fact and endpoint, then attempts until one is answered."""

from __future__ import annotations

import json
import time
from datetime import datetime

from chalicelib.catalog import service as catalog
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.kernel.clock import epoch_s
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, NotFound, RetryLater
from chalicelib.orders import service as orders
from chalicelib.runtime import log, metrics, outside
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.webhooks import domain, fact_types, signing, store
from chalicelib.webhooks.domain import Attempt, Delivery, DeliveryStatus, Endpoint, EndpointStatus, Verdict, judged
from chalicelib.webhooks.events import WebhookEnded
from chalicelib.webhooks.fact_types import Told

USER_AGENT = "Biandan-Webhooks/1"
BEFORE_S = 5
"""A deadline's message may be so much too early; earlier than that it is of another deadline."""


def tell(fact: facts.Event, envelope: facts.Envelope) -> None:
    """Write down for each endpoint that wants it that it is to be told of a fact. A repeat changes nothing."""
    merchant_id = _merchant_of(fact)
    if merchant_id is None:
        return
    for endpoint in store.load(merchant_id, consistent=False).items:
        if endpoint.wants(fact.name):
            _add(endpoint, merchant_id, fact, envelope)


def delivery_of(endpoint: Endpoint, merchant_id: str, told: Told) -> Delivery:
    """Return a new delivery: its body is written once, and sent so at each attempt."""
    body = {"type": told.type, "timestamp": clock.rfc3339(told.at), "data": {"merchant_id": merchant_id, **told.data}}
    return Delivery(
        delivery_id=domain.delivery_id_of(endpoint.webhook_id, told.event_id, told.at),
        webhook_id=endpoint.webhook_id,
        merchant_id=merchant_id,
        type=told.type,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        made_at=told.at,
    )


def attempt(webhook_id: str, delivery_id: str, *, due_at_s: int | None = None) -> None:
    """Try a delivery that waits. Whoever took it before may be told once more, under the same id.

    ``due_at_s`` is the deadline that asks for it; without one its fact was written down a moment ago.

    Raises:
        RetryLater: if somebody else wrote it meanwhile.
    """
    delivery = store.find(webhook_id, delivery_id)
    if delivery is None or delivery.status is not DeliveryStatus.WAITING:
        return
    if due_at_s is None and delivery.due_at is not None:
        return  # It was tried, and has a time for the next attempt.
    if delivery.due_at is not None and epoch_s(delivery.due_at) > epoch_s(clock.now()) + BEFORE_S:
        return
    try:
        _attempt(delivery)
    except ConcurrentUpdate:
        raise RetryLater("tried by somebody else", delay_s=BEFORE_S) from None


def _attempt(delivery: Delivery) -> None:
    known = store.load(delivery.merchant_id)
    endpoint = known.find(delivery.webhook_id) if known.has(delivery.webhook_id) else None
    now = clock.now()
    if endpoint is None or endpoint.status is not EndpointStatus.ACTIVE:
        _write(delivery.dropped())
        return
    if endpoint.paused_until is not None and now < endpoint.paused_until:
        _write(delivery.put_off(endpoint.paused_until))
        return
    made, verdict = _made(endpoint, delivery, known.signing(endpoint.webhook_id, now), now)
    after = delivery.tried(made, taken=verdict.taken, wait=verdict.wait)
    _write(after)
    metrics.count("webhooks_delivered" if verdict.taken else "webhooks_refused")
    log.info("webhook told", delivery_id=delivery.delivery_id, webhook_id=delivery.webhook_id, answer=made.answer)
    if domain.after_attempt(endpoint, after, verdict, now) != endpoint:
        _note(after, verdict, now)


def _made(endpoint: Endpoint, delivery: Delivery, secrets: list[bytes], now: datetime) -> tuple[Attempt, Verdict]:
    body = delivery.body.encode()
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        **signing.headers(delivery.delivery_id, body, at_s=epoch_s(now), secrets=secrets),
    }
    began = time.monotonic()
    retry_after = ""
    try:
        answered = outside.post(endpoint.url, headers=headers, body=body, timeout_s=domain.TIMEOUT_S)
        answer, retry_after = str(answered.status), answered.headers.get("retry-after", "")
    except (outside.NotPublic, outside.Unreachable, outside.Unanswered) as error:
        answer = error.code
    took_ms = int((time.monotonic() - began) * 1000)
    return Attempt(now, answer, took_ms), judged(answer, retry_after)


def _note(delivery: Delivery, verdict: Verdict, now: datetime) -> None:
    """Note on the endpoint what the attempt says about it, and tell when that ends it."""

    def noted() -> None:
        known = store.load(delivery.merchant_id)
        if not known.has(delivery.webhook_id):
            return
        before = known.find(delivery.webhook_id)
        if before.status is not EndpointStatus.ACTIVE:
            return
        after = domain.after_attempt(before, delivery, verdict, now)
        if after == before:
            return
        ended = after.status is not EndpointStatus.ACTIVE
        with UnitOfWork() as work:
            fact = WebhookEnded(
                merchant_id=known.merchant_id,
                webhook_id=before.webhook_id,
                status=after.status.value,
                number=known.version + 1,
            )
            store.save(work, known.having(after), [fact] if ended else [])
        if ended:
            metrics.count("webhooks_ended")
            log.warning("webhook ended", webhook_id=before.webhook_id, status=after.status.value)

    racing(noted)


def _add(endpoint: Endpoint, merchant_id: str, fact: facts.Event, envelope: facts.Envelope) -> None:
    told = Told(fact.name, envelope.id, envelope.at, fact_types.data_of(fact))
    made = delivery_of(endpoint, merchant_id, told)
    try:
        with UnitOfWork() as work:
            store.add(work, made)
    except AlreadyExists:
        log.info("webhook is written down already", delivery_id=made.delivery_id)


def _write(delivery: Delivery) -> None:
    with UnitOfWork() as work:
        store.change(work, delivery)


def _merchant_of(fact: facts.Event) -> str | None:
    """Return whose fact it is; None for what is no merchant's, as a payment too much that went back."""
    by = fact_types.TYPES[fact.name][0]
    try:
        if by == fact_types.SKU:
            product_id = catalog.product_of(fact.sku_id)  # type: ignore[attr-defined]
            found = catalog.products([product_id])
            return found[product_id].merchant_id if product_id in found else None
        order_id = fact.order_id  # type: ignore[attr-defined]
        return orders.load_order(order_id).merchant_id if order_id else None
    except NotFound:
        return None
