"""An operator settles a stray: asked about again, returned, or seen."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from chalicelib.auth import service as auth
from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments import events, providers
from chalicelib.payments.attempts import poll
from chalicelib.payments.domain import stray as stray_rules
from chalicelib.payments.domain.payment import Payment, ProviderSilent, UnknownPayment
from chalicelib.payments.domain.stray import (
    ReturnNeedsTwo,
    Stray,
    StrayCause,
    StrayKind,
    StrayNotFound,
    StrayStatus,
)
from chalicelib.payments.ports import Outcome, Report, Tracer
from chalicelib.payments.refunds import limits as refund_limits
from chalicelib.payments.store import operator_limits
from chalicelib.payments.store import records as store
from chalicelib.payments.strays import record
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


class Settled(StrEnum):
    """How an operator settles a stray."""

    QUERY = "query"
    """The provider is asked again: what it holds is booked, as an attempt of ours where there is one by now."""
    RETURNED = "returned"
    """The money went back, or on to whom it belongs, in the provider's console: it leaves the books."""
    SEEN = "seen"
    """A person has looked; money stays in suspense."""


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
    stray_rules.move(stray, StrayCause.PLACE, now=clock.now())  # Refused before the provider is bothered.
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
        return record.opened(
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
    return record.ask(stray.provider, stray.number, stray.at or stray.heard_at)


def _written(stray: Stray, answer: str) -> Stray:
    changed = replace(stray, said={**stray.said, "query": answer})
    with UnitOfWork() as work:
        store.save_stray(work, changed)
    return replace(changed, version=changed.version + 1)


def _ended(stray: Stray, cause: StrayCause) -> Stray:
    ended = stray_rules.move(stray, cause, now=clock.now())
    fact = events.StraySettled(stray_id=stray.stray_id, provider=stray.provider, how=ended.status.value)
    with UnitOfWork() as work:
        store.save_stray(work, ended, [fact])
        if stray.amount is not None and cause is StrayCause.RETURN:
            _check_by_two(work, stray, stray.amount)
        if stray.amount is not None and ended.status is not StrayStatus.CLOSED:
            record.book(work, stray, -stray.amount, ended.status.value)
    return replace(ended, version=ended.version + 1)


def _check_by_two(work: UnitOfWork, stray: Stray, amount: Money) -> None:
    """Let money leave the books by the word of two persons, or of one up to what one may refund alone."""
    if stray.status is StrayStatus.CLOSED and stray.seen_by not in ("", stray.by):
        auth.check_second_person(asked_by=stray.seen_by, by=stray.by)
        return
    limit = refund_limits.approval_limit(amount.currency)
    if amount.minor > limit:
        raise ReturnNeedsTwo(limit=limit, currency=amount.currency)
    limit = refund_limits.day_limit(amount.currency)
    operator_limits.count(work, stray.by, amount, limit=limit, now=clock.now())
