"""What a slot and a booking are: capacity, until when a buyer may change it, what proves that it was provided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.kernel import history
from chalicelib.kernel.errors import Conflict, NotFound, ShopError
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.texts import Texts, said

AHEAD: Final = timedelta(days=366)
"""How far ahead a merchant offers times."""
LONGEST: Final = timedelta(hours=24)
MAX_CAPACITY: Final = 9_999
SHOWN: Final = timedelta(days=31)
"""How much of a calendar one question asks for."""
MISSED_AFTER: Final = timedelta(hours=24)
"""How long after its end a booking's code is still taken: a till may be down at the time."""
CODE_DIGITS: Final = 12
MISSES: Final = 20
"""Wrong codes of one merchant within an hour: at that pace one in five million years is hit by chance."""


class Status(StrEnum):
    """States of a booking."""

    HELD = "held"
    """The order waits for its money; its time is kept as long as the order is."""
    BOOKED = "booked"
    REDEEMED = "redeemed"
    MISSED = "missed"
    """Nobody showed the code: the merchant kept the time, and it counts as provided. The buyer may complain."""
    CANCELLED = "cancelled"
    DECLINED = "declined"
    """The merchant cannot: the buyer takes another time, or calls the order off."""
    VOID = "void"
    """Its units were called off or paid back."""


class Cause(StrEnum):
    """What moves a booking."""

    PAY = "pay"
    MOVE = "move"
    REDEEM = "redeem"
    MISS = "miss"
    CANCEL = "cancel"
    DECLINE = "decline"
    END = "end"


_ENDS = {Cause.CANCEL: Status.CANCELLED, Cause.DECLINE: Status.DECLINED, Cause.END: Status.VOID}

BOOKING = StateMachine(
    name="booking",
    initial=Status.HELD,
    edges={
        Status.HELD: {Cause.PAY: Status.BOOKED, Cause.MOVE: Status.HELD, **_ENDS},
        Status.BOOKED: {
            Cause.MOVE: Status.BOOKED,
            Cause.REDEEM: Status.REDEEMED,
            Cause.MISS: Status.MISSED,
            **_ENDS,
        },
        Status.REDEEMED: {},
        Status.MISSED: {},
        Status.CANCELLED: {},
        Status.DECLINED: {},
        Status.VOID: {},
    },
    deadlines={Status.HELD: (timedelta(minutes=10), Cause.PAY), Status.BOOKED: (MISSED_AFTER, Cause.MISS)},
)
"""One that is held looks every ten minutes whether its order was paid; one that is booked is missed a day after the end
of its time."""


class SlotRefused(Conflict):
    """This time cannot be had, or not any more."""

    code = "slot_refused"
    en, zh = "This time cannot be booked: {why}.", "该时段无法预约：{why}。"
    shown = ("why", "left")
    texts_of = {  # noqa: RUF012
        "why": {
            "full": ("too few places are left", "剩余名额不足"),
            "past": ("it has begun already", "该时段已开始"),
            "same": ("it is booked for this time already", "已预约该时段"),
        }
    }


class NotBookable(Conflict):
    """The line has no units that a time can be agreed for."""

    code = "not_bookable"
    en, zh = "No time can be booked for this line: {why}.", "该订单行无法预约：{why}。"
    shown = ("why", "left")
    texts_of = {  # noqa: RUF012
        "why": {
            "kind": ("it is no service", "不是服务类商品"),
            "units": ("so many of its units do not wait for a time", "待预约的数量不足"),
            "state": ("the order is over", "订单已结束"),
            "many": ("the order has too many bookings already", "该订单的预约过多"),
        }
    }


class BookingFixed(Conflict):
    """The buyer wants to change what was agreed, and may not any more."""

    code = "booking_fixed"
    en, zh = "This booking cannot be changed: {why}.", "该预约无法更改：{why}。"
    shown = ("why", "until")
    texts_of = {  # noqa: RUF012
        "why": {
            "late": ("it is too late for that", "已超过可更改时间"),
            "moves": ("it was moved as often as it may be", "改期次数已用完"),
        }
    }


class SlotInUse(Conflict):
    """People have booked this time: it cannot become another, or smaller than what they booked."""

    code = "slot_in_use"
    en = "{taken} places at {starts_at} are booked: keep that many, and its length."
    zh = "{starts_at} 已有 {taken} 个预约名额，不能减少到该数量以下或更改时长。"
    shown = ("taken", "starts_at")


class NotAService(ShopError):
    """Times are offered for services."""

    code, status = "not_a_service", 422
    en, zh = "Times are offered for services only.", "只有服务类商品可以设置预约时段。"


class UnknownCode(NotFound):
    """No booking of this merchant has this code."""

    code = "unknown_code"
    en, zh = "No booking of yours has this code.", "没有与该核销码对应的预约。"


class TooManyCodes(ShopError):
    """Too many wrong codes in an hour."""

    code, status = "too_many_codes", 429
    en, zh = "Too many wrong codes; wait {wait_s} seconds.", "核销码错误次数过多，请在 {wait_s} 秒后重试。"
    shown = ("wait_s",)


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which a SKU can be had, by so many."""

    sku_id: str
    merchant_id: str
    starts_at: datetime
    ends_at: datetime
    capacity: int
    taken: int = 0
    change_within: timedelta = timedelta(hours=24)
    """Until how long before it begins a buyer may move or cancel."""
    moves: int = 2
    """How often a buyer may move."""
    version: int = 0

    @property
    def left(self) -> int:
        """Return how many places are free."""
        return max(0, self.capacity - self.taken)


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a booking's history. ``intent`` and ``fingerprint`` remember the request that made it."""

    at: datetime
    what: str
    by: str
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Booking:
    """Units of an order line for which a time is agreed. Its rules are those of its time when it was booked."""

    booking_id: str
    order_id: str
    line_id: str
    sku_id: str
    buyer_id: str
    merchant_id: str
    quantity: int
    status: Status
    starts_at: datetime
    ends_at: datetime
    code: str
    since: datetime
    change_within: timedelta
    moves: int
    moved: int = 0
    fingerprint: str = ""
    history: tuple[Change, ...] = ()
    version: int = 0

    @property
    def fixed_at(self) -> datetime:
        """Return from when on its buyer cannot change it."""
        return self.starts_at - self.change_within

    @property
    def is_open(self) -> bool:
        """Say whether its time is kept for its buyer."""
        return not BOOKING.is_terminal(self.status)

    @property
    def due_at(self) -> datetime | None:
        """Return when to look at it again: whether it was paid, or missed."""
        if self.status is Status.BOOKED:
            return BOOKING.due_at(self.status, self.ends_at)
        return BOOKING.due_at(self.status, self.since)


def check_room(slot: Slot, quantity: int, now: datetime) -> None:
    """Refuse a time that cannot be had.

    Raises:
        SlotRefused: if it has begun, or too few places are left.
    """
    if slot.starts_at <= now:
        raise SlotRefused(why="past", left=0)
    if slot.left < quantity:
        raise SlotRefused(why="full", left=slot.left)


def check_changeable(booking: Booking, now: datetime) -> None:
    """Refuse a buyer's change that comes too late.

    Raises:
        BookingFixed: then.
    """
    if now >= booking.fixed_at:
        raise BookingFixed(why="late", until=booking.fixed_at.isoformat())


def move(booking: Booking, cause: Cause, change: Change) -> Booking:
    """Take an edge of the table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = BOOKING.next(booking.status, cause)
    noted = replace(change, what=cause.value)
    return replace(booking, status=status, since=change.at, history=(*booking.history, noted))


def move_to(booking: Booking, slot: Slot, change: Change) -> Booking:
    """Agree on another time, whose rules hold from now on; how often it was moved is counted on.

    Raises:
        IllegalTransition: if it is over.
        BookingFixed: if it is too late, or it was moved as often as it may be.
        SlotRefused: if that time cannot be had, or is the one it has.
    """
    moved = move(booking, Cause.MOVE, change)
    check_changeable(booking, change.at)
    if booking.moved >= booking.moves:
        raise BookingFixed(why="moves", until=booking.fixed_at.isoformat())
    if slot.starts_at == booking.starts_at:
        raise SlotRefused(why="same", left=slot.left)
    check_room(slot, booking.quantity, change.at)
    return replace(
        moved,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        change_within=slot.change_within,
        moves=slot.moves,
        moved=booking.moved + 1,
        since=booking.since,
    )


def remembered(booking: Booking, intent: str, fingerprint: str) -> bool:
    """Say whether this very request already changed it.

    Raises:
        IdempotencyKeyReused: if its key made another change.
    """
    return history.remembered(booking.history, intent, fingerprint)


def offered(before: Slot | None, wanted: Slot) -> Slot:
    """Return a time as its merchant wants it, with what is booked of it kept.

    Raises:
        SlotInUse: if that takes from those who booked it.
    """
    if before is None:
        return wanted
    if before.taken and (wanted.capacity < before.taken or wanted.ends_at != before.ends_at):
        raise SlotInUse(taken=before.taken, starts_at=before.starts_at.isoformat())
    return replace(wanted, taken=before.taken, version=before.version)


_STATUS_TEXTS: Mapping[Status, Texts] = {
    Status.HELD: ("Kept until the order is paid", "等待付款，时段已保留"),
    Status.BOOKED: ("Booked", "已预约"),
    Status.REDEEMED: ("Provided", "已核销"),
    Status.MISSED: ("Nobody came", "逾期未到店"),
    Status.CANCELLED: ("Cancelled by the buyer", "买家已取消"),
    Status.DECLINED: (
        "Called off by the merchant: choose another time, or cancel the order",
        "商家无法接待，请改约或取消订单",
    ),
    Status.VOID: ("Ended with its order", "已随订单结束"),
}


def status_text(status: Status, language: str) -> str:
    """Return how a booking stands, in words."""
    return said(_STATUS_TEXTS[status], language)
