"""What becomes of an attempt: asking about it, closing it, recording that it was paid.

The provider is asked outside of any transaction; its answer is applied in one that re-reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, Conflict, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus, Sale
from chalicelib.payments import events, providers
from chalicelib.payments.attempts import bounds, unclear
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain import polling, refund_numbers
from chalicelib.payments.domain.payment import Payment, PaymentStatus, ProviderSilent
from chalicelib.payments.domain.refund import REFUND, Refund
from chalicelib.payments.ports import CloseOutcome, Outcome, Provider, Report
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.statements import fetch
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics, patience
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

ASK_AGAIN_S = 30
"""How soon a notice of money comes again when nobody but it would ask a silent provider."""
NO_TIME_S = 5


def chase(payment_id: str) -> Payment:
    """Ask a silent provider because the attempt's deadline passed; past the purchase's expiry also close there.

    Raises:
        RetryLater: if others' silence has taken the time there was.
    """
    payment = store.load_payment(payment_id)
    now = clock.now()
    if payment.due_at is None or payment.due_at > now:
        return payment
    if patience.spent():  # Silent providers took this batch's time: not to be asked is no silence of this one's.
        raise RetryLater("no time left to ask", delay_s=NO_TIME_S)
    if payment.status is PaymentStatus.CLOSED:
        return _look_again(payment)
    return ask(payment, close=now >= payment.expires_at + polling.AFTER_EXPIRY, chasing=True)


def query_now(payment_id: str) -> Payment:
    """Ask the provider because an operator or a bill wants to know, whatever the state.

    Raises:
        UnknownPayment: if there is no such attempt.
        ProviderSilent: if it gives no answer that can be trusted: the record says no more than before.
    """
    payment = store.load_payment(payment_id)
    report = providers.load(payment.provider).query(payment_rules.attempt_of(payment))
    if report.outcome is Outcome.UNKNOWN:
        raise ProviderSilent(provider=payment.provider)
    return apply_report(payment, report, given_up=False, chasing=False)


def ask(payment: Payment, *, close: bool, chasing: bool, told: bool = False) -> Payment:
    """Ask the provider and apply its answer; ``close`` also closes there what nobody has paid.

    ``chasing``: the deadline passed, so silence moves it on. ``told``: a notice says that it was paid.

    Raises:
        RetryLater: if it was told of money, the provider is silent, and no deadline will ask again.
    """
    adapter = providers.load(payment.provider)
    report = adapter.query(payment_rules.attempt_of(payment))
    given_up = False
    if close and report.outcome in (Outcome.PENDING, Outcome.ABSENT):
        report, given_up = _close(adapter, payment)
    if report.outcome is Outcome.UNKNOWN:
        log.warning("provider silent", payment_id=payment.payment_id, provider=adapter.name, step="query")
        if told:
            _keep_asking(payment)
    return apply_report(payment, report, given_up=given_up, chasing=chasing)


def _keep_asking(payment: Payment) -> None:
    """Let the notice come again where nobody else would ask: an attempt that has ended is not chased."""
    if not payment.is_open and not payment.holds_money:
        raise RetryLater("told of money, and the provider is silent", delay_s=ASK_AGAIN_S)


def _close(adapter: Provider, payment: Payment) -> tuple[Report, bool]:
    """Close at the provider; returns what is known then, and whether it did not know the attempt at all."""
    closing = adapter.close(payment_rules.attempt_of(payment))
    if closing is CloseOutcome.CLOSED:
        return Report(Outcome.CLOSED), False
    if closing is CloseOutcome.ABSENT:
        return Report(Outcome.CLOSED), True
    if closing is CloseOutcome.CAPTURED:  # Paid while we were closing: only a query has the facts.
        report = adapter.query(payment_rules.attempt_of(payment))
        return (report if report.outcome is Outcome.CAPTURED else Report(Outcome.UNKNOWN)), False
    return Report(Outcome.UNKNOWN), False


def _look_again(payment: Payment) -> Payment:
    adapter = providers.load(payment.provider)
    report = adapter.query(payment_rules.attempt_of(payment))
    if report.outcome is Outcome.PENDING:
        report, _ = _close(adapter, payment)
    return apply_report(payment, report, given_up=False, chasing=True)


def apply_report(read: Payment, report: Report, *, given_up: bool, chasing: bool) -> Payment:
    """Apply what the provider says of an attempt; ``given_up``: it did not know the attempt, so none may be paid."""
    if report.outcome is Outcome.CAPTURED:
        return _captured(read.payment_id, report)
    held = [read]

    def apply() -> Payment:
        payment = held.pop() if held else store.load_payment(read.payment_id)
        if given_up and payment.version != read.version:
            return payment  # The provider did not know it when we asked; somebody has told it since. Ask again.
        return _apply_uncaptured(payment, report, given_up=given_up, chasing=chasing)

    return racing(apply)


def _apply_uncaptured(payment: Payment, report: Report, *, given_up: bool, chasing: bool) -> Payment:
    now = clock.now()
    if payment.status is PaymentStatus.CLOSED and chasing:
        return save_attempt(payment_rules.lingered(payment, now=now))
    if not payment.is_open:
        return payment
    answered = replace(payment, silent_since=None)
    if report.outcome is Outcome.CLOSED:
        fact = events.PaymentClosed(payment_id=payment.payment_id)
        return save_attempt(payment_rules.closed(answered, now=now, known=not given_up), fact, *unclear.ended(payment))
    if report.outcome is Outcome.FAILED:
        return save_attempt(payment_rules.refused(answered, report.code, now=now), *unclear.ended(payment))
    if not chasing:
        return payment
    heard = report.outcome is Outcome.PENDING
    chased, facts = unclear.begun(payment, payment_rules.chased(payment, now=now, heard=heard), now=now, heard=heard)
    return save_attempt(chased, *facts)


def save_attempt(payment: Payment, *facts: events.PaymentEvent) -> Payment:
    """Write an attempt alone, with the facts it makes."""
    with UnitOfWork() as work:
        store.save_payment(work, payment, facts)
    return replace(payment, version=payment.version + 1)


def note_question(payment: Payment) -> Payment:
    """Note that a buyer made us ask about an attempt which is still open; a rival's write is as good."""
    try:
        return save_attempt(payment_rules.asked(payment, now=clock.now(), per=bounds.PER))
    except ConcurrentUpdate:
        return store.load_payment(payment.payment_id)


def _captured(payment_id: str, report: Report) -> Payment:
    if report.amount is None or not report.transaction_id:
        log.error("capture without facts", payment_id=payment_id)
        return store.load_payment(payment_id)
    return record_capture(
        payment_id,
        amount=report.amount,
        transaction_id=report.transaction_id,
        at=report.at or clock.now(),
        confirmed=True,
    )


def record_capture(
    payment_id: str,
    *,
    amount: Money,
    transaction_id: str,
    at: datetime,
    confirmed: bool,
    read: Payment | None = None,
) -> Payment:
    """Record that the provider holds the money: notice, query and bill all come here, in any order, any often.

    One transaction over the attempt, the purchase with its orders, and the ledger. Where the purchase has expired, its
    units are taken again in it. Money that the purchase does not take goes back by itself: the refund stands in the
    same transaction as the capture, its number follows from the attempt.
    An amount that differs is only believed when a query says so (``confirmed``); a notice is quarantined first.
    ``read`` spares a read where the caller has just made it; its version guards the write.

    Raises:
        UnknownPayment: if there is no such attempt.
    """
    known = [read] if read is not None else []

    def record() -> Payment:
        payment = known.pop() if known else store.load_payment(payment_id)
        if payment.holds_money:
            if payment.transaction_id != transaction_id:
                quarantine.put_aside(payment, "second_capture", amount=amount.text(), transaction_id=transaction_id)
            return payment
        if amount != payment.amount and not confirmed:
            return doubt(payment, "amount_differs", amount=amount.text(), transaction_id=transaction_id)
        return _record(payment, amount, transaction_id, at)

    return racing(record)


def _record(payment: Payment, amount: Money, transaction_id: str, at: datetime) -> Payment:
    """Honour the money if the purchase takes it, late as it may be; else send it back, and say why."""
    sale = orders.load_sale(payment.purchase_id)
    try:
        if _is_late(sale):
            return _honour_late(sale, payment, amount, transaction_id, at)
        return _honour(sale, payment, amount, transaction_id, at)
    except (ConcurrentUpdate, AlreadyExists):
        raise
    except Conflict as refusal:  # A retry would be refused again: the money is here, so the refusal is an outcome.
        return _send_back(sale, payment, amount, transaction_id, at, why=_why(sale, refusal))


def _honour_late(sale: Sale, payment: Payment, amount: Money, transaction_id: str, at: datetime) -> Payment:
    """Honour money whose purchase has expired: its whole basket is taken again with it."""
    from chalicelib.payments.attempts import late_payment  # Few payments are: only they need catalog and stock.

    def honour() -> Payment:
        return _honour(sale, payment, amount, transaction_id, at, take_again=late_payment.take_again)

    return late_payment.placing(honour)


def _is_late(sale: Sale) -> bool:
    return sale.purchase.status is PurchaseStatus.EXPIRED


def _why(sale: Sale, refusal: Conflict) -> str:
    """Return the word for why a purchase does not take money; buyers read it in ``buyer_texts``."""
    if refusal.code == "payment_mismatch":
        return "amount_differs"
    if _is_late(sale) and refusal.code == "off_sale":
        return "purchase_off_sale"
    return f"purchase_{sale.purchase.status.value}"


def _honour(
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
    captured = payment_rules.captured(payment, amount=amount, transaction_id=transaction_id, at=at, surplus="")
    captured = replace(captured, booked_on=fetch.booked_on(payment.provider, at))
    fact = events.PaymentCaptured(payment_id=payment.payment_id, amount_minor=amount.minor, currency=amount.currency)
    with UnitOfWork(f"payment.captured#{payment.payment_id}") as work:
        orders.settle(work, sale, payment_id=payment.payment_id, captured=amount, at=clock.now())
        store.save_payment(work, replace(captured, silent_since=None), [fact, *unclear.ended(payment)])
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
    captured = payment_rules.captured(payment, amount=amount, transaction_id=transaction_id, at=at, surplus=why)
    captured = replace(captured, booked_on=fetch.booked_on(payment.provider, at), reserved=amount.minor)
    fact = events.PaymentCaptured(
        payment_id=payment.payment_id, amount_minor=amount.minor, currency=amount.currency, surplus=why
    )
    with UnitOfWork(f"payment.captured#{payment.payment_id}") as work:
        refund_requests.write_request(work, captured, _surplus_refund(captured))
        store.save_payment(work, replace(captured, silent_since=None), [fact, *unclear.ended(payment)])
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
        reason=payment.code,
        cause=ids.digest(f"surplus#{payment.payment_id}"),
        requested_at=now,
        due_at=REFUND.due_at(REFUND.initial, now),
        since=now,
    )


def doubt(payment: Payment, why: str, **said: str) -> Payment:
    """Keep what was said, then let the provider's own answer decide. Without one, it stays an operator's case.

    Raises:
        RetryLater: if there is none, and no deadline of the attempt will ask for it.
    """
    quarantined = quarantine.put_aside(payment, why, **said)
    adapter = providers.load(payment.provider)
    report = adapter.query(payment_rules.attempt_of(payment))
    if report.outcome is Outcome.UNKNOWN:
        _keep_asking(payment)
    settled = apply_report(payment, report, given_up=False, chasing=False)
    if report.outcome is not Outcome.UNKNOWN and not quarantined.resolved:
        amount = f" {report.amount.text()}" if report.amount else ""
        with UnitOfWork() as work:
            store.save_quarantined(work, replace(quarantined, resolved=f"query: {report.outcome.value}{amount}"))
    return settled
