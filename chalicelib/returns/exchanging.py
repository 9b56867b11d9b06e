"""What an exchange may be for: another unit of the same product, listed, at the same price."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.catalog import service as catalog
from chalicelib.orders.service import Line, Order
from chalicelib.returns.domain import NotExchangeable


def check(order: Order, units: Mapping[str, int], replacements: Mapping[str, str]) -> None:
    """Refuse what is no exchange. The same SKU again is always one: what it is was agreed to when it was bought.

    Raises:
        NotExchangeable: for another product or price, or what is not listed, or a line that is none of the return's.
    """
    for line_id in replacements:
        if line_id not in units:
            raise NotExchangeable(line_id=line_id)
    lines = {line.line_id: line for line in order.lines}
    wanted = {lines[line_id].line_id: sku_id for line_id, sku_id in replacements.items()}
    others = {line_id: sku_id for line_id, sku_id in wanted.items() if sku_id != lines[line_id].sku_id}
    if not others:
        return
    products = catalog.products({lines[line_id].product_id for line_id in others})
    for line_id, sku_id in others.items():
        _check(lines[line_id], sku_id, products)


def _check(line: Line, sku_id: str, products: Mapping[str, catalog.Product]) -> None:
    product = products.get(line.product_id)
    sku = product.sku(sku_id) if product is not None and product.status == "listed" else None
    if sku is None or sku.price != line.unit:
        raise NotExchangeable(line_id=line.line_id)
