"""The route that providers post their notices to."""

from __future__ import annotations

from chalicelib.payments import service
from chalicelib.payments.domain.payment import UnknownProvider
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Reply, Request, Routes

NOTICE_CAP_BYTES = 64 * 1024
NOTICE_TYPES = ("application/json", "application/x-www-form-urlencoded", "text/xml", "application/xml")
"""All that providers post; each adapter names its own."""


routes = Routes("payments")


@routes.route(
    "POST",
    "/v1/webhooks/payments/{provider}",
    access=Access.PROVIDER,
    idempotent=False,  # A provider sends no key: its notice names the fact.
    cap_bytes=NOTICE_CAP_BYTES,
    content_types=NOTICE_TYPES,
    returns_type="text/plain",
    raises=(UnknownProvider,),
)
def take_notice(provider: str, request: Request) -> Reply:
    """Take a provider's notice: authenticate the raw bytes, make it durable, then answer as the provider wants."""
    status, headers, answer = service.receive(provider, request.headers, request.body)
    return Reply(answer, status, headers)
