"""A shop whose goods are published, its pump, and the published files as a reader sees them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Draft, SkuDraft
from chalicelib.kernel.money import Money
from chalicelib.publishing import domain
from chalicelib.runtime import published
from tests.support import goods
from tests.support.pump import Pump
from tests.support.shop import Shop, shop


class Till:
    """All three. ``noon`` is the clock."""

    def __init__(self, noon: Any) -> None:
        self.noon = noon
        self.pump = Pump()
        goods.categories()
        self.shop: Shop = shop()

    def settle(self) -> None:
        """Let everything that is on its way arrive, rests of shards included."""
        for _ in range(100):
            self.pump.drain()
            if not self.pump._waiting:
                break
            self.noon.advance(timedelta(seconds=3))
        assert self.pump.dead("publishing") == []

    def names(self, shard: str, key: str) -> tuple[str, ...]:
        """Return the names under a key of a manifest."""
        return published.read(shard)[0].files.get(key, ())

    def product(self, product_id: str) -> Any:
        """Return a product's published file, read; None if there is none."""
        shard = domain.product_shard(product_id)
        names = self.names(shard, product_id)
        return json.loads(published.content(shard, names[0]) or b"") if names else None

    def listed(self, shard: str, order: str = "newest") -> list[str]:
        """Return the ids of a list."""
        pages = [json.loads(published.content(shard, name) or b"") for name in self.names(shard, order)]
        return [card["product_id"] for page in pages for card in page["items"]]


def change(till: Till, product_id: str, **wanted: Any) -> None:
    """Change a product as its merchant does."""
    revision = catalog.own(till.shop.merchant_id, product_id).revision
    catalog.change(till.shop.merchant_id, product_id, Draft(**wanted), revision=revision)


def price(till: Till, product_id: str, minor: int) -> None:
    """Give a product of one SKU another price."""
    change(till, product_id, skus=(SkuDraft((), Money(minor)),))
