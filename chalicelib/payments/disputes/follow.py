"""Disputes as they go on: a notice only says that there is one, the provider's own answer says how it stands.

A dispute that we know is asked about after its row was read, and written under the version that was read: an older
answer never replaces a newer one, however many notices are handled at once and in whatever order.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import RetryLater
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.payments import events, providers
from chalicelib.payments.attempts import poll
from chalicelib.payments.domain import dispute as dispute_rules
from chalicelib.payments.domain.dispute import Dispute, DisputeStatus
from chalicelib.payments.domain.payment import Payment, ProviderSilent
from chalicelib.payments.ports import DisputeReport, Inquirer
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

ASK_AGAIN_S = 60


def dispute(payment_id: str, dispute_id: str) -> Dispute | None:
    """Return one dispute of a payment as we know it, or None."""
    return store.load_dispute(ids.parent_id("pur", payment_id), dispute_id)


def ask_again(payment: Payment) -> None:
    """Ask how the disputes of a payment stand: the notice that ended one may never have come, and nobody chases them.

    Raises:
        ProviderSilent: if the provider does not answer.
    """
    for known in store.load_records(payment.purchase_id).disputes:
        if known.payment_id == payment.payment_id:
            try:
                follow(known.provider, known.number)
            except RetryLater as silent:
                raise ProviderSilent(provider=known.provider) from silent


def follow(provider: str, number: str) -> Dispute | None:
    """Ask how a dispute stands and record it with the money that it moved; None if it is about no payment of ours.

    Raises:
        UnknownPayment: if it names an attempt that we do not have (yet).
        RetryLater: if the provider does not answer, or has not told us of the capture yet.
    """
    return racing(lambda: _follow(provider, number))


def _follow(provider: str, number: str) -> Dispute | None:
    report = _ask(provider, number)
    if not ids.is_id("pay", report.payment_id):
        log.warning("dispute belongs to no payment of this shop", provider=provider, number=number)
        return None
    payment = store.load_payment(report.payment_id)
    if payment.provider != provider:
        quarantine.put_aside(payment, "other_provider", provider=provider, dispute=number)
        return None
    if not payment.holds_money:
        payment = poll.ask(payment, close=False, chasing=False)
        if not payment.holds_money:
            raise RetryLater("disputed before it was captured", delay_s=ASK_AGAIN_S)
    known = store.load_dispute(payment.purchase_id, dispute_rules.dispute_id(provider, number))
    if known is not None:
        report = _ask(provider, number)  # Anew: the answer must be younger than the row that it changes.
    if payment.captured is None or report.amount.currency != payment.captured.currency:
        quarantine.put_aside(payment, "dispute_currency_differs", dispute=number, amount=report.amount.text())
        return known
    now = clock.now()
    before = known or dispute_rules.open_dispute(provider, report, purchase_id=payment.purchase_id, now=now)
    after = dispute_rules.apply_report(before, report, now=now)
    if after is known:
        return known
    return _record(payment, before, after)


def _ask(provider: str, number: str) -> DisputeReport:
    adapter = providers.load(provider)
    report = adapter.dispute(number) if isinstance(adapter, Inquirer) else None
    if report is None:
        raise RetryLater("the provider does not answer", delay_s=ASK_AGAIN_S)
    return report


def _record(payment: Payment, before: Dispute, after: Dispute) -> Dispute:
    by = after.taken_minor - before.taken_minor
    fact = events.PaymentDisputed(
        payment_id=payment.payment_id,
        dispute_id=after.dispute_id,
        status=after.status.value,
        amount_minor=after.amount.minor,
        currency=after.amount.currency,
        reason=after.reason,
        answer_by=after.answer_by,
        number=after.version,
    )
    tells = after.version == 0 or after.status is not before.status
    with UnitOfWork() as work:
        store.save_dispute(work, after, [fact] if tells else [])
        if by:
            store.save_payment(work, replace(payment, disputed_minor=payment.disputed_minor + by))
            ledger.post(
                work,
                entry_id=f"dispute.moved#{after.dispute_id}#{after.moves}",
                purchase_id=after.purchase_id,
                at=clock.now(),
                postings=ledger.dispute_postings(payment.provider, Money(by, after.amount.currency)),
            )
    if tells:
        log.error(
            "payment is disputed", payment_id=payment.payment_id, dispute_id=after.dispute_id, status=after.status
        )
        metrics.count("disputes_lost" if after.status is DisputeStatus.LOST else "disputes_moved")
    return replace(after, version=after.version + 1)
