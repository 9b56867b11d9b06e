"""Where things are published, and how lists are cut into pages. See docs/edge.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from chalicelib.kernel import ids

PRODUCT_SHARDS: Final = 64
"""Ten thousand products make manifests of 160 lines each. A power of two up to 256: two hex digits name the shard."""
SITE: Final = "site"
"""The category tree, and whatever else there is once."""
ALL: Final = "all"
"""The lists of everything."""
SWEEP: Final = "sweep"
WALK: Final = "walk"
"""Not shards of files but work that goes on in steps, as the passes of a shard do."""
WHOLE: Final = "*"
"""Marks all of a shard."""
AGAIN: Final = "again"
"""Marks a second look: an index may have been a moment behind its table at the first."""

PAGE_LEAST: Final = 8
PAGE_MOST: Final = 48
PAGE_EVERY: Final = 16
"""A page ends behind the first product of one in so many ids, so that one that comes or goes changes one page, not all
that follow. Pages hold 24 on the average."""
LIST_CAP: Final = 1_000
"""Longer lists are published to here; the API has them whole."""

PRODUCTS: Final = "products-"
CATEGORY: Final = "category-"
MERCHANT: Final = "merchant-"
NEWEST: Final = "newest"
CHEAPEST: Final = "price_asc"
DEAREST: Final = "price_desc"
TREE: Final = "categories"
PROFILE: Final = "merchant"

T = TypeVar("T")


def product_shard(product_id: str) -> str:
    """Return the shard of a product: by the sum of its id's characters, which any storefront can work out."""
    return f"{PRODUCTS}{sum(product_id.encode()) % PRODUCT_SHARDS:02d}"


def product_shards() -> Iterator[str]:
    """Yield all shards of products."""
    return (f"{PRODUCTS}{number:02d}" for number in range(PRODUCT_SHARDS))


def category_shard(category_id: str) -> str:
    """Return the shard of a category's lists."""
    return CATEGORY + category_id


def merchant_shard(merchant_id: str) -> str:
    """Return the shard of a merchant's page and lists."""
    return MERCHANT + merchant_id


def by_shard(product_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return product ids by their shards."""
    found: dict[str, list[str]] = {}
    for product_id in product_ids:
        found.setdefault(product_shard(product_id), []).append(product_id)
    return found


def pages(entries: Sequence[tuple[str, T]]) -> Iterator[list[T]]:
    """Cut a list of (product id, entry) into pages whose ends depend on what stands there alone."""
    page: list[T] = []
    for product_id, entry in entries:
        page.append(entry)
        if len(page) >= PAGE_MOST or (len(page) >= PAGE_LEAST and ids.shard(product_id, PAGE_EVERY) == 0):
            yield page
            page = []
    if page:
        yield page
