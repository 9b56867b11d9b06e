"""What a shipment is, where its parcel may be, and how a hub's snapshots move it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel import ids
from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.kernel.machine import StateMachine
from chalicelib.logistics.carriers import CARRIERS

_NUMBERS = "123456789abcdefghjkmnpqrstvwxyz"
MAX_SHIPMENTS = len(_NUMBERS)
"""An order has at most so many shipments: the last character of a shipment's id counts them."""
MAX_SCANS = 60
"""The newest are kept; a domestic parcel has 8 to 25."""
SCAN_TEXT_CHARS = 300
FORGET_AFTER = timedelta(days=45)
"""After so long without an end we stop asking."""
ASK_AT_MOST_EVERY = timedelta(minutes=30)
"""The hub locks numbers that are queried more often."""
MAX_SUBSCRIPTIONS = 4
"""Of one number in a month; the hub's limit."""
SUBSCRIBE_TRIES = 8
OLD_NUMBER = timedelta(days=15)
"""Scans older than the shipment by more than this belong to an earlier parcel: carriers use numbers again."""
CLOCK_AHEAD = timedelta(hours=12)
"""Scans further in the future than this are wrong and would stop all later news."""


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
}

RANK: Mapping[Status, int] = {status: rank for rank, status in enumerate(Status)}
"""How far along a state is: decides between two states told with the same time."""

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
        Status.DELIVERED: _but(News.SIGN),
        Status.RETURNED: {},
    },
)


class Watch(StrEnum):
    """How we learn of a parcel's scans."""

    WAITING = "waiting"
    """To be subscribed at the hub."""
    WATCHED = "watched"
    """The hub pushes."""
    POLLED = "polled"
    """The hub does not push this number; we ask."""
    BROKEN = "broken"
    """The hub gave the number up; to be subscribed again."""
    FINISHED = "finished"


class WatchCause(StrEnum):
    """What moves a watch."""

    SUBSCRIBE = "subscribe"
    RETRY = "retry"
    GIVE_UP = "give_up"
    ASK = "ask"
    ABORT = "abort"
    FINISH = "finish"


WATCH = StateMachine(
    name="watch",
    initial=Watch.WAITING,
    edges={
        Watch.WAITING: {
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.RETRY: Watch.WAITING,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.WATCHED: {
            WatchCause.ASK: Watch.WATCHED,
            WatchCause.ABORT: Watch.BROKEN,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.POLLED: {
            WatchCause.ASK: Watch.POLLED,
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.BROKEN: {
            WatchCause.RETRY: Watch.WAITING,
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.FINISHED: {},
    },
    deadlines={
        Watch.WAITING: (timedelta(minutes=10), WatchCause.RETRY),
        Watch.WATCHED: (timedelta(hours=24), WatchCause.ASK),
        Watch.POLLED: (timedelta(hours=8), WatchCause.ASK),
        Watch.BROKEN: (timedelta(minutes=40), WatchCause.RETRY),
    },
)


class WrongDelivery(ShopError):
    """A parcel for what is delivered digitally, or the other way round."""

    code, status = "wrong_delivery", 422
    en = "Line {line_id} is {kind}: physical goods need a carrier, other goods are delivered digitally."
    zh = "订单行 {line_id} 类型为 {kind}：实物商品须填写快递，其他商品以数字方式交付。"
    shown = ("line_id", "kind")


class UnknownCarrier(ShopError):
    """No carrier of ours has this code."""

    code, status = "unknown_carrier", 422
    en, zh = "There is no carrier {carrier}; see /v1/carriers.", "没有快递公司 {carrier}，可用列表见 /v1/carriers。"
    shown = ("carrier",)


class PhoneNeeded(ShopError):
    """The carrier tells nothing without four digits of a phone number, and we know none."""

    code, status = "phone_needed", 422
    en = "{carrier} needs the last four digits of the sender's or the recipient's phone."
    zh = "{carrier} 需要寄件人或收件人手机号后四位。"
    shown = ("carrier",)


class TrackingNumberUsed(Conflict):
    """The same parcel twice on one order."""

    code = "tracking_number_used"
    en = "Shipment {shipment_id} of this order has that tracking number."
    zh = "该订单的发货单 {shipment_id} 已使用此运单号。"
    shown = ("shipment_id",)


class TooManyShipments(Conflict):
    """An order takes only so many parcels."""

    code = "too_many_shipments"
    en, zh = "An order takes at most {most} shipments.", "一个订单最多 {most} 个发货单。"
    shown = ("most",)


class CodeAlreadyGiven(Conflict):
    """A digital code belongs to one order line only."""

    code = "code_already_given"
    en, zh = "This code was given to another order.", "该兑换码已发给其他订单。"


@dataclass(frozen=True, slots=True)
class Scan:
    """One thing that happened to a parcel, as the carrier tells it."""

    at: datetime
    text: str
    status: Status | None = None
    place: str = ""

    @property
    def digest(self) -> str:
        """What makes two scans the same one."""
        return ids.digest(self.at.isoformat(), self.text, self.status or "")[:12]


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
    """What the buyer bought, where it is delivered digitally. For the buyer's eyes only."""
    delivered_at: datetime | None = None
    carrier_given: str | None = None
    """The merchant's word, where the hub corrected it."""
    scans: tuple[Scan, ...] = ()
    """Newest first."""
    subscriptions: int = 0
    tries: int = 0
    asked_at: datetime | None = None
    heard_at: datetime | None = None
    """When the hub last told something new. It puts the question off only when that falls due: moving the deadline
    with each push would cost the due index two writes beside the row's one."""
    intent: str = ""
    fingerprint: str = ""
    version: int = 0

    @property
    def is_digital(self) -> bool:
        """Say whether no parcel is on its way."""
        return self.carrier is None

    @property
    def news_at(self) -> datetime | None:
        """Return the time of the newest scan."""
        return self.scans[0].at if self.scans else None

    @property
    def due_at(self) -> datetime | None:
        """Return when the watch times out; a failing subscription backs off."""
        if self.watch is Watch.WAITING and self.tries > 1:
            return self.since + min(timedelta(minutes=10 * 2 ** (self.tries - 1)), timedelta(hours=6))
        return WATCH.due_at(self.watch, self.since)


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
    """Refuse a tracking number that another shipment of the order has.

    Raises:
        TrackingNumberUsed: then.
    """
    for shipment in shipments:
        if shipment.number == number:
            raise TrackingNumberUsed(shipment_id=shipment.shipment_id)


def follow(shipment: Shipment, snapshot: Snapshot, *, now: datetime) -> Shipment:
    """Return the shipment as it stands after a snapshot; equal to the one given if it tells nothing new.

    The state follows the snapshot only if its newest scan is newer than ours, or as new and the state further along:
    an old snapshot, however genuine, adds scans that were missing and moves nothing.
    """
    plausible = [scan for scan in snapshot.scans if shipment.shipped_at - OLD_NUMBER <= scan.at <= now + CLOCK_AHEAD]
    moved = _corrected(shipment, snapshot)
    if plausible:
        newest = max(scan.at for scan in plausible)
        status = snapshot.status if newest == max(scan.at for scan in snapshot.scans) else plausible[0].status
        if _is_news(moved, newest, status) and status is not None and PARCEL.takes(moved.status, NEWS_OF[status]):
            moved = replace(moved, status=PARCEL.next(moved.status, NEWS_OF[status]))
            if status is Status.DELIVERED:
                signed = [scan.at for scan in plausible if scan.status is Status.DELIVERED]
                moved = replace(moved, delivered_at=moved.delivered_at or (min(signed) if signed else newest))
        rewritten = snapshot.report is Report.REWRITTEN and (moved.news_at is None or newest >= moved.news_at)
        moved = replace(moved, scans=_merged(() if rewritten else moved.scans, plausible))
    told = moved.scans != shipment.scans
    return _watched(moved, snapshot, told=told, now=now)


def _is_news(shipment: Shipment, newest: datetime, status: Status | None) -> bool:
    if status is None or status not in NEWS_OF or status is shipment.status:
        return False
    if shipment.news_at is None or newest > shipment.news_at:
        return True
    return newest == shipment.news_at and RANK[status] > RANK[shipment.status]


def _merged(known: Sequence[Scan], told: Sequence[Scan]) -> tuple[Scan, ...]:
    """Return both without repeats, newest first; scans of the same time keep the teller's order."""
    by_digest = {scan.digest: scan for scan in (*told, *known)}
    return tuple(sorted(by_digest.values(), key=lambda scan: scan.at, reverse=True)[:MAX_SCANS])


def _corrected(shipment: Shipment, snapshot: Snapshot) -> Shipment:
    wanted = snapshot.corrected_carrier
    if not wanted or wanted == shipment.carrier or shipment.carrier is None:
        return shipment
    return replace(shipment, carrier=wanted, carrier_given=shipment.carrier_given or shipment.carrier)


def _watched(shipment: Shipment, snapshot: Snapshot, *, told: bool, now: datetime) -> Shipment:
    """Move the watch: the end of the hub's watching, its giving up, or a sign of life."""
    watch = shipment.watch
    ended = shipment.status in (Status.DELIVERED, Status.RETURNED)
    if watch is Watch.FINISHED:
        return shipment
    if snapshot.report is Report.FINISHED or (ended and watch is Watch.POLLED):
        return replace(shipment, watch=WATCH.next(watch, WatchCause.FINISH), since=now, phone_tail="", tries=0)
    if snapshot.report is Report.ABORTED:
        if watch is not Watch.WATCHED:
            return shipment
        spent = shipment.subscriptions >= MAX_SUBSCRIPTIONS
        cause = WatchCause.GIVE_UP if spent else WatchCause.ABORT
        return replace(shipment, watch=WATCH.next(watch, cause), since=now)
    return replace(shipment, heard_at=now) if told else shipment


def subscribed(shipment: Shipment, *, now: datetime) -> Shipment:
    """Note that the hub watches the number."""
    watch = WATCH.next(shipment.watch, WatchCause.SUBSCRIBE)
    return replace(shipment, watch=watch, since=now, tries=0, subscriptions=shipment.subscriptions + 1)


def not_subscribed(shipment: Shipment, *, for_good: bool, now: datetime) -> Shipment:
    """Note that subscribing failed: try again later, or ask instead once that is hopeless."""
    hopeless = for_good or shipment.tries + 1 >= SUBSCRIBE_TRIES
    watch = WATCH.next(shipment.watch, WatchCause.GIVE_UP if hopeless else WatchCause.RETRY)
    return replace(shipment, watch=watch, since=now, tries=0 if hopeless else shipment.tries + 1)


def timed_out(shipment: Shipment, *, now: datetime) -> Shipment:
    """Fire the watch's timeout: subscribe again, or have asked ``now``; stop where the parcel arrived or was forgotten.

    Where the hub told something since the deadline was set, the deadline moves instead; where it was asked less than
    half an hour ago, it is not asked.
    """
    ended = shipment.status in (Status.DELIVERED, Status.RETURNED)
    if ended or now - shipment.shipped_at > FORGET_AFTER:
        return replace(shipment, watch=WATCH.next(shipment.watch, WatchCause.FINISH), since=now, phone_tail="")
    cause = WATCH.timeout(shipment.watch)
    if cause is None:
        return shipment
    if cause is WatchCause.ASK and shipment.heard_at is not None and shipment.heard_at > shipment.since:
        return replace(shipment, since=shipment.heard_at)
    asks = cause is WatchCause.ASK and may_ask(shipment, now=now)
    watch = WATCH.next(shipment.watch, cause)
    return replace(shipment, watch=watch, since=now, asked_at=now if asks else shipment.asked_at)


def unanswered(shipment: Shipment, *, now: datetime) -> Shipment:
    """Ask again as soon as the hub allows: it did not answer."""
    deadline = WATCH.deadlines.get(shipment.watch)
    return replace(shipment, since=now + ASK_AT_MOST_EVERY - deadline[0]) if deadline else shipment


def may_ask(shipment: Shipment, *, now: datetime) -> bool:
    """Say whether the hub may be asked about the number again."""
    return shipment.asked_at is None or now - shipment.asked_at >= ASK_AT_MOST_EVERY


_TEXTS: Mapping[Status, tuple[str, str]] = {
    Status.CREATED: ("商家已发货，等待快递揽收", "Shipped; waiting for the carrier to collect it"),
    Status.COLLECTED: ("快递已揽收", "Collected by the carrier"),
    Status.IN_TRANSIT: ("运输中", "In transit"),
    Status.CUSTOMS: ("清关中", "In customs"),
    Status.OUT_FOR_DELIVERY: ("派送中", "Out for delivery"),
    Status.READY_FOR_PICKUP: ("已到代收点或快递柜，请取件", "Ready for pickup at a locker or station"),
    Status.PROBLEM: ("派送遇到问题，请留意", "There is a problem with the delivery"),
    Status.REFUSED: ("收件人拒收", "Refused by the recipient"),
    Status.RETURNING: ("退回途中", "On its way back to the merchant"),
    Status.DELIVERED: ("已签收", "Delivered"),
    Status.RETURNED: ("已退回商家", "Returned to the merchant"),
}


def status_text(shipment: Shipment, language: str) -> str:
    """Return the state for a person."""
    if shipment.is_digital:
        return "商家已在线交付" if language == "zh" else "Delivered online"
    zh, en = _TEXTS[shipment.status]
    return zh if language == "zh" else en


def estimate(shipment: Shipment, language: str, *, now: datetime) -> str | None:
    """Return when it should arrive, for a person: what the carrier's parcels usually take, never a promise."""
    zh = language == "zh"
    if shipment.is_digital or shipment.status in (Status.DELIVERED, Status.RETURNED, Status.RETURNING, Status.REFUSED):
        return None
    if shipment.status is Status.OUT_FOR_DELIVERY:
        return "预计今天送达" if zh else "Expected today"
    if shipment.status is Status.READY_FOR_PICKUP:
        return "可以取件" if zh else "Can be picked up now"
    known = CARRIERS.get(shipment.carrier or "")
    first, last = known.days if known else (2, 7)
    china = timedelta(hours=8)
    until = (shipment.shipped_at + china + timedelta(days=last)).date()
    since = (shipment.shipped_at + china + timedelta(days=first)).date()
    if (now + china).date() > until:
        return "比通常的时间长，可联系商家" if zh else "Taking longer than usual; the merchant can help"
    if zh:
        return f"预计 {since.month}月{since.day}日至{until.month}月{until.day}日送达"
    return f"Usually arrives between {since.isoformat()} and {until.isoformat()}"
