"""Genuine notices that fit nothing of ours: the provider is asked, money is put in suspense, a person is told.

Nothing is booked on a notice's word: a number that we never gave could be anybody's. What the provider's own answer, or
its bill, says of the number is in the books at once, on the account ``suspense``, until an operator says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import RetryLater
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.payments import events, providers
from chalicelib.payments.attempts import outcome, poll
from chalicelib.payments.domain import stray as stray_rules
from chalicelib.payments.domain.payment import UnknownPayment
from chalicelib.payments.domain.stray import Stray, StrayCause, StrayKind
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import Attempt, Outcome, Report, Tracer
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

ASK_AGAIN_S = 60


@dataclass(frozen=True, slots=True)
class ReportedMoney:
    """What is known of money under a number of nobody's."""

    provider: str
    number: str
    amount: Money | None
    transaction_id: str
    at: datetime | None
    said: Mapping[str, str]
    confirmed: bool
    """The provider's answer or bill says so; else only a notice did."""
    billed_on: str = ""


def take_unknown(notice: PaymentNoticed) -> None:
    """Keep a genuine notice of a number that no attempt of ours has: money that it speaks of is asked about.

    Raises:
        RetryLater: if it speaks of money and the provider does not answer.
    """
    if notice.outcome == Outcome.CAPTURED or notice.foreign:
        _take_money(notice)
    elif notice.refund_id is not None:
        said = _said(notice) | {"refund_id": notice.refund_id, "refund": notice.refund_outcome or ""}
        _keep_event(notice.provider, notice.notice_id, notice.payment_id, said)
    else:
        log.info("notice belongs to no payment of this shop", provider=notice.provider, outcome=notice.outcome or "")


def take_event(notice: PaymentNoticed) -> None:
    """Keep a genuine event of a kind that we do not act on; one that speaks of money is asked about first.

    Raises:
        RetryLater: if it speaks of money and the provider does not answer.
    """
    if notice.trace and _traced(notice):
        return
    said = _said(notice) | dict(notice.said) | {"event": notice.unknown}
    _keep_event(notice.provider, notice.notice_id, notice.payment_id or notice.trace or notice.unknown, said)


def _take_money(notice: PaymentNoticed) -> None:
    amount = Money(notice.amount_minor, notice.currency) if notice.amount_minor and notice.currency else None
    said = _said(notice) | ({"notice_amount": amount.text()} if amount else {})
    report = ask(notice.provider, notice.payment_id, notice.at or clock.now())
    if report.outcome is Outcome.UNKNOWN:
        raise RetryLater("told of money of nobody's, and the provider is silent", delay_s=ASK_AGAIN_S)
    _note(_heard(notice.provider, notice.payment_id, report, said | {"query": report.outcome.value}, notice))


def _heard(
    provider: str, number: str, report: Report, said: Mapping[str, str], notice: PaymentNoticed
) -> ReportedMoney:
    confirmed = report.outcome is Outcome.CAPTURED and report.amount is not None
    return ReportedMoney(
        provider=provider,
        number=number,
        amount=report.amount if confirmed else None,
        transaction_id=(report.transaction_id if confirmed else notice.transaction_id) or "",
        at=report.at if confirmed else notice.at,
        said=said,
        confirmed=confirmed,
    )


def _traced(notice: PaymentNoticed) -> bool:
    """Ask whose a thing is that bears no number of ours; returns whether it is dealt with."""
    adapter = providers.load(notice.provider)
    found = adapter.trace(notice.trace) if isinstance(adapter, Tracer) else None
    if found is None:
        raise RetryLater("told of money of nobody's, and the provider is silent", delay_s=ASK_AGAIN_S)
    payment_id, report = found
    if ids.is_child_id("pay", payment_id):
        try:
            payment = store.load_payment(payment_id)
        except UnknownPayment:
            payment = None
        if payment is not None and payment.provider == notice.provider:  # The notice said it wrongly: it is ours.
            if payment.holds_money:  # Perhaps with other money than this.
                outcome.apply_report(payment, report, given_up=False, chasing=False)
            else:
                poll.ask(payment, close=False, chasing=False, told=True)
            return True
    if report.outcome is not Outcome.CAPTURED:
        return False
    said = _said(notice) | dict(notice.said) | {"event": notice.unknown, "query": report.outcome.value}
    _note(_heard(notice.provider, payment_id or notice.trace, report, said, notice))
    return True


def _said(notice: PaymentNoticed) -> dict[str, str]:
    found = {"notice_id": notice.notice_id, "why": notice.foreign, "transaction_id": notice.transaction_id or ""}
    return {name: value[:120] for name, value in found.items() if value}


def ask(provider: str, number: str, around: datetime) -> Report:
    """Ask the provider what it holds under a number that may be nobody's."""
    if not stray_rules.may_be_asked(number):
        return Report(Outcome.ABSENT)
    return providers.load(provider).query(Attempt(payment_id=number, amount=Money(0), created_at=around))


# --- keeping ----------------------------------------------------------------------------------------------------------


def note_billed(heard: ReportedMoney) -> Stray:
    """Keep money of nobody's that a bill speaks of: its notice may never have come. The bill confirms what is kept."""
    return _note(heard)


def _note(heard: ReportedMoney) -> Stray:
    return racing(lambda: _noted(heard))


def _noted(heard: ReportedMoney) -> Stray:
    first = stray_rules.stray_id(heard.provider, heard.number)
    known = store.load_stray(first)
    if known is not None and known.transaction_id and heard.transaction_id not in ("", known.transaction_id):
        first = stray_rules.stray_id(heard.provider, heard.number, heard.transaction_id)
        known = store.load_stray(first)
    if known is None:
        return opened(_fresh(first, heard))
    if known.kind is StrayKind.CLAIM and heard.confirmed:
        # What was only claimed is there: from now on it is money, whoever has looked at the claim.
        changed = stray_rules.move(known, StrayCause.HEAR, now=clock.now())
        return opened(
            replace(
                changed,
                kind=StrayKind.MONEY,
                amount=heard.amount,
                transaction_id=heard.transaction_id,
                at=heard.at,
                said={**known.said, **heard.said},
                billed_on=heard.billed_on,
            )
        )
    if heard.billed_on and not known.billed_on:
        with UnitOfWork() as work:
            store.save_stray(work, replace(known, billed_on=heard.billed_on))
    return known


def _fresh(stray_id: str, heard: ReportedMoney) -> Stray:
    now = clock.now()
    return Stray(
        stray_id=stray_id,
        kind=StrayKind.MONEY if heard.confirmed else StrayKind.CLAIM,
        status=stray_rules.STRAY.initial,
        provider=heard.provider,
        number=heard.number,
        heard_at=now,
        since=now,
        amount=heard.amount,
        transaction_id=heard.transaction_id,
        at=heard.at,
        said=heard.said,
        billed_on=heard.billed_on,
    )


def opened(stray: Stray) -> Stray:
    """Write what is new of a stray, its money into the books, and tell: an alarm, an operator's case."""
    fact = events.PaymentStray(
        stray_id=stray.stray_id, provider=stray.provider, kind=stray.kind.value, round=stray.version
    )
    with UnitOfWork() as work:
        store.save_stray(work, stray, [fact])
        if stray.amount is not None:
            book(work, stray, stray.amount, "kept")
    log.error(
        "money or notice without a payment recorded for an operator",
        stray_id=stray.stray_id,
        provider=stray.provider,
        kind=stray.kind.value,
    )
    metrics.count("notices_unknown_event" if stray.kind is StrayKind.EVENT else "money_in_suspense")
    return replace(stray, version=stray.version + 1)


def book(work: UnitOfWork, stray: Stray, amount: Money, what: str) -> None:
    """Put money into suspense, or take it out."""
    ledger.post(
        work,
        entry_id=f"stray.{what}#{stray.stray_id}",
        purchase_id=stray.stray_id,
        at=clock.now(),
        postings=ledger.suspense_postings(stray.provider, amount),
    )


def _keep_event(provider: str, notice_id: str, number: str, said: Mapping[str, str]) -> None:
    now = clock.now()
    stray = Stray(
        stray_id=stray_rules.event_id(provider, notice_id),
        kind=StrayKind.EVENT,
        status=stray_rules.STRAY.initial,
        provider=provider,
        number=number[:128],
        heard_at=now,
        since=now,
        said=said,
    )

    def keep() -> Stray:
        return store.load_stray(stray.stray_id) or opened(stray)

    racing(keep)
