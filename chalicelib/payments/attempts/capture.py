"""Money that came: the purchase takes it, late as it may be, or it goes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, Conflict
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus, Sale
from chalicelib.payments import events
from chalicelib.payments.attempts import unclear
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain import refund_numbers
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.refund import REFUND, Refund, first_due_at
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.statements import fetch
from chalicelib.payments.store import records as store
from chalicelib.runtime import metrics
from chalicelib.runtime.db.work import UnitOfWork


def record(payment: Payment, amount: Money, transaction_id: str, at: datetime) -> Payment:
    """Honour the money if the purchase takes it, late as it may be; else send it back, and say why."""
    sale = orders.load_sale(payment.purchase_id)
    try:
        if _is_late(sale):
            return _honour_late(sale, payment, amount, transaction_id, at)
        return honour(sale, payment, amount, transaction_id, at)
    except (ConcurrentUpdate, AlreadyExists):
        raise
    except Conflict as refusal:  # A retry would be refused again: the money is here, so the refusal is an outcome.
        return _send_back(sale, payment, amount, transaction_id, at, why=_why(sale, refusal))


def _honour_late(sale: Sale, payment: Payment, amount: Money, transaction_id: str, at: datetime) -> Payment:
    """Honour money whose purchase has expired: its whole basket is taken again with it."""
    from chalicelib.payments.attempts import late_payment  # Few payments are: only they need catalog and stock.

    def again() -> Payment:
        return honour(sale, payment, amount, transaction_id, at, take_again=late_payment.take_again)

    return late_payment.placing(again)


def _is_late(sale: Sale) -> bool:
    return sale.purchase.status is PurchaseStatus.EXPIRED


def _why(sale: Sale, refusal: Conflict) -> str:
    """Return the word for why a purchase does not take money; buyers read it in ``buyer_texts``."""
    if refusal.code == "payment_mismatch":
        return "amount_differs"
    if _is_late(sale) and refusal.code == "off_sale":
        return "purchase_off_sale"
    return f"purchase_{sale.purchase.status.value}"


def honour(
    sale: Sale,
    payment: Payment,
    amount: Money,
    transaction_id: str,
    at: datetime,
    *,
    take_again: Callable[[UnitOfWork, Sale], None] | None = None,
) -> Payment:
    """Settle the purchase with this money, in one transaction with what ``take_again`` adds.

    Raises:
        Conflict: if the purchase does not take it, or (``take_again``) not all of it can be had.
    """
    captured = payment_rules.capture(payment, amount=amount, transaction_id=transaction_id, at=at, surplus="")
    captured = replace(captured, booked_on=fetch.booked_on(payment.provider, at))
    fact = events.PaymentCaptured(
        payment_id=payment.payment_id,
        amount_minor=amount.minor,
        currency=amount.currency,
        payer=payment.payer_mark,
    )
    with UnitOfWork(f"payment.captured#{payment.payment_id}") as work:
        orders.settle(work, sale, payment_id=payment.payment_id, captured=amount, at=clock.now())
        store.save_payment(work, replace(captured, silent_since=None), [fact, *unclear.end(payment)])
        ledger.post(
            work,
            entry_id=fact.event_id,
            purchase_id=payment.purchase_id,
            at=clock.now(),
            postings=ledger.capture_postings(payment.provider, _shares(sale)),
        )
        if take_again is not None:
            take_again(work, sale)
    metrics.count("payments_late_honoured" if _is_late(sale) else "payments_captured")
    return replace(captured, version=captured.version + 1)


def _send_back(sale: Sale, payment: Payment, amount: Money, transaction_id: str, at: datetime, *, why: str) -> Payment:
    captured = payment_rules.capture(payment, amount=amount, transaction_id=transaction_id, at=at, surplus=why)
    captured = replace(captured, booked_on=fetch.booked_on(payment.provider, at), reserved_minor=amount.minor)
    fact = events.PaymentCaptured(
        payment_id=payment.payment_id, amount_minor=amount.minor, currency=amount.currency, surplus=why
    )
    with UnitOfWork(f"payment.captured#{payment.payment_id}") as work:
        refund_requests.write_request(work, captured, _surplus_refund(captured))
        store.save_payment(work, replace(captured, silent_since=None), [fact, *unclear.end(payment)])
        ledger.post(
            work,
            entry_id=fact.event_id,
            purchase_id=sale.purchase.purchase_id,
            at=clock.now(),
            postings=ledger.surplus_postings(payment.provider, amount),
        )
    metrics.count("payments_surplus")
    return replace(captured, version=captured.version + 1)


def _shares(sale: Sale) -> list[ledger.Share]:
    return [ledger.Share(order.merchant_id, order.total, order.commission_bps) for order in sale.orders]


def _surplus_refund(payment: Payment) -> Refund:
    now = clock.now()
    return Refund(
        refund_id=refund_numbers.surplus_refund_id(payment.payment_id),
        purchase_id=payment.purchase_id,
        payment_id=payment.payment_id,
        order_id=None,
        amount=payment.captured or payment.amount,
        status=REFUND.initial,
        reason=payment.surplus_reason,
        request_token=ids.digest(f"surplus#{payment.payment_id}"),
        requested_at=now,
        due_at=first_due_at(now),
        since=now,
    )
