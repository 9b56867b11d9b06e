"""Numbers that change hands: a merchant corrects what was typed, an operator releases what a carrier gave out again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.logistics import claims, domain, number_store, numbers, phones, store
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.events import ShipmentCorrected
from chalicelib.logistics.numbers import Claim, Release
from chalicelib.orders import service as orders
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Correction:
    """The carrier and number that were meant."""

    carrier: str
    number: str
    phone_tail: str = ""


def correct(
    merchant_id: str, order_id: str, shipment_id: str, wanted: Correction, intent: Intent
) -> tuple[Shipment, bool]:
    """Name another number for a parcel that was not seen yet; the old one is free. Says whether it was done before.

    Raises:
        NotFound: if the shipment is not this merchant's.
        NumberSettled: if the parcel was seen, has arrived, or was corrected too often.
        TrackingNumberUsed, UnknownCarrier, PhoneNeeded: as when shipping.
        Busy: if it kept changing.
    """
    done = f"{intent.token} {intent.fingerprint}"

    def attempt(met: Claim | None) -> tuple[Shipment, bool]:
        order = orders.load_order(order_id)
        if order.merchant_id != merchant_id:
            raise NotFound(what="order")
        made = store.of_order(order_id, consistent=True)
        before = next((one for one in made if one.shipment_id == shipment_id), None)
        if before is None or before.about:  # What a return sends is named in the return.
            raise NotFound(what="shipment")
        for past in before.corrections:
            if past.startswith(intent.token):
                intent.check(past.split(" ")[1])
                return before, True
        domain.check_number([one for one in made if one is not before], wanted.number)
        after = domain.renumbered(
            before,
            carrier=wanted.carrier,
            number=wanted.number,
            phone_tail=phones.tail(order.purchase_id, wanted.carrier, wanted.phone_tail),
            by=done,
            now=clock.now(),
        )
        fact = ShipmentCorrected(order_id=order_id, shipment_id=shipment_id, correction=len(after.corrections))
        with UnitOfWork(f"correct#{shipment_id}#{intent.token}") as work:
            store.save(work, claims.move(work, before, after, met), [fact])
        return after, False

    return claims.racing_for_number(attempt)


def holders(carrier: str, number: str) -> Claim:
    """Return whose parcel a number is, and who released it before.

    Raises:
        NotFound: if nobody ever held it.
    """
    claim = number_store.find(carrier, domain.normal(number))
    if claim is None:
        raise NotFound(what="tracking number")
    return claim


def release(carrier: str, number: str, *, reason: str, by: str, intent: Intent) -> Claim:
    """Free a number as an operator who looked: the carrier gave it out again, or somebody typed another's.

    What held it keeps its past; of a parcel that has not arrived nothing more is followed under this number.

    Raises:
        NotFound: if nobody ever held it.
        NothingToRelease: if nobody does now.
        Busy: if it kept changing.
    """

    def attempt() -> Claim:
        claim = holders(carrier, number)
        for past in claim.releases:
            if past.intent == intent.token:
                intent.check(past.fingerprint)
                return claim
        entry = Release(by, clock.now(), reason, (), intent.token, intent.fingerprint)
        freed = numbers.released(claim, entry)
        with UnitOfWork(f"release#{intent.token}") as work:
            number_store.save(work, freed)
            for shipment in map(store.load, claim.shipments):
                if not domain.has_ended(shipment):
                    store.save(work, replace(domain.without_number(shipment), claimed=False))
        log.info("tracking number released", carrier=carrier, shipments=len(claim.shipments))
        return freed

    return racing(attempt, otherwise=Busy)
