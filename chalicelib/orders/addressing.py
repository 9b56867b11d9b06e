"""Another address for what was paid and not sent: only its buyer names it, whoever asked for it.

A merchant who cannot deliver asks; it never writes an address itself, so nobody sends a parcel elsewhere by a word of
theirs. All orders of a purchase go to one place, so none of them may have been sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.later import Later
from chalicelib.orders import events, store
from chalicelib.orders.domain import Contact, Order, OrderStatus, Sale
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

MOST_CHANGES: Final = 5
"""Of one purchase: each may cost its merchants a label."""
ASKS_KEPT: Final = 10
"""So many requests of merchants a purchase remembers: a repeat of an older one asks anew."""


class AddressSettled(Conflict):
    """Something was sent already, nothing waits to be sent, or the address was changed too often."""

    code = "address_settled"
    en = "The address of this purchase can no longer be changed."
    zh = "该订单的收货地址已不能修改。"


def readdress(purchase_id: str, buyer_id: str, contact: Contact, intent: Intent) -> Sale:
    """Send all of a purchase to another address, as its buyer wishes; once, however often the same intent asks.

    Each order is written as well: a parcel that is handed over at the same moment and this cannot both go through.

    Raises:
        NotFound: if it is not this buyer's, or goes nowhere.
        AddressSettled: if anything of it was sent, or it was changed too often.
        ConcurrentUpdate: if it kept changing.
    """

    def attempt() -> Sale:
        sale = store.load_sale(purchase_id)
        if sale.purchase.buyer_id != buyer_id or sale.purchase.contact is None:
            raise NotFound(what="purchase")
        delivery = sale.purchase.delivery()
        for past in delivery.changes:
            if past.startswith(intent.token):
                intent.check(past.split(" ")[1])
                return sale
        waiting = _waiting(sale)
        if len(delivery.changes) >= MOST_CHANGES:
            raise AddressSettled
        done = (*delivery.changes, f"{intent.token} {intent.fingerprint}")
        changed = replace(delivery, contact=contact, asked="", changes=done)
        with UnitOfWork(f"readdress#{purchase_id}#{intent.token}") as work:
            store.save_purchase(work, replace(sale.purchase, delivery=Later.of(changed)))
            for order in waiting:
                fact = events.AddressChanged(order_id=order.order_id, change=len(done))
                store.save_order(work, replace(order, seen_at=None), [fact])
        return store.load_sale(purchase_id)

    return racing(attempt)


def ask_for_address(merchant_id: str, order_id: str, reason: str, intent: Intent) -> Order:
    """Ask a buyer for another address, as the merchant who cannot deliver to the one there is; the last word stands.

    A repeat of a request does nothing, also where the buyer has named one meanwhile.

    Raises:
        NotFound: if it is not this merchant's order, or it goes nowhere.
        IdempotencyKeyReused: if the key asked for another reason.
        AddressSettled: if anything of its purchase was sent.
        ConcurrentUpdate: if it kept changing.
    """

    def attempt() -> Order:
        order = store.load_order(order_id)
        if order.merchant_id != merchant_id:
            raise NotFound(what="order")
        sale = store.load_sale(order.purchase_id)
        if sale.purchase.contact is None:
            raise NotFound(what="address")
        delivery = sale.purchase.delivery()
        for past in delivery.asks:
            if past.startswith(intent.token):
                intent.check(past.split(" ")[1])
                return order
        if order.order_id not in {one.order_id for one in _waiting(sale)}:
            raise AddressSettled
        if delivery.asked != reason:
            asks = (*delivery.asks, f"{intent.token} {intent.fingerprint}")[-ASKS_KEPT:]
            fact = events.AddressAsked(order_id=order_id, request=intent.token)
            with UnitOfWork(f"ask-address#{order_id}#{intent.token}") as work:
                asked = Later.of(replace(delivery, asked=reason, asks=asks))
                store.save_purchase(work, replace(sale.purchase, delivery=asked))
                store.save_order(work, order, [fact])
            order = replace(order, version=order.version + 1)
        return order

    return racing(attempt)


def _waiting(sale: Sale) -> list[Order]:
    """Return the orders that wait to be sent; refused if one was sent, or none waits."""
    if any(order.parcels for order in sale.orders):
        raise AddressSettled
    waiting = [order for order in sale.orders if order.status is OrderStatus.PAID and order.unshipped()]
    if not waiting:
        raise AddressSettled
    return waiting
