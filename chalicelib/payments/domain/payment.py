"""An attempt to pay: its states, what moves it, and what refuses it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.payments.domain import polling
from chalicelib.payments.ports import Attempt, Instruction

MAX_ATTEMPTS = 40
"""How many attempts there can be; how many a buyer may start is in ``bounds``.
Numbers of refunds: a purchase's ordinary ones count up from 1, that of surplus attempt n is 100 - n."""
UNKNOWN_FOR = timedelta(minutes=5)
"""A notice may beat the write of its attempt by moments; after this long, nobody will write it any more."""


class PaymentStatus(StrEnum):
    """States of an attempt."""

    STARTED = "started"
    """Our number is written; the provider may or may not have heard it."""
    PENDING = "pending"
    CAPTURED = "captured"
    SURPLUS = "surplus"
    """Money came that the purchase does not take: it goes back by itself."""
    CLOSED = "closed"
    FAILED = "failed"
    REFUNDED = "refunded"
    """All of a captured payment went back."""
    RETURNED = "returned"
    """All of a surplus payment went back."""


class PaymentCause(StrEnum):
    """What moves an attempt."""

    ANSWER = "answer"
    POLL = "poll"
    CAPTURE = "capture"
    OVERRUN = "overrun"
    """A capture that is late, second, or of another amount."""
    CLOSE = "close"
    REFUSE = "refuse"
    EMPTY = "empty"
    REFILL = "refill"
    """A refund that had gone through came back."""


_CAPTURES = {PaymentCause.CAPTURE: PaymentStatus.CAPTURED, PaymentCause.OVERRUN: PaymentStatus.SURPLUS}

PAYMENT = StateMachine(
    name="payment",
    initial=PaymentStatus.STARTED,
    edges={
        PaymentStatus.STARTED: {
            PaymentCause.ANSWER: PaymentStatus.PENDING,
            PaymentCause.POLL: PaymentStatus.STARTED,
            PaymentCause.CLOSE: PaymentStatus.CLOSED,
            PaymentCause.REFUSE: PaymentStatus.FAILED,
            **_CAPTURES,
        },
        PaymentStatus.PENDING: {
            PaymentCause.POLL: PaymentStatus.PENDING,
            PaymentCause.CLOSE: PaymentStatus.CLOSED,
            PaymentCause.REFUSE: PaymentStatus.FAILED,
            **_CAPTURES,
        },
        PaymentStatus.CAPTURED: {PaymentCause.EMPTY: PaymentStatus.REFUNDED},
        PaymentStatus.SURPLUS: {PaymentCause.EMPTY: PaymentStatus.RETURNED},
        PaymentStatus.CLOSED: {PaymentCause.POLL: PaymentStatus.CLOSED, **_CAPTURES},
        PaymentStatus.FAILED: dict(_CAPTURES),
        PaymentStatus.REFUNDED: {PaymentCause.REFILL: PaymentStatus.CAPTURED},
        PaymentStatus.RETURNED: {PaymentCause.REFILL: PaymentStatus.SURPLUS},
    },
    deadlines={
        PaymentStatus.STARTED: (polling.BEGIN[0], PaymentCause.POLL),
        PaymentStatus.PENDING: (polling.BEGIN[0], PaymentCause.POLL),
        PaymentStatus.CLOSED: (polling.LINGER_FIRST, PaymentCause.POLL),
    },
)
"""The durations are those of the first poll; when the later ones come stands in ``polling``. Closed attempts are
looked at again only where the provider did not know them when they were given up."""

OPEN = (PaymentStatus.STARTED, PaymentStatus.PENDING)
HOLDING = (PaymentStatus.CAPTURED, PaymentStatus.SURPLUS, PaymentStatus.REFUNDED, PaymentStatus.RETURNED)
"""States in which the capture is recorded."""
SETTLING = (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
"""States of the one payment that the purchase took: money that it does not take is surplus."""


class UnknownProvider(NotFound):
    """No such payment provider here."""

    code = "unknown_provider"
    en, zh = "There is no payment provider {provider} here.", "不支持支付方式 {provider}。"
    shown = ("provider",)


class MethodNotOffered(Conflict):
    """The provider does not offer this method or currency."""

    code, status = "method_not_offered", 422
    en, zh = "The payment provider does not offer this method or currency.", "该支付渠道不支持此支付方式或币种。"
    shown = ("provider", "what")


class AlreadyPaid(Conflict):
    """The purchase is paid."""

    code = "already_paid"
    en, zh = "This purchase is already paid.", "该笔订单已支付。"


class TooManyPayments(Conflict):
    """The purchase was tried to be paid too often."""

    code = "too_many_payments"
    en = "Payment was tried {limit} times: finish one that is open, or place a new order."
    zh = "该笔订单已尝试支付 {limit} 次，请继续未完成的支付或重新下单。"
    shown = ("limit",)


class TooManyTries(Conflict):
    """The provider was told of this attempt too often and does not answer."""

    code, status = "too_many_tries", 429
    en = "The provider does not answer about this payment; start another one, perhaps at another provider."
    zh = "支付渠道对该笔支付暂无应答，请发起新的支付，或更换支付方式。"
    retry_after_s = 60


class ProviderSilent(Conflict):
    """The provider was asked and gave no answer that can be trusted."""

    code, status = "provider_silent", 502
    en, zh = "The payment provider does not answer; ask again later.", "支付渠道暂无应答，请稍后再试。"
    shown = ("provider",)
    retry_after_s = 60


class UnknownPayment(NotFound):
    """A genuine notice names an attempt that we do not have."""

    code = "unknown_payment"
    en, zh = "There is no such payment.", "支付不存在。"


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay a purchase."""

    payment_id: str
    purchase_id: str
    buyer_id: str
    provider: str
    method: str
    amount: Money
    status: PaymentStatus
    created_at: datetime
    expires_at: datetime
    due_at: datetime | None
    intent: str
    fingerprint: str
    polls: int = 0
    """How often the provider was asked about it."""
    tries: int = 1
    """How often the provider was told of it."""
    questions: tuple[datetime, ...] = ()
    """When a buyer last made us ask about it."""
    silent_since: datetime | None = None
    """The purchase's time is over, and the provider does not say what became of it."""
    failure_code: str = ""
    """The provider's reason of a failure."""
    surplus_reason: str = ""
    """Why the purchase does not take the money that came."""
    reference: str | None = None
    transaction_id: str | None = None
    captured: Money | None = None
    """What was really captured; other than ``amount`` only where the provider confirmed it so."""
    captured_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was closed or refused; it may have been paid since."""
    reserved_minor: int = 0
    """Of refunds that are requested, under way or done."""
    refunded_minor: int = 0
    """Of refunds that are done."""
    paid_offline_minor: int = 0
    """Of those that were paid another way: the provider knows nothing of them."""
    disputed_minor: int = 0
    """What the provider holds back, or took, because the payer's bank contests the payment."""
    refunded_at: datetime | None = None
    """When a refund was last sent or went through: the provider may demand a pause before the next."""
    instruction: Instruction | None = None
    payer_mark: str = ""
    """A keyed digest of who pays, where the method names them: one payer is known again, and by nobody else."""
    booked_on: str = ""
    """Provider and day of the bill that should hold the capture (``sandbox#2026-11-22``)."""
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Say whether somebody may still pay it."""
        return self.status in OPEN

    @property
    def holds_money(self) -> bool:
        """Say whether its capture is recorded."""
        return self.status in HOLDING


def attempt_of(payment: Payment) -> Attempt:
    """Return what an adapter is told of an attempt."""
    return Attempt(
        payment_id=payment.payment_id,
        amount=payment.amount,
        created_at=payment.created_at,
        method=payment.method,
        reference=payment.reference,
        transaction_id=payment.transaction_id,
    )


def keep_polling(payment: Payment, *, now: datetime, known: bool) -> Payment:
    """Return the attempt after a question that settled nothing: asked again later (``polling``).

    ``known`` says that the provider knows the number now.
    """
    cause = PaymentCause.ANSWER if known and payment.status is PaymentStatus.STARTED else PaymentCause.POLL
    status = PAYMENT.next(payment.status, cause)
    polls = payment.polls + 1
    due_at = polling.poll_at(now, polls=polls, expires_at=payment.expires_at)
    return replace(payment, status=status, polls=polls, due_at=due_at)


def may_ask(payment: Payment, *, now: datetime, most: int, per: timedelta) -> bool:
    """Say whether a buyer may make us ask about the attempt once more."""
    return sum(moment > now - per for moment in payment.questions) < most


def count_question(payment: Payment, *, now: datetime, per: timedelta) -> Payment:
    """Return the attempt with one more question of a buyer's noted."""
    return replace(payment, questions=(*(moment for moment in payment.questions if moment > now - per), now))


def open_attempt(payment: Payment, instruction: Instruction) -> Payment:
    """Return the attempt with the provider's answer to its creation; the first poll stays where it is."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.ANSWER),
        instruction=instruction,
        reference=instruction.reference,
    )


def fail(payment: Payment, code: str, *, now: datetime) -> Payment:
    """Return the attempt that the provider will not take."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.REFUSE),
        ended_at=now,
        due_at=None,
        failure_code=code[:64],
        instruction=None,
    )


def close(payment: Payment, *, now: datetime, known: bool) -> Payment:
    """Return the attempt closed. One that the provider did not know is looked at again (somebody may hold its link)."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.CLOSE),
        ended_at=now,
        polls=0,
        due_at=None if known else now + polling.LINGER_FIRST,
        instruction=None,
    )


def recheck(payment: Payment, *, now: datetime) -> Payment:
    """Return the closed attempt after another look that found no money."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.POLL),
        polls=payment.polls + 1,
        due_at=polling.look_at(now, ended_at=payment.ended_at or now, expires_at=payment.expires_at),
    )


def capture(payment: Payment, *, amount: Money, transaction_id: str, at: datetime, surplus: str = "") -> Payment:
    """Return the attempt with its money; ``surplus`` says why nobody waits for it.

    Raises:
        IllegalTransition: if a capture is recorded already.
    """
    cause = PaymentCause.OVERRUN if surplus else PaymentCause.CAPTURE
    return replace(
        payment,
        status=PAYMENT.next(payment.status, cause),
        due_at=None,
        polls=0,
        failure_code="",
        surplus_reason=surplus,
        captured=amount,
        captured_at=at,
        transaction_id=transaction_id,
        instruction=None,
    )


def take_refund(payment: Payment, amount: Money, *, now: datetime) -> Payment:
    """Return the payment after a refund went through; all of it gone is a state of its own."""
    refunded = payment.refunded_minor + amount.minor
    whole = payment.captured is not None and refunded >= payment.captured.minor
    status = PAYMENT.next(payment.status, PaymentCause.EMPTY) if whole else payment.status
    return replace(payment, status=status, refunded_minor=refunded, refunded_at=now)


def take_offline_refund(payment: Payment, amount: Money, *, now: datetime) -> Payment:
    """Return the payment after a refund was paid another way: the provider counts nothing of it."""
    after = take_refund(payment, amount, now=now)
    return replace(after, refunded_at=payment.refunded_at, paid_offline_minor=payment.paid_offline_minor + amount.minor)


def undo_refund(payment: Payment, amount: Money) -> Payment:
    """Return the payment after a refund that had gone through came back; its reservation stands."""
    held = payment.status in (PaymentStatus.CAPTURED, PaymentStatus.SURPLUS)
    status = payment.status if held else PAYMENT.next(payment.status, PaymentCause.REFILL)
    return replace(payment, status=status, refunded_minor=payment.refunded_minor - amount.minor)
