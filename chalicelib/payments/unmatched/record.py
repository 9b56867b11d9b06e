"""Genuine notices that fit nothing of ours: the provider is asked, money is put in suspense, a person is told.

Nothing is booked on a notice's word: a number that we never gave could be anybody's. What the provider's own answer, or
its bill, says of the number is in the books at once, on the account ``suspense``, until an operator says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.auth import service as auth
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import RetryLater
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.payments import events, providers
from chalicelib.payments.attempts import poll
from chalicelib.payments.domain import unmatched as unmatched_rules
from chalicelib.payments.domain.payment import Payment, ProviderSilent, UnknownPayment
from chalicelib.payments.domain.unmatched import (
    ReturnNeedsTwo,
    Stray,
    StrayCause,
    StrayKind,
    StrayNotFound,
    StrayStatus,
)
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import Attempt, Outcome, Report, Tracer
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.store import operator_limits
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

ASK_AGAIN_S = 60


class Settled(StrEnum):
    """How an operator settles a stray."""

    QUERY = "query"
    """The provider is asked again: what it holds is booked, as an attempt of ours where there is one by now."""
    RETURNED = "returned"
    """The money went back, or on to whom it belongs, in the provider's console: it leaves the books."""
    SEEN = "seen"
    """A person has looked; money stays in suspense."""


@dataclass(frozen=True, slots=True)
class Heard:
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
        log.info("notice of no attempt of ours", provider=notice.provider, outcome=notice.outcome or "")


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
    report = _ask(notice.provider, notice.payment_id, notice.at or clock.now())
    if report.outcome is Outcome.UNKNOWN:
        raise RetryLater("told of money of nobody's, and the provider is silent", delay_s=ASK_AGAIN_S)
    _note(_heard(notice.provider, notice.payment_id, report, said | {"query": report.outcome.value}, notice))


def _heard(provider: str, number: str, report: Report, said: Mapping[str, str], notice: PaymentNoticed) -> Heard:
    confirmed = report.outcome is Outcome.CAPTURED and report.amount is not None
    return Heard(
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
                poll.apply_report(payment, report, given_up=False, chasing=False)
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


def _ask(provider: str, number: str, around: datetime) -> Report:
    if not unmatched_rules.may_be_asked(number):
        return Report(Outcome.ABSENT)
    return providers.load(provider).query(Attempt(payment_id=number, amount=Money(0), created_at=around))


# --- keeping ----------------------------------------------------------------------------------------------------------


def note_billed(heard: Heard) -> Stray:
    """Keep money of nobody's that a bill speaks of: its notice may never have come. The bill confirms what is kept."""
    return _note(heard)


def _note(heard: Heard) -> Stray:
    return racing(lambda: _noted(heard))


def _noted(heard: Heard) -> Stray:
    first = unmatched_rules.stray_id(heard.provider, heard.number)
    known = store.load_stray(first)
    if known is not None and known.transaction_id and heard.transaction_id not in ("", known.transaction_id):
        first = unmatched_rules.stray_id(heard.provider, heard.number, heard.transaction_id)
        known = store.load_stray(first)
    if known is None:
        return _opened(_fresh(first, heard))
    if known.kind is StrayKind.CLAIM and heard.confirmed:
        # What was only claimed is there: from now on it is money, whoever has looked at the claim.
        changed = unmatched_rules.moved(known, StrayCause.HEAR, now=clock.now())
        return _opened(
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


def _fresh(stray_id: str, heard: Heard) -> Stray:
    now = clock.now()
    return Stray(
        stray_id=stray_id,
        kind=StrayKind.MONEY if heard.confirmed else StrayKind.CLAIM,
        status=unmatched_rules.STRAY.initial,
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


def _opened(stray: Stray) -> Stray:
    """Write what is new of a stray, its money into the books, and tell: an alarm, an operator's case."""
    fact = events.PaymentStray(
        stray_id=stray.stray_id, provider=stray.provider, kind=stray.kind.value, round=stray.version
    )
    with UnitOfWork() as work:
        store.save_stray(work, stray, [fact])
        if stray.amount is not None:
            _book(work, stray, stray.amount, "kept")
    log.error("stray", stray_id=stray.stray_id, provider=stray.provider, kind=stray.kind.value)
    metrics.count("notices_unknown_event" if stray.kind is StrayKind.EVENT else "money_in_suspense")
    return replace(stray, version=stray.version + 1)


def _book(work: UnitOfWork, stray: Stray, amount: Money, what: str) -> None:
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
        stray_id=unmatched_rules.event_id(provider, notice_id),
        kind=StrayKind.EVENT,
        status=unmatched_rules.STRAY.initial,
        provider=provider,
        number=number[:128],
        heard_at=now,
        since=now,
        said=said,
    )

    def keep() -> Stray:
        return store.load_stray(stray.stray_id) or _opened(stray)

    racing(keep)


# --- settling ---------------------------------------------------------------------------------------------------------


def get(stray_id: str) -> Stray:
    """Return a stray.

    Raises:
        StrayNotFound: if there is none.
    """
    found = store.load_stray(stray_id)
    if found is None:
        raise StrayNotFound(what="stray")
    return found


def settle(stray_id: str, *, how: Settled, by: str, note: str, intent: Intent) -> tuple[Stray, bool]:
    """Settle a stray as an operator; see :class:`Settled`. Returns it and whether the same request did it before.

    Raises:
        StrayNotFound: if there is none.
        IllegalTransition: if it is settled.
        ReturnNeedsTwo, DayLimitReached: if one person alone may not say that so much was returned; another one has to
            mark it as seen before.
        AskerGone, KinApproval: if who did is no operator any more, or one of the two owes the role to the other.
        ProviderSilent: if the provider was to be asked and does not answer.
        IdempotencyKeyReused: if the key settled it otherwise.
    """

    def attempt() -> tuple[Stray, bool]:
        stray = get(stray_id)
        if stray.intent and stray.intent == intent.token:
            intent.check(stray.fingerprint)
            return stray, True
        noted = replace(stray, by=by, note=note, intent=intent.token, fingerprint=intent.fingerprint)
        match how:
            case Settled.QUERY:
                return _asked(noted), False
            case Settled.RETURNED:
                return _ended(noted, StrayCause.RETURN), False
            case Settled.SEEN:
                return _ended(replace(noted, seen_by=by), StrayCause.CLOSE), False

    return racing(attempt)


def _asked(stray: Stray) -> Stray:
    """Ask the provider about a stray's number: it is placed where an attempt of ours has it, booked where money is."""
    unmatched_rules.moved(stray, StrayCause.PLACE, now=clock.now())  # Refused before the provider is bothered.
    payment = _ours(stray)
    if payment is not None:
        payment = poll.query_now(payment.payment_id)
        if not payment.holds_money:
            return _written(stray, "not captured")
        if stray.transaction_id in ("", payment.transaction_id):
            return _ended(stray, StrayCause.PLACE)
    report = _report_of(stray)
    if report.outcome is Outcome.UNKNOWN:
        raise ProviderSilent(provider=stray.provider)
    if report.outcome is Outcome.CAPTURED and report.amount is not None and stray.kind is StrayKind.CLAIM:
        return _opened(
            replace(
                stray,
                kind=StrayKind.MONEY,
                amount=report.amount,
                transaction_id=report.transaction_id or "",
                at=report.at,
                said={**stray.said, "query": report.outcome.value},
            )
        )
    return _written(stray, report.outcome.value)


def _ours(stray: Stray) -> Payment | None:
    """Return the attempt that has the number of a stray by now, at the provider that told of it."""
    if not ids.is_child_id("pay", stray.number):
        return None
    try:
        payment = store.load_payment(stray.number)
    except UnknownPayment:
        return None
    return payment if payment.provider == stray.provider else None


def _report_of(stray: Stray) -> Report:
    adapter = providers.load(stray.provider)
    if isinstance(adapter, Tracer) and not ids.is_id("pay", stray.number):
        found = adapter.trace(stray.number)
        if found is None:
            return Report(Outcome.UNKNOWN)
        if found[1].outcome is not Outcome.ABSENT:
            return found[1]
    return _ask(stray.provider, stray.number, stray.at or stray.heard_at)


def _written(stray: Stray, answer: str) -> Stray:
    changed = replace(stray, said={**stray.said, "query": answer})
    with UnitOfWork() as work:
        store.save_stray(work, changed)
    return replace(changed, version=changed.version + 1)


def _ended(stray: Stray, cause: StrayCause) -> Stray:
    ended = unmatched_rules.moved(stray, cause, now=clock.now())
    fact = events.StraySettled(stray_id=stray.stray_id, provider=stray.provider, how=ended.status.value)
    with UnitOfWork() as work:
        store.save_stray(work, ended, [fact])
        if stray.amount is not None and cause is StrayCause.RETURN:
            _check_by_two(work, stray, stray.amount)
        if stray.amount is not None and ended.status is not StrayStatus.CLOSED:
            _book(work, stray, -stray.amount, ended.status.value)
    return replace(ended, version=ended.version + 1)


def _check_by_two(work: UnitOfWork, stray: Stray, amount: Money) -> None:
    """Let money leave the books by the word of two persons, or of one up to what one may refund alone."""
    if stray.status is StrayStatus.CLOSED and stray.seen_by not in ("", stray.by):
        auth.check_second_person(asked_by=stray.seen_by, by=stray.by)
        return
    limit = refund_requests.approval_limit(amount.currency)
    if amount.minor > limit:
        raise ReturnNeedsTwo(limit=limit, currency=amount.currency)
    limit = refund_requests.day_limit(amount.currency)
    operator_limits.count(work, stray.by, amount, limit=limit, now=clock.now())
