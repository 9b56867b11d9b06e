"""Use cases of shipments: ship, follow, be told by a hub, ask a hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.texts import Texts
from chalicelib.logistics import claims, domain, number_store, parcel_texts, phones, store, tracking
from chalicelib.logistics.domain import Shipment, Status
from chalicelib.logistics.events import ShipmentCreated
from chalicelib.logistics.forgetting import forget as forget  # noqa: PLC0414 - whoever forgets asks here
from chalicelib.logistics.numbers import Claim
from chalicelib.logistics.refusals import CodeAlreadyGiven
from chalicelib.logistics.refusals import PhoneNeeded as PhoneNeeded  # noqa: PLC0414 - who sends a return asks here
from chalicelib.logistics.refusals import TooManyShipments as TooManyShipments  # noqa: PLC0414 - as above
from chalicelib.logistics.refusals import TrackingNumberUsed as TrackingNumberUsed  # noqa: PLC0414 - as above
from chalicelib.logistics.refusals import UnknownCarrier as UnknownCarrier  # noqa: PLC0414 - as above
from chalicelib.logistics.returning import Handed as Handed  # noqa: PLC0414 - as above
from chalicelib.logistics.returning import Met as Met  # noqa: PLC0414 - as above
from chalicelib.logistics.returning import Purpose as Purpose  # noqa: PLC0414 - as above
from chalicelib.logistics.returning import send_return_parcel as send_return_parcel  # noqa: PLC0414 - as above
from chalicelib.logistics.returning import sending as sending  # noqa: PLC0414 - as above
from chalicelib.logistics.watch import Watch
from chalicelib.orders import service as orders
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent
from chalicelib.virtual import service as virtual


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
            shipment = claims.take(work, shipment, order.buyer_id, met)
            store.save(work, shipment, _created(shipment))
            if dispatch.code:
                store.give_code(work, shipment, dispatch.code)
                _keep_code(work, order, shipment, dispatch.code)
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
        phone_tail="" if digital else phones.tail(order.purchase_id, dispatch.carrier or "", dispatch.phone_tail),
        note=dispatch.note,
        coded=bool(dispatch.code),
        delivered_at=now if digital else None,
        paid_at=None if digital else order.paid_at,
        claimed=not digital,
        intent=intent.token,
        fingerprint=intent.fingerprint,
    )


def _keep_code(work: UnitOfWork, order: orders.Order, shipment: Shipment, code: str) -> None:
    """Let the buyer look at a code, and nobody else: it is sealed with what else is shown to them.

    Raises:
        CodeAlreadyGiven: if it is in a pool of the merchant's.
    """
    line_id, units = shipment.lines[0]
    try:
        virtual.keep_code(work, order, line_id, units, code)
    except virtual.CodeKnown as known:
        raise CodeAlreadyGiven from known


def _created(shipment: Shipment) -> list[Event]:
    told: list[Event] = [ShipmentCreated(order_id=shipment.order_id, shipment_id=shipment.shipment_id)]
    return told + tracking.delivered(shipment)


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
