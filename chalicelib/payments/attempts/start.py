"""Starting an attempt to pay: earlier ones are closed first, our number is written before the provider hears it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound
from chalicelib.orders import service as orders
from chalicelib.orders.service import Purchase, PurchaseStatus
from chalicelib.payments import events, providers
from chalicelib.payments.attempts import bounds, conclude, outcome, poll
from chalicelib.payments.domain import payment as payment_rules
from chalicelib.payments.domain.payment import (
    AlreadyPaid,
    MethodNotOffered,
    Payment,
    PaymentStatus,
    TooManyPayments,
    TooManyTries,
)
from chalicelib.payments.domain.payment_records import Conclusion
from chalicelib.payments.ports import Instruction, Outcome, PaymentOrder, Provider
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, marks
from chalicelib.runtime.db.races import RACES, racing, starting_from
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a buyer wants to pay."""

    provider: str
    method: str | None = None
    return_url: str | None = None
    payer: str | None = None
    client_ip: str | None = None


def start_payment(purchase_id: str, buyer_id: str, wanted: Wanted, intent: Intent) -> tuple[Payment, bool]:
    """Start an attempt to pay; returns it and whether the same request started it before.

    Earlier attempts are closed first, as far as their providers answer in time. Our number is written before the
    provider hears it; if the provider does not answer, the attempt stays ``started`` and the same request again goes on
    with the same number. So it does where a poll has found the order in the meantime: only the provider's answer to
    its creation says how to pay it.

    Raises:
        NotFound: if the purchase is not this buyer's.
        UnknownProvider, MethodNotOffered: if there is no such way to pay.
        AlreadyPaid, IllegalTransition, TooManyPayments: if it is not to be paid (again).
        TooManyTries: if the same request was sent too often and the provider does not answer.
        IdempotencyKeyReused: if the key started another attempt.
    """
    adapter, method = way_to_pay(wanted)
    for _ in range(RACES):
        purchase = orders.load_purchase(purchase_id)
        if purchase.buyer_id != buyer_id:
            raise NotFound(what="purchase")
        records = store.load_records(purchase_id)
        known = next((payment for payment in records.payments if payment.intent == intent.token), None)
        if known is not None:
            intent.check(known.fingerprint)
            try:
                return go_on(adapter, known, wanted), True
            except ConcurrentUpdate:
                continue
        _admit(adapter, purchase)
        if conclude.conclude_earlier(records) is Conclusion.CAPTURED:
            raise AlreadyPaid
        try:
            payment = _write_start(adapter, purchase, method, wanted, intent)
        except ConcurrentUpdate:
            continue
        return tell(adapter, payment, wanted), False
    raise ConcurrentUpdate


def way_to_pay(wanted: Wanted) -> tuple[Provider, str]:
    """Return who is to be told of an attempt, and by which method.

    Raises:
        UnknownProvider, MethodNotOffered: if there is no such way to pay.
    """
    adapter = providers.offered(wanted.provider)
    method = wanted.method or adapter.methods[0]
    if method not in adapter.methods:
        raise MethodNotOffered(provider=adapter.name, what=method)
    return adapter, method


def go_on(adapter: Provider, known: Payment, wanted: Wanted) -> Payment:
    """Return an attempt that the same request started before, its provider told again if it never said how to pay.

    Raises:
        TooManyTries: if it was told often enough.
        ConcurrentUpdate: if the attempt has changed.
    """
    if not known.is_open or known.instruction is not None:  # Whether or not a poll has found it in the meantime.
        return known
    return tell(adapter, _tried_again(known), wanted)


def _admit(adapter: Provider, purchase: Purchase) -> None:
    if purchase.status is PurchaseStatus.PAID:
        raise AlreadyPaid
    most = bounds.bounds().attempts
    if purchase.payment_attempts >= most:
        raise TooManyPayments(limit=most)
    check_currency(adapter, purchase.total.currency)


def check_currency(adapter: Provider, currency: str) -> None:
    """Refuse a currency that the provider does not take.

    Raises:
        MethodNotOffered: then.
    """
    if currency not in adapter.currencies:
        raise MethodNotOffered(provider=adapter.name, what=currency)


def _tried_again(payment: Payment) -> Payment:
    """Count one more time that the provider is told of an attempt.

    Raises:
        TooManyTries: if it was told often enough.
        ConcurrentUpdate: if the attempt has changed.
    """
    if payment.tries >= bounds.bounds().tries:
        raise TooManyTries
    return outcome.save_attempt(replace(payment, tries=payment.tries + 1))


def _write_start(adapter: Provider, purchase: Purchase, method: str, wanted: Wanted, intent: Intent) -> Payment:
    with UnitOfWork(f"pay#{intent.token}") as work:
        number = orders.start_attempt(work, purchase)
        return add(work, adapter, new(purchase, number, adapter, method, intent, payer=wanted.payer))


def new(
    purchase: Purchase, number: int, adapter: Provider, method: str, intent: Intent, *, payer: str | None = None
) -> Payment:
    """Return attempt ``number`` to pay a purchase, of which its provider has not heard yet."""
    now = clock.now()
    return Payment(
        payment_id=ids.child_id("pay", purchase.purchase_id, number),
        purchase_id=purchase.purchase_id,
        buyer_id=purchase.buyer_id,
        provider=adapter.name,
        method=method,
        amount=purchase.total,
        status=payment_rules.PAYMENT.initial,
        created_at=now,
        expires_at=purchase.due_at or now,
        due_at=payment_rules.PAYMENT.due_at(payment_rules.PAYMENT.initial, now),
        intent=intent.token,
        fingerprint=intent.fingerprint,
        payer_mark=marks.mark(payer, "payer") if payer else "",
    )


def add(work: UnitOfWork, adapter: Provider, payment: Payment) -> Payment:
    """Add a new attempt to the work that counts it on its purchase; returns it as it is once that is through."""
    store.save_payment(work, payment, [events.PaymentStarted(payment_id=payment.payment_id, provider=adapter.name)])
    return replace(payment, version=1)


def tell(adapter: Provider, payment: Payment, wanted: Wanted) -> Payment:
    """Tell the provider of an attempt that is written, and apply its answer; silence leaves it as it is."""
    instruction = adapter.create(
        PaymentOrder(
            payment_id=payment.payment_id,
            amount=payment.amount,
            description=f"Biandan {payment.payment_id[-6:]}",
            method=payment.method,
            created_at=payment.created_at,
            expires_at=payment.expires_at,
            notify_url=providers.notify_url(adapter.name),
            return_url=wanted.return_url,
            payer=wanted.payer,
            client_ip=wanted.client_ip,
        )
    )
    if instruction.outcome is Outcome.UNKNOWN:
        log.warning("provider did not answer", payment_id=payment.payment_id, provider=adapter.name, step="create")
        return payment
    load = starting_from(payment, lambda: store.load_payment(payment.payment_id))
    return racing(lambda: _apply_instruction(adapter, load(), instruction))


def _apply_instruction(adapter: Provider, payment: Payment, instruction: Instruction) -> Payment:
    if payment.status is PaymentStatus.CLOSED and instruction.outcome is Outcome.PENDING:
        # Given up while the provider was still creating it: take it back. A buyer who is faster gets a refund.
        adapter.close(payment_rules.attempt_of(replace(payment, reference=instruction.reference)))
        return payment
    if not payment.is_open:
        return payment
    if instruction.outcome is not Outcome.PENDING and payment.status is PaymentStatus.PENDING:
        # Another try of the same number was taken: the buyer may hold its link. Only the provider knows.
        return poll.ask(payment, close=False, chasing=False)
    if instruction.outcome is not Outcome.PENDING:
        changed = payment_rules.fail(payment, instruction.code, now=clock.now())
    elif payment.status is PaymentStatus.STARTED:
        changed = payment_rules.open_attempt(payment, instruction)
    else:  # A poll was told of it before this answer arrived.
        changed = replace(payment, instruction=instruction, reference=instruction.reference)
    return outcome.save_attempt(changed)
