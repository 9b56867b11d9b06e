"""What a purchase forgets of its buyer, once it is over: where it went, and what the buyer noted."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel.pages import Place, Window
from chalicelib.orders import store
from chalicelib.orders.domain import ENDED, NOWHERE, Delivery, Order, PurchaseStatus, Stock
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def purchases_of(buyer_id: str, after: Place | None, *, limit: int) -> tuple[list[str], Place | None]:
    """Return one page of a buyer's purchases, and where the next begins."""
    page = store.list_orders("buyer", buyer_id, Window(limit=limit, after=after))
    return list(dict.fromkeys(order.purchase_id for order in page.items)), page.after


def is_over(purchase_id: str) -> bool:
    """Say whether nothing can become of a purchase any more, as far as goods go."""
    sale = store.load_sale(purchase_id)
    waits = sale.purchase.status is PurchaseStatus.AWAITING_PAYMENT
    return not waits and all(_is_over(order) for order in sale.orders)


def _is_over(order: Order) -> bool:
    return order.status in ENDED and order.stock is not Stock.HELD and not order.refunding


def forget_delivery(purchase_id: str) -> None:
    """Forget where a purchase went, its note, and the network it came from. Again changes nothing."""

    def attempt() -> None:
        purchase = store.load_purchase(purchase_id)
        if purchase.delivery() == Delivery() and not purchase.network:
            return
        with UnitOfWork() as work:
            store.save_purchase(work, replace(purchase, delivery=NOWHERE, network=""))

    racing(attempt)


def order_ids(purchase_id: str) -> tuple[str, ...]:
    """Return the orders of a purchase."""
    return store.load_purchase(purchase_id).order_ids
