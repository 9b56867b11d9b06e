"""Routes of payments: buyers pay and look, providers post notices, operators see everything and repair."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from chalicelib.kernel import ids
from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.kernel.events import seal
from chalicelib.kernel.second_person import AskerGone, KinApproval, OwnApproval
from chalicelib.payments import providers, service
from chalicelib.payments.domain.approval import ApprovalNeeded, DayLimitReached
from chalicelib.payments.domain.offline import PaidInFuture
from chalicelib.payments.domain.payment import (
    AlreadyPaid,
    MethodNotOffered,
    ProviderSilent,
    TooManyPayments,
    TooManyTries,
    UnknownPayment,
    UnknownProvider,
)
from chalicelib.payments.domain.refund import RefundRefused
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import (
    Ack,
    BadSignature,
    ForeignNotice,
    IgnoredNotice,
    NoticeRefused,
    Provider,
    UnknownKey,
    UnreadableNotice,
)
from chalicelib.payments.schemas import (
    ApprovalView,
    DayQuery,
    DecideApproval,
    MethodsQuery,
    PaymentMethodsView,
    PaymentRecordView,
    PaymentsView,
    PaymentView,
    PayOffline,
    QuarantinedView,
    RefundRecordView,
    RequestRefund,
    ResolveQuarantined,
    SendToCard,
    SettleStray,
    StartPayment,
    StoryView,
    StrayView,
    TimelineView,
    ToCard,
    WaitingQuery,
)
from chalicelib.payments.service import ReturnNeedsTwo, StrayNotFound
from chalicelib.runtime import cursors, log, metrics, queues
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes
from chalicelib.runtime.intents import Intent

NOTICE_CAP_BYTES = 64 * 1024
NOTICE_TYPES = ("application/json", "application/x-www-form-urlencoded", "text/xml", "application/xml")
"""All that providers post; each adapter names its own."""

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
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
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
    story, wait_s = service.check(purchase_id, payment_id, caller.account_id)
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    return Reply(PaymentView.of(story.payment(payment_id), story.refunds_of(payment_id)), 200, headers)


@routes.route(
    "GET",
    "/v1/purchases/{purchase_id}/payments",
    access=Access.BUYER,
    returns=PaymentsView,
    raises=(NotFound,),
)
def list_payments(purchase_id: str, caller: Caller) -> PaymentsView:
    """List the attempts to pay one of the caller's purchases, with what went back and why."""
    return PaymentsView.of(service.buyers_story(purchase_id, caller.account_id))


@routes.route(
    "GET",
    "/v1/purchases/{purchase_id}/payments/{payment_id}",
    access=Access.BUYER,
    returns=PaymentView,
    raises=(NotFound, UnknownPayment),
)
def get_payment(purchase_id: str, payment_id: str, caller: Caller) -> PaymentView:
    """Read one attempt. The client's own "paid" proves nothing: this does."""
    story = service.buyers_story(purchase_id, caller.account_id)
    return PaymentView.of(story.payment(payment_id), story.refunds_of(payment_id))


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
    adapter = providers.offered(provider)
    return _reply(adapter, _receive(adapter, request))


def _receive(adapter: Provider, request: Request) -> Ack:
    try:
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type not in adapter.content_types:
            raise UnreadableNotice(why="the content type is not this provider's")
        notice = adapter.verify(headers=request.headers, body=request.body)
    except IgnoredNotice as ignored:
        return _keep_unknown(adapter, request, ignored)
    except ForeignNotice as foreign:
        metrics.count("notices_foreign")
        payment_id = str(foreign.params.get("payment_id", ""))
        if not ids.is_id("pay", payment_id) and not (payment_id and foreign.params.get("ours")):
            log.warning("notice of others", provider=adapter.name)
            return Ack.REFUSED
        notice_id = str(foreign.params.get("notice_id") or _digest(request))
        why = str(foreign.params["why"])
        return _durable(adapter, service.noticed_of_others(adapter.name, payment_id, notice_id=notice_id, why=why))
    except UnknownKey:  # Perhaps genuine: it must come again, and somebody must know.
        log.error("notice of an unknown key", provider=adapter.name)
        metrics.count("notices_unknown_key")
        return Ack.RETRY
    except NoticeRefused as refused:
        log.info("notice refused", provider=adapter.name, code=refused.code)
        metrics.count("notices_forged" if isinstance(refused, BadSignature) else "notices_refused")
        return Ack.REFUSED
    return _durable(adapter, service.noticed(adapter.name, notice))


def _keep_unknown(adapter: Provider, request: Request, ignored: IgnoredNotice) -> Ack:
    """Keep a genuine notice of a kind that we do not act on, unless it only repeats what others tell."""
    event = str(ignored.params.get("event", ""))
    if not event:
        log.info("notice ignored", provider=adapter.name, code=ignored.code)
        return Ack.ACCEPTED
    notice_id = str(ignored.params.get("notice_id") or _digest(request))
    named = {
        "number": str(ignored.params.get("payment_id", "")),
        "trace": str(ignored.params.get("trace", "")),
        "sha256": hashlib.sha256(request.body).hexdigest(),
        "bytes": str(len(request.body)),
    }
    return _durable(adapter, service.noticed_of_unknown_kind(adapter.name, notice_id[:64], event, **named))


def _digest(request: Request) -> str:
    return hashlib.sha256(request.body).hexdigest()[:32]


def _durable(adapter: Provider, told: PaymentNoticed) -> Ack:
    """Put a genuine notice in its queue; only then may the provider forget it."""
    try:
        queues.publish(seal(told))
    except Exception as error:
        log.error("notice not durable", trace=True, provider=adapter.name, kind=type(error).__name__)
        return Ack.RETRY
    return Ack.ACCEPTED


def _reply(adapter: Provider, ack: Ack) -> Reply:
    status, headers, body = adapter.acknowledge(ack)
    return Reply(body, status, headers)


@routes.route(
    "GET",
    "/v1/operator/payments",
    access=Access.OPERATOR,
    query=WaitingQuery,
    returns=StoryView,
    raises=(BadCursor,),
)
def list_waiting(query: WaitingQuery, caller: Caller) -> StoryView:
    """List payments and refunds by what they wait for: a provider's answer, or an operator."""
    scope = f"payments#{query.wanted}#{query.older_than_s}#{caller.account_id}"
    page = service.list_waiting(
        query.wanted,
        limit=query.limit,
        start_key=cursors.unseal(query.cursor, query=scope),
        older_than=timedelta(seconds=query.older_than_s),
    )
    return StoryView.of(page.story, cursors.seal(page.last_key, query=scope))


@routes.route(
    "GET",
    "/v1/operator/payments/booked",
    access=Access.OPERATOR,
    query=DayQuery,
    returns=StoryView,
    raises=(BadCursor,),
)
def list_booked(query: DayQuery, caller: Caller) -> StoryView:
    """List what a provider moved on one of its days by our books: captures, and refunds that are done."""
    scope = f"payments#{query.provider}#{query.day}#{caller.account_id}"
    start_key = cursors.unseal(query.cursor, query=scope)
    page = service.list_day(query.provider, query.day, limit=query.limit, start_key=start_key)
    return StoryView.of(page.story, cursors.seal(page.last_key, query=scope))


@routes.route(
    "GET",
    "/v1/operator/purchases/{purchase_id}/payments",
    access=Access.OPERATOR,
    returns=StoryView,
    raises=(NotFound,),
)
def get_story(purchase_id: str) -> StoryView:
    """Read everything we keep of a purchase's payments."""
    return StoryView.of(service.story(purchase_id))


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


@routes.route(
    "POST",
    "/v1/operator/purchases/{purchase_id}/refunds",
    access=Access.OPERATOR,
    body=RequestRefund,
    returns=RefundRecordView,
    status=201,
    raises=(
        NotFound,
        UnknownPayment,
        RefundRefused,
        ApprovalNeeded,
        DayLimitReached,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
)
def request_refund(purchase_id: str, body: RequestRefund, caller: Caller, intent: Intent) -> Reply:
    """Refund part or all of one order: an amount, or units of its lines and the freight, worth what was charged."""
    refund, replayed = service.refund_by_operator(purchase_id, body.wish(), by=caller.account_id, intent=intent)
    return Reply(RefundRecordView.of(refund), 201, _replayed(replayed))


def _replayed(replayed: bool) -> dict[str, str]:  # noqa: FBT001
    return {"Idempotency-Replayed": "true"} if replayed else {}


@routes.route(
    "POST",
    "/v1/operator/purchases/{purchase_id}/refund-approvals",
    access=Access.OPERATOR,
    body=RequestRefund,
    returns=ApprovalView,
    status=201,
    raises=(NotFound, UnknownPayment, RefundRefused, ConcurrentUpdate, IdempotencyKeyReused),
)
def ask_refund_approval(purchase_id: str, body: RequestRefund, caller: Caller, intent: Intent) -> Reply:
    """Ask another operator to approve a refund. Nothing is reserved until it is approved; it expires after a day."""
    approval, replayed = service.ask_approval(purchase_id, body.wish(), by=caller.account_id, intent=intent)
    return Reply(ApprovalView.of(approval), 201, _replayed(replayed))


@routes.route(
    "POST",
    "/v1/operator/purchases/{purchase_id}/refund-approvals/{approval_id}/approve",
    access=Access.OPERATOR,
    body=DecideApproval,
    returns=ApprovalView,
    raises=(
        NotFound,
        OwnApproval,
        KinApproval,
        AskerGone,
        IllegalTransition,
        PaidInFuture,
        RefundRefused,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
)
def approve_refund(purchase_id: str, approval_id: str, body: DecideApproval, caller: Caller, intent: Intent) -> Reply:
    """Approve a refund as another operator than who asked: it is requested in the same transaction."""
    approval, replayed = service.decide_approval(
        purchase_id, approval_id, approve=True, by=caller.account_id, note=body.note, intent=intent
    )
    return Reply(ApprovalView.of(approval), 200, _replayed(replayed))


@routes.route(
    "POST",
    "/v1/operator/purchases/{purchase_id}/refund-approvals/{approval_id}/reject",
    access=Access.OPERATOR,
    body=DecideApproval,
    returns=ApprovalView,
    raises=(NotFound, IllegalTransition, ConcurrentUpdate, IdempotencyKeyReused),
)
def reject_refund(purchase_id: str, approval_id: str, body: DecideApproval, caller: Caller, intent: Intent) -> Reply:
    """Reject a refund, or take one's own request back."""
    approval, replayed = service.decide_approval(
        purchase_id, approval_id, approve=False, by=caller.account_id, note=body.note, intent=intent
    )
    return Reply(ApprovalView.of(approval), 200, _replayed(replayed))


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
    return Reply(QuarantinedView.of(found), 200, _replayed(replayed))


@routes.route(
    "GET",
    "/v1/operator/strays/{stray_id}",
    access=Access.OPERATOR,
    returns=StrayView,
    raises=(StrayNotFound,),
)
def get_stray(stray_id: str) -> StrayView:
    """Read a genuine word of a provider that fits nothing of ours."""
    return StrayView.of(service.stray(stray_id))


@routes.route(
    "POST",
    "/v1/operator/strays/{stray_id}/settle",
    access=Access.OPERATOR,
    body=SettleStray,
    returns=StrayView,
    raises=(
        StrayNotFound,
        IllegalTransition,
        ReturnNeedsTwo,
        DayLimitReached,
        KinApproval,
        AskerGone,
        ProviderSilent,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
)
def settle_stray(stray_id: str, body: SettleStray, caller: Caller, intent: Intent) -> Reply:
    """Say whose money in suspense is, have the provider asked about it again, or mark an event as seen."""
    found, replayed = service.settle_stray(stray_id, how=body.how, by=caller.account_id, note=body.note, intent=intent)
    return Reply(StrayView.of(found), 200, _replayed(replayed))


@routes.route(
    "GET",
    "/v1/operator/purchases/{purchase_id}/story",
    access=Access.OPERATOR,
    returns=TimelineView,
    raises=(NotFound,),
)
def get_timeline(purchase_id: str) -> TimelineView:
    """Read all that happened to a purchase and its money, by time, but never what was caused before its cause.

    A provider tells whole seconds by its own clock: its times are shown as they were told, the order heeds what led to
    what.
    """
    return TimelineView.of(purchase_id, service.timeline(purchase_id))


@routes.route(
    "POST",
    "/v1/operator/refunds/{refund_id}/query",
    access=Access.OPERATOR,
    returns=RefundRecordView,
    raises=(NotFound, ProviderSilent, ConcurrentUpdate),
    idempotent=False,  # A question: what the provider answers is recorded as the same fact every time.
)
def query_refund(refund_id: str) -> RefundRecordView:
    """Ask the provider what became of a refund, now; one that had gone through and came back is taken back."""
    return RefundRecordView.of(service.query_refund_now(refund_id))


@routes.route(
    "POST",
    "/v1/operator/refunds/{refund_id}/retry",
    access=Access.OPERATOR,
    returns=RefundRecordView,
    raises=(NotFound, IllegalTransition, RefundRefused, ConcurrentUpdate),
    idempotent=False,  # Only a stuck refund takes it, and its own number keeps the provider from paying twice.
)
def retry_refund(refund_id: str, caller: Caller) -> RefundRecordView:
    """Try a stuck refund again: under its own number, or a new one where the provider closed it."""
    return RefundRecordView.of(service.retry_refund(refund_id, by=caller.account_id))


@routes.route(
    "POST",
    "/v1/operator/refunds/{refund_id}/offline",
    access=Access.OPERATOR,
    returns=RefundRecordView,
    raises=(NotFound, IllegalTransition, ProviderSilent, RefundRefused, ConcurrentUpdate),
    idempotent=False,  # Only a stuck refund takes it, and nothing is paid by it.
)
def take_refund_offline(refund_id: str, caller: Caller) -> RefundRecordView:
    """Give up on the provider for a stuck refund: it is owed to the buyer from now on, to be paid another way."""
    return RefundRecordView.of(service.withhold_refund(refund_id, by=caller.account_id))


@routes.route(
    "POST",
    "/v1/operator/refunds/{refund_id}/paid-offline",
    access=Access.OPERATOR,
    body=PayOffline,
    returns=RefundRecordView,
    raises=(
        NotFound,
        IllegalTransition,
        PaidInFuture,
        ApprovalNeeded,
        DayLimitReached,
        RefundRefused,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
)
def note_paid_offline(refund_id: str, body: PayOffline, caller: Caller, intent: Intent) -> Reply:
    """Note that an owed refund was paid by hand. Above the limits of one person another operator confirms it."""
    refund, replayed = service.pay_offline(refund_id, body.payment(caller.account_id), intent=intent)
    return Reply(RefundRecordView.of(refund), 200, _replayed(replayed))


@routes.route(
    "POST",
    "/v1/operator/refunds/{refund_id}/paid-offline-approvals",
    access=Access.OPERATOR,
    body=PayOffline,
    returns=ApprovalView,
    status=201,
    raises=(NotFound, IllegalTransition, PaidInFuture, ConcurrentUpdate, IdempotencyKeyReused),
)
def ask_paid_offline_approval(refund_id: str, body: PayOffline, caller: Caller, intent: Intent) -> Reply:
    """Ask another operator to confirm that an owed refund was paid by hand; decided like the approval of a refund."""
    paid = body.payment(caller.account_id)
    approval, replayed = service.ask_to_settle(refund_id, paid, by=caller.account_id, intent=intent)
    return Reply(ApprovalView.of(approval), 201, _replayed(replayed))


@routes.route(
    "POST",
    "/v1/operator/refunds/{refund_id}/to-card",
    access=Access.OPERATOR,
    body=SendToCard,
    returns=RefundRecordView,
    raises=(
        NotFound,
        IllegalTransition,
        ProviderSilent,
        RefundRefused,
        ApprovalNeeded,
        DayLimitReached,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
)
def send_refund_to_card(refund_id: str, body: SendToCard, caller: Caller, intent: Intent) -> Reply:
    """Have the provider send an abnormal refund to another card of the buyer's. The card is not kept."""
    refund, replayed = service.send_to_card(
        refund_id, body.card(), by=caller.account_id, approval_id=body.approval_id or "", intent=intent
    )
    return Reply(RefundRecordView.of(refund), 200, _replayed(replayed))


@routes.route(
    "POST",
    "/v1/operator/refunds/{refund_id}/to-card-approvals",
    access=Access.OPERATOR,
    body=ToCard,
    returns=ApprovalView,
    status=201,
    raises=(NotFound, IllegalTransition, RefundRefused, ConcurrentUpdate, IdempotencyKeyReused),
)
def ask_to_card_approval(refund_id: str, body: ToCard, caller: Caller, intent: Intent) -> Reply:
    """Ask another operator whether an abnormal refund may go to this card; decided like the approval of a refund."""
    approval, replayed = service.ask_for_card(refund_id, body.card(), by=caller.account_id, intent=intent)
    return Reply(ApprovalView.of(approval), 201, _replayed(replayed))
