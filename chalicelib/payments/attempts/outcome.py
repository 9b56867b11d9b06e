"""What a provider says of an attempt, applied: closed, refused, still open, or paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.payments import events, providers
from chalicelib.payments.attempts import bounds, capture, unclear
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.ports import Outcome, Report
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.store import records as store
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing, starting_from
from chalicelib.runtime.db.work import UnitOfWork

ASK_AGAIN_S = 30
"""How soon a notice of money comes again when nobody but it would ask a silent provider."""


def keep_asking(payment: Payment) -> None:
    """Let the notice come again where nobody else would ask: an attempt that has ended is not polled."""
    if not payment.is_open and not payment.holds_money:
        raise RetryLater("told of money, and the provider is silent", delay_s=ASK_AGAIN_S)


def apply_report(read: Payment, report: Report, *, given_up: bool, chasing: bool) -> Payment:
    """Apply what the provider says of an attempt; ``given_up``: it did not know the attempt, so none may be paid."""
    if report.outcome is Outcome.CAPTURED:
        return _captured(read.payment_id, report)
    load = starting_from(read, lambda: store.load_payment(read.payment_id))

    def apply() -> Payment:
        payment = load()
        if given_up and payment.version != read.version:
            return payment  # The provider did not know it when we asked; somebody has told it since. Ask again.
        return _apply_uncaptured(payment, report, given_up=given_up, chasing=chasing)

    return racing(apply)


def _apply_uncaptured(payment: Payment, report: Report, *, given_up: bool, chasing: bool) -> Payment:
    now = clock.now()
    if payment.status is PaymentStatus.CLOSED and chasing:
        return save_attempt(payment_rules.recheck(payment, now=now))
    if not payment.is_open:
        return payment
    answered = replace(payment, silent_since=None)
    if report.outcome is Outcome.CLOSED:
        fact = events.PaymentClosed(payment_id=payment.payment_id)
        return save_attempt(payment_rules.close(answered, now=now, known=not given_up), fact, *unclear.end(payment))
    if report.outcome is Outcome.FAILED:
        return save_attempt(payment_rules.fail(answered, report.code, now=now), *unclear.end(payment))
    if not chasing:
        return payment
    known = report.outcome is Outcome.PENDING
    polled, facts = unclear.begin(
        payment, payment_rules.keep_polling(payment, now=now, known=known), now=now, known=known
    )
    return save_attempt(polled, *facts)


def save_attempt(payment: Payment, *facts: events.PaymentEvent) -> Payment:
    """Write an attempt alone, with the facts it makes."""
    with UnitOfWork() as work:
        store.save_payment(work, payment, facts)
    return replace(payment, version=payment.version + 1)


def note_question(payment: Payment) -> Payment:
    """Note that a buyer made us ask about an attempt which is still open; a rival's write is as good."""
    try:
        return save_attempt(payment_rules.count_question(payment, now=clock.now(), per=bounds.PER))
    except ConcurrentUpdate:
        return store.load_payment(payment.payment_id)


def _captured(payment_id: str, report: Report) -> Payment:
    if report.amount is None or not report.transaction_id:
        log.error("provider reports a capture without amount or transaction number", payment_id=payment_id)
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
    load = starting_from(read, lambda: store.load_payment(payment_id))

    def record() -> Payment:
        payment = load()
        if payment.holds_money:
            if payment.transaction_id != transaction_id:
                quarantine.put_aside(payment, "second_capture", amount=amount.text(), transaction_id=transaction_id)
            return payment
        if amount != payment.amount and not confirmed:
            return doubt(payment, "amount_differs", amount=amount.text(), transaction_id=transaction_id)
        return capture.record(payment, amount, transaction_id, at)

    return racing(record)


def doubt(payment: Payment, why: str, **said: str) -> Payment:
    """Keep what was said, then let the provider's own answer decide. Without one, it stays an operator's case.

    Raises:
        RetryLater: if there is none, and no deadline of the attempt will ask for it.
    """
    quarantined = quarantine.put_aside(payment, why, **said)
    adapter = providers.load(payment.provider)
    report = adapter.query(payment_rules.attempt_of(payment))
    if report.outcome is Outcome.UNKNOWN:
        keep_asking(payment)
    settled = apply_report(payment, report, given_up=False, chasing=False)
    if report.outcome is not Outcome.UNKNOWN and not quarantined.resolved:
        amount = f" {report.amount.text()}" if report.amount else ""
        with UnitOfWork() as work:
            store.save_quarantined(work, replace(quarantined, resolved=f"query: {report.outcome.value}{amount}"))
    return settled
