"""Use cases of payments: what other capabilities, routes and consumers call. The work is in the files it names."""

from __future__ import annotations

from datetime import date, timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Window
from chalicelib.orders import service as orders
from chalicelib.payments.attempts.check import check
from chalicelib.payments.attempts.conclude import conclude_attempts
from chalicelib.payments.attempts.first import Ready, add_first, first_again, ready, tell_of_first
from chalicelib.payments.attempts.methods import Offer, offers
from chalicelib.payments.attempts.outcome import record_capture
from chalicelib.payments.attempts.poll import poll_payment, query_now
from chalicelib.payments.attempts.start import Wanted, start_payment
from chalicelib.payments.disputes import follow
from chalicelib.payments.disputes.follow import dispute
from chalicelib.payments.disputes.follow import follow as follow_dispute
from chalicelib.payments.domain.approval import ApprovalNeeded, DayLimitReached
from chalicelib.payments.domain.bill import BOOKED_SHARDS, Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.domain.dispute import Dispute, DisputeStatus, dispute_id
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.payment import (
    AlreadyPaid,
    MethodNotOffered,
    Payment,
    PaymentStatus,
    UnknownPayment,
    UnknownProvider,
)
from chalicelib.payments.domain.payment_records import Conclusion, PaymentRecords
from chalicelib.payments.domain.refund import Refund, RefundRefused, RefundStatus
from chalicelib.payments.domain.refund_decision import RefundContext
from chalicelib.payments.domain.refund_request import RefundRequest, Requester
from chalicelib.payments.domain.returned import Worth, worth
from chalicelib.payments.domain.stray import ReturnNeedsTwo, Stray, StrayKind, StrayNotFound, StrayStatus, stray_id
from chalicelib.payments.keys.refresh import refresh as refresh_keys
from chalicelib.payments.refunds.approve import (
    ask_approval,
    ask_to_settle,
    decide_approval,
    expire_approval,
    refund_by_operator,
)
from chalicelib.payments.refunds.execute import query_refund_now, send_refund
from chalicelib.payments.refunds.external import Billed as BilledRefund
from chalicelib.payments.refunds.external import known_under as known_refund
from chalicelib.payments.refunds.external import note_billed as note_external_refund
from chalicelib.payments.refunds.limits import approval_limit
from chalicelib.payments.refunds.offline import pay as pay_offline
from chalicelib.payments.refunds.offline import withhold as withhold_refund
from chalicelib.payments.refunds.request import load_context as refund_context
from chalicelib.payments.refunds.request import request_refund, request_rest
from chalicelib.payments.refunds.retry import retry_refund, time_out_refund
from chalicelib.payments.refunds.to_card import ask_for_card
from chalicelib.payments.refunds.to_card import to_card as send_to_card
from chalicelib.payments.reviews.story import Happening, story
from chalicelib.payments.statements.fetch import billing_day, billing_providers, booked, fetch_bill, records_by_id
from chalicelib.payments.store import records as store
from chalicelib.payments.store.records import RecordPage
from chalicelib.payments.strays.record import ReportedMoney, take_unknown
from chalicelib.payments.strays.record import note_billed as note_billed_money
from chalicelib.payments.strays.settle import Settled
from chalicelib.payments.strays.settle import get as stray
from chalicelib.payments.strays.settle import settle as settle_stray
from chalicelib.payments.webhooks.apply import (
    Resolution,
    Resolved,
    resolve_quarantined,
    take_notice,
)
from chalicelib.payments.webhooks.receive import receive

__all__ = [
    "BOOKED_SHARDS",
    "AlreadyPaid",
    "ApprovalNeeded",
    "Bill",
    "BillKind",
    "BillLine",
    "BillUnavailable",
    "BilledRefund",
    "Conclusion",
    "DayLimitReached",
    "Dispute",
    "DisputeStatus",
    "Happening",
    "MethodNotOffered",
    "Offer",
    "OfflinePayment",
    "Payment",
    "PaymentRecords",
    "PaymentStatus",
    "Ready",
    "Refund",
    "RefundContext",
    "RefundRefused",
    "RefundRequest",
    "RefundStatus",
    "ReportedMoney",
    "Requester",
    "Resolution",
    "Resolved",
    "ReturnNeedsTwo",
    "Settled",
    "Stray",
    "StrayKind",
    "StrayNotFound",
    "StrayStatus",
    "UnknownPayment",
    "UnknownProvider",
    "Wanted",
    "Worth",
    "add_first",
    "approval_limit",
    "ask_approval",
    "ask_for_card",
    "ask_to_settle",
    "billing_day",
    "billing_providers",
    "booked",
    "buyers_records",
    "check",
    "conclude_attempts",
    "decide_approval",
    "dispute",
    "dispute_id",
    "expire_approval",
    "fetch_bill",
    "first_again",
    "follow_dispute",
    "is_settled",
    "known_refund",
    "list_waiting",
    "note_billed_money",
    "note_external_refund",
    "offers",
    "pay_offline",
    "payment_records",
    "poll_payment",
    "query_by_operator",
    "query_now",
    "query_refund_now",
    "ready",
    "receive",
    "record_capture",
    "records_by_id",
    "refresh_keys",
    "refund_by_operator",
    "refund_context",
    "request_refund",
    "request_rest",
    "resolve_quarantined",
    "retry_refund",
    "send_refund",
    "send_to_card",
    "settle_stray",
    "start_payment",
    "story",
    "stray",
    "stray_id",
    "take_notice",
    "take_unknown",
    "tell_of_first",
    "time_out_refund",
    "withhold_refund",
    "worth",
]


def query_by_operator(payment_id: str) -> Payment:
    """Ask the provider about an attempt, and how the disputes of its money stand, and record what it says.

    Raises:
        UnknownPayment: if there is no such attempt.
        ProviderSilent: if it gives no answer that can be trusted.
    """
    payment = query_now(payment_id)
    follow.ask_again(payment)
    return store.load_payment(payment_id)


def buyers_records(purchase_id: str, buyer_id: str) -> PaymentRecords:
    """Return the payments and refunds of a buyer's purchase; one without any is empty.

    Raises:
        NotFound: if the purchase is not this buyer's.
    """
    found = store.load_records(purchase_id, consistent=False)
    owner = found.payments[0].buyer_id if found.payments else orders.load_purchase(purchase_id).buyer_id
    if owner != buyer_id:
        raise NotFound(what="purchase")
    return found


def is_settled(purchase_id: str) -> bool:
    """Say whether no payment, refund, approval or dispute of a purchase waits for anybody or for its deadline."""
    return not store.waiting(purchase_id)


def payment_records(purchase_id: str) -> PaymentRecords:
    """Return everything of a purchase's payments.

    Raises:
        NotFound: if there is no such purchase.
    """
    found = store.load_records(purchase_id)
    if not found.payments:
        orders.load_purchase(purchase_id)
    return found


def list_day(provider: str, day: date, window: Window) -> RecordPage:
    """Return one page of what a provider moved on one of its days, as our books have it: captures and refunds."""
    return store.list_day(f"{provider}#{day.isoformat()}", window)


def list_waiting(state: str, window: Window, *, older_than: timedelta = timedelta()) -> RecordPage:
    """Return one page of records by what they wait for: ``waiting`` for a provider (soonest asked first), or an
    operator's state (oldest first); only those that have waited so long.
    """
    if state == "waiting":
        page = store.list_due(window)
        until = clock.now() - older_than
        kept = PaymentRecords(
            tuple(payment for payment in page.records.payments if payment.created_at <= until),
            tuple(refund for refund in page.records.refunds if refund.requested_at <= until),
        )
        return RecordPage(kept, page.after)
    return store.list_attention(state, window, until=clock.now() - older_than)
