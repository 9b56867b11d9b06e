"""What quantities cost now, by products that were read already and the terms of their merchants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.catalog import service as catalog
from chalicelib.catalog.service import Product
from chalicelib.checkout import domain
from chalicelib.checkout.domain import Buyer, Share
from chalicelib.kernel import clock, context
from chalicelib.merchants import service as merchants
from chalicelib.runtime.db.lookups import Lookup


def products_of(sku_ids: Iterable[str]) -> Lookup[dict[str, Product]]:
    """Say how the products of SKUs are read."""
    return catalog.lookup({catalog.product_of(sku_id) for sku_id in sku_ids})


def price(quantities: Mapping[str, int], products: Mapping[str, Product], *, account_id: str) -> tuple[Share, ...]:
    """Work out each merchant's share for a buyer; ``products`` are those of all SKUs, by their own ids.

    Raises:
        as ``domain.price``.
    """
    by_sku = {sku_id: catalog.product_of(sku_id) for sku_id in quantities}
    found = {sku_id: products[product_id] for sku_id, product_id in by_sku.items() if product_id in products}
    terms = merchants.terms({product.merchant_id for product in found.values()})
    buyer = Buyer(account_id, clock.now())
    return domain.price(quantities, found, terms, language=context.current().language, buyer=buyer)
