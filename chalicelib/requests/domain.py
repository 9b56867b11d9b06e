"""What a request is, whose turn it is, what an offer says, and what each side may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.kernel import history, ids
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import Texts, said

TEXT_CHARS: Final = 2_000
TITLE_CHARS: Final = 120
MAX_ENTRIES: Final = 60
MAX_FILES: Final = 20
MAX_OPEN: Final = 20
"""Requests of one buyer that wait for somebody."""
STANDS_AT_MOST: Final = timedelta(days=90)
ORDER_WITHIN: Final = timedelta(hours=24)
"""How long what was accepted can be ordered at least, however late it was accepted."""


class Side(StrEnum):
    """Who acts."""

    BUYER = "buyer"
    MERCHANT = "merchant"


class Status(StrEnum):
    """States of a request."""

    ASKED = "asked"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    """What was agreed on is made for the buyer to order."""
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class Cause(StrEnum):
    """What moves a request."""

    SAY = "say"
    OFFER = "offer"
    ACCEPT = "accept"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


REQUEST = StateMachine(
    name="request",
    initial=Status.ASKED,
    edges={
        Status.ASKED: {
            Cause.SAY: Status.ASKED,
            Cause.OFFER: Status.OFFERED,
            Cause.DECLINE: Status.DECLINED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.OFFERED: {
            Cause.SAY: Status.OFFERED,
            Cause.OFFER: Status.OFFERED,
            Cause.ACCEPT: Status.ACCEPTED,
            Cause.DECLINE: Status.DECLINED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.ACCEPTED: {Cause.SAY: Status.ACCEPTED},
        Status.DECLINED: {},
        Status.WITHDRAWN: {},
    },
)


class OfferChanged(Conflict):
    """The buyer accepts another offer than the one that stands."""

    code = "offer_changed"
    en, zh = "The offer is another by now: number {offer}. Read it again.", "报价已更新为第 {offer} 版，请重新确认。"
    shown = ("offer",)


class OfferOver(Conflict):
    """The offer stood until a moment that has passed."""

    code = "offer_over"
    en, zh = "This offer was good until {until}; ask for a new one.", "该报价已于 {until} 失效，请重新询价。"
    shown = ("until",)


class TooManyOpen(Conflict):
    """A buyer has too many requests that wait for somebody."""

    code = "too_many_open_requests"
    en, zh = "At most {most} requests may be open at a time.", "同时进行中的定制需求最多 {most} 个。"
    shown = ("most",)


class TooMuchSaid(Conflict):
    """A request holds only so many entries and files."""

    code = "too_much_said"
    en, zh = (
        "A request holds at most {most} messages and {files} files.",
        "一个定制需求最多包含 {most} 条消息、{files} 个文件。",
    )
    shown = ("most", "files")


class NothingToOrder(Conflict):
    """Nothing was accepted yet."""

    code = "nothing_to_order"
    en, zh = "No offer was accepted in this request.", "该需求尚无已接受的报价。"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a merchant would make: for how much a unit, by when, and how long the offer stands."""

    number: int
    title: str
    price: Money
    quantity: int
    ready_by: date
    until: datetime


@dataclass(frozen=True, slots=True)
class File:
    """One checked file."""

    file_id: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What was said or done. ``intent`` and ``fingerprint`` remember the request that made it."""

    at: datetime
    by: Side
    what: str
    text: str = ""
    files: tuple[File, ...] = ()
    offer: Offer | None = None
    intent: str = ""
    fingerprint: str = ""


ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Request:
    """What a buyer wants made, like a product or otherwise than it."""

    request_id: str
    buyer_id: str
    merchant_id: str
    product_id: str
    status: Status
    made_at: datetime
    history: tuple[Entry, ...]
    sku_id: str = ""
    """What was made for the buyer to order."""
    fingerprint: str = ""
    version: int = 0

    @property
    def offer(self) -> Offer | None:
        """Return the offer that stands, or was accepted."""
        return next((entry.offer for entry in reversed(self.history) if entry.offer is not None), None)

    @property
    def files(self) -> tuple[File, ...]:
        """Return all files, in the order they came."""
        return tuple(file for entry in self.history for file in entry.files)

    @property
    def is_open(self) -> bool:
        """Say whether somebody's answer is waited for."""
        return self.status in (Status.ASKED, Status.OFFERED)


def remembered(request: Request, intent: str, fingerprint: str) -> bool:
    """Say whether this very request already made its entry.

    Raises:
        IdempotencyKeyReused: if its key made an entry with another body.
    """
    return history.remembered(request.history, intent, fingerprint)


def move(request: Request, cause: Cause, entry: Entry) -> Request:
    """Take an edge of the table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
        TooMuchSaid: if it holds too much.
    """
    status = REQUEST.next(request.status, cause)
    if len(request.history) >= MAX_ENTRIES or len(request.files) + len(entry.files) > MAX_FILES:
        raise TooMuchSaid(most=MAX_ENTRIES, files=MAX_FILES)
    return replace(request, status=status, history=(*request.history, replace(entry, what=cause.value)))


def next_offer(request: Request) -> int:
    """Return the number of the next offer."""
    return request.offer.number + 1 if request.offer is not None else 1


def accept(request: Request, number: int, entry: Entry) -> tuple[Request, Offer]:
    """Accept the offer of a number.

    Raises:
        IllegalTransition: if nothing is offered.
        OfferChanged: if another offer stands by now; OfferOver: if it stood until now.
        TooMuchSaid: as :func:`move`.
    """
    accepted = move(request, Cause.ACCEPT, entry)
    offer = request.offer
    if offer is None or offer.number != number:
        raise OfferChanged(offer=offer.number if offer is not None else 0)
    if entry.at >= offer.until:
        raise OfferOver(until=offer.until.isoformat())
    return replace(accepted, sku_id=ids.child_id("sku", product_for(request, offer), 1)), offer


def product_for(request: Request, offer: Offer) -> str:
    """Return the number of the product that is made for an offer: always the same."""
    return ids.derived_id("prd", request.request_id, str(offer.number))


def can_be_ordered_until(offer: Offer, accepted_at: datetime) -> datetime:
    """Return until when what was accepted can be ordered."""
    return max(offer.until, accepted_at + ORDER_WITHIN)


_STATUS_TEXTS: Mapping[Status, Texts] = {
    Status.ASKED: ("Waiting for the merchant's offer", "等待商家报价"),
    Status.OFFERED: ("The merchant made an offer", "商家已报价，等待买家确认"),
    Status.ACCEPTED: ("Agreed on; order it now", "已达成一致，可下单"),
    Status.DECLINED: ("The merchant cannot make it", "商家无法接单"),
    Status.WITHDRAWN: ("Withdrawn by the buyer", "买家已撤回"),
}


def status_text(status: Status, language: str) -> str:
    """Return how a request stands, in words."""
    return said(_STATUS_TEXTS[status], language)
