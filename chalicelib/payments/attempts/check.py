"""A page that comes back from a cashier makes us ask now: one question, so often at most."""

from __future__ import annotations

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound
from chalicelib.payments import providers
from chalicelib.payments.attempts import bounds, outcome
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics


def check(purchase_id: str, payment_id: str, buyer_id: str) -> tuple[PaymentRecords, int]:
    """Ask the provider about an attempt because its buyer has come back, and return how all stands then.

    The second value says in how many seconds it can be asked again: 0 if now. Where it was asked often enough, where
    nothing is open, or where the provider is silent, the state is what it was. The question is counted before it is
    asked, so that requests at the same moment are no way around the bound.

    Raises:
        NotFound: if the purchase is not this buyer's.
        UnknownPayment: if there is no such attempt.
    """
    records = store.load_records(purchase_id)
    if not records.payments or records.payments[0].buyer_id != buyer_id:
        raise NotFound(what="purchase")
    payment = records.payment(payment_id)
    if not _may_have_changed(payment):
        return records, 0
    now, most = clock.now(), bounds.bounds().questions
    if not payment_rules.may_ask(payment, now=now, most=most, per=bounds.PER):
        return records, _wait_s(payment)
    try:
        counted = outcome.save_attempt(payment_rules.count_question(payment, now=now, per=bounds.PER))
    except ConcurrentUpdate:  # Something has just happened to it: that is the news.
        return store.load_records(purchase_id), 0
    metrics.count("payments_checked")
    report = providers.load(payment.provider).query(payment_rules.attempt_of(counted))
    log.info("payment checked with the provider", payment_id=payment_id, outcome=report.outcome.value)
    outcome.apply_report(counted, report, given_up=False, chasing=False)
    return store.load_records(purchase_id), 0


def _may_have_changed(payment: Payment) -> bool:
    """Say whether the provider may know of money that we do not: of one that was given up, somebody holds the link."""
    return payment.is_open or (payment.status is PaymentStatus.CLOSED and payment.due_at is not None)


def _wait_s(payment: Payment) -> int:
    return max(1, int((payment.questions[0] + bounds.PER - clock.now()).total_seconds()) + 1)
