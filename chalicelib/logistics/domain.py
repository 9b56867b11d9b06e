"""What a shipment is, where its parcel may be, and how a hub's snapshots move it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel import ids
from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.texts import Texts, said
from chalicelib.logistics.carriers import CARRIERS, needs_phone

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
    CORRECT = "correct"
    """The merchant named another number: to be subscribed anew."""
    FINISH = "finish"


WATCH = StateMachine(
    name="watch",
    initial=Watch.WAITING,
    edges={
        Watch.WAITING: {
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.RETRY: Watch.WAITING,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.CORRECT: Watch.WAITING,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.WATCHED: {
            WatchCause.ASK: Watch.WATCHED,
            WatchCause.ABORT: Watch.BROKEN,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.CORRECT: Watch.WAITING,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.POLLED: {
            WatchCause.ASK: Watch.POLLED,
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.CORRECT: Watch.WAITING,
            WatchCause.FINISH: Watch.FINISHED,
        },
        Watch.BROKEN: {
            WatchCause.RETRY: Watch.WAITING,
            WatchCause.SUBSCRIBE: Watch.WATCHED,
            WatchCause.GIVE_UP: Watch.POLLED,
            WatchCause.CORRECT: Watch.WAITING,
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
    texts_of = {  # noqa: RUF012
        "kind": {
            "physical": ("a physical item", "实物商品"),
            "virtual": ("a virtual item", "虚拟商品"),
            "service": ("a service", "服务"),
        }
    }


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
    texts_of = {  # noqa: RUF012
        "carrier": {
            **{code: (carrier.en, carrier.zh) for code, carrier in CARRIERS.items()},
            "": ("This carrier", "该快递公司"),
        }
    }


class TrackingNumberUsed(Conflict):
    """The same parcel twice. ``shipment_id`` is told where the other shipment is of the same order."""

    code = "tracking_number_used"
    en = "Another shipment has that tracking number; if the carrier gave it out again, the platform can release it."
    zh = "该运单号已被其他发货单使用；如系快递公司重复使用单号，请联系平台核实释放。"
    shown = ("shipment_id",)


class NumberSettled(Conflict):
    """A number is corrected only before its parcel was seen, and not for ever."""

    code = "number_settled"
    en = "The tracking number of this shipment can no longer be changed."
    zh = "该发货单的运单号已不能修改。"


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
    paid_at: datetime | None = None
    """When its order was paid: what the carrier says of earlier moments is of another parcel."""
    corrections: tuple[str, ...] = ()
    """``token fingerprint`` of each request that named another number."""
    claimed: bool = False
    """Whether the number is held for this shipment; rows of earlier days hold none yet."""
    detached: bool = False
    """The number turned out to be another parcel's: nothing told of it counts until the merchant corrects it."""
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
        """Return when the watch times out; a failing subscription backs off, and a number not its own is not asked."""
        if self.detached:
            return None
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


def follow(shipment: Shipment, snapshot: Snapshot, *, now: datetime) -> Shipment:
    """Return the shipment as it stands after a snapshot; equal to the one given if it tells nothing new.

    The state follows the snapshot only if its newest scan is newer than ours, or as new and the state further along:
    an old snapshot, however genuine, adds scans that were missing and moves nothing. What happened before the order was
    paid happened to another parcel. A parcel that turned back is never delivered: who signs for it is its sender.
    """
    if shipment.detached:
        return shipment
    plausible = [scan for scan in snapshot.scans if shipment.counts_from <= scan.at <= now + CLOCK_AHEAD]
    moved = _corrected(shipment, snapshot)
    if plausible:
        newest = max(scan.at for scan in plausible)
        rewritten = snapshot.report is Report.REWRITTEN and (moved.news_at is None or newest >= moved.news_at)
        scans = _merged(() if rewritten else moved.scans, plausible)
        status = snapshot.status if newest == max(scan.at for scan in snapshot.scans) else plausible[0].status
        left = None if rewritten else moved
        if status is Status.DELIVERED and turned_back(scans, before=newest, left=left):
            status = Status.RETURNED
        if _is_news(moved, newest, status) and status is not None and PARCEL.takes(moved.status, NEWS_OF[status]):
            moved = replace(moved, status=PARCEL.next(moved.status, NEWS_OF[status]))
            if status is Status.DELIVERED:
                moved = replace(moved, delivered_at=moved.delivered_at or _signed_at(moved, plausible, newest, now))
        moved = _came_back_after_all(replace(moved, scans=scans))
    told = moved.scans != shipment.scans
    return _watched(moved, snapshot, told=told, known=bool(plausible), now=now)


def _is_news(shipment: Shipment, newest: datetime, status: Status | None) -> bool:
    if status is None or status not in NEWS_OF or status is shipment.status:
        return False
    if shipment.news_at is None or newest > shipment.news_at:
        return True
    return newest == shipment.news_at and RANK[status] > RANK[shipment.status]


def turned_back(scans: Sequence[Scan], *, before: datetime, left: Shipment | None = None) -> bool:
    """Say whether the parcel was on its way back to its sender before that moment; ``left`` is how it stood so far.

    A refused one is, unless it was carried out or laid ready again afterwards; one that is returning stays so.
    """
    earlier = sorted((scan for scan in scans if scan.at < before), key=lambda scan: scan.at)
    if left is not None and left.status is Status.RETURNING:
        return True
    since = left.news_at if left is not None and left.status is Status.REFUSED else None
    back = since is not None
    for scan in earlier:
        if scan.status is Status.RETURNING:
            return True
        if scan.status is Status.REFUSED:
            back = True
        elif scan.status in (Status.OUT_FOR_DELIVERY, Status.READY_FOR_PICKUP) and (since is None or scan.at > since):
            back = False
    return back


def _signed_at(shipment: Shipment, told: Sequence[Scan], newest: datetime, now: datetime) -> datetime:
    """Return when it was signed for: by the carrier's word, but not before it was shipped, and not in the future."""
    signed = [scan.at for scan in told if scan.status is Status.DELIVERED]
    return min(now + CLOCK_SKEW, max(shipment.shipped_at, min(signed) if signed else newest))


def _came_back_after_all(shipment: Shipment) -> Shipment:
    """Mend what an overtaken push left: a signature that, as its earlier scans now show, was the sender's."""
    if not has_ended(shipment):
        return shipment
    signed = [scan.at for scan in shipment.scans if scan.status is Status.DELIVERED]
    if not signed or not turned_back(shipment.scans, before=min(signed)):
        return shipment
    return replace(shipment, status=Status.RETURNED, delivered_at=None)


def _merged(known: Sequence[Scan], told: Sequence[Scan]) -> tuple[Scan, ...]:
    """Return both without repeats, newest first; scans of the same time keep the teller's order."""
    merged: dict[tuple[datetime, str], Scan] = {}
    for scan in (*told, *known):
        before = merged.get(scan.identity)
        merged[scan.identity] = scan if before is None else before.finer(scan)
    return tuple(sorted(merged.values(), key=lambda scan: scan.at, reverse=True)[:MAX_SCANS])


def _corrected(shipment: Shipment, snapshot: Snapshot) -> Shipment:
    """Take the carrier the hub found. The merchant's word in an older push takes nothing back."""
    wanted = snapshot.corrected_carrier
    if not wanted and snapshot.carrier != shipment.carrier_given:
        wanted = snapshot.carrier
    if not wanted or wanted == shipment.carrier or shipment.carrier is None:
        return shipment
    return replace(shipment, carrier=wanted, carrier_given=shipment.carrier_given or shipment.carrier)


def lacks_phone(shipment: Shipment) -> bool:
    """Say whether its carrier wants digits of a phone that nobody noted: the hub corrected it to one that does."""
    return bool(shipment.carrier) and needs_phone(shipment.carrier or "") and not shipment.phone_tail


def _watched(shipment: Shipment, snapshot: Snapshot, *, told: bool, known: bool, now: datetime) -> Shipment:
    """Move the watch: the end of the hub's watching, its giving up, or a sign of life."""
    watch = shipment.watch
    if watch is Watch.FINISHED:
        return shipment
    if snapshot.report is Report.FINISHED and not known and not has_ended(shipment):
        # It ended an earlier parcel's journey. Ours has not begun, and will not be pushed: we ask.
        return _given_up(shipment, now=now)
    if snapshot.report is Report.FINISHED or (has_ended(shipment) and watch is Watch.POLLED):
        return replace(shipment, watch=WATCH.next(watch, WatchCause.FINISH), since=now, phone_tail="", tries=0)
    if snapshot.report is Report.ABORTED:
        if watch is not Watch.WATCHED:
            return shipment
        spent = shipment.subscriptions >= MAX_SUBSCRIPTIONS
        cause = WatchCause.GIVE_UP if spent else WatchCause.ABORT
        return replace(shipment, watch=WATCH.next(watch, cause), since=now)
    return replace(shipment, heard_at=now) if told else shipment


def _given_up(shipment: Shipment, *, now: datetime) -> Shipment:
    if not WATCH.takes(shipment.watch, WatchCause.GIVE_UP):
        return shipment
    return replace(shipment, watch=WATCH.next(shipment.watch, WatchCause.GIVE_UP), since=now, tries=0)


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
        subscriptions=0,
        tries=0,
        asked_at=None,
        heard_at=None,
    )


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
    if has_ended(shipment) or now - shipment.shipped_at > FORGET_AFTER:
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


TEXTS: Mapping[Status, Texts] = {
    Status.CREATED: ("Shipped; waiting for the carrier to collect it", "商家已发货，等待快递揽收"),
    Status.COLLECTED: ("Collected by the carrier", "快递已揽收"),
    Status.IN_TRANSIT: ("In transit", "运输中"),
    Status.CUSTOMS: ("In customs", "清关中"),
    Status.OUT_FOR_DELIVERY: ("Out for delivery", "派送中"),
    Status.READY_FOR_PICKUP: ("Ready for pickup at a locker or station", "已到代收点或快递柜，请取件"),
    Status.PROBLEM: ("There is a problem with the delivery", "派送遇到问题，请留意"),
    Status.REFUSED: ("Refused by the recipient", "收件人拒收"),
    Status.RETURNING: ("On its way back to the merchant", "退回途中"),
    Status.DELIVERED: ("Delivered", "已签收"),
    Status.RETURNED: ("Returned to the merchant", "已退回商家"),
}


_ONLINE: Texts = ("Delivered online", "商家已在线交付")
_TODAY: Texts = ("Expected today", "预计今天送达")
_WAITS: Texts = ("Can be picked up now", "可以取件")
_SLOW: Texts = ("Taking longer than usual; the merchant can help", "比通常的时间长，可联系商家")


def status_text(shipment: Shipment, language: str) -> str:
    """Return the state for a person."""
    if shipment.is_digital:
        return said(_ONLINE, language)
    return said(TEXTS[shipment.status], language)


def estimate(shipment: Shipment, language: str, *, now: datetime) -> str | None:
    """Return when it should arrive, for a person: what the carrier's parcels usually take, never a promise."""
    if shipment.is_digital or shipment.status in (Status.DELIVERED, Status.RETURNED, Status.RETURNING, Status.REFUSED):
        return None
    if shipment.status is Status.OUT_FOR_DELIVERY:
        return said(_TODAY, language)
    if shipment.status is Status.READY_FOR_PICKUP:
        return said(_WAITS, language)
    known = CARRIERS.get(shipment.carrier or "")
    first, last = known.days if known else (2, 7)
    china = timedelta(hours=8)
    until = (shipment.shipped_at + china + timedelta(days=last)).date()
    since = (shipment.shipped_at + china + timedelta(days=first)).date()
    if (now + china).date() > until:
        return said(_SLOW, language)
    english = f"Usually arrives between {since.isoformat()} and {until.isoformat()}"
    chinese = f"预计 {since.month}月{since.day}日至{until.month}月{until.day}日送达"
    return said((english, chinese), language)


def without_words(shipment: Shipment) -> Shipment:
    """Return the shipment without what carriers wrote: their words may name who signed for it, and couriers."""
    return replace(shipment, scans=tuple(replace(scan, text="") for scan in shipment.scans))
