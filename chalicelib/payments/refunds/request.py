"""Asking for a refund: what it is judged by is read once, decided by the pure rules, written in the caller's work."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, PaidBack
from chalicelib.payments import events, providers
from chalicelib.payments.domain import refund_decision
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import Refund, RefundRefused, RefundStatus
from chalicelib.payments.domain.refund_decision import RefundContext, Reserved, Withheld
from chalicelib.payments.domain.refund_request import RefundRequest, Requester
from chalicelib.payments.ports import Limits
from chalicelib.payments.refunds import execute
from chalicelib.payments.refunds import limits as refund_limits
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.store import operator_limits
from chalicelib.payments.store import records as store
from chalicelib.runtime import log
from chalicelib.runtime.db.work import UnitOfWork


def load_context(order: Order, *, payment_id: str = "", records: PaymentRecords | None = None) -> RefundContext:
    """Read what a refund on an order is judged by: on the payment named, else on the one that settled the purchase.

    ``order`` and ``records``: as they were read; what is written by them is refused if they have changed since.

    Raises:
        UnknownPayment: if there is no such payment.
    """
    records = records or store.load_records(order.purchase_id)
    payment = records.payment(payment_id) if payment_id else records.settling()
    return RefundContext(
        records=records,
        order=order,
        payment=payment,
        limits=providers.load(payment.provider).limits if payment else Limits(),
        now=clock.now(),
        alone=refund_limits.alone(),
        alone_a_day=refund_limits.alone_a_day(),
    )


def request_refund(work: UnitOfWork, context: RefundContext, wanted: RefundRequest, requester: Requester) -> Refund:
    """Reserve a refund against the captured amount in the caller's own work.

    The same cause again is the same refund. One call a work: two would write the payment's row twice. The order's row
    is written too: units that it pays back before they have left will not be sent and are in stock again.
    Losing a race against another refund is a ``ConcurrentUpdate`` of the work: read again and repeat.

    Raises:
        RefundRefused, ApprovalNeeded, DayLimitReached: as ``refund_decision``; the last from the commit too.
    """
    known = context.known(requester)
    if known is not None:
        return known
    decided = refund_decision.request(context, wanted, requester)
    refund = decided.refund
    _save(work, context, decided, requester)
    paid = PaidBack(
        refund.refund_id, refund.amount, refund.lines, decided.emptied, decided.everything, returned=wanted.returned
    )
    freed = orders.freed(context.order, orders.pay_back(work, context.order, paid))
    if freed:
        inventory.put_back(work, freed, buckets=context.order.buckets())
    return refund


def request_rest(
    work: UnitOfWork, order: Order, *, payment_id: str, cause: str, units: Mapping[str, int] | None = None
) -> PaidBack | None:
    """Ask for what an order that ends still owes its buyer, or, where it goes on without some ``units``, for those.

    None if nothing is owed. The caller writes the order's row.

    Raises:
        UnknownPayment: if there is no such payment.
        RefundRefused: as :func:`refund_decision.rest`.
    """
    context, requester = load_context(order, payment_id=payment_id), Requester(cause)
    decided = refund_decision.rest(context, requester, units)
    _save(work, context, decided, requester)
    if isinstance(decided, Withheld):
        return None
    return PaidBack(decided.refund.refund_id, decided.refund.amount, decided.refund.lines)


def _save(work: UnitOfWork, context: RefundContext, decided: Reserved | Withheld, requester: Requester) -> None:
    """Add what was decided to the caller's work: the refund, what it reserves, what a dispute withholds."""
    withheld = decided.amount if isinstance(decided, Withheld) else decided.withheld
    if withheld:  # Nobody asks for it again: should the bank decide for us, the buyer has neither.
        told = {"order_id": context.order.order_id, "amount": withheld.text(), "cause": requester.key}
        quarantine.put_aside_with(work, context.paid(), "refund_withheld", **told)
    if isinstance(decided, Withheld):
        return
    if decided.counted is not None:
        limit = context.alone_a_day.get(decided.counted.currency, 0)
        operator_limits.count(work, requester.by, decided.counted, limit=limit, now=context.now)
    _write(work, context, decided.payment, decided.refund)


def _write(work: UnitOfWork, context: RefundContext, payment: Payment, refund: Refund) -> None:
    store.save_payment(work, payment)
    if refund.status is RefundStatus.OWED:
        execute.owe(work, context.records, payment, refund, order=context.order)
    else:
        write_request(work, payment, refund)


def write_request(work: UnitOfWork, payment: Payment, refund: Refund) -> None:
    """Add a requested refund and the fact that sends it to the caller's work; what it reserves is the caller's."""
    store.save_refund(work, refund, [execute.refund_fact(events.RefundRequested, refund, round=refund.version)])
    log.info("refund requested", refund_id=refund.refund_id, payment_id=payment.payment_id)


def order_of(purchase_id: str, order_id: str | None) -> Order:
    """Return the order that a refund is for.

    Raises:
        RefundRefused: if it is none of the purchase's.
    """
    if order_id is None or ids.parent_id("pur", order_id) != purchase_id:
        raise RefundRefused(why="no_order", left=0)
    return orders.load_order(order_id)
