"""Routes of webhooks: a merchant's owners say where its own systems are told, and see what became of each fact."""

from __future__ import annotations

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, NotFound
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.webhooks import service
from chalicelib.webhooks.fact_types import TYPES
from chalicelib.webhooks.schemas import (
    DeliveriesQuery,
    DeliveriesView,
    DeliveryView,
    ReplayedView,
    SetWebhook,
    WebhookShownView,
    WebhooksView,
    WebhookView,
)

routes = Routes("webhooks")
_SMALL = 4096


@routes.route("GET", "/v1/merchant/webhooks", access=Access.MERCHANT, returns=WebhooksView)
def list_webhooks(caller: Caller) -> WebhooksView:
    """List where the merchant's own systems are told of facts, and the types of facts there are."""
    items = [WebhookView.of(one) for one in service.listed(caller.owned_merchant())]
    return WebhooksView(items=items, types=list(TYPES))


@routes.route(
    "POST",
    "/v1/merchant/webhooks",
    access=Access.MERCHANT,
    body=SetWebhook,
    returns=WebhookShownView,
    status=201,
    raises=(service.TooManyWebhooks, ConcurrentUpdate, IdempotencyKeyReused),
    cap_bytes=_SMALL,
)
def make_webhook(body: SetWebhook, caller: Caller, intent: Intent) -> Reply:
    """Have an address told of facts. Its secret is shown this once: with it the receiver checks each signature.

    Signed as Standard Webhooks 1.0.0 says; told again until an answer of 2xx, ten times in three days.
    """
    made, secret = service.make(caller.owned_merchant(), body.wanted(), by=caller.account_id, intent=intent)
    return Reply(WebhookShownView.showing(made, secret), 201, replayed_header(secret is None))


@routes.route(
    "PUT",
    "/v1/merchant/webhooks/{webhook_id}",
    access=Access.MERCHANT,
    body=SetWebhook,
    returns=WebhookView,
    raises=(NotFound, ConcurrentUpdate),
    cap_bytes=_SMALL,
)
def set_webhook(webhook_id: str, body: SetWebhook, caller: Caller) -> WebhookView:
    """Change an endpoint, or switch it on or off. What waits for one that is off is dropped when its time comes."""
    changed = service.change(caller.owned_merchant(), webhook_id, body.wanted(), by=caller.account_id)
    return WebhookView.of(changed)


@routes.route(
    "POST",
    "/v1/merchant/webhooks/{webhook_id}/rotate",
    access=Access.MERCHANT,
    returns=WebhookShownView,
    raises=(NotFound, ConcurrentUpdate, IdempotencyKeyReused),
)
def rotate_webhook(webhook_id: str, caller: Caller, intent: Intent) -> Reply:
    """Give an endpoint another secret, shown this once. The one from before signs beside it for a day."""
    rotated, secret = service.rotate(caller.owned_merchant(), webhook_id, by=caller.account_id, intent=intent)
    return Reply(WebhookShownView.showing(rotated, secret), 200, replayed_header(secret is None))


@routes.route(
    "DELETE",
    "/v1/merchant/webhooks/{webhook_id}",
    access=Access.MERCHANT,
    status=204,
    raises=(NotFound, ConcurrentUpdate),
)
def remove_webhook(webhook_id: str, caller: Caller) -> None:
    """Tell an address nothing from this call on."""
    service.remove(caller.owned_merchant(), webhook_id, by=caller.account_id)


@routes.route(
    "POST",
    "/v1/merchant/webhooks/{webhook_id}/test",
    access=Access.MERCHANT,
    returns=DeliveryView,
    status=201,
    raises=(NotFound, service.WebhookOff, ConcurrentUpdate, IdempotencyKeyReused),
)
def test_webhook(webhook_id: str, caller: Caller, intent: Intent) -> Reply:
    """Tell an endpoint `webhook.test`, to see that it answers."""
    made, before = service.test(caller.owned_merchant(), webhook_id, intent=intent)
    return Reply(DeliveryView.of(made), 201, replayed_header(before))


@routes.route(
    "GET",
    "/v1/merchant/webhooks/{webhook_id}/deliveries",
    access=Access.MERCHANT,
    query=DeliveriesQuery,
    returns=DeliveriesView,
    raises=(NotFound, BadCursor),
)
def list_deliveries(webhook_id: str, query: DeliveriesQuery, caller: Caller) -> DeliveriesView:
    """List what an endpoint is told, the latest first, for thirty days; of one state a page may be short."""
    scope = f"deliveries#{webhook_id}#{query.status}#{caller.account_id}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    page = service.deliveries(caller.owned_merchant(), webhook_id, window, query.status)
    return DeliveriesView(
        items=[DeliveryView.of(one) for one in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route(
    "POST",
    "/v1/merchant/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
    access=Access.MERCHANT,
    returns=DeliveryView,
    raises=(NotFound, service.WebhookOff, ConcurrentUpdate),
    idempotent=False,  # One that waits already is left as it is.
)
def replay_delivery(webhook_id: str, delivery_id: str, caller: Caller) -> DeliveryView:
    """Tell a delivery again, under the same id: a receiver that has it knows it."""
    return DeliveryView.of(service.replay(caller.owned_merchant(), webhook_id, delivery_id))


@routes.route(
    "POST",
    "/v1/merchant/webhooks/{webhook_id}/replay-failed",
    access=Access.MERCHANT,
    returns=ReplayedView,
    raises=(NotFound, service.WebhookOff, ConcurrentUpdate),
    idempotent=False,  # What waits already is left as it is.
)
def replay_failed(webhook_id: str, caller: Caller) -> ReplayedView:
    """Tell again the latest deliveries that failed or were dropped, 25 a call."""
    return ReplayedView(replayed=service.replay_failed(caller.owned_merchant(), webhook_id))
