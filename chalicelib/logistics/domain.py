"""What a shipment is, where its parcel may be, and how a hub's snapshots move it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel import ids
from chalicelib.kernel.machine import StateMachine
from chalicelib.logistics.carriers import needs_phone
from chalicelib.logistics.refusals import NumberSettled, TooManyShipments, TrackingNumberUsed, WrongDelivery
from chalicelib.logistics.watch import WATCH, Watch, WatchCause, due_at

_NUMBERS = "123456789abcdefghjkmnpqrstvwxyz"
MAX_SHIPMENTS = len(_NUMBERS)
"""An order has at most so many shipments: the last character of a shipment's id counts them."""
MAX_SCANS = 60
"""The newest are kept; a domestic parcel has 8 to 25."""
SCAN_TEXT_CHARS = 300
FORGET_AFTER = timedelta(days=45)
"""After so long without an end we stop asking."""
OLD_NUMBER = timedelta(days=15)
"""Without the time of payment: scans older than the shipment by more than this are of an earlier parcel."""
MAX_CORRECTIONS = 5
"""Of the number a merchant typed."""
CLOCK_AHEAD = timedelta(hours=12)
"""Scans further in the future than this are wrong and would stop all later news."""
CLOCK_SKEW = timedelta(minutes=1)
"""A signature is believed to be so much ahead of our clock."""


class Status(StrEnum):
    """Where a parcel is."""

    CREATED = "created"
    """Handed over by the merchant's word; no scan yet."""
    COLLECTED = "collected"
    IN_TRANSIT = "in_transit"
    CUSTOMS = "customs"
    OUT_FOR_DELIVERY = "out_for_delivery"
    READY_FOR_PICKUP = "ready_for_pickup"
    """In a locker or at a station."""
    PROBLEM = "problem"
    REFUSED = "refused"
    RETURNING = "returning"
    DELIVERED = "delivered"
    RETURNED = "returned"
    LOST = "lost"
    """Nothing was heard of it for too long, or a person said so; it may be found again."""


class News(StrEnum):
    """What a carrier says happened: each leads to the state of the same meaning."""

    COLLECT = "collect"
    MOVE = "move"
    CUSTOMS = "customs"
    SET_OUT = "set_out"
    STORE = "store"
    FAIL = "fail"
    REFUSE = "refuse"
    TURN_BACK = "turn_back"
    SIGN = "sign"
    RETURN = "return"
    LOSE = "lose"


NEWS_OF: Mapping[Status, News] = {
    Status.COLLECTED: News.COLLECT,
    Status.IN_TRANSIT: News.MOVE,
    Status.CUSTOMS: News.CUSTOMS,
    Status.OUT_FOR_DELIVERY: News.SET_OUT,
    Status.READY_FOR_PICKUP: News.STORE,
    Status.PROBLEM: News.FAIL,
    Status.REFUSED: News.REFUSE,
    Status.RETURNING: News.TURN_BACK,
    Status.DELIVERED: News.SIGN,
    Status.RETURNED: News.RETURN,
    Status.LOST: News.LOSE,
}

RANK: Mapping[Status, int] = {status: rank for rank, status in enumerate(Status)}
"""How far along a state is: decides between two states told with the same time."""

TURNED = (Status.REFUSED, Status.RETURNING, Status.RETURNED)
"""The parcel does not reach the buyer."""

_ON_THE_WAY: Mapping[News, Status] = {news: status for status, news in NEWS_OF.items()}


def _but(*without: News) -> dict[News, Status]:
    return {news: status for news, status in _ON_THE_WAY.items() if news not in without}


PARCEL = StateMachine(
    name="parcel",
    initial=Status.CREATED,
    edges={
        # Scans are missed and corrected, so news newer than the last may lead anywhere; a return is the end.
        Status.CREATED: _but(),
        Status.COLLECTED: _but(News.COLLECT),
        Status.IN_TRANSIT: _but(News.MOVE),
        Status.CUSTOMS: _but(News.CUSTOMS),
        Status.OUT_FOR_DELIVERY: _but(News.SET_OUT),
        Status.READY_FOR_PICKUP: _but(News.STORE),
        Status.PROBLEM: _but(News.FAIL),
        Status.REFUSED: _but(News.REFUSE),
        Status.RETURNING: _but(News.TURN_BACK),
        Status.DELIVERED: _but(News.SIGN, News.LOSE),
        Status.RETURNED: {},
        Status.LOST: _but(News.LOSE),
    },
)


@dataclass(frozen=True, slots=True)
class Scan:
    """One thing that happened to a parcel, as the carrier tells it."""

    at: datetime
    text: str
    status: Status | None = None
    place: str = ""
    detail: int = 0
    """How finely the hub said it: the digits of its code."""

    @property
    def identity(self) -> tuple[datetime, str]:
        """What makes two scans the same one: when and what. The hub may come to know its state more finely."""
        return self.at, self.text

    def finer(self, other: Scan) -> Scan:
        """Return the better told of two tellings of this scan, whichever came first."""
        return max(
            self, other, key=lambda scan: (scan.status is not None, scan.detail, RANK[scan.status or Status.CREATED])
        )


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said of where a parcel is, against the carrier's silence. It is remembered by its intent."""

    status: Status
    by: str
    at: datetime
    reason: str = ""
    intent: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel, or one digital delivery, of an order."""

    shipment_id: str
    order_id: str
    merchant_id: str
    lines: tuple[tuple[str, int], ...]
    shipped_at: datetime
    watch: Watch
    since: datetime
    """When the watch last moved, for its deadline."""
    status: Status = Status.CREATED
    carrier: str | None = None
    number: str | None = None
    phone_tail: str = ""
    """Last four digits, for carriers that want them; dropped once the parcel has arrived."""
    note: str = ""
    code: str = ""
    """What the buyer bought, of rows of earlier days; since then it is not kept here."""
    coded: bool = False
    """Whether a code came with it, at which the buyer looks (``virtual``)."""
    delivered_at: datetime | None = None
    carrier_given: str | None = None
    """The merchant's word, where the hub corrected it."""
    scans: tuple[Scan, ...] = ()
    """Newest first."""
    paid_at: datetime | None = None
    """When its order was paid: what the carrier says of earlier moments is of another parcel."""
    corrections: tuple[str, ...] = ()
    """``token fingerprint`` of each request that named another number."""
    claimed: bool = False
    """Whether the number is held for this shipment; rows of earlier days hold none yet."""
    shared: bool = False
    """Whether other orders travel in the same parcel: what is told of one is told of all."""
    detached: bool = False
    """The number turned out to be another parcel's: nothing told of it counts until the merchant corrects it."""
    purpose: str = ""
    """What it is for, where it does not bring what was bought: ``return`` or ``replacement``."""
    about: str = ""
    """The return that it belongs to, then."""
    hub: str = ""
    """Where it is watched; empty before the first subscription, and in rows of the days of one hub."""
    subscribed_at: datetime | None = None
    subscriptions: int = 0
    """At that hub."""
    tries: int = 0
    quiet: int = 0
    """Questions in a row that told nothing new: the next one waits longer."""
    missed: int = 0
    """Questions in a row without an answer."""
    asked_at: datetime | None = None
    heard_at: datetime | None = None
    """When the hub last told something new. It puts the question off only when that falls due: moving the deadline
    with each push would cost the due index two writes beside the row's one."""
    seen_before: datetime | None = None
    """When a parcel last moved under the number before the order was paid: a sign, and nothing more."""
    word: Word | None = None
    """What a person said last of where it is."""
    intent: str = ""
    fingerprint: str = ""
    version: int = 0

    @property
    def is_digital(self) -> bool:
        """Say whether no parcel is on its way."""
        return self.carrier is None

    @property
    def counts_from(self) -> datetime:
        """Return since when scans count, in the whole seconds that carriers tell."""
        if self.paid_at is None:
            return self.shipped_at - OLD_NUMBER
        return self.paid_at.replace(microsecond=0)

    @property
    def news_at(self) -> datetime | None:
        """Return the time of the newest scan."""
        return self.scans[0].at if self.scans else None

    @property
    def due_at(self) -> datetime | None:
        """Return when the watch times out; a number that is not its own is not asked about."""
        return None if self.detached else due_at(self.watch, self.since, tries=self.tries, quiet=self.quiet)


class Report(StrEnum):
    """What a hub says of its watching, beside the scans."""

    WATCHING = "watching"
    REWRITTEN = "rewritten"
    """All scans are replaced."""
    FINISHED = "finished"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All a hub knows of one number, in our words. ``scans`` are newest first, whatever the hub's order."""

    number: str
    carrier: str = ""
    report: Report = Report.WATCHING
    status: Status | None = None
    scans: tuple[Scan, ...] = ()
    corrected_carrier: str = ""
    shipment_id: str = ""
    """For hubs that push many shipments at a time and give back what we sent along."""
    why: str = ""


def shipment_id(order_id: str, number: int) -> str:
    """Return the id of an order's ``number``-th shipment: ``shp_<24>_<order's 2><1>``, exactly 32 characters.

    The order's id is in it, so whoever holds a shipment's id (a hub's address, say) can compute its key.
    """
    if not 1 <= number <= MAX_SHIPMENTS:
        raise TooManyShipments(most=MAX_SHIPMENTS)
    return f"shp_{order_id.removeprefix('ord_')}{_NUMBERS[number - 1]}"


def order_of(of_shipment: str) -> str | None:
    """Return the id of the shipment's order; None if the text is no shipment's id."""
    order_id = f"ord_{of_shipment[4:-1]}"
    good = len(of_shipment) == 32 and of_shipment.startswith("shp_") and of_shipment[-1] in _NUMBERS
    return order_id if good and ids.is_id("ord", order_id) else None


def next_number(shipments: Iterable[Shipment]) -> int:
    """Return the number of the order's next shipment."""
    return max((_NUMBERS.index(shipment.shipment_id[-1]) + 1 for shipment in shipments), default=0) + 1


def check_parcel(kinds: Mapping[str, str], lines: Sequence[tuple[str, int]], *, digital: bool) -> None:
    """Refuse a parcel for lines that are delivered digitally, and the other way round. Unknown lines pass: see orders.

    Raises:
        WrongDelivery: if one line does not fit.
    """
    for line_id, _ in lines:
        kind = kinds.get(line_id)
        if kind is not None and (kind == "physical") is digital:
            raise WrongDelivery(line_id=line_id, kind=kind)


def check_number(shipments: Iterable[Shipment], number: str) -> None:
    """Refuse a tracking number that another shipment of the order has, however it is written.

    Raises:
        TrackingNumberUsed: then.
    """
    for shipment in shipments:
        if shipment.number is not None and normal(shipment.number) == normal(number):
            raise TrackingNumberUsed(shipment_id=shipment.shipment_id)


def normal(number: str) -> str:
    """Return a tracking number as numbers are compared: case, spaces and dashes say nothing."""
    return "".join(char for char in number.upper() if char.isalnum())


def tracked(shipment: Shipment) -> tuple[str, str] | None:
    """Return the carrier and the number by which the parcel is known; None for what travels without."""
    if shipment.carrier is None or shipment.number is None:
        return None
    return shipment.carrier, normal(shipment.number)


def is_about(shipment: Shipment, number: str) -> bool:
    """Say whether news of this number is of this parcel. Unnamed news is, unless the number was corrected."""
    if shipment.number is None:
        return False
    return normal(number) == normal(shipment.number) if number else not shipment.corrections


def lacks_phone(shipment: Shipment) -> bool:
    """Say whether its carrier wants digits of a phone that nobody noted: the hub corrected it to one that does."""
    return bool(shipment.carrier) and needs_phone(shipment.carrier or "") and not shipment.phone_tail


def without_number(shipment: Shipment) -> Shipment:
    """Return the shipment of which nothing is followed any more: its number is another parcel's."""
    return replace(shipment, detached=True, phone_tail="")


def has_ended(shipment: Shipment) -> bool:
    """Say whether the parcel arrived, here or back at its sender."""
    return shipment.status in (Status.DELIVERED, Status.RETURNED)


def renumbered(shipment: Shipment, *, carrier: str, number: str, phone_tail: str, by: str, now: datetime) -> Shipment:
    """Return the shipment with the number its merchant meant; it is watched anew.

    Raises:
        NumberSettled: if it is no parcel, its own parcel was seen, or it was corrected too often.
    """
    seen = shipment.status is not Status.CREATED or bool(shipment.scans)
    settled = shipment.is_digital or has_ended(shipment) or (seen and not shipment.detached)
    if settled or len(shipment.corrections) >= MAX_CORRECTIONS or not WATCH.takes(shipment.watch, WatchCause.CORRECT):
        raise NumberSettled
    return replace(
        shipment,
        carrier=carrier,
        carrier_given=None,
        number=number,
        phone_tail=phone_tail,
        watch=WATCH.next(shipment.watch, WatchCause.CORRECT),
        since=now,
        scans=(),
        corrections=(*shipment.corrections, by),
        detached=False,
        hub="",
        subscribed_at=None,
        subscriptions=0,
        tries=0,
        quiet=0,
        missed=0,
        asked_at=None,
        heard_at=None,
    )


def without_words(shipment: Shipment) -> Shipment:
    """Return the shipment without what carriers wrote: their words may name who signed for it, and couriers."""
    return replace(shipment, scans=tuple(replace(scan, text="") for scan in shipment.scans))
