"""Pools of codes and what is delivered of an order line: states, what is owed, what a refund takes back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.kernel.machine import StateMachine

MOST_CODES: Final = 500
"""In one upload."""
CHUNK: Final = 45
"""So many codes are written, or given, in one transaction: two rows each, and a handful beside them."""
BACK_CHUNK: Final = 40
LONGEST_CODE: Final = 500
MOST_LOOKS_A_DAY: Final = 50
SOONEST_MIN, LATEST_MIN = 15, 30 * 24 * 60
"""Minutes within which a merchant may promise to deliver."""


class Form(StrEnum):
    """What the buyer gets."""

    CODE = "code"
    """Each unit one of its own, out of the pool."""
    TEXT = "text"
    LINK = "link"
    FILE = "file"


class Status(StrEnum):
    """How a delivery of an order line stands."""

    AWAITING = "awaiting"
    """Paid, and not all of it is there."""
    OVERDUE = "overdue"
    """As above, and the agreed time is over: the merchant broke its word."""
    DELIVERED = "delivered"
    CONFIRMED = "confirmed"
    """The buyer said that it is all there, or did not say otherwise in time."""
    CALLED_OFF = "called_off"
    """Its money went back before anything was there."""
    REVOKED = "revoked"
    """Its money went back afterwards."""


class Cause(StrEnum):
    """What moves a delivery."""

    DELIVER = "deliver"
    MISS = "miss"
    CONFIRM = "confirm"
    CALL_OFF = "call_off"
    REVOKE = "revoke"


DELIVERY = StateMachine(
    name="virtual_delivery",
    initial=Status.AWAITING,
    edges={
        Status.AWAITING: {
            Cause.DELIVER: Status.DELIVERED,
            Cause.MISS: Status.OVERDUE,
            Cause.CALL_OFF: Status.CALLED_OFF,
            Cause.REVOKE: Status.REVOKED,
        },
        Status.OVERDUE: {
            Cause.DELIVER: Status.DELIVERED,
            Cause.CALL_OFF: Status.CALLED_OFF,
            Cause.REVOKE: Status.REVOKED,
        },
        Status.DELIVERED: {Cause.CONFIRM: Status.CONFIRMED, Cause.REVOKE: Status.REVOKED},
        Status.CONFIRMED: {Cause.REVOKE: Status.REVOKED},
        Status.CALLED_OFF: {},
        Status.REVOKED: {},
    },
    deadlines={
        Status.AWAITING: (timedelta(hours=24), Cause.MISS),
        Status.DELIVERED: (timedelta(days=7), Cause.CONFIRM),
    },
)
"""What is awaited is due when its merchant said; the table's day is for those that said nothing."""

OPEN = (Status.AWAITING, Status.OVERDUE)


class NotVirtual(ShopError):
    """The SKU is something that is sent, or done."""

    code, status = "not_virtual", 422
    en, zh = "Only virtual goods are delivered so.", "仅虚拟商品可以这样交付。"


class WrongForm(Conflict):
    """The pool holds something else."""

    code = "wrong_form"
    en, zh = "This item is delivered as {form}.", "该商品以{form}方式交付。"
    shown = ("form",)
    texts_of = {  # noqa: RUF012
        "form": {
            "code": ("a code", "兑换码"),
            "text": ("a text", "文本"),
            "link": ("a link", "链接"),
            "file": ("a file", "文件"),
        }
    }


class PoolInUse(Conflict):
    """A pool with codes keeps its form."""

    code = "pool_in_use"
    en, zh = "There are codes in this pool; it cannot become something else.", "该码池中仍有兑换码，不能更改交付方式。"


class CodeKnown(Conflict):
    """The code is in a pool of the merchant's, or was given to somebody."""

    code = "code_known"
    en, zh = "This code is known already: each is delivered once.", "该兑换码已存在：每个兑换码只能交付一次。"


class NothingToShow(Conflict):
    """There is nothing to look at: not yet, or not any more."""

    code = "nothing_to_show"
    en, zh = "There is nothing to show: {why}.", "没有可查看的内容：{why}。"
    shown = ("why",)
    texts_of = {  # noqa: RUF012
        "why": {
            "awaiting": ("it has not been delivered yet", "尚未交付"),
            "revoked": ("it was paid back", "已退款"),
        }
    }


class TooManyLooks(ShopError):
    """Somebody looks again and again."""

    code, status = "too_many_looks", 429
    en, zh = "It was shown {most} times today; try again tomorrow.", "今日已查看 {most} 次，请明天再试。"
    shown = ("most",)


class NotOwed(Conflict):
    """More would be delivered than is owed."""

    code = "not_owed"
    en, zh = (
        "{left} of line {line_id} are to be delivered, not {wanted}.",
        "订单行 {line_id} 待交付 {left} 件，不是 {wanted} 件。",
    )
    shown = ("line_id", "left", "wanted")


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file in the bucket."""

    file_id: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    """What a buyer gets to see: a code, a text, an address, or a file."""

    form: Form
    text: str = ""
    file: FileRef | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """How one SKU is delivered, and of how many codes there are."""

    sku_id: str
    merchant_id: str
    form: Form
    within: timedelta
    """The agreed time, from the payment on."""
    created_at: datetime
    low_mark: int = 0
    """At so many free codes, or fewer, the merchant is warned."""
    free: int = 0
    numbered: int = 0
    """The number of the newest code."""
    given: int = 0
    withdrawn: int = 0
    warned: bool = False
    has_content: bool = False
    """Whether the same text, link or file stands ready for every buyer."""
    version: int = 0

    @property
    def is_low(self) -> bool:
        """Say whether few codes are left."""
        return self.form is Form.CODE and self.free <= self.low_mark


def filled(pool: Pool, count: int) -> Pool:
    """Return the pool with more codes, under numbers of their own; one that is no longer low may warn again."""
    more = replace(pool, free=pool.free + count, numbered=pool.numbered + count)
    return replace(more, warned=more.warned and more.is_low)


def taken(pool: Pool, count: int) -> Pool:
    """Return the pool without codes that are given to a buyer."""
    return _warning(replace(pool, free=pool.free - count, given=pool.given + count))


def came_back(pool: Pool, count: int) -> Pool:
    """Return the pool with codes that nobody saw, back from a buyer."""
    more = replace(pool, free=pool.free + count, given=pool.given - count)
    return replace(more, warned=more.warned and more.is_low)


def emptied(pool: Pool, count: int) -> Pool:
    """Return the pool without codes that its merchant takes out."""
    return _warning(replace(pool, free=pool.free - count, withdrawn=pool.withdrawn + count))


def _warning(pool: Pool) -> Pool:
    return replace(pool, warned=pool.warned or pool.is_low)


@dataclass(frozen=True, slots=True)
class Part:
    """Some units of a delivery that came together: one code, or one content for several units."""

    number: int
    at: datetime
    quantity: int = 1
    code_number: int = 0
    """Which code of the pool it is; 0 for what is in none."""
    seen_at: datetime | None = None
    revoked: int = 0
    """Units whose money went back."""
    went_back: bool = False
    """Back in the pool: nobody ever saw it."""
    by: str = ""
    """``token fingerprint`` of the request that delivered it by hand."""

    @property
    def live(self) -> int:
        """Return the units that are the buyer's."""
        return self.quantity - self.revoked


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was delivered of one line of an order."""

    delivery_id: str
    order_id: str
    line_id: str
    sku_id: str
    merchant_id: str
    buyer_id: str
    form: Form
    status: Status
    since: datetime
    promised_at: datetime | None
    parts: tuple[Part, ...] = ()
    missed_at: datetime | None = None
    looks: int = 0
    looked_at: datetime | None = None
    looks_today: int = 0
    longer: timedelta = timedelta()
    """By how much the buyer's time was put off over a complaint."""
    confirmed_by: str = ""
    """``token fingerprint`` of the buyer's confirmation; empty where time did it."""
    version: int = 0

    @property
    def due_at(self) -> datetime | None:
        """Return when the state times out."""
        if self.status is Status.AWAITING:
            return self.promised_at
        due = DELIVERY.due_at(self.status, self.since)
        return due + self.longer if due else None

    @property
    def units(self) -> int:
        """Return the units that were delivered, also those that were taken back."""
        return sum(part.quantity for part in self.parts)

    @property
    def live(self) -> int:
        """Return the units that are the buyer's."""
        return sum(part.live for part in self.parts)

    @property
    def revoked(self) -> int:
        """Return the units that were taken back."""
        return sum(part.revoked for part in self.parts)


def with_part(delivery: Delivery, part: Part, *, left: int) -> Delivery:
    """Add what is delivered now; ``left`` units are still owed then."""
    more = replace(delivery, parts=(*delivery.parts, part))
    return settled(more, left=left, now=part.at)


def settled(delivery: Delivery, *, left: int, now: datetime) -> Delivery:
    """Return a delivery whose last unit is there, or is not to come any more; any other stays as it is."""
    if delivery.status not in OPEN or left:
        return delivery
    cause = Cause.DELIVER if delivery.live else Cause.REVOKE if delivery.parts else Cause.CALL_OFF
    return moved(delivery, cause, now=now)


def moved(delivery: Delivery, cause: Cause, *, now: datetime) -> Delivery:
    """Take an edge of the table.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    return replace(delivery, status=DELIVERY.next(delivery.status, cause), since=now, longer=timedelta())


def missed(delivery: Delivery, *, now: datetime) -> Delivery:
    """Note that the agreed time went by.

    Raises:
        IllegalTransition: if nothing is awaited.
    """
    return replace(moved(delivery, Cause.MISS, now=now), missed_at=now)


def to_take_back(delivery: Delivery, paid_back: int) -> tuple[tuple[Part, int], ...]:
    """Return the parts of which units are taken back so that ``paid_back`` of all are, and how many of each.

    Those that nobody looked at go first, the newest of them before the others; so the buyer keeps what they know.
    """
    wanted = paid_back - delivery.revoked
    found = []
    for part in sorted(delivery.parts, key=lambda one: (one.seen_at is not None, -one.number)):
        units = min(part.live, max(0, wanted))
        if units:
            found.append((part, units))
            wanted -= units
    return tuple(found)


def taken_back(delivery: Delivery, back: Iterable[tuple[Part, int]], *, now: datetime) -> Delivery:
    """Take units back: a code nobody looked at goes back to its pool. With nothing left the delivery ends."""
    units = {part.number: count for part, count in back}
    parts = tuple(
        replace(
            part,
            revoked=part.revoked + units.get(part.number, 0),
            went_back=part.went_back or goes_back(part) if part.number in units else part.went_back,
        )
        for part in delivery.parts
    )
    after = replace(delivery, parts=parts)
    done = after.status in (Status.DELIVERED, Status.CONFIRMED) and not after.live
    return moved(after, Cause.REVOKE, now=now) if done else after


def goes_back(part: Part) -> bool:
    """Say whether what is taken back of it can be sold again: a pool's code that nobody has seen."""
    return part.code_number > 0 and part.seen_at is None


def seen(delivery: Delivery, numbers: Sequence[int], *, now: datetime, today: bool) -> Delivery:
    """Note a look at some parts; ``today`` says whether the last one was on the same day.

    Raises:
        TooManyLooks: if there were too many today.
    """
    looks_today = delivery.looks_today + 1 if today else 1
    if looks_today > MOST_LOOKS_A_DAY:
        raise TooManyLooks(most=MOST_LOOKS_A_DAY)
    parts = tuple(
        replace(part, seen_at=part.seen_at or now) if part.number in numbers else part for part in delivery.parts
    )
    return replace(delivery, parts=parts, looks=delivery.looks + 1, looked_at=now, looks_today=looks_today)


def repeated(codes: Sequence[str]) -> set[int]:
    """Return the positions of codes that stand before in the same upload."""
    first: dict[str, int] = {}
    return {at for at, code in enumerate(codes) if first.setdefault(code, at) != at}


@dataclass(frozen=True, slots=True)
class Upload:
    """How far an upload of codes has come. ``refused`` are positions, from 0, and why."""

    upload_id: str
    sku_id: str
    fingerprint: str
    at: datetime
    done: int = 0
    accepted: int = 0
    refused: tuple[tuple[int, str], ...] = ()
    version: int = 0
