"""Money that comes when the time to pay is over: the whole basket is taken again, as placed, or the money goes back.

One transaction with the capture: purchase expired -> paid, every order back, every unit out of stock. A purchase that
its buyer called off is not taken again: nobody wants it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.catalog import service as catalog
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Conflict
from chalicelib.merchants import service as merchants
from chalicelib.orders.service import Sale
from chalicelib.runtime.db.work import UnitOfWork

T = TypeVar("T")


class OffSale(Conflict):
    """Some of it is not sold any more: its product was unlisted, its merchant suspended."""

    code = "off_sale"
    en, zh = "Some items are no longer sold.", "部分商品已停止销售。"


def _check_on_sale(sale: Sale) -> None:
    """Refuse what would not be sold today. Price and names do not matter: what was placed is what was paid.

    Raises:
        OffSale: if a product is not listed any more, or a merchant not active.
    """
    lines = [line for order in sale.orders for line in order.lines]
    products = catalog.products({line.product_id for line in lines})
    now = clock.now()
    if not all(catalog.is_sold_to(found, sale.purchase.buyer_id, now) for found in products.values()):
        raise OffSale
    if any(line.product_id in products and products[line.product_id].sku(line.sku_id) is None for line in lines):
        raise OffSale
    terms = merchants.terms({order.merchant_id for order in sale.orders})
    if any(found.status != merchants.Status.ACTIVE for found in terms.values()):
        raise OffSale


def take_again(work: UnitOfWork, sale: Sale) -> None:
    """Add the taking of all units to a work that holds everything else of the capture already.

    Raises:
        OffSale: if some of it is not sold any more.
        OutOfStock: now, or when the work is committed: the store says so, not what was seen a moment ago.
    """
    _check_on_sale(sale)
    quantities: dict[str, int] = {}
    buckets: dict[str, int] = {}
    for order in sale.orders:
        buckets.update(order.buckets())
        for sku_id, quantity in order.quantities().items():
            quantities[sku_id] = quantities.get(sku_id, 0) + quantity
    inventory.take(work, quantities, buckets=buckets, room=work.room, sure=True)


def placing(attempt: Callable[[], T]) -> T:
    """Build the capture again while hot stock is contended: see ``inventory.placing``."""
    return inventory.placing(attempt)
