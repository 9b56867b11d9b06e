"""Routes of subscribe messages: what a mini program may ask its people for, and what they said."""

from __future__ import annotations

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused
from chalicelib.notifications import service as notifications
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.telling import service
from chalicelib.telling.schemas import AllOfferedView, OfferedQuery, OfferedView, Subscribe, SubscriptionsView

routes = Routes("telling")


@routes.route(
    "GET",
    "/v1/subscriptions",
    access=Access.PUBLIC,
    query=OfferedQuery,
    returns=AllOfferedView,
    cache_control="public, max-age=300",
    etag=True,
)
def list_subscribable(query: OfferedQuery) -> AllOfferedView:
    """Which messages a mini program may ask its people for, with the platform's numbers of them."""
    found = notifications.offered(query.provider.value)
    return AllOfferedView(items=[OfferedView(message=one.name, template_id=one.template_id) for one in found])


@routes.route(
    "POST",
    "/v1/me/subscriptions",
    access=Access.SIGNED_IN,
    body=Subscribe,
    returns=SubscriptionsView,
    status=201,
    raises=(notifications.NotThatPerson, IdempotencyKeyReused, ConcurrentUpdate),
)
def subscribe(body: Subscribe, caller: Caller, intent: Intent) -> Reply:
    """Count what somebody answered on the platform's sheet: one yes is one message."""
    answers = notifications.Answers(body.provider.value, body.payer, body.said())
    found, first = service.subscribe(caller.account_id, answers, intent)
    return Reply(SubscriptionsView(left=dict(found.left)), 201, replayed_header(not first))
