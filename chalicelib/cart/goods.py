"""What a cart may hold and show: SKUs that anybody can see and buy now, nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.catalog import service as catalog
from chalicelib.catalog.service import Product, Sku, Status
from chalicelib.merchants import service as merchants


def on_sale(sku_ids: Iterable[str]) -> dict[str, tuple[Product, Sku]]:
    """Return product and SKU of those that are on sale: the product listed, its merchant active.

    Drafts, unlisted products, SKUs that are gone and such as never were are absent alike: nobody can tell them apart.
    """
    wanted = tuple(sku_ids)
    products = catalog.products({catalog.product_of(sku_id) for sku_id in wanted})
    listed = {found.product_id: found for found in products.values() if found.status is Status.LISTED}
    terms = merchants.terms({found.merchant_id for found in listed.values()})
    active = {merchant_id for merchant_id, found in terms.items() if found.status == "active"}
    result = {}
    for sku_id in wanted:
        product = listed.get(catalog.product_of(sku_id))
        sku = product.sku(sku_id) if product is not None else None
        if product is not None and sku is not None and product.merchant_id in active:
            result[sku_id] = (product, sku)
    return result
