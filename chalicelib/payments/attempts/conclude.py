"""What became of all attempts of a purchase: asked about, closed where nobody paid, within one budget of time.

Who asks decides how much is asked. The clock (an expiry) asks about every open attempt. A buyer who calls a purchase
off, or starts another attempt, may make us ask only so often about each; and a new attempt waits for the earlier ones
no longer than ``bounds`` say: what stays unclear stays open, the clock goes on asking, and money that comes twice goes
back by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.kernel import clock
from chalicelib.orders.service import Purchase
from chalicelib.payments.attempts import bounds, outcome, poll
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.payment_records import Conclusion, PaymentRecords
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics, patience

ASKING_S = 9.0
"""How long an expiry or a cancellation waits for the answers about all attempts of a purchase, together."""


def conclude_attempts(purchase: Purchase) -> Conclusion:
    """Ask about, then close, every attempt that may still be paid. A capture found on the way is recorded.

    ``UNKNOWN`` means that somebody may still pay: hold the stock and call again later.
    """
    records = store.load_records(purchase.purchase_id)
    overdue = purchase.due_at is not None and clock.now() >= purchase.due_at
    with patience.within(ASKING_S):
        if overdue:
            conclusion = _of([_closed(payment) for payment in records.payments])
        else:
            conclusion = _of([_closed_for_buyer(payment) for payment in records.payments])
    if overdue and conclusion is Conclusion.UNKNOWN:
        log.error("payment is still unclear at its expiry", purchase_id=purchase.purchase_id)
        metrics.count("payments_unclear_at_expiry")
    return conclusion


def conclude_earlier(records: PaymentRecords) -> Conclusion:
    """Ask about, and close, earlier attempts before a new one starts: some of them, within the time there is for it."""
    limits = bounds.bounds()
    still_open = [payment for payment in reversed(records.payments) if payment.is_open]
    asked = {payment.payment_id for payment in still_open[: limits.earlier]}
    with patience.within(limits.asking_s, each_s=bounds.EACH_S, silences=1):
        return _of(
            [
                _closed_for_buyer(payment) if payment.payment_id in asked else payment
                for payment in reversed(records.payments)
            ]
        )


def _of(now: Sequence[Payment]) -> Conclusion:
    states = [payment.status for payment in now]
    if PaymentStatus.CAPTURED in states or PaymentStatus.REFUNDED in states:
        return Conclusion.CAPTURED
    return Conclusion.UNKNOWN if any(state in payment_rules.OPEN for state in states) else Conclusion.CLOSED


def _closed(payment: Payment) -> Payment:
    return poll.ask(payment, close=True, chasing=False) if payment.is_open else payment


def _closed_for_buyer(payment: Payment) -> Payment:
    """Close an attempt because its buyer wants something else; one that stays unclear is noted as asked about."""
    now, most = clock.now(), bounds.bounds().questions
    if (
        not payment.is_open
        or not payment_rules.may_ask(payment, now=now, most=most, per=bounds.PER)
        or patience.spent()
    ):
        return payment
    told = _closed(payment)
    if not told.is_open:
        return told
    return outcome.note_question(told)
