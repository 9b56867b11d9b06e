"""Refunds by operators, and what they do by hand: alone up to a limit, above it with a second person's approval."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.auth import service as auth
from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, IllegalTransition, NotFound
from chalicelib.orders import service as orders
from chalicelib.payments.domain import approval as approval_rules
from chalicelib.payments.domain import refund_decision
from chalicelib.payments.domain.approval import Approval
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import Refund, RefundRefused
from chalicelib.payments.domain.refund_decision import RefundContext
from chalicelib.payments.domain.refund_request import RefundRequest, Requester
from chalicelib.payments.refunds import execute, offline
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.store import records as store
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


def refund_by_operator(
    purchase_id: str, wanted: RefundRequest, *, by: str = "operator", intent: Intent
) -> tuple[Refund, bool]:
    """Request a refund as an operator; returns it and whether the same request made it before.

    Raises:
        NotFound: if there is no such purchase.
        RefundRefused: as :func:`refund_decision.request`, or if there are no such units left.
        ApprovalNeeded: if what one operator alone gave back on the purchase would exceed the limit.
        DayLimitReached: if what this one gave back alone on this day would.
        IdempotencyKeyReused: if the key requested another refund.
    """
    requester = Requester(f"operator#{intent.token}", fingerprint=intent.fingerprint, by=by)

    def request() -> tuple[Refund, bool]:
        records = store.load_records(purchase_id)
        known = next((refund for refund in records.refunds if refund.request_token == requester.token), None)
        if known is not None:
            intent.check(known.fingerprint)
            return known, True
        context = context_of(purchase_id, wanted, records)
        with UnitOfWork() as work:
            refund = refund_requests.request_refund(work, context, wanted, requester)
        return replace(refund, version=refund.version + 1), False

    return racing(request)


def context_of(purchase_id: str, wanted: RefundRequest, records: PaymentRecords) -> RefundContext:
    """Return what a refund is judged by: on the payment it names, else on the one that settled the purchase.

    Raises:
        NotFound: if there is no such purchase.
        RefundRefused: if nobody has paid, or the order is none of the purchase's.
        UnknownPayment: if there is no such payment.
    """
    if not wanted.payment_id and records.settling() is None:
        orders.load_purchase(purchase_id)
        raise RefundRefused(why="not_captured", left=0)
    order = refund_requests.order_of(purchase_id, wanted.order_id)
    return refund_requests.load_context(order, payment_id=wanted.payment_id or "", records=records)


def ask_approval(purchase_id: str, wanted: RefundRequest, *, by: str, intent: Intent) -> tuple[Approval, bool]:
    """Ask a second person for a refund; returns the request and whether it was made before. Nothing is reserved yet.

    Raises:
        NotFound: if there is no such purchase.
        RefundRefused: if it could not be refunded even now.
        IdempotencyKeyReused: if the key asked for another.
    """
    approval_id = intent.record_id("apr")
    known = store.load_approval(purchase_id, approval_id)
    if known is not None:
        intent.check(known.fingerprint)
        return known, True
    amount = refund_decision.check(context_of(purchase_id, wanted, store.load_records(purchase_id)), wanted)
    now = clock.now()
    approval = Approval(
        approval_id=approval_id,
        purchase_id=purchase_id,
        request=wanted,
        amount=amount,
        status=approval_rules.APPROVAL.initial,
        asked_by=by,
        asked_at=now,
        since=now,
        fingerprint=intent.fingerprint,
    )
    return keep(approval, intent)


def keep(approval: Approval, intent: Intent) -> tuple[Approval, bool]:
    """Write a new approval; returns it, or the one that the same request wrote at this moment."""
    try:
        with UnitOfWork() as work:
            store.save_approval(work, approval)
    except AlreadyExists:
        known = store.load_approval(approval.purchase_id, approval.approval_id)
        if known is None:
            raise ConcurrentUpdate from None
        intent.check(known.fingerprint)
        return known, True
    return replace(approval, version=1), False


def ask_to_settle(refund_id: str, paid: OfflinePayment, *, by: str, intent: Intent) -> tuple[Approval, bool]:
    """Ask a second person to confirm that an owed refund was paid by hand; returns the request as :func:`ask_approval`.

    Raises:
        NotFound: if there is no such refund.
        IllegalTransition: if it is not owed.
        PaidInFuture: if it is said to be paid at a moment that has not come.
        IdempotencyKeyReused: if the key asked for another.
    """
    _, _, refund = execute.load_refund(refund_id)
    approval_id = intent.record_id("apr")
    known = store.load_approval(refund.purchase_id, approval_id)
    if known is not None:
        intent.check(known.fingerprint)
        return known, True
    offline.check_payable(refund, paid)
    return keep(replace(about(refund, approval_id, by=by, intent=intent), offline=paid), intent)


def about(refund: Refund, approval_id: str, *, by: str, intent: Intent) -> Approval:
    """Return a new approval of what is to become of a refund that there is."""
    now = clock.now()
    return Approval(
        approval_id=approval_id,
        purchase_id=refund.purchase_id,
        request=RefundRequest(refund.order_id or "", refund.reason, amount=refund.amount, payment_id=refund.payment_id),
        amount=refund.amount,
        status=approval_rules.APPROVAL.initial,
        asked_by=by,
        asked_at=now,
        since=now,
        fingerprint=intent.fingerprint,
        settles=refund.refund_id,
    )


def decide_approval(
    purchase_id: str, approval_id: str, *, approve: bool, by: str, note: str, intent: Intent
) -> tuple[Approval, bool]:
    """Approve (the refund is requested in the same transaction) or reject, as another operator than who asked.

    Returns it, and whether the same request decided it before.

    Raises:
        NotFound: if there is none.
        OwnApproval: if the caller asked for it (who may only take it back: reject it).
        AskerGone, KinApproval: if who asked is no operator any more, or one of the two owes the role to the other.
        IllegalTransition: if it is decided or expired.
        RefundRefused: if there is no such money left by now; it stays pending.
        IdempotencyKeyReused: if the key decided with another body.
    """
    cause = approval_rules.ApprovalCause.APPROVE if approve else approval_rules.ApprovalCause.REJECT

    def decide() -> tuple[Approval, bool]:
        approval = store.load_approval(purchase_id, approval_id)
        if approval is None:
            raise NotFound(what="approval")
        if approval.intent and approval.intent == intent.token:
            intent.check(approval.decided_fingerprint)
            return approval, True
        if approve:
            auth.check_second_person(asked_by=approval.asked_by, by=by)
        now = clock.now()
        if approval.due_at is not None and approval.due_at <= now:  # The job is only late with saying so.
            raise IllegalTransition(machine="approval", state="expired", cause=cause.value)
        decided = replace(
            approval,
            status=approval_rules.APPROVAL.next(approval.status, cause),
            since=now,
            decided_by=by,
            note=note,
            intent=intent.token,
            decided_fingerprint=intent.fingerprint,
        )
        with UnitOfWork() as work:
            if approve:
                decided = replace(decided, refund_id=_carried_out(work, decided))
            store.save_approval(work, decided)
        return replace(decided, version=decided.version + 1), False

    return racing(decide)


def _carried_out(work: UnitOfWork, approval: Approval) -> str:
    """Do what was approved, in the work that says so; returns the refund it is about."""
    if not approval.settles:
        return _request_approved(work, approval)
    if approval.offline is not None:
        _, payment, refund = execute.load_refund(approval.settles)
        paid = replace(approval.offline, by=approval.asked_by, approved_by=approval.decided_by)
        offline.check_payable(refund, paid)
        offline.book(work, payment, refund, paid)
    return approval.settles


def _request_approved(work: UnitOfWork, approval: Approval) -> str:
    wanted = approval.request
    context = context_of(approval.purchase_id, wanted, store.load_records(approval.purchase_id))
    requester = Requester(
        f"approval#{approval.approval_id}",
        fingerprint=approval.fingerprint,
        by=approval.asked_by,
        approved_by=approval.decided_by,
    )
    known = context.known(requester)
    if known is not None:
        return known.refund_id
    if refund_decision.amount_of(context, wanted) != approval.amount:
        raise RefundRefused(why="other_amount_by_now", left=approval.amount.minor)
    return refund_requests.request_refund(work, context, wanted, requester).refund_id


def expire_approval(purchase_id: str, approval_id: str) -> None:
    """Let an approval expire because its deadline passed; a no-op where it was decided."""
    approval = store.load_approval(purchase_id, approval_id)
    now = clock.now()
    if approval is None or approval.due_at is None or approval.due_at > now:
        return
    status = approval_rules.APPROVAL.next(approval.status, approval_rules.ApprovalCause.EXPIRE)
    with UnitOfWork() as work:
        store.save_approval(work, replace(approval, status=status, since=now))
