"""Use cases of payments: the provider is asked outside of any transaction, its answer applied in one that re-reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import (
    AlreadyExists,
    ConcurrentUpdate,
    Conflict,
    IllegalTransition,
    NotFound,
    RetryLater,
)
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import Purchase, PurchaseStatus, Sale
from chalicelib.payments import domain, events, providers, store
from chalicelib.payments.bills import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.domain import (
    ANSWERS,
    REFUND,
    AlreadyPaid,
    Approval,
    ApprovalNeeded,
    Conclusion,
    MethodNotOffered,
    OwnApproval,
    Payment,
    PaymentStatus,
    ProviderSilent,
    Quarantined,
    Refund,
    RefundCause,
    RefundRefused,
    RefundStatus,
    Story,
    TooManyPayments,
    UnknownPayment,
    UnknownProvider,
    Wish,
)
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import (
    Attempt,
    CloseOutcome,
    Instruction,
    Notice,
    Outcome,
    PaymentOrder,
    Provider,
    RefundOrder,
    RefundOutcome,
    RefundReport,
    Report,
)
from chalicelib.payments.store import RecordPage
from chalicelib.runtime import log, metrics
from chalicelib.runtime.config import config, setting
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = [
    "AlreadyPaid",
    "Bill",
    "BillKind",
    "BillLine",
    "BillUnavailable",
    "Conclusion",
    "Payment",
    "PaymentStatus",
    "Refund",
    "RefundRefused",
    "RefundStatus",
    "Story",
    "UnknownPayment",
    "UnknownProvider",
]

RACES = 8
"""How often a use case that lost a race reads again and repeats."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a buyer wants to pay."""

    provider: str
    method: str | None = None
    return_url: str | None = None
    payer: str | None = None
    client_ip: str | None = None


def _racing(attempt: Callable[[], T]) -> T:
    """Repeat a load-decide-commit that lost a race; each attempt reads anew."""
    for _ in range(RACES):
        try:
            return attempt()
        except (ConcurrentUpdate, AlreadyExists):
            metrics.count("payment_races")
    raise ConcurrentUpdate


# --- starting ---------------------------------------------------------------------------------------------------------


def start_payment(purchase_id: str, buyer_id: str, wanted: Wanted, intent: Intent) -> tuple[Payment, bool]:
    """Start an attempt to pay; returns it and whether the same request started it before.

    Earlier attempts are closed first. Our number is written before the provider hears it; if the provider does not
    answer, the attempt stays ``started`` and the same request again (or the chase) goes on with the same number.

    Raises:
        NotFound: if the purchase is not this buyer's.
        UnknownProvider, MethodNotOffered: if there is no such way to pay.
        AlreadyPaid, IllegalTransition, TooManyPayments: if it is not to be paid (again).
        IdempotencyKeyReused: if the key started another attempt.
    """
    adapter = providers.offered(wanted.provider)
    method = wanted.method or adapter.methods[0]
    if method not in adapter.methods:
        raise MethodNotOffered(provider=adapter.name, what=method)
    for _ in range(RACES):
        purchase = orders.load_purchase(purchase_id)
        if purchase.buyer_id != buyer_id:
            raise NotFound(what="purchase")
        story = store.load_story(purchase_id)
        known = next((payment for payment in story.payments if payment.intent == intent.token), None)
        if known is not None:
            intent.check(known.fingerprint)
            return (_instruct(adapter, known, wanted) if known.status is PaymentStatus.STARTED else known), True
        _admit(adapter, purchase)
        if _conclude(story) is Conclusion.CAPTURED:
            raise AlreadyPaid
        try:
            payment = _write_start(adapter, purchase, method, intent)
        except ConcurrentUpdate:
            continue
        return _instruct(adapter, payment, wanted), False
    raise ConcurrentUpdate


def _admit(adapter: Provider, purchase: Purchase) -> None:
    if purchase.status is PurchaseStatus.PAID:
        raise AlreadyPaid
    if purchase.payment_attempts >= domain.MAX_ATTEMPTS:
        raise TooManyPayments
    if purchase.total.currency not in adapter.currencies:
        raise MethodNotOffered(provider=adapter.name, what=purchase.total.currency)


def _write_start(adapter: Provider, purchase: Purchase, method: str, intent: Intent) -> Payment:
    now = clock.now()
    with UnitOfWork(f"pay#{intent.token}") as work:
        number = orders.start_attempt(work, purchase)
        payment = Payment(
            payment_id=ids.child_id("pay", purchase.purchase_id, number),
            purchase_id=purchase.purchase_id,
            buyer_id=purchase.buyer_id,
            provider=adapter.name,
            method=method,
            amount=purchase.total,
            status=domain.PAYMENT.initial,
            created_at=now,
            expires_at=purchase.due_at or now,
            due_at=domain.PAYMENT.due_at(domain.PAYMENT.initial, now),
            intent=intent.token,
            fingerprint=intent.fingerprint,
        )
        store.save_payment(work, payment, [events.PaymentStarted(payment_id=payment.payment_id, provider=adapter.name)])
    return replace(payment, version=1)


def _instruct(adapter: Provider, payment: Payment, wanted: Wanted) -> Payment:
    instruction = adapter.create(
        PaymentOrder(
            payment_id=payment.payment_id,
            amount=payment.amount,
            description=f"Biandan {payment.payment_id[-6:]}",
            method=payment.method,
            created_at=payment.created_at,
            expires_at=payment.expires_at,
            notify_url=_notify_url(adapter.name),
            return_url=wanted.return_url,
            payer=wanted.payer,
            client_ip=wanted.client_ip,
        )
    )
    if instruction.outcome is Outcome.UNKNOWN:
        log.warning("provider silent", payment_id=payment.payment_id, provider=adapter.name, step="create")
        return payment
    held = [payment]

    def apply() -> Payment:
        current = held.pop() if held else store.load_payment(payment.payment_id)
        return _apply_instruction(adapter, current, instruction)

    return _racing(apply)


def _apply_instruction(adapter: Provider, payment: Payment, instruction: Instruction) -> Payment:
    if payment.status is PaymentStatus.CLOSED and instruction.outcome is Outcome.PENDING:
        # Given up while the provider was still creating it: take it back. A buyer who is faster gets a refund.
        adapter.close(_attempt(replace(payment, reference=instruction.reference)))
        return payment
    if not payment.is_open:
        return payment
    if instruction.outcome is not Outcome.PENDING:
        changed = domain.refused(payment, instruction.code)
    elif payment.status is PaymentStatus.STARTED:
        changed = domain.answered(payment, instruction)
    else:  # A chase was told of it before this answer arrived.
        changed = replace(payment, instruction=instruction, reference=instruction.reference)
    return _save(changed)


def _save(payment: Payment, fact: events.PaymentEvent | None = None) -> Payment:
    with UnitOfWork() as work:
        store.save_payment(work, payment, [fact] if fact else [])
    return replace(payment, version=payment.version + 1)


def _notify_url(provider: str) -> str:
    return f"{config().public_url}/v1/webhooks/payments/{provider}"


def _attempt(payment: Payment) -> Attempt:
    return Attempt(
        payment_id=payment.payment_id,
        amount=payment.amount,
        created_at=payment.created_at,
        method=payment.method,
        reference=payment.reference,
        transaction_id=payment.transaction_id,
    )


# --- asking and closing -----------------------------------------------------------------------------------------------


def chase(payment_id: str) -> Payment:
    """Ask a silent provider because the attempt's deadline passed; past the purchase's expiry also close there."""
    payment = store.load_payment(payment_id)
    now = clock.now()
    if payment.due_at is None or payment.due_at > now:
        return payment
    if payment.status is PaymentStatus.CLOSED:
        return _look_again(payment)
    return _ask(payment, close=now >= payment.expires_at + domain.AFTER_EXPIRY, chasing=True)


def query_now(payment_id: str) -> Payment:
    """Ask the provider because an operator wants to know, whatever the state.

    Raises:
        UnknownPayment: if there is no such attempt.
    """
    return _ask(store.load_payment(payment_id), close=False, chasing=False)


def conclude_attempts(purchase: Purchase) -> Conclusion:
    """Ask about, then close, every attempt that may still be paid. A capture found on the way is recorded.

    ``UNKNOWN`` means that somebody may still pay: hold the stock and call again later.
    """
    return _conclude(store.load_story(purchase.purchase_id))


def _conclude(story: Story) -> Conclusion:
    states = [
        (_ask(payment, close=True, chasing=False) if payment.is_open else payment).status for payment in story.payments
    ]
    if PaymentStatus.CAPTURED in states or PaymentStatus.REFUNDED in states:
        return Conclusion.CAPTURED
    return Conclusion.UNKNOWN if any(state in domain.OPEN for state in states) else Conclusion.CLOSED


def _ask(payment: Payment, *, close: bool, chasing: bool) -> Payment:
    adapter = providers.load(payment.provider)
    report = adapter.query(_attempt(payment))
    given_up = False
    if close and report.outcome in (Outcome.PENDING, Outcome.ABSENT):
        report, given_up = _close(adapter, payment)
    if report.outcome is Outcome.UNKNOWN:
        log.warning("provider silent", payment_id=payment.payment_id, provider=adapter.name, step="query")
    return _apply(payment, report, given_up=given_up, chasing=chasing)


def _close(adapter: Provider, payment: Payment) -> tuple[Report, bool]:
    """Close at the provider; returns what is known then, and whether it did not know the attempt at all."""
    closing = adapter.close(_attempt(payment))
    if closing is CloseOutcome.CLOSED:
        return Report(Outcome.CLOSED), False
    if closing is CloseOutcome.ABSENT:
        return Report(Outcome.CLOSED), True
    if closing is CloseOutcome.CAPTURED:  # Paid while we were closing: only a query has the facts.
        report = adapter.query(_attempt(payment))
        return (report if report.outcome is Outcome.CAPTURED else Report(Outcome.UNKNOWN)), False
    return Report(Outcome.UNKNOWN), False


def _look_again(payment: Payment) -> Payment:
    adapter = providers.load(payment.provider)
    report = adapter.query(_attempt(payment))
    if report.outcome is Outcome.PENDING:
        report, _ = _close(adapter, payment)
    return _apply(payment, report, given_up=False, chasing=True)


def _apply(read: Payment, report: Report, *, given_up: bool, chasing: bool) -> Payment:
    if report.outcome is Outcome.CAPTURED:
        return _captured(read.payment_id, report)
    held = [read]

    def apply() -> Payment:
        payment = held.pop() if held else store.load_payment(read.payment_id)
        if given_up and payment.version != read.version:
            return payment  # The provider did not know it when we asked; somebody has told it since. Ask again.
        return _apply_report(payment, report, given_up=given_up, chasing=chasing)

    return _racing(apply)


def _apply_report(payment: Payment, report: Report, *, given_up: bool, chasing: bool) -> Payment:
    now = clock.now()
    if payment.status is PaymentStatus.CLOSED and chasing:
        return _save(domain.lingered(payment, now=now))
    if not payment.is_open:
        return payment
    if report.outcome is Outcome.CLOSED:
        return _save(
            domain.closed(payment, now=now, known=not given_up), events.PaymentClosed(payment_id=payment.payment_id)
        )
    if report.outcome is Outcome.FAILED:
        return _save(domain.refused(payment, report.code))
    if not chasing:
        return payment
    return _save(domain.chased(payment, now=now, heard=report.outcome is Outcome.PENDING))


# --- capturing --------------------------------------------------------------------------------------------------------


def _captured(payment_id: str, report: Report) -> Payment:
    if report.amount is None or not report.transaction_id:
        log.error("capture without facts", payment_id=payment_id)
        return store.load_payment(payment_id)
    return record_capture(
        payment_id,
        amount=report.amount,
        transaction_id=report.transaction_id,
        at=report.at or clock.now(),
        confirmed=True,
    )


def record_capture(
    payment_id: str,
    *,
    amount: Money,
    transaction_id: str,
    at: datetime,
    confirmed: bool,
    read: Payment | None = None,
) -> Payment:
    """Record that the provider holds the money: notice, query and bill all come here, in any order, any often.

    One transaction over the attempt, the purchase with its orders, and the ledger. Money that the purchase does not
    take goes back by itself: the refund stands in the same transaction, its number follows from the attempt.
    An amount that differs is only believed when a query says so (``confirmed``); a notice is quarantined first.
    ``read`` spares a read where the caller has just made it; its version guards the write.

    Raises:
        UnknownPayment: if there is no such attempt.
    """
    known = [read] if read is not None else []

    def record() -> Payment:
        payment = known.pop() if known else store.load_payment(payment_id)
        if payment.holds_money:
            if payment.transaction_id != transaction_id:
                _quarantine(payment, "second_capture", amount=amount.text(), transaction_id=transaction_id)
            return payment
        if amount != payment.amount and not confirmed:
            return _doubt(payment, "amount_differs", amount=amount.text(), transaction_id=transaction_id)
        return _record(payment, amount, transaction_id, at)

    return _racing(record)


def _record(payment: Payment, amount: Money, transaction_id: str, at: datetime) -> Payment:
    sale = orders.load_sale(payment.purchase_id)
    work = UnitOfWork(f"payment.captured#{payment.payment_id}")
    surplus = ""
    try:
        orders.settle(work, sale, payment_id=payment.payment_id, captured=amount, at=clock.now())
    except Conflict:  # A retry would be refused again: the money is here, so the refusal is an outcome.
        waiting = sale.purchase.status is PurchaseStatus.AWAITING_PAYMENT
        surplus = "amount_differs" if waiting else f"purchase_{sale.purchase.status.value}"
        work = UnitOfWork(f"payment.captured#{payment.payment_id}")
    captured = domain.captured(payment, amount=amount, transaction_id=transaction_id, at=at, surplus=surplus)
    captured = replace(captured, booked_on=booked_on(payment.provider, at))
    if surplus:
        captured = replace(captured, reserved=amount.minor)
        _request(work, captured, _surplus_refund(captured))
    fact = events.PaymentCaptured(
        payment_id=payment.payment_id, amount_minor=amount.minor, currency=amount.currency, surplus=surplus
    )
    store.save_payment(work, captured, [fact])
    ledger.post(
        work,
        entry_id=fact.event_id,
        purchase_id=payment.purchase_id,
        at=clock.now(),
        postings=ledger.surplus_postings(payment.provider, amount)
        if surplus
        else ledger.capture_postings(payment.provider, _shares(sale)),
    )
    work.commit()
    metrics.count("payments_surplus" if surplus else "payments_captured")
    return replace(captured, version=captured.version + 1)


def _shares(sale: Sale) -> list[ledger.Share]:
    return [ledger.Share(order.merchant_id, order.total, order.commission_bps) for order in sale.orders]


def _surplus_refund(payment: Payment) -> Refund:
    now = clock.now()
    return Refund(
        refund_id=domain.surplus_refund_id(payment.payment_id),
        purchase_id=payment.purchase_id,
        payment_id=payment.payment_id,
        order_id=None,
        amount=payment.captured or payment.amount,
        status=REFUND.initial,
        reason=payment.code,
        cause=ids.digest(f"surplus#{payment.payment_id}"),
        requested_at=now,
        due_at=REFUND.due_at(REFUND.initial, now),
        since=now,
    )


def _quarantine(payment: Payment, why: str, **said: str) -> Quarantined:
    quarantined = Quarantined(
        quarantine_id="qua_" + ids.digest(payment.payment_id, why, *(f"{k}={v}" for k, v in sorted(said.items()))),
        purchase_id=payment.purchase_id,
        payment_id=payment.payment_id,
        why=why,
        at=clock.now(),
        said=said,
    )
    fact = events.PaymentQuarantined(payment_id=payment.payment_id, why=why, quarantine_id=quarantined.quarantine_id)
    try:
        with UnitOfWork() as work:
            store.save_quarantined(work, quarantined, [fact])
    except AlreadyExists:
        return store.load_quarantined(payment.purchase_id, quarantined.quarantine_id) or quarantined
    log.error("payment quarantined", payment_id=payment.payment_id, why=why)
    metrics.count("payments_quarantined")
    return replace(quarantined, version=1)


def _doubt(payment: Payment, why: str, **said: str) -> Payment:
    """Keep what was said, then let the provider's own answer decide. Without one, it stays an operator's case."""
    quarantined = _quarantine(payment, why, **said)
    adapter = providers.load(payment.provider)
    report = adapter.query(_attempt(payment))
    settled = _apply(payment, report, given_up=False, chasing=False)
    if report.outcome is not Outcome.UNKNOWN and not quarantined.resolved:
        amount = f" {report.amount.text()}" if report.amount else ""
        with UnitOfWork() as work:
            store.save_quarantined(work, replace(quarantined, resolved=f"query: {report.outcome.value}{amount}"))
    return settled


# --- notices ----------------------------------------------------------------------------------------------------------


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
    )


def take_notice(notice: PaymentNoticed) -> None:
    """Apply a verified notice. What proves is recorded; what hints, or would move a state back, causes a query.

    Raises:
        UnknownPayment: if there is no such attempt (yet).
    """
    payment = store.load_payment(notice.payment_id)
    if payment.provider != notice.provider:
        _quarantine(payment, "other_provider", provider=notice.provider)
        return
    proves = providers.load(notice.provider).limits.notices_prove
    amount = None
    if notice.amount_minor is not None and notice.currency is not None:
        amount = Money(notice.amount_minor, notice.currency)
    if notice.refund_id is not None:
        _take_refund_notice(payment, notice, amount, proves=proves)
    elif notice.outcome == Outcome.CAPTURED and proves and amount is not None and notice.transaction_id:
        record_capture(
            payment.payment_id,
            amount=amount,
            transaction_id=notice.transaction_id,
            at=notice.at or clock.now(),
            confirmed=False,
            read=payment,
        )
    elif not payment.holds_money:
        _ask(payment, close=False, chasing=False)


def _take_refund_notice(payment: Payment, notice: PaymentNoticed, amount: Money | None, *, proves: bool) -> None:
    refund_id = notice.refund_id or ""
    refund = next((r for r in store.load_story(payment.purchase_id).refunds if r.refund_id == refund_id), None)
    if refund is None or refund.payment_id != payment.payment_id:
        # Made in the provider's console: the money is gone, our books do not know it. A person must look.
        _quarantine(payment, "unknown_refund", refund_id=refund_id, amount=amount.text() if amount else "")
        return
    if proves and notice.refund_outcome is not None:
        report = RefundReport(RefundOutcome(notice.refund_outcome), amount, notice.provider_refund_id, notice.at)
    else:
        adapter = providers.load(payment.provider)
        report = adapter.query_refund(_refund_order(payment, refund))
    if report.outcome not in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT):
        _apply_refund(refund_id, report)


# --- refunds ----------------------------------------------------------------------------------------------------------


def request_refund(
    work: UnitOfWork,
    *,
    purchase_id: str,
    order_id: str | None,
    payment_id: str,
    amount: Money,
    reason: str,
    cause: str,
    fingerprint: str = "",
    up_to: bool = False,
    lines: tuple[tuple[str, int], ...] = (),
    freight: bool = False,
    by: str = "",
    approved_by: str = "",
) -> str:
    """Reserve a refund against the captured amount in the caller's own work; returns its number.

    The same cause again is the same refund. One call a work: two would write the payment's row twice.
    ``up_to``: what other refunds have left of the order and the payment, at most ``amount``; no refund ("") if nothing.
    Losing a race against another refund is a ``ConcurrentUpdate`` of the work: read again and repeat.

    Raises:
        UnknownPayment: if there is no such payment.
        RefundRefused: if there is no such money left on the payment or the order, or the provider would not take it.
    """
    story = store.load_story(purchase_id)
    payment = story.payment(payment_id)
    token = ids.digest(cause)
    earlier = story.refunds_of(payment_id)
    for refund in earlier:
        if refund.cause == token:
            return refund.refund_id
    if up_to:
        amount = _left(story, payment, order_id, amount)
        if not amount:
            return ""
    if payment.status is not PaymentStatus.CAPTURED:
        raise RefundRefused(why=f"payment_{payment.status.value}", left=0)
    if by and not approved_by:
        _check_limit(story, amount)
    given = Wish(order_id or "", reason, lines=lines, freight=freight)
    if (lines or freight) and _worth(story, purchase_id, given) != amount:
        raise ConcurrentUpdate  # Units went back since: judge by the refunds under whose version this one is written.
    now = clock.now()
    limits = providers.load(payment.provider).limits
    reserved = domain.reserve(payment, amount, limits=limits, earlier=len(earlier), now=now)
    _within_order(story, purchase_id, order_id, amount)
    refund = Refund(
        refund_id=domain.next_refund_id(story, purchase_id),
        purchase_id=purchase_id,
        payment_id=payment_id,
        order_id=order_id,
        amount=amount,
        status=REFUND.initial,
        reason=reason[:80],
        cause=token,
        requested_at=now,
        due_at=REFUND.due_at(REFUND.initial, now),
        since=now,
        fingerprint=fingerprint,
        lines=lines,
        freight=freight,
        by=by,
        approved_by=approved_by,
    )
    store.save_payment(work, reserved)
    _request(work, reserved, refund)
    return refund.refund_id


def _within_order(story: Story, purchase_id: str, order_id: str | None, amount: Money) -> None:
    if order_id is None or ids.parent_id("pur", order_id) != purchase_id:
        raise RefundRefused(why="no_order", left=0)
    left = orders.load_order(order_id).total.minor - _taken(story, order_id)
    if amount.minor > left:
        raise RefundRefused(why="more_than_order", left=left)


def _taken(story: Story, order_id: str) -> int:
    return sum(
        refund.amount.minor
        for refund in story.refunds
        if refund.order_id == order_id and refund.status is not RefundStatus.REPLACED
    )


def _left(story: Story, payment: Payment, order_id: str | None, wanted: Money) -> Money:
    """Return what may still be refunded of what is wanted: refunds under way count, though no order knows them yet."""
    captured = payment.captured.minor if payment.captured else 0
    left = min(wanted.minor, captured - payment.reserved)
    if order_id is not None:
        left = min(left, orders.load_order(order_id).total.minor - _taken(story, order_id))
    return Money(max(0, left), wanted.currency)


def _request(work: UnitOfWork, payment: Payment, refund: Refund) -> None:
    store.save_refund(work, refund, [_refund_fact(events.RefundRequested, refund, round=refund.version)])
    log.info("refund requested", refund_id=refund.refund_id, payment_id=payment.payment_id, reason=refund.reason)


F = TypeVar("F", bound=events.RefundEvent)


def _refund_fact(kind: type[F], refund: Refund, **more: object) -> F:
    return kind(
        refund_id=refund.refund_id,
        payment_id=refund.payment_id,
        order_id=refund.order_id,
        amount_minor=refund.amount.minor,
        currency=refund.amount.currency,
        **more,
    )


def _load_refund(refund_id: str) -> tuple[Story, Payment, Refund]:
    story = store.load_story(ids.parent_id("pur", refund_id))
    for refund in story.refunds:
        if refund.refund_id == refund_id:
            return story, story.payment(refund.payment_id), refund
    raise NotFound(what="refund")


def send_refund(refund_id: str) -> Refund:
    """Send a requested refund to the provider, always under its own number, until the provider answers.

    Raises:
        RetryLater: if the provider demands a pause since the last refund of this payment.
    """
    _, payment, refund = _load_refund(refund_id)
    if refund.status is not RefundStatus.REQUESTED:
        return refund
    return _send(payment, refund)


def _send(payment: Payment, refund: Refund) -> Refund:
    adapter = providers.load(payment.provider)
    if payment.refunded_at is not None:
        pause = payment.refunded_at + adapter.limits.refund_interval - clock.now()
        if pause > timedelta():
            raise RetryLater("the provider's pause between refunds", delay_s=int(pause.total_seconds()) + 1)
    report = adapter.refund(_refund_order(payment, refund))
    return _apply_refund(refund.refund_id, report)


def chase_refund(refund_id: str) -> Refund:
    """Ask about a refund because its deadline passed: one the provider never heard of is sent again, same number.

    Raises:
        RetryLater: as :func:`send_refund`.
    """
    _, payment, refund = _load_refund(refund_id)
    if refund.due_at is None or refund.due_at > clock.now():
        return refund
    if refund.status is RefundStatus.REQUESTED:
        return _send(payment, refund)
    report = providers.load(payment.provider).query_refund(_refund_order(payment, refund))
    if report.outcome is RefundOutcome.ABSENT:
        return _send(payment, refund)
    return _apply_refund(refund_id, report)


def _refund_order(payment: Payment, refund: Refund) -> RefundOrder:
    captured = payment.captured or payment.amount
    return RefundOrder(
        refund_id=refund.refund_id,
        payment=_attempt(payment),
        amount=refund.amount,
        captured=captured,
        refunded_before=Money(payment.refunded, captured.currency),
        reason=refund.reason,
        notify_url=_notify_url(payment.provider),
    )


def _apply_refund(refund_id: str, report: RefundReport) -> Refund:
    return _racing(lambda: _apply_refund_once(refund_id, report))


def _apply_refund_once(refund_id: str, report: RefundReport) -> Refund:
    story, payment, refund = _load_refund(refund_id)
    cause = _cause_of(refund, report)
    if not REFUND.takes(refund.status, cause):
        if cause is RefundCause.SUCCEED and refund.status is not RefundStatus.SUCCEEDED:
            _quarantine(payment, "refund_contradicted", refund_id=refund_id, state=refund.status.value)
        return refund  # An old answer after a newer one.
    if cause is RefundCause.SUCCEED and report.amount is not None and report.amount != refund.amount:
        _quarantine(payment, "refund_amount_differs", refund_id=refund_id, amount=report.amount.text())
        report = replace(report, code="amount_differs")
        cause = RefundCause.TURN_ABNORMAL
        if not REFUND.takes(refund.status, cause):
            return refund
    now = clock.now()
    changed = domain.moved(refund, cause, now=now, code=report.code, number=report.provider_refund_id)
    if cause is RefundCause.SUCCEED:
        changed = replace(changed, booked_on=booked_on(payment.provider, report.at or now))
    with UnitOfWork() as work:
        if cause is RefundCause.SUCCEED:
            _give_back(work, story, payment, changed)
        elif cause in (RefundCause.CHASE, RefundCause.ACCEPT):
            store.save_refund(work, changed)
        else:
            log.error("refund needs an operator", refund_id=refund_id, status=changed.status.value, code=report.code)
            metrics.count("refunds_stuck")
            fact = _refund_fact(events.RefundFailed, changed, status=changed.status.value, reason=changed.code)
            store.save_refund(work, changed, [fact])
        if cause is RefundCause.ACCEPT:
            store.save_payment(work, replace(payment, refunded_at=now))
    return replace(changed, version=changed.version + 1)


def _cause_of(refund: Refund, report: RefundReport) -> RefundCause:
    if report.outcome in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT):
        return RefundCause.CHASE
    if report.outcome is RefundOutcome.PENDING and refund.status is RefundStatus.PENDING:
        return RefundCause.CHASE
    return ANSWERS[report.outcome]


def _give_back(work: UnitOfWork, story: Story, payment: Payment, refund: Refund) -> None:
    """Add what a refund that went through changes: its row, the payment's, the ledger."""
    fact = _refund_fact(events.RefundSucceeded, refund)
    store.save_refund(work, refund, [fact])
    store.save_payment(work, domain.gone_back(payment, refund.amount, now=clock.now()))
    if refund.order_id is None:
        postings = ledger.surplus_postings(payment.provider, -refund.amount)
    else:
        order = orders.load_order(refund.order_id)
        before = sum(
            other.amount.minor
            for other in story.refunds
            if other.order_id == refund.order_id and other.status is RefundStatus.SUCCEEDED
        )
        postings = ledger.refund_postings(
            payment.provider,
            ledger.Share(order.merchant_id, order.total, order.commission_bps),
            before=Money(before, refund.amount.currency),
            amount=refund.amount,
        )
    ledger.post(work, entry_id=fact.event_id, purchase_id=refund.purchase_id, at=clock.now(), postings=postings)
    metrics.count("refunds_succeeded")


# --- bills ------------------------------------------------------------------------------------------------------------


def booked_on(provider: str, at: datetime) -> str:
    """Return the provider's day, as the index of what should be on its bill knows it."""
    return f"{provider}#{billing_day(provider, at).isoformat()}"


def billing_day(provider: str, at: datetime) -> date:
    """Return the day of a moment by the provider's clock.

    Raises:
        UnknownProvider: if there is no such provider here.
    """
    return at.astimezone(providers.load(provider).limits.bill_zone).date()


def billing_providers() -> tuple[str, ...]:
    """Return the providers that this installation is set up for: those with a secret."""
    return providers.configured()


def fetch_bill(provider: str, day: date) -> Bill:
    """Return the bill of one of the provider's days.

    Raises:
        UnknownProvider: if there is no such provider here.
        BillUnavailable: if there is none yet, or what came cannot be trusted.
    """
    return providers.load(provider).bill(day)


def records(record_ids: Iterable[str]) -> dict[str, Payment | Refund]:
    """Return attempts and refunds by their ids; those we do not have are absent."""
    return store.load_records(record_ids)


BOOKED_SHARDS = store.BOOKED_SHARDS


def booked(
    provider: str, day: date, *, shard: int, limit: int, start_key: dict[str, Any] | None
) -> tuple[list[str], dict[str, Any] | None]:
    """Return one page of the ids of captures and refunds that should be on a day's bill, and where it goes on."""
    return store.list_booked(f"{provider}#{day.isoformat()}", shard=shard, limit=limit, start_key=start_key)


def query_refund_now(refund_id: str) -> Refund:
    """Ask the provider about a refund because a bill or an operator wants to know, whatever its state.

    Raises:
        NotFound: if there is no such refund.
    """
    _, payment, refund = _load_refund(refund_id)
    if refund.status is RefundStatus.SUCCEEDED:
        return refund
    report = providers.load(payment.provider).query_refund(_refund_order(payment, refund))
    if report.outcome in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT, RefundOutcome.PENDING):
        return refund
    return _apply_refund(refund_id, report)


# --- reading, and operators -------------------------------------------------------------------------------------------


def buyers_story(purchase_id: str, buyer_id: str) -> Story:
    """Return the payments and refunds of a buyer's purchase; one without any is empty.

    Raises:
        NotFound: if the purchase is not this buyer's.
    """
    story = store.load_story(purchase_id, consistent=False)
    owner = story.payments[0].buyer_id if story.payments else orders.load_purchase(purchase_id).buyer_id
    if owner != buyer_id:
        raise NotFound(what="purchase")
    return story


def story(purchase_id: str) -> Story:
    """Return everything of a purchase's payments.

    Raises:
        NotFound: if there is no such purchase.
    """
    found = store.load_story(purchase_id)
    if not found.payments:
        orders.load_purchase(purchase_id)
    return found


def list_waiting(
    state: str, *, limit: int, start_key: dict[str, dict[str, str]] | None, older_than: timedelta = timedelta()
) -> RecordPage:
    """Return one page of records by what they wait for: ``waiting`` for a provider (soonest asked first), or an
    operator's state (oldest first); only those that have waited so long.
    """
    if state == "waiting":
        page = store.list_due(limit=limit, start_key=start_key)
        until = clock.now() - older_than
        kept = Story(
            tuple(payment for payment in page.story.payments if payment.created_at <= until),
            tuple(refund for refund in page.story.refunds if refund.requested_at <= until),
        )
        return RecordPage(kept, page.last_key)
    return store.list_attention(state, until=clock.now() - older_than, limit=limit, start_key=start_key)


def refund_by_operator(purchase_id: str, wish: Wish, *, by: str = "operator", intent: Intent) -> tuple[Refund, bool]:
    """Request a refund as an operator; returns it and whether the same request made it before.

    Raises:
        NotFound: if there is no such purchase.
        RefundRefused: as :func:`request_refund`, or if there are no such units left.
        ApprovalNeeded: if what one operator alone gave back on the purchase would exceed the limit.
        IdempotencyKeyReused: if the key requested another refund.
    """
    cause = f"operator#{intent.token}"
    target = _target(purchase_id, wish)

    def request() -> tuple[Refund, bool]:
        story_ = store.load_story(purchase_id)
        known = next((refund for refund in story_.refunds if refund.cause == ids.digest(cause)), None)
        if known is not None:
            intent.check(known.fingerprint)
            return known, True
        amount = _worth(story_, purchase_id, wish)
        with UnitOfWork() as work:
            refund_id = request_refund(
                work,
                purchase_id=purchase_id,
                order_id=wish.order_id,
                payment_id=target,
                amount=amount,
                reason=wish.reason,
                cause=cause,
                fingerprint=intent.fingerprint,
                lines=wish.lines,
                freight=wish.freight,
                by=by,
            )
            replayed = not work.labels
        _, _, refund = _load_refund(refund_id)
        intent.check(refund.fingerprint)
        return refund, replayed

    return _racing(request)


def _target(purchase_id: str, wish: Wish) -> str:
    target = wish.payment_id or orders.load_purchase(purchase_id).settled_by
    if target is None:
        raise RefundRefused(why="not_captured", left=0)
    return target


def _worth(story_: Story, purchase_id: str, wish: Wish) -> Money:
    """Return what a wish comes to, given the refunds that were read."""
    if wish.amount is not None:
        return wish.amount
    if ids.parent_id("pur", wish.order_id) != purchase_id:
        raise RefundRefused(why="no_order", left=0)
    order = orders.load_order(wish.order_id)
    sold = domain.Sold(
        lines={line.line_id: (line.quantity, line.total.minor) for line in order.lines},
        freight=order.freight.minor,
        total=order.total,
    )
    return domain.worth(sold, wish, [refund for refund in story_.refunds if refund.order_id == wish.order_id])


def approval_limit(currency: str) -> int:
    """Return up to which sum on one purchase an operator may refund alone, in minor units; 0 where nothing is set.

    The setting ``BIANDAN_REFUND_ALONE`` lists it by currency: ``CNY:100000,USD:15000``.
    """
    for part in setting("BIANDAN_REFUND_ALONE", DEFAULT_ALONE).split(","):
        name, _, minor = part.strip().partition(":")
        if name == currency and minor.isdigit():
            return int(minor)
    return 0


DEFAULT_ALONE = "CNY:100000,USD:15000,EUR:15000,JPY:20000"


def _check_limit(story_: Story, amount: Money) -> None:
    """Refuse what exceeds the limit together with what was refunded on the purchase before without a second person."""
    alone = sum(
        refund.amount.minor
        for refund in story_.refunds
        if refund.by and not refund.approved_by and refund.status is not RefundStatus.REPLACED
    )
    limit = approval_limit(amount.currency)
    if alone + amount.minor > limit:
        raise ApprovalNeeded(limit=limit, currency=amount.currency)


def ask_approval(purchase_id: str, wish: Wish, *, by: str, intent: Intent) -> tuple[Approval, bool]:
    """Ask a second person for a refund; returns the request and whether it was made before. Nothing is reserved yet.

    Raises:
        NotFound: if there is no such purchase.
        RefundRefused: if it could not be refunded even now.
        IdempotencyKeyReused: if the key asked for another.
    """
    approval_id = intent.record_id("apr")
    known = store.load_approval(purchase_id, approval_id)
    if known is not None:
        intent.check(known.fingerprint)
        return known, True
    story_ = store.load_story(purchase_id)
    payment = story_.payment(_target(purchase_id, wish))
    amount = _worth(story_, purchase_id, wish)
    now = clock.now()
    limits = providers.load(payment.provider).limits
    domain.reserve(payment, amount, limits=limits, earlier=len(story_.refunds_of(payment.payment_id)), now=now)
    _within_order(story_, purchase_id, wish.order_id, amount)
    approval = Approval(
        approval_id=approval_id,
        purchase_id=purchase_id,
        wish=wish,
        amount=amount,
        status=domain.APPROVAL.initial,
        asked_by=by,
        asked_at=now,
        since=now,
        fingerprint=intent.fingerprint,
    )
    try:
        with UnitOfWork() as work:
            store.save_approval(work, approval)
    except AlreadyExists:
        known = store.load_approval(purchase_id, approval_id)
        if known is None:
            raise ConcurrentUpdate from None
        intent.check(known.fingerprint)
        return known, True
    return replace(approval, version=1), False


def decide_approval(
    purchase_id: str, approval_id: str, *, approve: bool, by: str, note: str, intent: Intent
) -> tuple[Approval, bool]:
    """Approve (the refund is requested in the same transaction) or reject, as another operator than who asked.

    Returns it, and whether the same request decided it before.

    Raises:
        NotFound: if there is none.
        OwnApproval: if the caller asked for it (who may only take it back: reject it).
        IllegalTransition: if it is decided or expired.
        RefundRefused: if there is no such money left by now; it stays pending.
        IdempotencyKeyReused: if the key decided with another body.
    """
    cause = domain.ApprovalCause.APPROVE if approve else domain.ApprovalCause.REJECT

    def decide() -> tuple[Approval, bool]:
        approval = store.load_approval(purchase_id, approval_id)
        if approval is None:
            raise NotFound(what="approval")
        if approval.intent and approval.intent == intent.token:
            intent.check(approval.decided_fingerprint)
            return approval, True
        if approve and approval.asked_by == by:
            raise OwnApproval
        now = clock.now()
        if approval.due_at is not None and approval.due_at <= now:  # The job is only late with saying so.
            raise IllegalTransition(machine="approval", state="expired", cause=cause.value)
        decided = replace(
            approval,
            status=domain.APPROVAL.next(approval.status, cause),
            since=now,
            decided_by=by,
            note=note,
            intent=intent.token,
            decided_fingerprint=intent.fingerprint,
        )
        with UnitOfWork() as work:
            if approve:
                decided = replace(decided, refund_id=_request_approved(work, decided))
            store.save_approval(work, decided)
        return replace(decided, version=decided.version + 1), False

    return _racing(decide)


def _request_approved(work: UnitOfWork, approval: Approval) -> str:
    wish = approval.wish
    if _worth(store.load_story(approval.purchase_id), approval.purchase_id, wish) != approval.amount:
        raise RefundRefused(why="other_amount_by_now", left=approval.amount.minor)
    return request_refund(
        work,
        purchase_id=approval.purchase_id,
        order_id=wish.order_id,
        payment_id=_target(approval.purchase_id, wish),
        amount=approval.amount,
        reason=wish.reason,
        cause=f"approval#{approval.approval_id}",
        fingerprint=approval.fingerprint,
        lines=wish.lines,
        freight=wish.freight,
        by=approval.asked_by,
        approved_by=approval.decided_by,
    )


def expire_approval(purchase_id: str, approval_id: str) -> None:
    """Let an approval expire because its deadline passed; a no-op where it was decided."""
    approval = store.load_approval(purchase_id, approval_id)
    now = clock.now()
    if approval is None or approval.due_at is None or approval.due_at > now:
        return
    status = domain.APPROVAL.next(approval.status, domain.ApprovalCause.EXPIRE)
    with UnitOfWork() as work:
        store.save_approval(work, replace(approval, status=status, since=now))


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
            report = providers.load(payment.provider).query(_attempt(payment))
            if report.outcome is Outcome.UNKNOWN:
                raise ProviderSilent(provider=payment.provider)
            _apply(payment, report, given_up=False, chasing=False)
            word = f"query: {report.outcome.value}" + (f" {report.amount.text()}" if report.amount else "")
        closed = replace(
            quarantined, resolved=word, by=by, note=note, intent=intent.token, fingerprint=intent.fingerprint
        )
        with UnitOfWork() as work:
            store.save_quarantined(work, closed)
        return replace(closed, version=closed.version + 1), False

    return _racing(resolve)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to a purchase or its money."""

    at: datetime
    what: str
    record_id: str
    status: str = ""
    amount: Money | None = None
    by: str = ""
    note: str = ""


def timeline(purchase_id: str) -> list[Happening]:
    """Return all that happened to a purchase and its money, in time order: orders, payments, refunds, approvals,
    quarantined notices and the ledger.

    Raises:
        NotFound: if there is no such purchase.
    """
    sale = orders.load_sale(purchase_id)
    found = [
        Happening(sale.purchase.placed_at, "purchase.placed", purchase_id, amount=sale.purchase.total),
        *(
            Happening(change.at, "purchase.changed", purchase_id, change.status, by=change.by, note=change.note)
            for change in sale.purchase.history
        ),
        *(
            Happening(change.at, "order.changed", order.order_id, change.status, by=change.by, note=change.note)
            for order in sale.orders
            for change in order.history
        ),
        *_happenings(store.load_story(purchase_id)),
        *(
            Happening(
                entry.at,
                "ledger.posted",
                entry.entry_id,
                note=", ".join(f"{posting.account} {posting.amount.text()}" for posting in entry.postings),
            )
            for entry in ledger.entries(purchase_id)
        ),
    ]
    return sorted(found, key=lambda happening: (happening.at, _RANK.get(happening.what.split(".")[0], 9)))


_RANK = {"purchase": 0, "payment": 1, "quarantine": 2, "order": 3, "approval": 4, "refund": 5, "ledger": 6}
"""At one moment: the cause before what it caused."""


def _happenings(story_: Story) -> Iterator[Happening]:
    for payment in story_.payments:
        number = payment.payment_id
        yield Happening(payment.created_at, "payment.started", number, amount=payment.amount, note=payment.provider)
        if payment.captured_at is not None:
            word = "payment.surplus" if payment.code else "payment.captured"
            yield Happening(payment.captured_at, word, number, payment.status, payment.captured, note=payment.code)
    for refund in story_.refunds:
        number = refund.refund_id
        yield Happening(
            refund.requested_at, "refund.requested", number, amount=refund.amount, by=refund.by, note=refund.reason
        )
        if refund.status is not REFUND.initial:
            yield Happening(refund.since, f"refund.{refund.status.value}", number, refund.status, note=refund.code)
    for found in story_.quarantined:
        yield Happening(found.at, "quarantine.opened", found.quarantine_id, found.resolved, by=found.by, note=found.why)
    for approval in story_.approvals:
        number = approval.approval_id
        yield Happening(approval.asked_at, "approval.asked", number, amount=approval.amount, by=approval.asked_by)
        if approval.status is not domain.APPROVAL.initial:
            word = f"approval.{approval.status.value}"
            yield Happening(approval.since, word, number, by=approval.decided_by, note=approval.note)


def retry_refund(refund_id: str) -> Refund:
    """Try a stuck refund again as an operator: under its own number, or, where the provider closed it, under a new one.

    Raises:
        NotFound: if there is no such refund.
        IllegalTransition: if it is not stuck.
    """

    def retry() -> Refund:
        story_, payment, refund = _load_refund(refund_id)
        now = clock.now()
        with UnitOfWork() as work:
            if refund.status is not RefundStatus.CLOSED:
                again = domain.moved(refund, RefundCause.RETRY, now=now)
                _request(work, payment, again)
                result = replace(again, version=again.version + 1)
            else:
                store.save_refund(work, domain.moved(refund, RefundCause.REPLACE, now=now))
                renewed = replace(
                    refund,
                    refund_id=domain.next_refund_id(story_, refund.purchase_id),
                    status=REFUND.initial,
                    cause=ids.digest(f"renew#{refund.refund_id}"),
                    requested_at=now,
                    since=now,
                    due_at=REFUND.due_at(REFUND.initial, now),
                    chases=0,
                    code="",
                    provider_refund_id=None,
                    version=0,
                )
                _request(work, payment, renewed)
                result = replace(renewed, version=1)
        return result

    return _racing(retry)
