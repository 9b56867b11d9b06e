"""Electronic waybills: a hub draws a tracking number of the carrier and the label to print, before the parcel is sent.

Our number is written before the hub hears it, and a repeat uses it again: a hub takes one number once. The label has
names and addresses on it, so it is handed out and not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ConcurrentUpdate, Conflict, NotFound, ShopError
from chalicelib.logistics import waybill_store
from chalicelib.logistics.carriers import CARRIERS
from chalicelib.logistics.ports import Drawn, Party, WaybillIssuer, WaybillOrder
from chalicelib.logistics.refusals import UnknownCarrier
from chalicelib.logistics.waybill_store import Waybill
from chalicelib.orders import service as orders
from chalicelib.runtime import log
from chalicelib.runtime.config import setting
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

SENDABLE = (orders.OrderStatus.PAID, orders.OrderStatus.PARTLY_SHIPPED)


class NoWaybills(ShopError):
    """This installation draws no waybills, or not of this carrier."""

    code, status = "no_waybills", 422
    en, zh = "Waybills of this carrier cannot be drawn here.", "此处无法获取该快递公司的电子面单。"


class NothingToSend(Conflict):
    """The order does not wait for a parcel, or nobody said where it goes."""

    code = "nothing_to_send"
    en, zh = "This order does not wait for a parcel.", "该订单没有待寄出的包裹。"


class WaybillRefused(Conflict):
    """The hub or the carrier would not; ``why`` is its word. Nothing was drawn."""

    code = "waybill_refused"
    en, zh = "The carrier does not draw this waybill.", "快递公司拒绝出具该面单。"
    shown = ("why",)


class WaybillUnknown(ShopError):
    """No answer that can be read: it may have been drawn. The same request again asks under the same number."""

    code, status = "waybill_unknown", 504
    en, zh = (
        "It is not known whether the waybill was drawn; send the same request again.",
        "面单结果未知，请以相同请求重试。",
    )
    retry_after_s = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a merchant asks for."""

    carrier: str
    sender: Party
    goods: str
    weight_g: int | None = None
    customer: str = ""
    """The merchant's account at the carrier, and what it is opened with: passed on, never kept."""
    password: str = ""
    month_code: str = ""


def draw(merchant_id: str, order_id: str, wanted: Wanted, intent: Intent) -> tuple[Waybill, Drawn | None]:
    """Draw a waybill for one of the merchant's orders; without the label where the same intent drew it before.

    Raises:
        NotFound: if the order is not this merchant's.
        UnknownCarrier, NoWaybills, NothingToSend, WaybillRefused, WaybillUnknown: as named.
        OutboundFailed, OutboundTimeout: if the hub did not answer; the same request again is safe.
    """
    order = orders.load_order(order_id)
    if order.merchant_id != merchant_id:
        raise NotFound(what="order")
    if wanted.carrier not in CARRIERS:
        raise UnknownCarrier(carrier=wanted.carrier)
    issuer = _issuer(wanted.carrier)
    waybill = _begun(order_id, wanted, intent)
    if waybill.number:
        return waybill, None
    contact = orders.load_purchase(order.purchase_id).contact
    if order.status not in SENDABLE or contact is None:
        raise NothingToSend
    receiver = Party(contact.recipient, contact.phone, contact.province, contact.city, contact.district, contact.street)
    drawn = issuer.draw(
        WaybillOrder(
            waybill.waybill_id,
            wanted.carrier,
            wanted.sender,
            receiver,
            wanted.goods,
            wanted.weight_g,
            wanted.customer,
            wanted.password,
            wanted.month_code,
        )
    )
    if drawn.refused:
        log.warning("waybill refused", order_id=order_id, why=drawn.refused)
        raise WaybillRefused(why=drawn.refused)
    if not drawn.number:
        raise WaybillUnknown
    done = waybill_store.numbered(waybill, drawn.number)
    try:
        with UnitOfWork() as work:
            waybill_store.save(work, done)
    except ConcurrentUpdate:
        done = waybill_store.find(order_id, waybill.waybill_id) or done  # The same request at the same time.
    return done, drawn


def _begun(order_id: str, wanted: Wanted, intent: Intent) -> Waybill:
    """Return the waybill of this intent, written before anybody hears of it."""
    waybill_id = ids.derived_id("wbl", intent.scope, intent.key, order_id)  # The hub knows it by this name alone.
    known = waybill_store.find(order_id, waybill_id)
    if known is not None:
        intent.check(known.fingerprint)
        return known
    fresh = Waybill(waybill_id, order_id, wanted.carrier, clock.now(), fingerprint=intent.fingerprint)
    with UnitOfWork() as work:
        waybill_store.save(work, fresh)
    return waybill_store.saved(fresh)


def _issuer(carrier: str) -> WaybillIssuer:
    name = setting("BIANDAN_WAYBILLS")
    if not name:
        raise NoWaybills
    issuer: WaybillIssuer = import_module(f"chalicelib.logistics.providers.{name}_waybills").issuer()
    if not issuer.serves(carrier):
        raise NoWaybills
    return issuer
