"""What attempts and refunds are, which transitions they take, and when a silent provider is asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from chalicelib.kernel import ids, second_person
from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.payments import polling
from chalicelib.payments.dispute_rules import Dispute
from chalicelib.payments.offline_rules import OfflinePayment
from chalicelib.payments.ports import Attempt, Instruction, Limits, RefundOutcome
from chalicelib.payments.redirect_rules import Redirect
from chalicelib.payments.refund_reasons import REFUND_REASONS
from chalicelib.payments.stray_rules import Stray

MAX_ATTEMPTS = 40
"""How many attempts there can be; how many a buyer may start is in ``bounds``.
Numbers of refunds: a purchase's ordinary ones count up from 1, that of surplus attempt n is 100 - n."""
MAX_REFUND_NUMBER = 99 - MAX_ATTEMPTS
FIRST_LONG_NUMBER = 100
"""Behind those of surplus the ordinary ones go on: many orders, many of them given back in parts."""
RESERVED_NUMBERS = 100
PAST_KEPT = 12
"""How many states of a refund are remembered: operators can retry one for ever."""
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
    CHASE = "chase"
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
            PaymentCause.CHASE: PaymentStatus.STARTED,
            PaymentCause.CLOSE: PaymentStatus.CLOSED,
            PaymentCause.REFUSE: PaymentStatus.FAILED,
            **_CAPTURES,
        },
        PaymentStatus.PENDING: {
            PaymentCause.CHASE: PaymentStatus.PENDING,
            PaymentCause.CLOSE: PaymentStatus.CLOSED,
            PaymentCause.REFUSE: PaymentStatus.FAILED,
            **_CAPTURES,
        },
        PaymentStatus.CAPTURED: {PaymentCause.EMPTY: PaymentStatus.REFUNDED},
        PaymentStatus.SURPLUS: {PaymentCause.EMPTY: PaymentStatus.RETURNED},
        PaymentStatus.CLOSED: {PaymentCause.CHASE: PaymentStatus.CLOSED, **_CAPTURES},
        PaymentStatus.FAILED: dict(_CAPTURES),
        PaymentStatus.REFUNDED: {PaymentCause.REFILL: PaymentStatus.CAPTURED},
        PaymentStatus.RETURNED: {PaymentCause.REFILL: PaymentStatus.SURPLUS},
    },
    deadlines={
        PaymentStatus.STARTED: (polling.BEGIN[0], PaymentCause.CHASE),
        PaymentStatus.PENDING: (polling.BEGIN[0], PaymentCause.CHASE),
        PaymentStatus.CLOSED: (polling.LINGER_FIRST, PaymentCause.CHASE),
    },
)
"""The durations are those of the first chase; when the later ones come stands in ``polling``. Closed attempts are
looked at again only where the provider did not know them when they were given up."""

OPEN = (PaymentStatus.STARTED, PaymentStatus.PENDING)
HOLDING = (PaymentStatus.CAPTURED, PaymentStatus.SURPLUS, PaymentStatus.REFUNDED, PaymentStatus.RETURNED)
"""States in which the capture is recorded."""


class RefundStatus(StrEnum):
    """States of a refund."""

    REQUESTED = "requested"
    """Reserved; the provider may or may not have heard the number. It is sent until the provider answers."""
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    FAILED = "failed"
    CLOSED = "closed"
    """The number is dead, nothing moved, the reservation still stands: an operator renews it."""
    REPLACED = "replaced"
    """Closed or failed, and another number took over its reservation."""
    OWED = "owed"
    """The provider cannot give it back: it is booked as owed to the buyer, an operator pays it another way."""
    PAID_OFFLINE = "paid_offline"
    """It was paid another way, by hand."""


class RefundCause(StrEnum):
    """What moves a refund."""

    CHASE = "chase"
    ACCEPT = "accept"
    SUCCEED = "succeed"
    TURN_ABNORMAL = "turn_abnormal"
    FAIL = "fail"
    CLOSE = "close"
    BOUNCE = "bounce"
    """It had gone through, and the payer's bank sent it back to the provider."""
    RETRY = "retry"
    REPLACE = "replace"
    WITHHOLD = "withhold"
    """The provider takes no refund for this payment any more, or an operator gave up on it."""
    PAY_OFFLINE = "pay_offline"
    REDIRECT = "redirect"
    """An operator has the provider send it to another card."""


_ANSWERS = {
    RefundCause.SUCCEED: RefundStatus.SUCCEEDED,
    RefundCause.TURN_ABNORMAL: RefundStatus.ABNORMAL,
    RefundCause.FAIL: RefundStatus.FAILED,
    RefundCause.CLOSE: RefundStatus.CLOSED,
}

REFUND = StateMachine(
    name="refund",
    initial=RefundStatus.REQUESTED,
    edges={
        RefundStatus.REQUESTED: {
            RefundCause.CHASE: RefundStatus.REQUESTED,
            RefundCause.ACCEPT: RefundStatus.PENDING,
            RefundCause.WITHHOLD: RefundStatus.OWED,
            **_ANSWERS,
        },
        RefundStatus.PENDING: {RefundCause.CHASE: RefundStatus.PENDING, **_ANSWERS},
        RefundStatus.ABNORMAL: {
            RefundCause.RETRY: RefundStatus.REQUESTED,
            RefundCause.REDIRECT: RefundStatus.PENDING,
            RefundCause.SUCCEED: RefundStatus.SUCCEEDED,
            RefundCause.CLOSE: RefundStatus.CLOSED,
            RefundCause.WITHHOLD: RefundStatus.OWED,
        },
        RefundStatus.FAILED: {
            RefundCause.RETRY: RefundStatus.REQUESTED,
            RefundCause.SUCCEED: RefundStatus.SUCCEEDED,
            RefundCause.CLOSE: RefundStatus.CLOSED,
            RefundCause.WITHHOLD: RefundStatus.OWED,
            RefundCause.REPLACE: RefundStatus.REPLACED,
        },
        RefundStatus.CLOSED: {RefundCause.REPLACE: RefundStatus.REPLACED},
        RefundStatus.SUCCEEDED: {RefundCause.BOUNCE: RefundStatus.CLOSED},
        RefundStatus.REPLACED: {},
        RefundStatus.OWED: {
            RefundCause.PAY_OFFLINE: RefundStatus.PAID_OFFLINE,
            RefundCause.SUCCEED: RefundStatus.SUCCEEDED,
        },
        RefundStatus.PAID_OFFLINE: {},
    },
    deadlines={
        RefundStatus.REQUESTED: (polling.REFUNDS[0], RefundCause.CHASE),
        RefundStatus.PENDING: (polling.REFUNDS[0], RefundCause.CHASE),
        RefundStatus.FAILED: (timedelta(minutes=10), RefundCause.RETRY),
    },
)
"""A failed refund is tried again by itself only where the provider's balance was too small (:data:`SHORT_WAITS`)."""

SHORT_WAITS = tuple(timedelta(minutes=minutes) for minutes in (10, 30, 60, 180, 360, 720, 1440, 1440, 1440))
"""How long a refund that failed because the provider holds too little of our money waits before it is tried again by
itself, the first, second, ... time: four days and a half. Then it waits for an operator alone."""

STUCK = (RefundStatus.ABNORMAL, RefundStatus.FAILED, RefundStatus.CLOSED)
"""States in which the provider does not finish it."""
ATTENTION = (*STUCK, RefundStatus.OWED)
"""States in which an operator must act."""
DONE = (RefundStatus.SUCCEEDED, RefundStatus.PAID_OFFLINE)
"""States in which the buyer has the money."""
BOOKED = (*DONE, RefundStatus.OWED)
"""States in which the ledger holds it: merchant and commission have given it up."""

ANSWERS = {
    RefundOutcome.PENDING: RefundCause.ACCEPT,
    RefundOutcome.SUCCEEDED: RefundCause.SUCCEED,
    RefundOutcome.ABNORMAL: RefundCause.TURN_ABNORMAL,
    RefundOutcome.FAILED: RefundCause.FAIL,
    RefundOutcome.CLOSED: RefundCause.CLOSE,
}


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
    en = "This purchase has been tried to be paid {limit} times; go on with a payment that is open, or order again."
    zh = "该笔订单已尝试支付 {limit} 次，请继续未完成的支付或重新下单。"
    shown = ("limit",)


class TooManyTries(Conflict):
    """The provider was told of this attempt too often and does not answer."""

    code, status = "too_many_tries", 429
    en = "The provider does not answer about this payment; start another one, perhaps at another provider."
    zh = "支付渠道对该笔支付暂无应答，请发起新的支付，或更换支付方式。"
    retry_after_s = 60


class RefundRefused(Conflict):
    """The refund cannot be taken on; ``why`` is a word for machines."""

    code = "refund_refused"
    en, zh = "The refund is refused: {why}.", "无法退款：{why}。"
    shown = ("why", "left")
    words = {"why": REFUND_REASONS}  # noqa: RUF012


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
    chases: int = 0
    tries: int = 1
    """How often the provider was told of it."""
    questions: tuple[datetime, ...] = ()
    """When a buyer last made us ask about it."""
    silent_since: datetime | None = None
    """The purchase's time is over, and the provider does not say what became of it."""
    code: str = ""
    """The provider's reason of a failure, or why a capture is surplus."""
    reference: str | None = None
    transaction_id: str | None = None
    captured: Money | None = None
    """What was really captured; other than ``amount`` only where the provider confirmed it so."""
    captured_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was closed or refused; it may have been paid since."""
    reserved: int = 0
    """Minor units of refunds that are requested, under way or done."""
    refunded: int = 0
    """Minor units of refunds that are done."""
    paid_offline: int = 0
    """Minor units of those that were paid another way: the provider knows nothing of them."""
    disputed: int = 0
    """Minor units that the provider holds back, or took, because the payer's bank contests the payment."""
    refunded_at: datetime | None = None
    """When a refund was last sent or went through: the provider may demand a pause before the next."""
    instruction: Instruction | None = None
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


ApprovalStatus: TypeAlias = second_person.Status
ApprovalCause: TypeAlias = second_person.Cause
APPROVAL = second_person.machine("approval")


class ApprovalNeeded(Conflict):
    """One person alone may not refund so much."""

    code = "approval_needed"
    en = "Refunds of {currency} above {limit} on one purchase need a second person: ask for approval."
    zh = "同一笔订单退款（{currency}）超过 {limit} 需第二人审批，请提交审批。"
    shown = ("limit", "currency")


class DayLimitReached(Conflict):
    """One person alone may not refund so much on one day, on however many purchases."""

    code = "day_limit_reached"
    en = "Refunds of {currency} above {limit} on one day by one operator need a second person: ask for approval."
    zh = "同一运营人员当日退款（{currency}）超过 {limit} 需第二人审批，请提交审批。"
    shown = ("limit", "currency")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator wants to give back on an order: an amount, or units of lines and perhaps the freight."""

    order_id: str
    reason: str
    amount: Money | None = None
    lines: tuple[tuple[str, int], ...] = ()
    freight: bool = False
    payment_id: str | None = None
    offline: bool = False
    """Book it as owed, to be paid another way, where the provider takes no refund any more."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A refund that waits for a second person; with ``settles``, what is to become of one that there is."""

    approval_id: str
    purchase_id: str
    wish: Wish
    amount: Money
    """What the wish came to when it was asked for; approving it later must come to the same."""
    status: ApprovalStatus
    asked_by: str
    asked_at: datetime
    since: datetime
    fingerprint: str
    decided_by: str = ""
    refund_id: str | None = None
    note: str = ""
    intent: str = ""
    decided_fingerprint: str = ""
    settles: str = ""
    """The refund that it is about, where it asks for no new one."""
    offline: OfflinePayment | None = None
    """How the refund it settles was paid."""
    payee: str = ""
    """The card that the refund it settles may be sent to, in few words."""
    payee_mark: str = ""
    """By which that very card is known again."""
    version: int = 0

    @property
    def due_at(self) -> datetime | None:
        """Return when it expires."""
        return APPROVAL.due_at(self.status, self.since)


@dataclass(frozen=True, slots=True)
class Refund:
    """Money going back on a payment, under one number."""

    refund_id: str
    purchase_id: str
    payment_id: str
    order_id: str | None
    amount: Money
    status: RefundStatus
    reason: str
    cause: str
    requested_at: datetime
    due_at: datetime | None
    since: datetime
    chases: int = 0
    code: str = ""
    provider_refund_id: str | None = None
    fingerprint: str = ""
    lines: tuple[tuple[str, int], ...] = ()
    """Units of the order's lines that it pays back; none for a refund by amount."""
    freight: bool = False
    line: str = ""
    """The order's line that an amount is about, where it is about one."""
    compensation: bool = False
    """Whether it is for goods that came, or for no goods: what has not left is still owed beside it."""
    by: str = ""
    """The operator who asked for it, where one did."""
    approved_by: str = ""
    retried_by: str = ""
    """The operator who last had it tried again, under this number or with this one for a closed one."""
    booked_on: str = ""
    """Provider and day of the bill that should hold it, once it is done."""
    about: str = ""
    """What it was asked for: a complaint's id, where it was one."""
    renews: str = ""
    """The closed number whose money this one carries."""
    origin: str = ""
    """The first number of a refund that was renewed."""
    replaces: tuple[str, ...] = ()
    """Further numbers whose money it carries: one made at the provider took the place of several."""
    foreign: str = ""
    """Its number at the provider where it was made there, behind our back, and taken into the books afterwards."""
    past: tuple[tuple[RefundStatus, datetime], ...] = ()
    """The states it was in before, with the moment it entered each: the last :data:`PAST_KEPT`."""
    bounced_at: datetime | None = None
    """When it was seen that the money had come back after it had gone through."""
    shorts: int = 0
    """How often in a row it failed because the provider held too little of our money."""
    unsent: bool = False
    """The provider never hears of it: it was owed from the beginning."""
    offline: OfflinePayment | None = None
    """How it was paid back, where that was done by hand."""
    redirect: Redirect | None = None
    """That it was sent to another card, the last time."""
    version: int = 0

    @property
    def is_done(self) -> bool:
        """Say whether the buyer has the money."""
        return self.status in DONE

    @property
    def is_booked(self) -> bool:
        """Say whether the ledger holds it."""
        return self.status in BOOKED


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A genuine notice that does not fit our record. Kept as it was said; the provider is then asked."""

    quarantine_id: str
    purchase_id: str
    payment_id: str
    why: str
    at: datetime
    said: dict[str, str] = field(default_factory=dict)
    resolved: str = ""
    by: str = ""
    """The operator who resolved it, where one did."""
    note: str = ""
    intent: str = ""
    fingerprint: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """Everything we keep of a purchase's payments."""

    payments: tuple[Payment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    approvals: tuple[Approval, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    strays: tuple[Stray, ...] = ()
    """Of a list only: they belong to no purchase."""

    def payment(self, payment_id: str) -> Payment:
        """Return one payment.

        Raises:
            UnknownPayment: if there is none.
        """
        for payment in self.payments:
            if payment.payment_id == payment_id:
                return payment
        raise UnknownPayment(what="payment", payment_id=payment_id)

    def refunds_of(self, payment_id: str) -> list[Refund]:
        """Return the refunds of one payment."""
        return [refund for refund in self.refunds if refund.payment_id == payment_id]

    def sent_of(self, payment_id: str) -> int:
        """Return how many refunds of a payment its provider has heard of, or will: what it counts."""
        return sum(not refund.unsent for refund in self.refunds_of(payment_id))


class Conclusion(StrEnum):
    """What became of all attempts of a purchase."""

    CAPTURED = "captured"
    CLOSED = "closed"
    UNKNOWN = "unknown"


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


def chased(payment: Payment, *, now: datetime, heard: bool) -> Payment:
    """Return the attempt after a question that settled nothing: asked again later (``polling``).

    ``heard`` says that the provider knows the number now.
    """
    cause = PaymentCause.ANSWER if heard and payment.status is PaymentStatus.STARTED else PaymentCause.CHASE
    status = PAYMENT.next(payment.status, cause)
    chases = payment.chases + 1
    due_at = polling.chase_at(now, chases=chases, expires_at=payment.expires_at)
    return replace(payment, status=status, chases=chases, due_at=due_at)


def may_ask(payment: Payment, *, now: datetime, most: int, per: timedelta) -> bool:
    """Say whether a buyer may make us ask about the attempt once more."""
    return sum(moment > now - per for moment in payment.questions) < most


def asked(payment: Payment, *, now: datetime, per: timedelta) -> Payment:
    """Return the attempt with one more question of a buyer's noted."""
    return replace(payment, questions=(*(moment for moment in payment.questions if moment > now - per), now))


def answered(payment: Payment, instruction: Instruction) -> Payment:
    """Return the attempt with the provider's answer to its creation; the first chase stays where it is."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.ANSWER),
        instruction=instruction,
        reference=instruction.reference,
    )


def refused(payment: Payment, code: str, *, now: datetime) -> Payment:
    """Return the attempt that the provider will not take."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.REFUSE),
        ended_at=now,
        due_at=None,
        code=code[:64],
        instruction=None,
    )


def closed(payment: Payment, *, now: datetime, known: bool) -> Payment:
    """Return the attempt closed. One that the provider did not know is looked at again (somebody may hold its link)."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.CLOSE),
        ended_at=now,
        chases=0,
        due_at=None if known else now + polling.LINGER_FIRST,
        instruction=None,
    )


def lingered(payment: Payment, *, now: datetime) -> Payment:
    """Return the closed attempt after another look that found no money."""
    return replace(
        payment,
        status=PAYMENT.next(payment.status, PaymentCause.CHASE),
        chases=payment.chases + 1,
        due_at=polling.look_at(now, ended_at=payment.ended_at or now, expires_at=payment.expires_at),
    )


def captured(payment: Payment, *, amount: Money, transaction_id: str, at: datetime, surplus: str = "") -> Payment:
    """Return the attempt with its money; ``surplus`` says why nobody waits for it.

    Raises:
        IllegalTransition: if a capture is recorded already.
    """
    cause = PaymentCause.OVERRUN if surplus else PaymentCause.CAPTURE
    return replace(
        payment,
        status=PAYMENT.next(payment.status, cause),
        due_at=None,
        chases=0,
        code=surplus,
        captured=amount,
        captured_at=at,
        transaction_id=transaction_id,
        instruction=None,
    )


def surplus_refund_id(payment_id: str) -> str:
    """Return the number under which a surplus capture goes back: it follows from the attempt."""
    return ids.child_id("ref", payment_id, 100 - ids.child_number(payment_id))


def next_refund_id(story: Story, purchase_id: str, *, wished: bool = False) -> str:
    """Return the next ordinary refund number of a purchase.

    Raises:
        RefundRefused: if all are used. The last hundred are for what ends orders: no operator's wishes use them up.
    """
    used = [ids.child_number(refund.refund_id) for refund in story.refunds]
    ordinary = [number for number in used if not MAX_REFUND_NUMBER < number < FIRST_LONG_NUMBER]
    number = max(ordinary, default=0) + 1
    if MAX_REFUND_NUMBER < number < FIRST_LONG_NUMBER:
        number = FIRST_LONG_NUMBER
    if number > ids.MAX_CHILDREN - (RESERVED_NUMBERS if wished else 0):
        raise RefundRefused(why="too_many_refunds", left=0)
    return ids.child_id("ref", purchase_id, number)


def reserve(payment: Payment, amount: Money, *, limits: Limits, earlier: int, now: datetime) -> Payment:
    """Reserve a refund against what was captured, if the provider would take it.

    Raises:
        RefundRefused: if there is no such money left, or the provider would not take it.
    """
    held = hold(payment, amount)
    check_limits(payment, limits=limits, earlier=earlier, now=now)
    return held


def hold(payment: Payment, amount: Money) -> Payment:
    """Reserve money against what was captured, however it will be given back.

    Raises:
        RefundRefused: if there is no such money left.
    """
    if payment.captured is None or payment.captured_at is None:
        raise RefundRefused(why="not_captured", left=0)
    left = payment.captured.minor - payment.reserved - payment.disputed
    if amount.currency != payment.captured.currency:
        raise RefundRefused(why="other_currency", left=left)
    if amount.minor <= 0:
        raise RefundRefused(why="not_positive", left=left)
    if amount.minor > left:
        why = "disputed" if amount.minor <= left + payment.disputed else "more_than_captured"
        raise RefundRefused(why=why, left=max(0, left))
    return replace(payment, reserved=payment.reserved + amount.minor)


def check_limits(payment: Payment, *, limits: Limits, earlier: int, now: datetime) -> None:
    """Check what the provider allows before another refund number is used, after so many ``earlier`` ones.

    Raises:
        RefundRefused: if it would not take it.
    """
    why = beyond_limits(payment, limits=limits, earlier=earlier, now=now)
    if why:
        left = payment.captured.minor - payment.reserved - payment.disputed if payment.captured else 0
        raise RefundRefused(why=why, left=max(0, left))


def beyond_limits(payment: Payment, *, limits: Limits, earlier: int, now: datetime) -> str:
    """Return why the provider would not take another refund of the payment, after so many; empty if it would."""
    if earlier >= limits.max_refunds:
        return "too_many_refunds"
    if payment.captured_at is None or now - payment.captured_at > limits.refund_window:
        return "window_closed"
    return ""


def check_uncontested(payment: Payment) -> None:
    """Check that a refund which was reserved before may be asked for again: contested money may be the payer's already.

    Raises:
        RefundRefused: if a dispute holds some of what is reserved.
    """
    left = payment.captured.minor - payment.disputed if payment.captured else 0
    if payment.disputed and payment.reserved > left:
        raise RefundRefused(why="disputed", left=max(0, left - payment.refunded))


def renewed(refund: Refund, refund_id: str, *, now: datetime) -> Refund:
    """Return the refund that carries a closed one's money under another number."""
    return replace(
        refund,
        refund_id=refund_id,
        status=REFUND.initial,
        cause=ids.digest(f"renew#{refund.refund_id}"),
        requested_at=now,
        since=now,
        due_at=REFUND.due_at(REFUND.initial, now),
        chases=0,
        code="",
        provider_refund_id=None,
        booked_on="",
        renews=refund.refund_id,
        origin=refund.origin or refund.refund_id,
        past=(),
        replaces=(),
        foreign="",
        bounced_at=None,
        shorts=0,
        unsent=False,
        offline=None,
        redirect=None,
        version=0,
    )


@dataclass(frozen=True, slots=True)
class Sold:
    """What a refund by lines needs to know of an order: each line's units and what was charged for all of them."""

    lines: Mapping[str, tuple[int, int]]
    freight: int
    total: Money


def worth(sold: Sold, wish: Wish, earlier: Sequence[Refund]) -> Money:
    """Return what the wished units were charged, exactly, whatever was refunded before.

    Each line's refunds follow the running number of its units, rounded down on the sum: in whatever parts and order,
    once all units are back exactly what was charged for the line is back.

    Raises:
        RefundRefused: if there are no such units left, or the freight is back already.
    """
    if wish.amount is not None:
        return wish.amount
    standing = [refund for refund in earlier if refund.status is not RefundStatus.REPLACED]
    minor = 0
    wanted: dict[str, int] = {}
    for line_id, quantity in wish.lines:
        wanted[line_id] = wanted.get(line_id, 0) + quantity
    for line_id, quantity in wanted.items():
        bought, charged = sold.lines.get(line_id, (0, 0))
        before = sum(count for refund in standing for known, count in refund.lines if known == line_id)
        if quantity < 1 or before + quantity > bought:
            raise RefundRefused(why="more_units_than_bought", left=bought - before)
        minor += charged * (before + quantity) // bought - charged * before // bought
    if wish.freight:
        if any(refund.freight for refund in standing):
            raise RefundRefused(why="freight_refunded", left=0)
        minor += sold.freight
    return Money(minor, sold.total.currency)


def moved(refund: Refund, cause: RefundCause, *, now: datetime, code: str = "", number: str | None = None) -> Refund:
    """Take an edge of the refund's table.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = REFUND.next(refund.status, cause)
    chases = refund.chases + 1 if status is refund.status else 0
    due_at = now + polling.refund_wait(chases) if REFUND.timeout(status) is RefundCause.CHASE else None
    return replace(
        refund,
        status=status,
        chases=chases,
        due_at=due_at,
        since=refund.since if status is refund.status else now,
        past=refund.past if status is refund.status else (*refund.past, (refund.status, refund.since))[-PAST_KEPT:],
        code=code[:64],
        provider_refund_id=number or refund.provider_refund_id,
    )


def fell_short(refund: Refund, *, now: datetime) -> Refund:
    """Return the failed refund that is tried again by itself once the provider may hold enough of our money."""
    due_at = now + SHORT_WAITS[refund.shorts] if refund.shorts < len(SHORT_WAITS) else None
    return replace(refund, shorts=refund.shorts + 1, due_at=due_at)


def owed(refund: Refund, *, now: datetime, why: str, unsent: bool) -> Refund:
    """Return the refund as owed to the buyer: an operator pays it another way.

    Raises:
        IllegalTransition: if it is under way at the provider, done, or replaced.
    """
    return replace(moved(refund, RefundCause.WITHHOLD, now=now, code=why), unsent=unsent)


def paid_offline(refund: Refund, paid: OfflinePayment, *, now: datetime) -> Refund:
    """Return the refund that was paid by hand.

    Raises:
        IllegalTransition: if it is not owed.
    """
    return replace(moved(refund, RefundCause.PAY_OFFLINE, now=now, code=refund.code), offline=paid)


def gone_back(payment: Payment, amount: Money, *, now: datetime) -> Payment:
    """Return the payment after a refund went through; all of it gone is a state of its own."""
    refunded = payment.refunded + amount.minor
    whole = payment.captured is not None and refunded >= payment.captured.minor
    status = PAYMENT.next(payment.status, PaymentCause.EMPTY) if whole else payment.status
    return replace(payment, status=status, refunded=refunded, refunded_at=now)


def paid_back_offline(payment: Payment, amount: Money, *, now: datetime) -> Payment:
    """Return the payment after a refund was paid another way: the provider counts nothing of it."""
    after = gone_back(payment, amount, now=now)
    return replace(after, refunded_at=payment.refunded_at, paid_offline=payment.paid_offline + amount.minor)


def came_back(payment: Payment, amount: Money) -> Payment:
    """Return the payment after a refund that had gone through came back; its reservation stands."""
    held = payment.status in (PaymentStatus.CAPTURED, PaymentStatus.SURPLUS)
    status = payment.status if held else PAYMENT.next(payment.status, PaymentCause.REFILL)
    return replace(payment, status=status, refunded=payment.refunded - amount.minor)
