"""Refunds that the provider cannot make: taken off it by an operator, paid another way, booked once they are."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock
from chalicelib.kernel.errors import IllegalTransition
from chalicelib.ledger import service as ledger
from chalicelib.payments import events, providers
from chalicelib.payments.domain import offline as offline_rules
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_numbers, reservation
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.payment import Payment, ProviderSilent
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import Refund, RefundCause, RefundRefused, RefundStatus
from chalicelib.payments.ports import RefundOutcome
from chalicelib.payments.refunds import execute, retry
from chalicelib.payments.refunds import limits as refund_limits
from chalicelib.payments.store import operator_limits
from chalicelib.payments.store import records as store
from chalicelib.runtime import metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

GIVEN_UP = "given_up"
"""Why a stuck refund is owed: an operator does not wait for the provider any more."""


def withhold(refund_id: str, *, by: str) -> Refund:
    """Give up on the provider for a stuck refund: it is owed to the buyer from now on, to be paid another way.

    A closed number stays closed; another one, which the provider never hears of, carries its money.

    Raises:
        NotFound: if there is no such refund.
        IllegalTransition: if it is not stuck.
        ProviderSilent: if the provider does not say how it stands.
        RefundRefused: if it is under way there after all, or the payer's bank took the money meanwhile.
    """
    _ask_first(refund_id)

    def give_up() -> Refund:
        records, payment, refund = execute.load_refund(refund_id)
        now = clock.now()
        retry.check_not_sending(refund)
        with UnitOfWork() as work:
            retry.hold_uncontested(work, payment)
            if refund.status is RefundStatus.CLOSED:
                store.save_refund(work, refund_rules.move(refund, RefundCause.REPLACE, now=now))
                number = refund_numbers.next_refund_id(records, refund.purchase_id)
                refund = refund_rules.renew(refund, number, now=now)
                owed = refund_rules.owe(refund, now=now, why=GIVEN_UP, unsent=True)
            else:
                owed = refund_rules.owe(refund, now=now, why=GIVEN_UP, unsent=False)
            owed = replace(owed, retried_by=by)
            execute.owe(work, records, payment, owed)
        return replace(owed, version=owed.version + 1)

    return racing(give_up)


def _ask_first(refund_id: str) -> None:
    """Let the provider say how a stuck refund stands whose number lives: it may have gone through by now."""
    _, payment, refund = execute.load_refund(refund_id)
    if refund.status not in refund_rules.STUCK:
        raise IllegalTransition(machine="refund", state=refund.status.value, cause=RefundCause.WITHHOLD.value)
    if refund.status is RefundStatus.CLOSED:
        return
    report = providers.load(payment.provider).query_refund(execute.order_of(payment, refund))
    if report.outcome is RefundOutcome.UNKNOWN:
        raise ProviderSilent(provider=payment.provider)
    if report.outcome is RefundOutcome.PENDING:
        raise RefundRefused(why="refund_under_way", left=0)
    if report.outcome in (RefundOutcome.SUCCEEDED, RefundOutcome.CLOSED):
        execute.apply_answer(refund_id, report)


def pay(refund_id: str, paid: OfflinePayment, *, intent: Intent) -> tuple[Refund, bool]:
    """Note that an owed refund was paid by hand; returns it and whether the same request noted it before.

    Raises:
        NotFound: if there is no such refund.
        IllegalTransition: if it is not owed.
        PaidInFuture: if it is said to be paid at a moment that has not come.
        ApprovalNeeded: if what one operator alone paid so on the purchase would exceed the limit.
        DayLimitReached: if what this one gave back alone on this day would.
        RefundRefused: if the payer's bank took the money meanwhile.
        IdempotencyKeyReused: if the key noted it with another body.
    """
    paid = replace(paid, intent=intent.token, fingerprint=intent.fingerprint)

    def settle() -> tuple[Refund, bool]:
        records, payment, refund = execute.load_refund(refund_id)
        if refund.offline is not None and refund.offline.intent == intent.token:
            intent.check(refund.offline.fingerprint)
            return refund, True
        check_payable(refund, paid)
        with UnitOfWork() as work:
            count_alone(work, records, refund, paid.by)
            done = book(work, payment, refund, paid)
        return replace(done, version=done.version + 1), False

    return racing(settle)


def check_payable(refund: Refund, paid: OfflinePayment) -> None:
    """Check that a refund is owed, and was paid.

    Raises:
        IllegalTransition, PaidInFuture: if not.
    """
    refund_rules.REFUND.next(refund.status, RefundCause.PAY_OFFLINE)
    offline_rules.check_time(paid, now=clock.now())


def by_hand_alone(records: PaymentRecords, currency: str) -> int:
    """Return what was paid by hand, or sent to another card, on the purchase without a second person."""
    return sum(
        other.amount.minor
        for other in records.refunds
        if other.amount.currency == currency
        and any(way is not None and not way.approved_by for way in (other.offline, other.redirect))
    )


def count_alone(work: UnitOfWork, records: PaymentRecords, refund: Refund, by: str) -> None:
    """Count it to the purchase, and to the day of who pays: not where they asked for it alone, and it was then."""
    before, limit = by_hand_alone(records, refund.amount.currency), refund_limits.approval_limit(refund.amount.currency)
    operator_limits.count_by_hand(work, refund.purchase_id, refund.amount, before=before, limit=limit)
    if refund.by == by and not refund.approved_by:
        return
    limit = refund_limits.day_limit(refund.amount.currency)
    operator_limits.count(work, by, refund.amount, limit=limit, now=clock.now())


def book(work: UnitOfWork, payment: Payment, refund: Refund, paid: OfflinePayment) -> Refund:
    """Add what changes with an owed refund that was paid by hand: its row, the payment's, the ledger.

    Raises:
        RefundRefused: if the payer's bank took the money meanwhile.
    """
    now = clock.now()
    reservation.check_uncontested(payment)
    done = refund_rules.pay_offline(refund, paid, now=now)
    fact = execute.refund_fact(events.RefundSucceeded, done)
    store.save_refund(work, done, [fact])
    store.save_payment(work, payment_rules.take_offline_refund(payment, done.amount, now=now))
    ledger.post(
        work,
        entry_id=f"refund.paid_offline#{done.refund_id}",
        purchase_id=done.purchase_id,
        at=now,
        postings=ledger.offline_postings(done.amount),
    )
    work.after_commit(lambda: metrics.count("refunds_paid_offline"))
    return done
