"""What a cart may hold and show: SKUs that anybody can see and buy now, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.catalog import service as catalog
from chalicelib.catalog.service import Product, Sku, Status
from chalicelib.kernel import ids
from chalicelib.merchants import service as merchants
from chalicelib.runtime.db.lookups import Lookup


def lookup(sku_ids: Iterable[str]) -> Lookup[dict[str, Product]]:
    """Say how the products of SKUs are read; of what is no SKU's id nothing is."""
    return catalog.lookup({catalog.product_of(sku_id) for sku_id in sku_ids if ids.is_child_id("sku", sku_id)})


def on_sale(sku_ids: Iterable[str], products: Mapping[str, Product]) -> dict[str, tuple[Product, Sku]]:
    """Return product and SKU of those that are on sale: the product listed, its merchant active.

    Drafts, unlisted products, SKUs that are gone and such as never were are absent alike: nobody can tell them apart.
    """
    wanted = {sku_id: catalog.product_of(sku_id) for sku_id in sku_ids if ids.is_child_id("sku", sku_id)}
    listed = {
        product_id: products[product_id]
        for product_id in wanted.values()
        if product_id in products and products[product_id].status is Status.LISTED
    }
    terms = merchants.terms({found.merchant_id for found in listed.values()})
    active = {merchant_id for merchant_id, found in terms.items() if found.status == "active"}
    result = {}
    for sku_id, product_id in wanted.items():
        product = listed.get(product_id)
        sku = product.sku(sku_id) if product is not None else None
        if product is not None and sku is not None and product.merchant_id in active:
            result[sku_id] = (product, sku)
    return result
