"""What a return is: its table of states, whose turn each is and until when, and what each side may do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel import history
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.later import Later
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money

TEXT_CHARS = 1000
MOST_OPEN = 10
"""Returns of one order that are open at a time."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where goods go back to: who takes them, where, and by what phone. Personal data."""

    recipient: str
    phone: str
    country: str
    province: str
    city: str
    district: str
    street: str
    postcode: str = ""


class Wish(StrEnum):
    """What the buyer wants for what is sent back."""

    REFUND = "refund"
    EXCHANGE = "exchange"


class Reason(StrEnum):
    """Why it goes back: without a reason, or for one that is the merchant's to answer for."""

    NO_REASON = "no_reason"
    QUALITY = "quality"
    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    NOT_AS_DESCRIBED = "not_as_described"


class Payer(StrEnum):
    """Who pays what the parcel back costs."""

    BUYER = "buyer"
    MERCHANT = "merchant"


def payer_of(reason: Reason) -> Payer:
    """Return who pays the parcel back: the buyer who only thinks better of it, else the merchant."""
    return Payer.BUYER if reason is Reason.NO_REASON else Payer.MERCHANT


class Turn(StrEnum):
    """Who must act next."""

    MERCHANT = "merchant"
    BUYER = "buyer"
    OPERATOR = "operator"
    CARRIER = "carrier"
    PLATFORM = "platform"
    """The machine: a refund is under way."""
    NOBODY = "nobody"


class Status(StrEnum):
    """States of a return."""

    REQUESTED = "requested"
    APPROVED = "approved"
    """The merchant said where to; the buyer sends it."""
    REFUSED = "refused"
    ESCALATED = "escalated"
    """An operator decides whether it may be sent back."""
    SENT = "sent"
    MISSING = "missing"
    """The parcel did not come, or turned back: an operator looks."""
    RECEIVED = "received"
    WITHHELD = "withheld"
    """The merchant pays back, or replaces, less than was sent; the buyer may object."""
    DECLINED = "declined"
    """The merchant pays back nothing of what came; the buyer may object."""
    CONTESTED = "contested"
    """An operator decides what the units that came are paid back."""
    REFUNDING = "refunding"
    REPLACING = "replacing"
    """The replacement is held; the merchant sends it."""
    REPLACEMENT_SENT = "replacement_sent"
    REFUNDED = "refunded"
    REPLACED = "replaced"
    DISMISSED = "dismissed"
    LAPSED = "lapsed"
    """Nothing was sent back in time."""
    WITHDRAWN = "withdrawn"


class Cause(StrEnum):
    """What moves a return."""

    APPROVE = "approve"
    LEAVE = "leave"
    """The merchant pays back and lets the buyer keep it: the merchant's own choice, nobody else's."""
    REFUSE = "refuse"
    ESCALATE = "escalate"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"
    SILENCE = "silence"
    DISMISS = "dismiss"
    SEND = "send"
    ARRIVE = "arrive"
    GO_ASTRAY = "go_astray"
    PAY = "pay"
    """What came is paid back."""
    SETTLE = "settle"
    """What came was paid back otherwise meanwhile: nothing is left to pay."""
    EXCHANGE = "exchange"
    WITHHOLD = "withhold"
    DECLINE = "decline"
    ACCEPT = "accept"
    REPLACE = "replace"
    REFUND_DONE = "refund_done"
    REFUND_BOUNCED = "refund_bounced"


_INSPECTED = {
    Cause.PAY: Status.REFUNDING,
    Cause.SETTLE: Status.REFUNDED,
    Cause.EXCHANGE: Status.REPLACING,
    Cause.WITHHOLD: Status.WITHHELD,
    Cause.DECLINE: Status.DECLINED,
}

RETURN = StateMachine(
    name="return",
    initial=Status.REQUESTED,
    edges={
        Status.REQUESTED: {
            Cause.APPROVE: Status.APPROVED,
            Cause.LEAVE: Status.REFUNDING,
            Cause.SETTLE: Status.REFUNDED,
            Cause.REFUSE: Status.REFUSED,
            Cause.WITHDRAW: Status.WITHDRAWN,
            Cause.SILENCE: Status.ESCALATED,
        },
        Status.APPROVED: {
            Cause.SEND: Status.SENT,
            Cause.WITHDRAW: Status.WITHDRAWN,
            Cause.LAPSE: Status.LAPSED,
        },
        Status.REFUSED: {
            Cause.ESCALATE: Status.ESCALATED,
            Cause.WITHDRAW: Status.WITHDRAWN,
            Cause.LAPSE: Status.DISMISSED,
        },
        Status.ESCALATED: {
            Cause.APPROVE: Status.APPROVED,
            Cause.DISMISS: Status.DISMISSED,
            Cause.WITHDRAW: Status.WITHDRAWN,
            Cause.SILENCE: Status.ESCALATED,
        },
        Status.SENT: {
            **_INSPECTED,
            Cause.ARRIVE: Status.RECEIVED,
            Cause.GO_ASTRAY: Status.MISSING,
            Cause.SILENCE: Status.MISSING,
        },
        Status.MISSING: {
            **_INSPECTED,
            Cause.ARRIVE: Status.RECEIVED,
            Cause.DISMISS: Status.DISMISSED,
            Cause.SILENCE: Status.MISSING,
        },
        Status.RECEIVED: {**_INSPECTED, Cause.SILENCE: Status.REFUNDING},
        Status.WITHHELD: {
            Cause.ACCEPT: Status.REFUNDING,
            Cause.SETTLE: Status.REFUNDED,
            Cause.ESCALATE: Status.CONTESTED,
            Cause.LAPSE: Status.REFUNDING,
        },
        Status.DECLINED: {
            Cause.ACCEPT: Status.DISMISSED,
            Cause.ESCALATE: Status.CONTESTED,
            Cause.LAPSE: Status.DISMISSED,
        },
        Status.CONTESTED: {
            Cause.PAY: Status.REFUNDING,
            Cause.SETTLE: Status.REFUNDED,
            Cause.DISMISS: Status.DISMISSED,
            Cause.SILENCE: Status.CONTESTED,
        },
        Status.REFUNDING: {Cause.REFUND_DONE: Status.REFUNDED},
        Status.REPLACING: {
            Cause.REPLACE: Status.REPLACEMENT_SENT,
            Cause.SETTLE: Status.REFUNDED,
            Cause.SILENCE: Status.REFUNDING,
        },
        Status.REPLACEMENT_SENT: {
            Cause.ARRIVE: Status.REPLACED,
            Cause.GO_ASTRAY: Status.REPLACING,
            Cause.LAPSE: Status.REPLACED,
        },
        Status.REFUNDED: {Cause.REFUND_BOUNCED: Status.REFUNDING},
        Status.REPLACED: {},
        Status.DISMISSED: {},
        Status.LAPSED: {},
        Status.WITHDRAWN: {},
    },
    deadlines={
        Status.REQUESTED: (timedelta(hours=48), Cause.SILENCE),
        Status.APPROVED: (timedelta(days=10), Cause.LAPSE),
        Status.REFUSED: (timedelta(hours=72), Cause.LAPSE),
        Status.ESCALATED: (timedelta(hours=72), Cause.SILENCE),
        Status.SENT: (timedelta(days=15), Cause.SILENCE),
        Status.MISSING: (timedelta(hours=72), Cause.SILENCE),
        Status.RECEIVED: (timedelta(days=7), Cause.SILENCE),
        Status.WITHHELD: (timedelta(hours=72), Cause.LAPSE),
        Status.DECLINED: (timedelta(hours=72), Cause.LAPSE),
        Status.CONTESTED: (timedelta(hours=72), Cause.SILENCE),
        Status.REPLACING: (timedelta(days=7), Cause.SILENCE),
        Status.REPLACEMENT_SENT: (timedelta(days=15), Cause.LAPSE),
    },
)
"""Seven days after it was received the refund leaves by itself: the law's, inspected or not. A refund under way has
clocks and alarms of its own, in payments."""

TURNS: Mapping[Status, Turn] = {
    Status.REQUESTED: Turn.MERCHANT,
    Status.APPROVED: Turn.BUYER,
    Status.REFUSED: Turn.BUYER,
    Status.ESCALATED: Turn.OPERATOR,
    Status.SENT: Turn.CARRIER,
    Status.MISSING: Turn.OPERATOR,
    Status.RECEIVED: Turn.MERCHANT,
    Status.WITHHELD: Turn.BUYER,
    Status.DECLINED: Turn.BUYER,
    Status.CONTESTED: Turn.OPERATOR,
    Status.REFUNDING: Turn.PLATFORM,
    Status.REPLACING: Turn.MERCHANT,
    Status.REPLACEMENT_SENT: Turn.CARRIER,
    Status.REFUNDED: Turn.NOBODY,
    Status.REPLACED: Turn.NOBODY,
    Status.DISMISSED: Turn.NOBODY,
    Status.LAPSED: Turn.NOBODY,
    Status.WITHDRAWN: Turn.NOBODY,
}
PAYING = (Cause.PAY, Cause.LEAVE, Cause.ACCEPT)
"""Causes that pay back; so do those of the clock that lead to ``refunding``."""


class TooManyReturned(Conflict):
    """More units than the buyer has of a line and was not paid back, or speaks of in another return."""

    code = "too_many_returned"
    en = "Of line {line_id} {left} units can go back, not {wanted}."
    zh = "订单行 {line_id} 可退 {left} 件，不能退 {wanted} 件。"
    shown = ("line_id", "left", "wanted")


class TooManyReturns(Conflict):
    """An order has only so many open returns."""

    code = "too_many_returns"
    en, zh = "At most {most} returns of an order are open at a time.", "同一订单最多同时有 {most} 个退换申请。"
    shown = ("most",)


class NotExchangeable(Conflict):
    """An exchange is for another unit of the same product at the same price."""

    code = "not_exchangeable"
    en = "Line {line_id} is exchanged only for a listed variant of the same product at the same price."
    zh = "订单行 {line_id} 仅可换同一商品、同价且在售的规格。"
    shown = ("line_id",)


class MoreThanSent(Conflict):
    """An inspection counts what came: no line but those of the return, and no more than was to come."""

    code = "more_than_sent"
    en, zh = "Of line {line_id} {most} units were sent back.", "订单行 {line_id} 寄回 {most} 件。"
    shown = ("line_id", "most")


@dataclass(frozen=True, slots=True)
class Graded:
    """What came of one line, by how it came; what is missing of the units that were sent did not."""

    as_new: int = 0
    open_box: int = 0
    """Opened or tried out, as the law allows: paid back, and never sold as new."""
    damaged: int = 0
    """Neither: paid back unless the merchant withholds it, and never sold as new."""

    @property
    def came(self) -> int:
        """Return how many units came."""
        return self.as_new + self.open_box + self.damaged

    def paid(self, *, withholds: bool) -> int:
        """Return how many units the merchant pays back."""
        return self.came - self.damaged if withholds else self.came


@dataclass(frozen=True, slots=True)
class Part:
    """Units of one line in a return, and which SKU replaces them in an exchange."""

    line_id: str
    quantity: int
    sku_id: str
    """What was bought."""
    replacement: str = ""
    """The SKU that is wanted for it; empty where none is."""
    graded: Graded | None = None
    """How they came; None before anybody looked."""
    paid: int = 0
    """How many units were paid back."""
    restocked: int = 0
    """How many are in stock again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the history. ``intent`` and ``fingerprint`` remember the request that made it."""

    at: datetime
    by: Turn
    what: str
    text: str = ""
    amount: Money | None = None
    intent: str = ""
    fingerprint: str = ""


ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Return:
    """Units of an order that a buyer sends back."""

    return_id: str
    order_id: str
    buyer_id: str
    merchant_id: str
    wish: Wish
    reason: Reason
    status: Status
    parts: tuple[Part, ...]
    asked_at: datetime
    since: datetime
    """When the state was entered, or its deadline last set off."""
    history: tuple[Entry, ...]
    address: Later[Address | None]
    """Where it goes back to. A person's: sealed in the row."""
    label: str = ""
    """What the carrier needs for a parcel that the merchant pays: a code, or a link to print."""
    withholds: bool = False
    """Whether the merchant keeps the money of what came damaged."""
    shipment_id: str = ""
    """The parcel back."""
    replacement_id: str = ""
    """The parcel with the replacement."""
    refund_id: str = ""
    refund: Money | None = None
    holds_stock: bool = False
    """Whether units for an exchange are taken from stock."""
    fingerprint: str = ""
    version: int = 0

    @property
    def turn(self) -> Turn:
        """Return who must act next."""
        return TURNS[self.status]

    @property
    def due_at(self) -> datetime | None:
        """Return until when."""
        return RETURN.due_at(self.status, self.since)

    @property
    def is_open(self) -> bool:
        """Say whether somebody's turn it is."""
        return self.turn is not Turn.NOBODY

    @property
    def payer(self) -> Payer:
        """Return who pays the parcel back."""
        return payer_of(self.reason)

    def units(self) -> dict[str, int]:
        """Return the units that go back, by line."""
        return {part.line_id: part.quantity for part in self.parts}

    @property
    def is_restocked(self) -> bool:
        """Say whether what came as new is in stock again."""
        return any(part.restocked for part in self.parts)

    def came(self) -> dict[str, int]:
        """Return the units that came, by line: all that were sent, as long as nobody looked."""
        return {part.line_id: part.graded.came if part.graded else part.quantity for part in self.parts}

    def accepted(self) -> dict[str, int]:
        """Return the units that the merchant pays back or replaces, by line."""
        return {
            part.line_id: part.graded.paid(withholds=self.withholds) if part.graded else part.quantity
            for part in self.parts
        }

    def as_new(self, taken: Mapping[str, int]) -> dict[str, int]:
        """Return by line the units that may be sold as new again: what came so, of what is taken of each line."""
        found: dict[str, int] = {}
        for part in self.parts:
            units = min(part.graded.as_new, max(0, taken.get(part.line_id, 0))) if part.graded else 0
            if units:
                found[part.line_id] = units
        return found

    def replacements(self) -> dict[str, int]:
        """Return by SKU the units that an exchange sends."""
        found: dict[str, int] = {}
        for part in self.parts:
            wanted = part.replacement or part.sku_id
            found[wanted] = found.get(wanted, 0) + part.quantity
        return found


def remembered(found: Return, intent: str, fingerprint: str) -> bool:
    """Say whether this very request already made its entry.

    Raises:
        IdempotencyKeyReused: if its key made an entry with another body.
    """
    return history.remembered(found.history, intent, fingerprint)


def move(before: Return, cause: Cause, entry: Entry) -> Return:
    """Take an edge of the table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = RETURN.next(before.status, cause)
    noted = replace(entry, what=cause.value)
    return replace(before, status=status, since=entry.at, history=(*before.history, noted))


def chased(before: Return, cause: Cause, now: datetime) -> Return:
    """Set the deadline of a state off that leads to itself, without an entry for every time."""
    return replace(before, status=RETURN.next(before.status, cause), since=now)


def graded(before: Return, counted: Mapping[str, Graded], *, withholds: bool) -> Return:
    """Note how the units came: a line that is not named did not come at all.

    Raises:
        MoreThanSent: if a line is none of the return, or more came than was sent.
    """
    known = {part.line_id: part for part in before.parts}
    for line_id, found in counted.items():
        if line_id not in known or found.came > known[line_id].quantity:
            raise MoreThanSent(line_id=line_id, most=known[line_id].quantity if line_id in known else 0)
    parts = tuple(replace(part, graded=counted.get(part.line_id, Graded())) for part in before.parts)
    return replace(before, parts=parts, withholds=withholds)


def verdict(inspected: Return) -> Cause:
    """Return what follows from an inspection: everything is taken, a part of it, or nothing."""
    accepted = inspected.accepted()
    if not any(accepted.values()):
        return Cause.DECLINE
    if accepted != inspected.units():
        return Cause.WITHHOLD
    return Cause.EXCHANGE if inspected.wish is Wish.EXCHANGE else Cause.PAY
