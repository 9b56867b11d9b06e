"""What buyers may see at this moment, for whoever publishes it: nothing here is remembered.

Products and merchants are read consistently. Lists come from indexes, which follow their table within moments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.catalog import store
from chalicelib.catalog.domain import Card, Product, Status, Tree
from chalicelib.kernel.pages import Page, Window
from chalicelib.merchants import service as merchants


@dataclass(frozen=True, slots=True)
class Shown:
    """A list as buyers see it, to the cap: ids, cards and their places. ``partial`` says that it goes on."""

    cards: list[tuple[str, Card]]
    partial: bool
    listed_ms: dict[str, int]
    """When each product was first listed."""


def products_now(product_ids: Iterable[str]) -> dict[str, Product]:
    """Return those products that buyers may see, whole."""
    found = {
        product_id: product
        for product_id, product in store.pages_now(product_ids).items()
        if product.status is Status.LISTED
    }
    hidden = merchants.suspended_now({product.merchant_id for product in found.values()}) if found else set()
    return {product_id: product for product_id, product in found.items() if product.merchant_id not in hidden}


def tree_now() -> Tree:
    """Return the tree of categories."""
    return store.tree(consistent=True)


def list_now(of: str, key: str, order: str, *, cap: int, descending: bool) -> Shown:
    """Return a list: ``of`` and ``order`` name an index (``store.INDEXES``), ``key`` what it is a list of."""
    cards: list[tuple[str, Card]] = []
    listed_ms: dict[str, int] = {}
    standing: dict[str, bool] = {}
    window = Window(cap + 1)
    while True:
        page = store.entries(store.INDEXES[of, order], key, window, descending=descending)
        strangers = {entry.card.merchant for entry in page.items} - standing.keys()
        hidden = merchants.suspended_now(strangers)
        standing |= {merchant_id: merchant_id in hidden for merchant_id in strangers}
        for entry in page.items:
            if standing[entry.card.merchant]:
                continue
            if len(cards) == cap:
                return Shown(cards, partial=True, listed_ms=listed_ms)
            cards.append((entry.product_id, entry.card))
            listed_ms[entry.product_id] = store.listed_ms_at(entry.after)
        if page.after is None:
            return Shown(cards, partial=False, listed_ms=listed_ms)
        window = Window(cap + 1, page.after)


def listed_page(window: Window) -> Page[tuple[str, str]]:
    """Return (product, merchant) ids of one page of everything listed."""
    page = store.entries(store.INDEXES["all", "new"], "all", window, descending=True)
    return Page([(one.product_id, one.card.merchant) for one in page.items], page.after)
