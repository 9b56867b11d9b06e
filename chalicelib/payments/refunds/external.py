"""Refunds made in the provider's console: kept as notices that do not fit, taken into the books by an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ConcurrentUpdate, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.payments import providers
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_numbers, reservation
from chalicelib.payments.domain.payment import Payment, PaymentStatus, ProviderSilent
from chalicelib.payments.domain.payment_records import PaymentRecords, Quarantined
from chalicelib.payments.domain.refund import REFUND, Refund, RefundCause, RefundRefused, RefundStatus
from chalicelib.payments.ports import NO_LIMIT, Inquirer, Limits, RefundOutcome
from chalicelib.payments.refunds import execute, superseded
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.statements import fetch
from chalicelib.payments.store import records as store
from chalicelib.runtime.db.work import UnitOfWork

WHY = "unknown_refund"
ASK_AGAIN_S = 60
UNDER_WAY = (RefundStatus.REQUESTED, RefundStatus.PENDING)
_NO_LIMITS = Limits(refund_window=NO_LIMIT, max_refunds=10**6)
"""What a provider has done it allowed."""


def whose(provider: str, number: str) -> str:
    """Return our number of the attempt that a refund made elsewhere is on; empty if it is none of this shop's.

    Raises:
        RetryLater: if the provider does not answer.
    """
    adapter = providers.load(provider)
    found = adapter.external_refund(number) if isinstance(adapter, Inquirer) else None
    if found is None:
        raise RetryLater("the provider does not answer", delay_s=ASK_AGAIN_S)
    return found.payment_id


def note(payment: Payment, numbers: Sequence[str], amount: Money | None) -> None:
    """Keep that somebody refunded behind our back: the money is gone and our books do not know it yet.

    Notices and bills name one refund, by its two numbers or one of them and not always with its amount: it is kept
    once, and what the later one says more is added. ``numbers``: the one to ask by first.

    Raises:
        RetryLater: if somebody is taking it into the books at this moment: then this is about a refund of ours.
    """
    records = store.load_records(payment.purchase_id)
    numbers = [number for number in numbers if number] or [""]
    told = [kept for kept in records.quarantined if _tells(kept, payment, numbers)]
    waiting = next((kept for kept in told if not kept.resolved), None)
    if waiting is not None:
        _renew(waiting, _named(numbers, amount))
    elif not any(amount in (None, _said(kept)) or _said(kept) is None for kept in told):
        said = _named(numbers, amount)
        # What contradicts a notice that an operator has closed is another one.
        about = f"{numbers[-1]} {amount.text()}" if told and amount else numbers[-1]
        quarantine.put_aside(payment, WHY, about=about, **said)
    if known(store.load_records(payment.purchase_id), payment, numbers) is not None:
        raise RetryLater("taken into the books meanwhile", delay_s=1)


def _named(numbers: Sequence[str], amount: Money | None) -> dict[str, str]:
    """Return what a notice or a bill says of a refund, as it is kept."""
    said = {"refund_id": numbers[0]}
    if numbers[-1] != numbers[0]:
        said["provider_refund_id"] = numbers[-1]
    if amount is not None:
        said |= {"amount": amount.text(), "minor": str(amount.minor), "currency": amount.currency}
    return said


def _renew(kept: Quarantined, said: dict[str, str]) -> None:
    """Write a kept notice again because something has happened since: who is booking it has to ask anew."""
    said = {**said, "refund_id": kept.said["refund_id"]}
    if said.get("provider_refund_id") == said["refund_id"]:
        del said["provider_refund_id"]
    try:
        with UnitOfWork() as work:
            store.save_quarantined(work, replace(kept, said={**kept.said, **said}))
    except ConcurrentUpdate as lost:
        raise RetryLater("somebody else handles this notice", delay_s=1) from lost


def _numbers(kept: Quarantined) -> set[str]:
    return {kept.said.get("refund_id", ""), kept.said.get("provider_refund_id", "")} - {""}


def _tells(kept: Quarantined, payment: Payment, numbers: Sequence[str]) -> bool:
    """Say whether a kept notice is about the refund of these numbers."""
    return kept.why == WHY and kept.payment_id == payment.payment_id and not _numbers(kept).isdisjoint(numbers)


@dataclass(frozen=True, slots=True)
class Billed:
    """What a bill says of a refund under no number of ours."""

    payment_id: str
    """Ours; empty where the bill does not say it."""
    numbers: tuple[str, ...]
    """The refund's, the one that a notice would name first."""
    amount: Money
    gone: bool
    """Whether it says that the money is gone: only then is there something to note."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Whose a refund on a bill is: on which attempt of ours, and as what it was taken into the books."""

    payment_id: str = ""
    refund: Refund | None = None


def note_billed(provider: str, billed: Billed) -> Placed:
    """Find the refund that was taken into the books under one of the numbers; else note it as its notice would.

    Raises:
        UnknownPayment: if it is on an attempt that we do not have.
        RetryLater: if only the provider can tell whose it is, and does not answer.
    """
    payment_id = billed.payment_id
    if not payment_id and isinstance(providers.load(provider), Inquirer):
        payment_id = whose(provider, billed.numbers[0])
    if not ids.is_id("pay", payment_id):
        return Placed()
    payment = store.load_payment(payment_id)
    if payment.provider != provider:
        return Placed()
    found = known(store.load_records(payment.purchase_id), payment, billed.numbers)
    if found is None and billed.gone:
        note(payment, billed.numbers, billed.amount)
    return Placed(payment_id, found)


def known_under(payment_id: str, numbers: Sequence[str]) -> Refund | None:
    """Return the refund of an attempt that is in the books under one of the numbers; None too if it is none of ours."""
    if not ids.is_id("pay", payment_id):
        return None
    records = store.load_records(ids.parent_id("pur", payment_id))
    if all(payment.payment_id != payment_id for payment in records.payments):
        return None
    return known(records, records.payment(payment_id), numbers)


def known(records: PaymentRecords, payment: Payment, numbers: Sequence[str]) -> Refund | None:
    """Return the payment's refund in our books that one of the numbers is of: ours, or the provider's own."""
    wanted = {number for number in numbers if number}
    for refund in records.refunds_of(payment.payment_id):
        if not wanted.isdisjoint((refund.refund_id, refund.external_number, refund.provider_refund_id)):
            return refund
    return None


def adopt(work: UnitOfWork, quarantined: Quarantined, *, order_id: str | None, by: str) -> Refund:
    """Take what a quarantined notice tells of into the books, as a refund that has gone through.

    The provider is asked: only what it says now is booked, against what is left of the payment and the order. Refunds
    of ours that hold this money and did not go through give way. Surplus money is no order's, whatever is named.

    Raises:
        RefundRefused: if it is no such notice, is booked already, may be a refund of ours that is under way, did not
            go through, or is more than our books have left.
        ProviderSilent: if the provider does not answer.
    """
    number = quarantined.said.get("refund_id", "")
    if quarantined.why != WHY or not number:
        raise RefundRefused(why="no_foreign_refund", left=0)
    records = store.load_records(quarantined.purchase_id)
    payment = records.payment(quarantined.payment_id)
    if known(records, payment, sorted(_numbers(quarantined))) is not None:
        raise RefundRefused(why="booked", left=0)
    if _maybe_ours(records, payment, quarantined):
        raise RefundRefused(why="refund_under_way", left=0)
    amount = _said(quarantined) or payment.captured or payment.amount
    report = providers.load(payment.provider).query_refund(execute.order_under(number, payment, amount, reason=""))
    if report.outcome in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT) or report.amount is None:
        raise ProviderSilent(provider=payment.provider)
    if report.outcome is not RefundOutcome.SUCCEEDED:
        raise RefundRefused(why=f"refund_{report.outcome.value}", left=0)
    now = clock.now()
    surplus = payment.status in (PaymentStatus.SURPLUS, PaymentStatus.RETURNED)
    order = None if surplus else refund_requests.order_of(quarantined.purchase_id, order_id)
    giving = superseded.in_the_way(records, payment, order, report.amount)
    superseded.check_dead(payment, giving)
    before, records = records, superseded.without(records, giving, now=now)
    freed = replace(payment, reserved_minor=payment.reserved_minor - giving.freed)
    reserved = reservation.reserve(freed, report.amount, limits=_NO_LIMITS, earlier=0, now=now)
    reserved = replace(reserved, reserved_minor=reserved.reserved_minor + giving.rest)
    if order is not None:
        reservation.within_order(records, order.order_id, order.total, report.amount)
    refund = Refund(
        refund_id=refund_numbers.next_refund_id(records, quarantined.purchase_id),
        purchase_id=quarantined.purchase_id,
        payment_id=payment.payment_id,
        order_id=order.order_id if order else None,
        amount=report.amount,
        status=REFUND.initial,
        reason="made at the provider",
        request_token=ids.digest("foreign", payment.provider, number),
        requested_at=report.at or now,
        due_at=None,
        since=now,
        by=by,
        external_number=number,
    )
    refund = superseded.heir(refund, giving)
    done = refund_rules.move(refund, RefundCause.SUCCEED, now=now, number=report.provider_refund_id)
    done = replace(done, booked_on=fetch.booked_on(payment.provider, report.at or now))
    execute.give_back(work, records, reserved, done)
    after = replace(records, refunds=(*records.refunds, done))
    rest = superseded.rest_of(after, giving, by=by, now=now)
    superseded.write(work, before, after, reserved, rest)
    if order is not None:
        superseded.note_on_order(work, order, records.refunds, done, giving=giving, rest=rest)
    return done


def _maybe_ours(records: PaymentRecords, payment: Payment, quarantined: Quarantined) -> bool:
    """Say whether a refund of ours whose number there we have not learned yet may be the one that is told of."""
    said = _said(quarantined)
    return any(
        refund.provider_refund_id is None and refund.status in UNDER_WAY and said in (None, refund.amount)
        for refund in records.refunds_of(payment.payment_id)
    )


def _said(quarantined: Quarantined) -> Money | None:
    """Return the amount that the notice named, where it named one."""
    minor, currency = quarantined.said.get("minor", ""), quarantined.said.get("currency", "")
    return Money(int(minor), currency) if minor and currency else None
