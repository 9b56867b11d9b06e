"""The four digits of a phone without which some carriers tell nothing."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.logistics import domain
from chalicelib.logistics.carriers import CARRIERS, needs_phone
from chalicelib.logistics.domain import Shipment
from chalicelib.logistics.refusals import PhoneNeeded, UnknownCarrier
from chalicelib.logistics.watch import Watch
from chalicelib.orders import service as orders


def tail(purchase_id: str, carrier: str, given: str = "") -> str:
    """Return the digits a carrier is to be told: those given (kept though this carrier wants none), or the recipient's.

    Raises:
        UnknownCarrier: if it is none of ours.
        PhoneNeeded: if it wants digits and nobody knows any.
    """
    if carrier not in CARRIERS:
        raise UnknownCarrier(carrier=carrier)
    if given or not needs_phone(carrier):
        return given
    digits = _recipients(purchase_id)
    if len(digits) != 4:
        raise PhoneNeeded(carrier=carrier)
    return digits


def added(shipment: Shipment) -> Shipment:
    """Return the shipment with the digits that its carrier wants, where a correction made them needed."""
    if shipment.watch is Watch.FINISHED or domain.has_ended(shipment) or not domain.lacks_phone(shipment):
        return shipment
    digits = _recipients(orders.load_order(shipment.order_id).purchase_id)
    return replace(shipment, phone_tail=digits) if len(digits) == 4 else shipment


def _recipients(purchase_id: str) -> str:
    contact = orders.load_purchase(purchase_id).contact
    return "".join(char for char in (contact.phone if contact else "") if char.isdigit())[-4:]
