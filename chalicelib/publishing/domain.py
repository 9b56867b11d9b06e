"""Where things are published, how lists are cut into pages, and what a change moves in them. See docs/edge.md."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

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
ORDERS: Final = (NEWEST, CHEAPEST, DEAREST)
PLACES: Final = "places"
"""For the publisher alone: where each product of a list stands, so that a change needs no look at the index."""
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


# Where products stand


class Place(NamedTuple):
    """What a product's place in every order follows from."""

    product_id: str
    listed_ms: int
    minor: int


_KEYS: dict[str, Callable[[Place], tuple[int, ...]]] = {
    NEWEST: lambda place: (-place.listed_ms,),
    CHEAPEST: lambda place: (place.minor, -place.listed_ms),  # Of two at one price the newer one first,
    DEAREST: lambda place: (-place.minor, place.listed_ms),  # and here the other way round, as the index has it.
}


@dataclass(frozen=True, slots=True)
class Places:
    """A list's products in order. One that is whole is kept in one order: the others follow from it."""

    newest: tuple[Place, ...] = ()
    cheapest: tuple[Place, ...] | None = None
    """Only of a list that goes on beyond its cap, as ``dearest``."""
    dearest: tuple[Place, ...] | None = None

    @property
    def partial(self) -> bool:
        """Say whether the list goes on beyond what is published."""
        return self.cheapest is not None

    def order(self, name: str) -> tuple[Place, ...]:
        """Return the places in one order."""
        if name == NEWEST:
            return self.newest
        cheapest = self.cheapest
        if cheapest is None or self.dearest is None:
            cheapest = tuple(sorted(self.newest, key=_KEYS[CHEAPEST]))
            return cheapest if name == CHEAPEST else cheapest[::-1]
        return cheapest if name == CHEAPEST else self.dearest

    def cut(self, name: str) -> list[tuple[str, ...]]:
        """Return the ids of each page in one order."""
        return [tuple(page) for page in pages([(place.product_id, place.product_id) for place in self.order(name)])]


def moved(places: Places, changes: Mapping[str, Place | None]) -> tuple[Places, bool]:
    """Put products where they stand now; None: they are not in the list any more.

    Says too whether something is lacking: where a list goes on beyond its cap, what comes into the place of a product
    that left only the index knows.
    """
    if not places.partial:
        newest = _moved(places.newest, changes, NEWEST, whole=True)
        if len(newest) <= LIST_CAP:
            return Places(newest), False
        whole = Places(newest)
        capped = {name: whole.order(name)[:LIST_CAP] for name in ORDERS}
        return Places(capped[NEWEST], capped[CHEAPEST], capped[DEAREST]), False
    found = {name: _moved(places.order(name), changes, name, whole=False) for name in ORDERS}
    lacking = any(len(order) < LIST_CAP for order in found.values())
    return Places(found[NEWEST][:LIST_CAP], found[CHEAPEST][:LIST_CAP], found[DEAREST][:LIST_CAP]), lacking


def _moved(order: Sequence[Place], changes: Mapping[str, Place | None], name: str, *, whole: bool) -> tuple[Place, ...]:
    key = _KEYS[name]
    coming = {product_id: place for product_id, place in changes.items() if place is not None}
    stays: list[Place] = []
    for place in order:
        if place.product_id not in changes:
            stays.append(place)
            continue
        now = changes[place.product_id]
        if now is not None and key(now) == key(place):
            stays.append(now)
            del coming[place.product_id]
    for place in coming.values():
        at = bisect_left(stays, key(place), key=key)
        if whole or at < len(stays):  # Behind the last one others stand that nobody sees here.
            stays.insert(at, place)
    return tuple(stays)
