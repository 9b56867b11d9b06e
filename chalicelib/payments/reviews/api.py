"""Routes of what an operator looks at: what waits, the whole story of a purchase, a notice that does not fit."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.payments import service
from chalicelib.payments.domain.payment import ProviderSilent
from chalicelib.payments.domain.refund import RefundRefused
from chalicelib.payments.reviews.schemas import (
    DayQuery,
    PaymentRecordsView,
    QuarantinedView,
    ResolveQuarantined,
    StoryView,
    WaitingQuery,
)
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("payments")


@routes.route(
    "GET",
    "/v1/operator/payments",
    access=Access.OPERATOR,
    query=WaitingQuery,
    returns=PaymentRecordsView,
    raises=(BadCursor,),
)
def list_waiting(query: WaitingQuery, caller: Caller) -> PaymentRecordsView:
    """List payments and refunds by what they wait for: a provider's answer, or an operator."""
    scope = f"payments#{query.wanted}#{query.older_than_s}#{caller.account_id}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    page = service.list_waiting(query.wanted, window, older_than=timedelta(seconds=query.older_than_s))
    return PaymentRecordsView.of(page.records, cursors.seal(page.after, query=scope))


@routes.route(
    "GET",
    "/v1/operator/payments/booked",
    access=Access.OPERATOR,
    query=DayQuery,
    returns=PaymentRecordsView,
    raises=(BadCursor,),
)
def list_booked(query: DayQuery, caller: Caller) -> PaymentRecordsView:
    """List what a provider moved on one of its days by our books: captures, and refunds that are done."""
    scope = f"payments#{query.provider}#{query.day}#{caller.account_id}"
    page = service.list_day(query.provider, query.day, cursors.window(query.limit, query.cursor, query=scope))
    return PaymentRecordsView.of(page.records, cursors.seal(page.after, query=scope))


@routes.route(
    "GET",
    "/v1/operator/purchases/{purchase_id}/payments",
    access=Access.OPERATOR,
    returns=PaymentRecordsView,
    raises=(NotFound,),
)
def get_payment_records(purchase_id: str) -> PaymentRecordsView:
    """Read everything we keep of a purchase's payments."""
    return PaymentRecordsView.of(service.payment_records(purchase_id))


@routes.route(
    "POST",
    "/v1/operator/purchases/{purchase_id}/quarantined/{quarantine_id}/resolve",
    access=Access.OPERATOR,
    body=ResolveQuarantined,
    returns=QuarantinedView,
    raises=(NotFound, IllegalTransition, ProviderSilent, RefundRefused, ConcurrentUpdate, IdempotencyKeyReused),
)
def resolve_quarantined(
    purchase_id: str, quarantine_id: str, body: ResolveQuarantined, caller: Caller, intent: Intent
) -> Reply:
    """Close a quarantined notice: ask the provider, take a console's refund into the books, or mark it as seen."""
    found, replayed = service.resolve_quarantined(
        purchase_id,
        quarantine_id,
        how=service.Resolution(body.how, body.order_id),
        by=caller.account_id,
        note=body.note,
        intent=intent,
    )
    return Reply(QuarantinedView.of(found), 200, replayed_header(replayed))


@routes.route(
    "GET",
    "/v1/operator/purchases/{purchase_id}/story",
    access=Access.OPERATOR,
    returns=StoryView,
    raises=(NotFound,),
)
def get_story(purchase_id: str) -> StoryView:
    """Read all that happened to a purchase and its money, by time, but never what was caused before its cause.

    A provider tells whole seconds by its own clock: its times are shown as they were told, the order heeds what led to
    what.
    """
    return StoryView.of(purchase_id, service.story(purchase_id))
