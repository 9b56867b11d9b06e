"""Routes of refunds: an operator asks for one, another approves it, a stuck one is brought to an end."""

from __future__ import annotations

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.kernel.second_person import AskerGone, KinApproval, OwnApproval
from chalicelib.payments import service
from chalicelib.payments.domain.approval import ApprovalNeeded, DayLimitReached
from chalicelib.payments.domain.offline import PaidInFuture
from chalicelib.payments.domain.payment import ProviderSilent, UnknownPayment
from chalicelib.payments.domain.refund import RefundRefused
from chalicelib.payments.refunds.schemas import (
    ApprovalView,
    DecideApproval,
    PayOffline,
    RefundRecordView,
    RequestRefund,
    SendToCard,
    ToCard,
)
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("payments")


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
    refund, replayed = service.refund_by_operator(purchase_id, body.request(), by=caller.account_id, intent=intent)
    return Reply(RefundRecordView.of(refund), 201, replayed_header(replayed))


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
    approval, replayed = service.ask_approval(purchase_id, body.request(), by=caller.account_id, intent=intent)
    return Reply(ApprovalView.of(approval), 201, replayed_header(replayed))


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
    return Reply(ApprovalView.of(approval), 200, replayed_header(replayed))


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
    return Reply(ApprovalView.of(approval), 200, replayed_header(replayed))


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
    return Reply(RefundRecordView.of(refund), 200, replayed_header(replayed))


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
    return Reply(ApprovalView.of(approval), 201, replayed_header(replayed))


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
    return Reply(RefundRecordView.of(refund), 200, replayed_header(replayed))


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
    return Reply(ApprovalView.of(approval), 201, replayed_header(replayed))
