"""Verified notices: what they change, what they only make us ask, and how an operator settles those that don't fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import IllegalTransition, NotFound, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.payments import providers
from chalicelib.payments.attempts import at_once, outcome, poll
from chalicelib.payments.disputes import follow
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain.payment import Payment, ProviderSilent
from chalicelib.payments.domain.payment_records import Quarantined
from chalicelib.payments.domain.refund import Refund, RefundStatus
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import Notice, Outcome, RefundOutcome, RefundReport
from chalicelib.payments.refunds import execute, external
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.store import records as store
from chalicelib.payments.strays import record
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


class Resolved(StrEnum):
    """How an operator closes a quarantined notice."""

    QUERY = "query"
    """The provider is asked about the payment; its answer is recorded."""
    ADOPT = "adopt"
    """A refund made in the provider's console is taken into the books, on one of the purchase's orders."""
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an operator wants; ``order_id`` is the order that an adopted refund pays back."""

    what: Resolved
    order_id: str | None = None


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


def noticed_of_others(provider: str, payment_id: str, *, notice_id: str, why: str) -> PaymentNoticed:
    """Return the event of a genuine notice that names an attempt of ours and another merchant or app.

    Of what it says nothing is kept but why it is not for us.
    """
    return PaymentNoticed(provider=provider, notice_id=notice_id, payment_id=payment_id, foreign=why)


def noticed_of_unknown_kind(provider: str, notice_id: str, event: str, **named: str) -> PaymentNoticed:
    """Return the event of a genuine notice of a kind that we do not act on; ``named``: number, trace, and what is kept.

    Of its content nothing goes on but the numbers that it names: it may speak of people.
    """
    number, trace = named.pop("number", ""), named.pop("trace", "")
    return PaymentNoticed(
        provider=provider,
        notice_id=notice_id,
        payment_id=number[:128],
        unknown=event[:128],
        trace=trace[:128],
        said=named,
    )


def take_notice(notice: PaymentNoticed) -> None:
    """Apply a verified notice. What proves is recorded; what hints, or would move a state back, causes a query.

    Raises:
        UnknownPayment: if there is no such attempt (yet).
        RetryLater: if only the provider can tell whose it is or how it stands, and does not answer.
    """
    if notice.unknown:
        record.take_event(notice)
        return
    if notice.dispute is not None:
        follow.follow(notice.provider, notice.dispute)
        return
    payment_id = notice.payment_id or external.whose(notice.provider, notice.refund_id or "")
    if not payment_id:
        log.info("refund belongs to no payment of this shop", provider=notice.provider)
        return
    if _settled_at_once(payment_id, notice):
        return
    payment = store.load_payment(payment_id)
    if notice.foreign:
        outcome.doubt(payment, "foreign_notice", said=notice.foreign)
        return
    if payment.provider != notice.provider:
        quarantine.put_aside(payment, "other_provider", provider=notice.provider)
        return
    proves, amount = providers.load(notice.provider).limits.notices_prove, _amount(notice)
    if notice.refund_id is not None:
        _take_refund_notice(payment, notice, amount, proves=proves)
    elif notice.outcome == Outcome.CAPTURED and proves and amount is not None and notice.transaction_id:
        outcome.record_capture(
            payment.payment_id,
            amount=amount,
            transaction_id=notice.transaction_id,
            at=notice.at or clock.now(),
            confirmed=False,
            read=payment,
        )
    elif not payment.holds_money:
        poll.ask(payment, close=False, chasing=False, told=notice.outcome == Outcome.CAPTURED)


def _amount(notice: PaymentNoticed) -> Money | None:
    if notice.amount_minor is None or notice.currency is None:
        return None
    return Money(notice.amount_minor, notice.currency)


def _settled_at_once(payment_id: str, notice: PaymentNoticed) -> bool:
    amount = _amount(notice)
    if notice.foreign or notice.refund_id is not None or notice.outcome != Outcome.CAPTURED:
        return False
    if amount is None or not notice.transaction_id or not providers.load(notice.provider).limits.notices_prove:
        return False
    return at_once.settle(
        payment_id,
        provider=notice.provider,
        amount=amount,
        transaction_id=notice.transaction_id,
        at=notice.at or clock.now(),
    )


def _take_refund_notice(payment: Payment, notice: PaymentNoticed, amount: Money | None, *, proves: bool) -> None:
    number = notice.refund_id or ""
    if not payment.holds_money:  # What goes back was captured, and nobody has told us.
        payment = poll.ask(payment, close=False, chasing=False)
    numbers = (number, notice.provider_refund_id or "")
    refund = external.known(store.load_records(payment.purchase_id), payment, numbers)
    if refund is None:
        external.note(payment, numbers, amount)
        return
    if proves and notice.refund_outcome in _PROVED and amount in (None, refund.amount):
        report = RefundReport(RefundOutcome(notice.refund_outcome), amount, notice.provider_refund_id, notice.at)
    else:
        adapter = providers.load(payment.provider)
        report = adapter.query_refund(execute.order_of(payment, refund))
        if report.outcome is RefundOutcome.UNKNOWN and _must_wait(refund, dead=proves):
            raise RetryLater("told of a refund, and the provider is silent", delay_s=outcome.ASK_AGAIN_S)
    if report.outcome not in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT):
        try:
            execute.apply_answer(refund.refund_id, report)
        except ProviderSilent as silent:
            raise RetryLater("told that a refund came back", delay_s=outcome.ASK_AGAIN_S) from silent


def _must_wait(refund: Refund, *, dead: bool) -> bool:
    """Say whether a word about a refund must wait while the provider is silent.

    Nobody else would ask; or it says what is not believed (that the number is ``dead``, another amount), and a success
    that is older may still be on its way.
    """
    return dead or refund.status in _NOBODY_ASKS


_PROVED = (RefundOutcome.SUCCEEDED, RefundOutcome.PENDING)
"""What a notice's word is enough for, with the amount we asked for. One that a number is dead or stuck may be long past
and would lead to paying again under another number, and one with another amount would end in an operator's hands: these
are asked about."""
_NOBODY_ASKS = (RefundStatus.SUCCEEDED, RefundStatus.ABNORMAL, RefundStatus.FAILED)
"""States that may still change and have no deadline: a notice is the only word that they did."""


def resolve_quarantined(
    purchase_id: str, quarantine_id: str, *, how: Resolution, by: str, note: str, intent: Intent
) -> tuple[Quarantined, bool]:
    """Close a quarantined notice as an operator; see :class:`Resolution`.

    Returns it, and whether the same request closed it before. A silent provider leaves it open.

    Raises:
        NotFound: if there is none.
        IllegalTransition: if it is resolved.
        ProviderSilent: if the provider was to be asked and does not answer.
        RefundRefused: if a refund cannot be taken into the books.
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
        closed = replace(quarantined, by=by, note=note, intent=intent.token, fingerprint=intent.fingerprint)
        with UnitOfWork() as work:
            closed = replace(closed, resolved=_resolved(work, quarantined, how, by=by))
            store.save_quarantined(work, closed)
        return replace(closed, version=closed.version + 1), False

    return racing(resolve)


def _resolved(work: UnitOfWork, quarantined: Quarantined, how: Resolution, *, by: str) -> str:
    """Do what resolves it and return what became of it, in words; what is booked joins the work that closes it."""
    match how.what:
        case Resolved.QUERY:
            payment = store.load_payment(quarantined.payment_id)
            report = providers.load(payment.provider).query(payment_rules.attempt_of(payment))
            if report.outcome is Outcome.UNKNOWN:
                raise ProviderSilent(provider=payment.provider)
            outcome.apply_report(payment, report, given_up=False, chasing=False)
            answer = f"query: {report.outcome.value}" + (f" {report.amount.text()}" if report.amount else "")
            refund_id = quarantined.said.get("refund_id", "")
            if not ids.is_id("ref", refund_id):
                return answer
            return f"{answer}, refund {execute.query_refund_now(refund_id).status.value}"
        case Resolved.ADOPT:
            refund = external.adopt(work, quarantined, order_id=how.order_id, by=by)
            gave_way = [number for number in (refund.renews, *refund.replaces) if number]
            return f"adopted: {refund.refund_id}" + (f" in place of {', '.join(gave_way)}" if gave_way else "")
        case Resolved.SEEN:
            return "seen"
