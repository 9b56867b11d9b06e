"""Asking about an attempt: by the clock, by a notice, by an operator; and closing it at the provider.

The provider is asked outside of any transaction; its answer is applied in one that re-reads (``outcome``).
"""

from __future__ import annotations

from chalicelib.kernel import clock
from chalicelib.kernel.errors import RetryLater
from chalicelib.payments import providers
from chalicelib.payments.attempts import outcome
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain import polling
from chalicelib.payments.domain.payment import Payment, PaymentStatus, ProviderSilent
from chalicelib.payments.ports import CloseOutcome, Outcome, Provider, Report
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, patience

NO_TIME_S = 5


def poll_payment(payment_id: str) -> Payment:
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
    return outcome.apply_report(payment, report, given_up=False, chasing=False)


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
        log.warning("provider did not answer", payment_id=payment.payment_id, provider=adapter.name, step="query")
        if told:
            outcome.keep_asking(payment)
    return outcome.apply_report(payment, report, given_up=given_up, chasing=chasing)


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
    return outcome.apply_report(payment, report, given_up=False, chasing=True)
