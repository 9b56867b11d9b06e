"""Verified notices: what they change, what they only make us ask, and how an operator settles those that don't fit."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel import clock
from chalicelib.kernel.errors import IllegalTransition, NotFound, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.payments import attempts, disputes, domain, providers, quarantine, refunds, store
from chalicelib.payments.domain import Payment, ProviderSilent, Quarantined
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import Inquirer, Notice, Outcome, RefundOutcome, RefundReport
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

ASK_AGAIN_S = 60


def noticed(provider: str, notice: Notice) -> PaymentNoticed:
    """Return the event of a verified notice: facts only."""
    report, refund = notice.report, notice.refund_report
    amount = report.amount if report else refund.amount if refund else None
    return PaymentNoticed(
        provider=provider,
        notice_id=notice.notice_id,
        payment_id=notice.payment_id,
        outcome=report.outcome.value if report else None,
        amount_minor=amount.minor if amount else None,
        currency=amount.currency if amount else None,
        transaction_id=report.transaction_id if report else None,
        at=report.at if report else refund.at if refund else None,
        refund_id=notice.refund_id,
        refund_outcome=refund.outcome.value if refund else None,
        provider_refund_id=refund.provider_refund_id if refund else None,
        dispute=notice.dispute,
    )


def take_notice(notice: PaymentNoticed) -> None:
    """Apply a verified notice. What proves is recorded; what hints, or would move a state back, causes a query.

    Raises:
        UnknownPayment: if there is no such attempt (yet).
        RetryLater: if only the provider can tell whose it is, and does not answer.
    """
    if notice.dispute is not None:
        disputes.follow(notice.provider, notice.dispute)
        return
    payment_id = notice.payment_id or _whose_refund(notice)
    if not payment_id:
        log.info("refund of no payment of ours", provider=notice.provider)
        return
    payment = store.load_payment(payment_id)
    if payment.provider != notice.provider:
        quarantine.put_aside(payment, "other_provider", provider=notice.provider)
        return
    proves = providers.load(notice.provider).limits.notices_prove
    amount = None
    if notice.amount_minor is not None and notice.currency is not None:
        amount = Money(notice.amount_minor, notice.currency)
    if notice.refund_id is not None:
        _take_refund_notice(payment, notice, amount, proves=proves)
    elif notice.outcome == Outcome.CAPTURED and proves and amount is not None and notice.transaction_id:
        attempts.record_capture(
            payment.payment_id,
            amount=amount,
            transaction_id=notice.transaction_id,
            at=notice.at or clock.now(),
            confirmed=False,
            read=payment,
        )
    elif not payment.holds_money:
        attempts.ask(payment, close=False, chasing=False, told=notice.outcome == Outcome.CAPTURED)


def _whose_refund(notice: PaymentNoticed) -> str:
    """Return our number of the attempt that a refund made elsewhere is on; empty if it is none of this shop's."""
    adapter = providers.load(notice.provider)
    found = adapter.foreign_refund(notice.refund_id or "") if isinstance(adapter, Inquirer) else None
    if found is None:
        raise RetryLater("the provider does not answer", delay_s=ASK_AGAIN_S)
    return found.payment_id


def _take_refund_notice(payment: Payment, notice: PaymentNoticed, amount: Money | None, *, proves: bool) -> None:
    refund_id = notice.refund_id or ""
    refund = next((r for r in store.load_story(payment.purchase_id).refunds if r.refund_id == refund_id), None)
    if refund is None or refund.payment_id != payment.payment_id:
        # Made in the provider's console: the money is gone, our books do not know it. A person must look.
        quarantine.put_aside(payment, "unknown_refund", refund_id=refund_id, amount=amount.text() if amount else "")
        return
    if proves and notice.refund_outcome is not None:
        report = RefundReport(RefundOutcome(notice.refund_outcome), amount, notice.provider_refund_id, notice.at)
    else:
        adapter = providers.load(payment.provider)
        report = adapter.query_refund(refunds.order_of(payment, refund))
    if report.outcome not in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT):
        refunds.apply_answer(refund_id, report)


def resolve_quarantined(
    purchase_id: str, quarantine_id: str, *, ask: bool, by: str, note: str, intent: Intent
) -> tuple[Quarantined, bool]:
    """Close a quarantined notice as an operator: by asking the provider, whose answer is recorded, or as seen.

    Returns it, and whether the same request closed it before. A silent provider leaves it open.

    Raises:
        NotFound: if there is none.
        IllegalTransition: if it is resolved.
        ProviderSilent: if the provider was to be asked and does not answer.
        IdempotencyKeyReused: if the key resolved it with another body.
    """

    def resolve() -> tuple[Quarantined, bool]:
        quarantined = store.load_quarantined(purchase_id, quarantine_id)
        if quarantined is None:
            raise NotFound(what="quarantined notice")
        if quarantined.intent and quarantined.intent == intent.token:
            intent.check(quarantined.fingerprint)
            return quarantined, True
        if quarantined.resolved:
            raise IllegalTransition(machine="quarantine", state="resolved", cause="resolve")
        word = "seen"
        if ask:
            payment = store.load_payment(quarantined.payment_id)
            report = providers.load(payment.provider).query(domain.attempt_of(payment))
            if report.outcome is Outcome.UNKNOWN:
                raise ProviderSilent(provider=payment.provider)
            attempts.apply_report(payment, report, given_up=False, chasing=False)
            word = f"query: {report.outcome.value}" + (f" {report.amount.text()}" if report.amount else "")
        closed = replace(
            quarantined, resolved=word, by=by, note=note, intent=intent.token, fingerprint=intent.fingerprint
        )
        with UnitOfWork() as work:
            store.save_quarantined(work, closed)
        return replace(closed, version=closed.version + 1), False

    return racing(resolve)
