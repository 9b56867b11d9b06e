"""Use cases of shipments: ship, follow, be told by a hub, ask a hub."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound, ShopError, TooLarge
from chalicelib.kernel.events import Event
from chalicelib.kernel.texts import Texts
from chalicelib.logistics import claims, domain, following, journeys, number_store, parcel_texts, store
from chalicelib.logistics.carriers import CARRIERS, needs_phone
from chalicelib.logistics.domain import Shipment, Snapshot, Status, Watch
from chalicelib.logistics.events import (
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentProgressed,
    ShipmentReturned,
    ShipmentTurnedBack,
    TrackingPushed,
)
from chalicelib.logistics.forgetting import forget as forget  # noqa: PLC0414 - whoever forgets asks here
from chalicelib.logistics.numbers import Claim
from chalicelib.logistics.ports import CarrierHub, Parcel, Subscribed, UnreadablePush
from chalicelib.logistics.refusals import PhoneNeeded, TrackingNumberUsed, UnknownCarrier
from chalicelib.orders import service as orders
from chalicelib.runtime import log, metrics, queues, start
from chalicelib.runtime.config import setting
from chalicelib.runtime.db.races import starting_from
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

QUEUE = "logistics"
UNPACKED_CAP_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What a merchant hands over: a parcel with ``carrier`` and ``number``, or, without them, a digital delivery."""

    lines: tuple[tuple[str, int], ...]
    carrier: str | None = None
    number: str | None = None
    phone_tail: str = ""
    note: str = ""
    code: str = ""


def ship(merchant_id: str, order_id: str, dispatch: Dispatch, intent: Intent) -> tuple[Shipment, bool]:
    """Create a shipment of one of the merchant's orders; returns it, and whether the same intent made it before.

    The order's row is replaced at the version read before its shipments were: two shipments made at once cannot both
    go through, so numbers, quantities and tracking numbers stay unique. An order that knows of no parcel has no
    shipment; only an attempt that lost a race looks all the same.

    Raises:
        NotFound: if the order is not this merchant's.
        IllegalTransition, OverShipped: as the order says.
        TrackingNumberUsed: if the number is another parcel's, of this order or of any other.
        TooManyShipments, WrongDelivery, UnknownCarrier, PhoneNeeded, CodeAlreadyGiven: as named.
        Busy: if the order kept changing.
    """
    lost: list[Claim | None] = []

    def create(met: Claim | None) -> tuple[Shipment, bool]:
        order = orders.load_order(order_id)
        if order.merchant_id != merchant_id:
            raise NotFound(what="order")
        made = store.of_order(order_id, consistent=True) if order.parcels or lost else []
        lost.append(met)
        for shipment in made:
            if shipment.intent == intent.token:
                intent.check(shipment.fingerprint)
                return shipment, True
        shipment = _pack(order, made, dispatch, intent)
        with UnitOfWork(f"ship#{shipment.shipment_id}#{intent.token}") as work:
            orders.record_shipment(
                work, order, shipment_id=shipment.shipment_id, lines=shipment.lines, at=shipment.shipped_at
            )
            store.save(work, shipment, _created(shipment))
            claims.take(work, shipment, order.buyer_id, met)
            if shipment.code:
                store.give_code(work, shipment)
        return shipment, False

    return claims.racing_for_number(create)


def parties_of_number(carrier: str, number: str) -> tuple[str, str] | None:
    """Return the buyer and the merchant whose parcel a tracking number is, or None if nobody holds it."""
    claim = number_store.find(carrier, domain.normal(number))
    return (claim.buyer_id, claim.merchant_id) if claim is not None else None


def _pack(order: orders.Order, made: Sequence[Shipment], dispatch: Dispatch, intent: Intent) -> Shipment:
    now = clock.now()
    digital = dispatch.carrier is None
    domain.check_parcel({line.line_id: line.kind for line in order.lines}, dispatch.lines, digital=digital)
    quantities: dict[str, int] = {}
    for line_id, quantity in dispatch.lines:
        quantities[line_id] = quantities.get(line_id, 0) + quantity
    if dispatch.number is not None:
        domain.check_number(made, dispatch.number)
    return Shipment(
        shipment_id=domain.shipment_id(order.order_id, domain.next_number(made)),
        order_id=order.order_id,
        merchant_id=order.merchant_id,
        lines=tuple(sorted(quantities.items())),
        shipped_at=now,
        watch=Watch.FINISHED if digital else Watch.WAITING,
        since=now,
        status=domain.Status.DELIVERED if digital else domain.Status.CREATED,
        carrier=dispatch.carrier,
        number=dispatch.number,
        phone_tail="" if digital else phone_tail(order.purchase_id, dispatch.carrier or "", dispatch.phone_tail),
        note=dispatch.note,
        code=dispatch.code,
        delivered_at=now if digital else None,
        paid_at=None if digital else order.paid_at,
        claimed=not digital,
        intent=intent.token,
        fingerprint=intent.fingerprint,
    )


def phone_tail(purchase_id: str, carrier: str, given: str = "") -> str:
    """Return the digits a carrier is to be told: those given (kept though this carrier wants none), or the recipient's.

    Raises:
        UnknownCarrier: if it is none of ours.
        PhoneNeeded: if it wants digits and nobody knows any.
    """
    if carrier not in CARRIERS:
        raise UnknownCarrier(carrier=carrier)
    if given or not needs_phone(carrier):
        return given
    digits = _recipients_digits(purchase_id)
    if len(digits) != 4:
        raise PhoneNeeded(carrier=carrier)
    return digits


def _recipients_digits(purchase_id: str) -> str:
    contact = orders.load_purchase(purchase_id).contact
    return "".join(char for char in (contact.phone if contact else "") if char.isdigit())[-4:]


def _created(shipment: Shipment) -> list[Event]:
    told: list[Event] = [ShipmentCreated(order_id=shipment.order_id, shipment_id=shipment.shipment_id)]
    return told + _delivered(shipment)


def _delivered(shipment: Shipment) -> list[Event]:
    if shipment.delivered_at is None:
        return []
    fact = ShipmentDelivered(
        order_id=shipment.order_id, shipment_id=shipment.shipment_id, delivered_at=shipment.delivered_at
    )
    return [fact]


def of_order(order_id: str) -> list[Shipment]:
    """Return the shipments of any order: for whoever may see it."""
    return store.of_order(order_id)


def texts_of(status: Status) -> Texts:
    """Return where a parcel is, in words."""
    return parcel_texts.TEXTS[status]


def of_buyers_order(order_id: str, buyer_id: str) -> list[Shipment]:
    """Return the shipments of one of the buyer's orders.

    Raises:
        NotFound: if it is not theirs.
    """
    orders.buyers_order(order_id, buyer_id)
    return store.of_order(order_id)


def of_merchants_order(order_id: str, merchant_id: str) -> list[Shipment]:
    """Return the shipments of one of the merchant's orders; who signed for them, as long as anybody needs to know.

    Raises:
        NotFound: if it is not theirs.
    """
    order = orders.load_order(order_id)
    if order.merchant_id != merchant_id:
        raise NotFound(what="order")
    found = store.of_order(order_id)
    return found if orders.needs_contact(order) else [domain.without_words(shipment) for shipment in found]


def load(shipment_id: str) -> Shipment:
    """Return a shipment.

    Raises:
        NotFound: if there is none.
    """
    return store.load(shipment_id)


@start.uses
def _secrets() -> list[str]:
    return [f"logistics-{setting('BIANDAN_CARRIER_HUB', 'kuaidi100')}"]


def hub(name: str = "") -> CarrierHub:
    """Return the hub's adapter, loaded on first use; without a name the one this installation subscribes at."""
    chosen = name or setting("BIANDAN_CARRIER_HUB", "kuaidi100")
    if not chosen.isidentifier():
        raise NotFound(what="address")
    adapter: CarrierHub = import_module(f"chalicelib.logistics.providers.{chosen}").build()
    return adapter


def receive_push(
    provider: str, *, shipment_id: str = "", headers: Mapping[str, str], body: bytes
) -> tuple[dict[str, str], str]:
    """Authenticate a hub's push, make it durable, and return the hub's own reply. Nothing is read or written before.

    Raises:
        PushRefused: if it is not genuine.
        TooLarge: if it does not fit a message, even packed.
    """
    adapter = hub(provider)
    payload = adapter.verify(shipment_id=shipment_id, headers=headers, body=body)
    queues.send(QUEUE, [_message(provider, shipment_id, payload)])
    return adapter.acknowledge()


def _message(provider: str, shipment_id: str, payload: bytes) -> facts.Envelope:
    digest = hashlib.sha256(payload).hexdigest()[:24]
    packed = base64.b64encode(zlib.compress(payload, 6)).decode()
    for text, is_packed in ((_text(payload), False), (packed, True)):
        if text is None:
            continue
        envelope = facts.seal(
            TrackingPushed(provider=provider, payload=text, packed=is_packed, shipment_id=shipment_id, digest=digest)
        )
        if len(facts.encode(envelope).encode()) <= facts.Envelope.CAP_BYTES:
            return envelope
    raise TooLarge(cap_bytes=facts.Envelope.CAP_BYTES)


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def read_push(push: TrackingPushed) -> None:
    """Apply every snapshot of a push; one that fails does not keep the others.

    Raises:
        NotFound: if a shipment is not there (yet): deliver the message again.
    """
    payload = _unpack(push.payload) if push.packed else push.payload.encode()
    missing: NotFound | None = None
    for snapshot in hub(push.provider).read(payload):
        try:
            track(push.shipment_id or snapshot.shipment_id, snapshot)
        except NotFound as error:
            missing = error
    if missing is not None:
        raise missing


def _unpack(packed: str) -> bytes:
    payload = zlib.decompressobj().decompress(base64.b64decode(packed), UNPACKED_CAP_BYTES)
    if len(payload) == UNPACKED_CAP_BYTES:
        raise UnreadablePush(why="too long")
    return payload


def track(shipment_id: str, snapshot: Snapshot) -> Shipment:
    """Apply one snapshot, pushed or asked for; no write where it tells nothing new.

    Raises:
        NotFound: if there is no such shipment.
    """
    shipment = store.load(shipment_id)
    if shipment.is_digital or shipment.detached or not domain.is_about(shipment, snapshot.number):
        log.warning("tracking update is about another number", shipment_id=shipment_id)
        metrics.count("tracking_foreign_numbers")
        return shipment
    if snapshot.report is domain.Report.ABORTED:
        log.warning("carrier hub stopped tracking the parcel", shipment_id=shipment_id, why=snapshot.why)
        metrics.count("tracking_aborted")
    return _change(shipment_id, lambda found: _follow(_since_paid(found), snapshot), first=shipment)


def _follow(shipment: Shipment, snapshot: Snapshot) -> Shipment:
    if journeys.had_others(shipment, snapshot):
        log.warning("tracking number was used by another parcel before", shipment_id=shipment.shipment_id)
        metrics.count("tracking_numbers_in_use_before")
    return following.follow(shipment, journeys.own(shipment, snapshot), now=clock.now())


def _since_paid(shipment: Shipment) -> Shipment:
    """Return the shipment with the time its order was paid, which rows of earlier days lack."""
    if shipment.paid_at is not None or shipment.is_digital:
        return shipment
    return replace(shipment, paid_at=orders.load_order(shipment.order_id).paid_at)


def _change(shipment_id: str, change: Callable[[Shipment], Shipment], *, first: Shipment | None = None) -> Shipment:
    """Load, change, save; again after a lost race. A number that turns out to be another's is followed no longer."""
    load = starting_from(first, lambda: store.load(shipment_id))

    def apply(met: Claim | None) -> Shipment:
        before = load()
        after = _with_phone(change(before))
        if replace(after, paid_at=before.paid_at) == before:
            return before
        try:
            with UnitOfWork() as work:
                after = claims.move(work, before, after, met)
                store.save(work, after, _told(before, after))
        except TrackingNumberUsed:
            log.warning("tracking number belongs to another parcel", shipment_id=shipment_id)
            metrics.count("tracking_numbers_contested")
            after = domain.without_number(before)
            with UnitOfWork() as work:
                store.save(work, after)
        return after

    return claims.racing_for_number(apply, otherwise=ConcurrentUpdate)


def _with_phone(shipment: Shipment) -> Shipment:
    """Return the shipment with the digits that its carrier wants, where a correction made them needed."""
    if shipment.watch is Watch.FINISHED or domain.has_ended(shipment) or not domain.lacks_phone(shipment):
        return shipment
    digits = _recipients_digits(orders.load_order(shipment.order_id).purchase_id)
    return replace(shipment, phone_tail=digits) if len(digits) == 4 else shipment


def _told(before: Shipment, after: Shipment) -> list[Event]:
    told: list[Event] = []
    if after.status is not before.status:
        progressed = ShipmentProgressed(
            order_id=after.order_id,
            shipment_id=after.shipment_id,
            status=after.status.value,
            at=after.news_at or clock.now(),
        )
        told.append(progressed)
        if after.status is domain.Status.RETURNED:
            told.append(ShipmentReturned(order_id=after.order_id, shipment_id=after.shipment_id))
        if after.status in domain.TURNED and before.status not in domain.TURNED:
            told.append(ShipmentTurnedBack(order_id=after.order_id, shipment_id=after.shipment_id, at=progressed.at))
    return told if before.delivered_at is not None else told + _delivered(after)


def begin_watch(shipment_id: str) -> None:
    """Subscribe a new shipment at the hub; once, however often it is told of."""
    shipment = store.load(shipment_id)
    if shipment.watch is Watch.WAITING and shipment.tries == 0 and not shipment.detached:
        _subscribe(shipment)


def _subscribe(shipment: Shipment) -> None:
    answer = hub().subscribe(_parcel(shipment))
    if answer.outcome is Subscribed.YES:
        log.info("parcel subscribed at the carrier hub", shipment_id=shipment.shipment_id, code=answer.code)
    else:
        log.warning(
            "parcel could not be subscribed at the carrier hub",
            shipment_id=shipment.shipment_id,
            code=answer.code,
            outcome=answer.outcome.value,
        )
        metrics.count(f"tracking_subscription_{answer.outcome.value}")  # The stack alarms on "refused".

    def noted(found: Shipment) -> Shipment:
        if found.watch is not Watch.WAITING:
            return found
        if answer.outcome is Subscribed.YES:
            return domain.subscribed(found, now=clock.now())
        return domain.not_subscribed(found, for_good=answer.outcome is Subscribed.REFUSED, now=clock.now())

    _change(shipment.shipment_id, noted, first=shipment)


def wake(shipment_id: str) -> None:
    """Handle the timeout of a shipment's watch: subscribe again, ask the hub, or stop. A stale call is a no-op.

    The row is claimed before the hub hears from us, so two deliveries of one deadline ask once.
    """
    shipment = store.load(shipment_id)
    now = clock.now()
    if shipment.due_at is None or shipment.due_at > now:
        return
    claimed = _with_phone(domain.timed_out(shipment, now=now))
    try:
        with UnitOfWork() as work:
            store.save(work, claimed)
    except ConcurrentUpdate:
        return  # Somebody else is at it, or news came: either sets a deadline of its own.
    claimed = replace(claimed, version=claimed.version + 1)
    if claimed.watch is Watch.WAITING:
        _subscribe(claimed)
    elif claimed.asked_at != shipment.asked_at:
        _ask(claimed)


def _ask(shipment: Shipment) -> None:
    try:
        snapshot = hub().query(_parcel(shipment))
    except ShopError as error:
        log.warning("carrier hub did not answer", shipment_id=shipment.shipment_id, code=error.code)
        _change(shipment.shipment_id, lambda found: domain.unanswered(found, now=clock.now()), first=shipment)
        return
    metrics.count("tracking_asked")
    if snapshot is not None:
        track(shipment.shipment_id, snapshot)


def _parcel(shipment: Shipment) -> Parcel:
    return Parcel(shipment.shipment_id, shipment.carrier or "", shipment.number or "", shipment.phone_tail)
