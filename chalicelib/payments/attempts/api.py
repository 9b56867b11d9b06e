"""Routes of attempts: a buyer pays and looks, an operator has the provider asked."""

from __future__ import annotations

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.payments import service
from chalicelib.payments.attempts.schemas import (
    MethodsQuery,
    PaymentMethodsView,
    PaymentRecordView,
    PaymentsView,
    PaymentView,
    StartPayment,
)
from chalicelib.payments.domain.payment import (
    AlreadyPaid,
    MethodNotOffered,
    ProviderSilent,
    TooManyPayments,
    TooManyTries,
    UnknownPayment,
    UnknownProvider,
)
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes, replayed_header
from chalicelib.runtime.intents import Intent

METHODS_CACHED = "public, max-age=300"
"""What is offered changes with a configuration, not with a purchase."""


routes = Routes("payments")


@routes.route(
    "POST",
    "/v1/purchases/{purchase_id}/payments",
    access=Access.BUYER,
    body=StartPayment,
    returns=PaymentView,
    status=201,
    raises=(
        NotFound,
        UnknownProvider,
        MethodNotOffered,
        AlreadyPaid,
        IllegalTransition,
        TooManyPayments,
        TooManyTries,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
)
def start_payment(purchase_id: str, body: StartPayment, caller: Caller, intent: Intent, request: Request) -> Reply:
    """Start an attempt to pay the whole purchase. An earlier attempt is closed first."""
    wanted = service.Wanted(
        provider=body.provider,
        method=body.method,
        return_url=body.return_url,
        payer=body.payer,
        client_ip=request.source_ip or None,
    )
    payment, replayed = service.start_payment(purchase_id, caller.account_id, wanted, intent)
    headers = replayed_header(replayed)
    return Reply(PaymentView.of(payment, []), 201, headers)


@routes.route(
    "GET",
    "/v1/payment-methods",
    access=Access.PUBLIC,
    query=MethodsQuery,
    returns=PaymentMethodsView,
    cache_control=METHODS_CACHED,
    etag=True,
)
def list_payment_methods(query: MethodsQuery) -> PaymentMethodsView:
    """List the payment providers of this installation and their ways to pay, in both languages."""
    return PaymentMethodsView.of(service.offers(query.currency or ""))


@routes.route(
    "POST",
    "/v1/purchases/{purchase_id}/payments/{payment_id}/check",
    access=Access.BUYER,
    returns=PaymentView,
    raises=(NotFound, UnknownPayment),
    idempotent=False,  # A question: what the provider answers is recorded as the same fact every time.
)
def check_payment(purchase_id: str, payment_id: str, caller: Caller) -> Reply:
    """Ask the provider about an attempt now, for a page that comes back from its cashier; answers how it stands then.

    A few questions a minute for each attempt; beyond that the state is answered as it is known, with Retry-After.
    """
    records, wait_s = service.check(purchase_id, payment_id, caller.account_id)
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    return Reply(PaymentView.of(records.payment(payment_id), records.refunds_of(payment_id)), 200, headers)


@routes.route(
    "GET",
    "/v1/purchases/{purchase_id}/payments",
    access=Access.BUYER,
    returns=PaymentsView,
    raises=(NotFound,),
)
def list_payments(purchase_id: str, caller: Caller) -> PaymentsView:
    """List the attempts to pay one of the caller's purchases, with what went back and why."""
    return PaymentsView.of(service.buyers_records(purchase_id, caller.account_id))


@routes.route(
    "GET",
    "/v1/purchases/{purchase_id}/payments/{payment_id}",
    access=Access.BUYER,
    returns=PaymentView,
    raises=(NotFound, UnknownPayment),
    etag=True,
)
def get_payment(purchase_id: str, payment_id: str, caller: Caller) -> PaymentView:
    """Read one attempt. The client's own "paid" proves nothing: this does."""
    records = service.buyers_records(purchase_id, caller.account_id)
    return PaymentView.of(records.payment(payment_id), records.refunds_of(payment_id))


@routes.route(
    "POST",
    "/v1/operator/payments/{payment_id}/query",
    access=Access.OPERATOR,
    returns=PaymentRecordView,
    raises=(UnknownPayment, ProviderSilent),
    idempotent=False,  # It asks the provider and records the fact it hears, which has a name of its own.
)
def query_payment(payment_id: str) -> PaymentRecordView:
    """Ask the provider about an attempt now, and how the disputes of its money stand, and record what it says."""
    return PaymentRecordView.of(service.query_by_operator(payment_id), [])
