"""A refund: its states and what moves it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.payments.domain import polling
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.redirect import Redirect
from chalicelib.payments.domain.refund_reasons import REFUND_REASONS
from chalicelib.payments.ports import RefundOutcome

PAST_KEPT = 12
"""How many states of a refund are remembered: operators can retry one for ever."""


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

    POLL = "poll"
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
            RefundCause.POLL: RefundStatus.REQUESTED,
            RefundCause.ACCEPT: RefundStatus.PENDING,
            RefundCause.WITHHOLD: RefundStatus.OWED,
            **_ANSWERS,
        },
        RefundStatus.PENDING: {RefundCause.POLL: RefundStatus.PENDING, **_ANSWERS},
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
        RefundStatus.REQUESTED: (polling.REFUNDS[0], RefundCause.POLL),
        RefundStatus.PENDING: (polling.REFUNDS[0], RefundCause.POLL),
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


class RefundRefused(Conflict):
    """The refund cannot be taken on; ``why`` is a word for machines."""

    code = "refund_refused"
    en, zh = "The refund is refused: {why}.", "无法退款：{why}。"
    shown = ("why", "left")
    texts_of = {"why": REFUND_REASONS}  # noqa: RUF012


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
    request_token: str
    requested_at: datetime
    due_at: datetime | None
    since: datetime
    polls: int = 0
    """How often the provider was asked about it since its state changed."""
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
    external_number: str = ""
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


def renew(refund: Refund, refund_id: str, *, now: datetime) -> Refund:
    """Return the refund that carries a closed one's money under another number."""
    return replace(
        refund,
        refund_id=refund_id,
        status=REFUND.initial,
        request_token=ids.digest(f"renew#{refund.refund_id}"),
        requested_at=now,
        since=now,
        due_at=first_due_at(now),
        polls=0,
        code="",
        provider_refund_id=None,
        booked_on="",
        renews=refund.refund_id,
        origin=refund.origin or refund.refund_id,
        past=(),
        replaces=(),
        external_number="",
        bounced_at=None,
        shorts=0,
        unsent=False,
        offline=None,
        redirect=None,
        version=0,
    )


def first_due_at(now: datetime) -> datetime | None:
    """Return when a refund that is made now is looked at, to the second in which its row says so."""
    due_at = REFUND.due_at(REFUND.initial, now)
    return clock.up_to_second(due_at) if due_at is not None else None


def move(refund: Refund, cause: RefundCause, *, now: datetime, code: str = "", number: str | None = None) -> Refund:
    """Take an edge of the refund's table.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = REFUND.next(refund.status, cause)
    polls = refund.polls + 1 if status is refund.status else 0
    asked = REFUND.timeout(status) is RefundCause.POLL
    due_at = clock.up_to_second(now + polling.refund_wait(polls)) if asked else None
    return replace(
        refund,
        status=status,
        polls=polls,
        due_at=due_at,
        since=refund.since if status is refund.status else now,
        past=refund.past if status is refund.status else (*refund.past, (refund.status, refund.since))[-PAST_KEPT:],
        code=code[:64],
        provider_refund_id=number or refund.provider_refund_id,
    )


def wait_for_balance(refund: Refund, *, now: datetime) -> Refund:
    """Return the failed refund that is tried again by itself once the provider may hold enough of our money."""
    left = refund.shorts < len(SHORT_WAITS)
    due_at = clock.up_to_second(now + SHORT_WAITS[refund.shorts]) if left else None
    return replace(refund, shorts=refund.shorts + 1, due_at=due_at)


def owe(refund: Refund, *, now: datetime, why: str, unsent: bool) -> Refund:
    """Return the refund as owed to the buyer: an operator pays it another way.

    Raises:
        IllegalTransition: if it is under way at the provider, done, or replaced.
    """
    return replace(move(refund, RefundCause.WITHHOLD, now=now, code=why), unsent=unsent)


def pay_offline(refund: Refund, paid: OfflinePayment, *, now: datetime) -> Refund:
    """Return the refund that was paid by hand.

    Raises:
        IllegalTransition: if it is not owed.
    """
    return replace(move(refund, RefundCause.PAY_OFFLINE, now=now, code=refund.code), offline=paid)
