"""Carrying a refund through: the same number to the provider until it answers, its answers, and the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.payments import events, providers
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain.payment import Payment, ProviderSilent
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import ANSWERS, REFUND, Refund, RefundCause, RefundStatus
from chalicelib.payments.ports import RefundOrder, RefundOutcome, RefundReport
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.statements import fetch
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

F = TypeVar("F", bound=events.RefundEvent)


def refund_fact(kind: type[F], refund: Refund, **more: object) -> F:
    """Return a fact about a refund."""
    return kind(
        refund_id=refund.refund_id,
        payment_id=refund.payment_id,
        order_id=refund.order_id,
        amount_minor=refund.amount.minor,
        currency=refund.amount.currency,
        origin=refund.origin,
        about=refund.about,
        **more,
    )


def load_refund(refund_id: str) -> tuple[PaymentRecords, Payment, Refund]:
    """Return a refund with its payment and the records of its purchase.

    Raises:
        NotFound: if there is none.
    """
    records = store.load_records(ids.parent_id("pur", refund_id))
    for refund in records.refunds:
        if refund.refund_id == refund_id:
            return records, records.payment(refund.payment_id), refund
    raise NotFound(what="refund")


def send_refund(refund_id: str) -> Refund:
    """Send a requested refund to the provider, always under its own number, until the provider answers.

    Raises:
        RetryLater: if the provider demands a pause since the last refund of this payment.
    """
    _, payment, refund = load_refund(refund_id)
    if refund.status is not RefundStatus.REQUESTED:
        return refund
    return _send(payment, refund)


def _send(payment: Payment, refund: Refund) -> Refund:
    adapter = providers.load(payment.provider)
    if adapter.limits.refund_interval:
        payment = _take_turn(payment, adapter.limits.refund_interval)
    report = adapter.refund(order_of(payment, refund))
    return apply_answer(refund.refund_id, report, asked=True)


def _take_turn(payment: Payment, interval: timedelta) -> Payment:
    """Take the payment's turn where a provider wants a pause between refunds: before a call whose answer may be lost.

    Raises:
        RetryLater: if the pause is not over, or somebody else takes the turn at this moment.
    """
    now = clock.now()
    pause = payment.refunded_at + interval - now if payment.refunded_at else timedelta()
    if pause > timedelta():
        raise RetryLater("the provider's pause between refunds", delay_s=int(pause.total_seconds()) + 1)
    taken = replace(payment, refunded_at=now)
    try:
        with UnitOfWork() as work:
            store.save_payment(work, taken)
    except ConcurrentUpdate as lost:
        raise RetryLater("somebody else refunds on this payment", delay_s=1) from lost
    return replace(taken, version=taken.version + 1)


def poll_refund(refund_id: str) -> Refund:
    """Ask about a refund because its deadline passed: one the provider never heard of is sent again, same number.

    Raises:
        RetryLater: as :func:`send_refund`.
    """
    _, payment, refund = load_refund(refund_id)
    if refund.due_at is None or refund.due_at > clock.now():
        return refund
    if refund.status is RefundStatus.REQUESTED:
        return _send(payment, refund)
    report = providers.load(payment.provider).query_refund(order_of(payment, refund))
    if report.outcome is RefundOutcome.ABSENT:
        return _send(payment, refund)
    return apply_answer(refund_id, report, asked=True)


def query_refund_now(refund_id: str) -> Refund:
    """Ask the provider about a refund because a bill or an operator wants to know, whatever its state.

    Raises:
        NotFound: if there is no such refund.
        ProviderSilent: if the provider does not answer.
    """
    _, payment, refund = load_refund(refund_id)
    report = providers.load(payment.provider).query_refund(order_of(payment, refund))
    if report.outcome is RefundOutcome.UNKNOWN:
        raise ProviderSilent(provider=payment.provider)
    return refund if report.outcome is RefundOutcome.ABSENT else apply_answer(refund_id, report)


def order_of(payment: Payment, refund: Refund) -> RefundOrder:
    """Return what an adapter is told of a refund."""
    return order_under(refund.external_number or refund.refund_id, payment, refund.amount, reason=refund.reason)


def order_under(number: str, payment: Payment, amount: Money, *, reason: str) -> RefundOrder:
    """Return what an adapter is told of a refund under a number: ours, or what the provider's console gave it."""
    captured = payment.captured or payment.amount
    return RefundOrder(
        refund_id=number,
        payment=payment_rules.attempt_of(payment),
        amount=amount,
        captured=captured,
        refunded_before=Money(payment.refunded_minor - payment.paid_offline_minor, captured.currency),
        reason=reason,
        notify_url=providers.notify_url(payment.provider),
    )


def apply_answer(refund_id: str, report: RefundReport, *, asked: bool = False) -> Refund:
    """Apply what the provider says of a refund; an old answer after a newer one changes nothing.

    ``asked``: its turn to be asked had come, so an answer that settles nothing puts off the next question.

    Raises:
        ProviderSilent: if it says that a refund failed which had gone through, and the provider does not confirm it.
    """
    return racing(lambda: _apply_once(refund_id, report, asked=asked))


def _apply_once(refund_id: str, report: RefundReport, *, asked: bool) -> Refund:
    records, payment, refund = load_refund(refund_id)
    cause = _cause_of(refund, report)
    if cause is RefundCause.POLL and not asked:
        return refund
    if refund.status is RefundStatus.SUCCEEDED and cause in _DOUBTS:
        return _ask_again(refund_id)
    if not REFUND.takes(refund.status, cause):
        if cause is RefundCause.SUCCEED and refund.status is not RefundStatus.SUCCEEDED:  # Closed, or paid by hand.
            quarantine.put_aside(payment, "refund_contradicted", refund_id=refund_id, state=refund.status.value)
        return refund  # An old answer after a newer one.
    if cause is RefundCause.SUCCEED and report.amount is not None and report.amount != refund.amount:
        quarantine.put_aside(payment, "refund_amount_differs", refund_id=refund_id, amount=report.amount.text())
        report = replace(report, code="amount_differs")
        cause = RefundCause.TURN_ABNORMAL
        if not REFUND.takes(refund.status, cause):
            return refund
    return _write_answer(records, payment, refund, cause, report)


def _write_answer(
    records: PaymentRecords, payment: Payment, refund: Refund, cause: RefundCause, report: RefundReport
) -> Refund:
    now = clock.now()
    changed = refund_rules.move(refund, cause, now=now, code=report.code, number=report.provider_refund_id)
    if cause is RefundCause.SUCCEED:
        changed = replace(changed, booked_on=fetch.booked_on(payment.provider, report.at or now))
    if cause is RefundCause.FAIL and report.is_short:
        changed = refund_rules.wait_for_balance(changed, now=now)
        metrics.count("refunds_short")
    known_short = changed.shorts > 1 and changed.due_at is not None
    with UnitOfWork() as work:
        if cause is RefundCause.SUCCEED:
            give_back(work, records, payment, changed)
        elif cause in (RefundCause.POLL, RefundCause.ACCEPT) or known_short:  # It was told the first time.
            store.save_refund(work, changed)
        else:
            log.error(
                "refund needs an operator", refund_id=changed.refund_id, status=changed.status.value, code=report.code
            )
            metrics.count("refunds_stuck")
            store.save_refund(work, changed, [_failed(changed)])
    return replace(changed, version=changed.version + 1)


def _failed(refund: Refund) -> events.RefundFailed:
    return refund_fact(
        events.RefundFailed, refund, status=refund.status.value, reason=refund.code, round=refund.version
    )


_DOUBTS = (RefundCause.CLOSE, RefundCause.FAIL, RefundCause.TURN_ABNORMAL)


def _ask_again(refund_id: str) -> Refund:
    """Ask about a refund that had gone through, because somebody says that it failed.

    That may be an old answer after a newer one. Only what the provider answers now, about the refund as we have read
    it, takes it back.

    Raises:
        ProviderSilent: if it does not answer: no deadline of a refund that had gone through would ask again.
    """
    records, payment, refund = load_refund(refund_id)
    if refund.status is not RefundStatus.SUCCEEDED:
        return refund
    report = providers.load(payment.provider).query_refund(order_of(payment, refund))
    if report.outcome is RefundOutcome.UNKNOWN:
        raise ProviderSilent(provider=payment.provider)
    if report.outcome is RefundOutcome.CLOSED:
        return _bounce(records, payment, refund, code=report.code)
    if report.outcome in (RefundOutcome.FAILED, RefundOutcome.ABNORMAL):
        quarantine.put_aside(payment, "refund_contradicted", refund_id=refund_id, state=report.outcome.value)
    return refund


def _bounce(records: PaymentRecords, payment: Payment, refund: Refund, *, code: str) -> Refund:
    """Take back what a refund's success changed. Its number is dead, its reservation stands: an operator renews it."""
    now = clock.now()
    bounced = replace(refund_rules.move(refund, RefundCause.BOUNCE, now=now, code=code or "bounced"), bounced_at=now)
    fact = refund_fact(events.RefundBounced, bounced)
    failed = _failed(bounced)
    done_without = replace(
        records, refunds=tuple(other for other in records.refunds if other.refund_id != refund.refund_id)
    )
    with UnitOfWork() as work:
        store.save_refund(work, bounced, [fact, failed])
        store.save_payment(work, payment_rules.undo_refund(payment, refund.amount))
        postings = [replace(posting, amount=-posting.amount) for posting in postings_of(done_without, payment, refund)]
        ledger.post(work, entry_id=fact.event_id, purchase_id=refund.purchase_id, at=now, postings=postings)
    log.error(
        "refund bounced: the money came back",
        refund_id=refund.refund_id,
        payment_id=payment.payment_id,
        code=bounced.code,
    )
    metrics.count("refunds_bounced")
    return replace(bounced, version=bounced.version + 1)


def _cause_of(refund: Refund, report: RefundReport) -> RefundCause:
    if report.outcome in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT):
        return RefundCause.POLL
    if report.outcome is RefundOutcome.PENDING and refund.status is RefundStatus.PENDING:
        return RefundCause.POLL
    return ANSWERS[report.outcome]


def give_back(work: UnitOfWork, records: PaymentRecords, payment: Payment, refund: Refund) -> None:
    """Add what a refund that went through changes: its row, the payment's, the ledger."""
    fact = refund_fact(events.RefundSucceeded, refund)
    store.save_refund(work, refund, [fact])
    store.save_payment(work, payment_rules.take_refund(payment, refund.amount, now=clock.now()))
    was_owed = bool(refund.past) and refund.past[-1][0] is RefundStatus.OWED
    postings: Sequence[ledger.Posting] = (
        ledger.made_after_all_postings(payment.provider, refund.amount)
        if was_owed
        else postings_of(records, payment, refund)
    )
    ledger.post(work, entry_id=fact.event_id, purchase_id=refund.purchase_id, at=clock.now(), postings=postings)
    metrics.count("refunds_succeeded")


def owe(
    work: UnitOfWork, records: PaymentRecords, payment: Payment, refund: Refund, *, order: Order | None = None
) -> None:
    """Add what a refund that is owed changes: its row and the ledger; what it reserves is the caller's.

    ``order``: its order, if it was read.
    """
    fact = refund_fact(events.RefundOwed, refund, reason=refund.code, round=refund.version)
    store.save_refund(work, refund, [fact])
    postings = ledger.owed(payment.provider, postings_of(records, payment, refund, order=order))
    ledger.post(work, entry_id=fact.event_id, purchase_id=refund.purchase_id, at=clock.now(), postings=postings)

    def alarm() -> None:
        log.error(
            "refund must be paid by hand", refund_id=refund.refund_id, payment_id=payment.payment_id, why=refund.code
        )
        metrics.count("refunds_owed")

    work.after_commit(alarm)


def postings_of(
    records: PaymentRecords, payment: Payment, refund: Refund, *, order: Order | None = None
) -> Sequence[ledger.Posting]:
    """Return what a refund moves in the ledger, given those of the purchase that are booked."""
    if refund.order_id is None:
        return ledger.surplus_postings(payment.provider, -refund.amount)
    order = order or orders.load_order(refund.order_id)
    before = sum(
        other.amount.minor
        for other in records.refunds
        if other.order_id == refund.order_id and other.is_booked and other.refund_id != refund.refund_id
    )
    return ledger.refund_postings(
        payment.provider,
        ledger.Share(order.merchant_id, order.total, order.commission_bps),
        before=Money(before, refund.amount.currency),
        amount=refund.amount,
    )
