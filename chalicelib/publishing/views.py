"""What the files hold: byte for byte what the API would answer at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.catalog import service as catalog
from chalicelib.merchants import service as merchants
from chalicelib.publishing import domain

Files = dict[str, list[bytes | str]]
ORDERS: Final = ((domain.NEWEST, "new", True), (domain.CHEAPEST, "price", False))


@dataclass(frozen=True, slots=True)
class Lists:
    """The pages of a list in every order, and the orders that go on in the API."""

    files: Files
    partial: tuple[str, ...]


def product(product_id: str) -> bytes | None:
    """Return the product's file; None if nobody may see it."""
    from chalicelib.catalog.schemas import ProductView

    found = catalog.product_now(product_id)
    return ProductView.of(found).model_dump_json(exclude_none=True).encode() if found is not None else None


def tree() -> bytes:
    """Return the file of the category tree."""
    from chalicelib.catalog.schemas import TreeView

    return TreeView.of(catalog.tree_now()).model_dump_json(exclude_none=True).encode()


def merchant(merchant_id: str) -> bytes | None:
    """Return the merchant's file; None if there is no such merchant."""
    from chalicelib.merchants.schemas import MerchantView

    found = merchants.load_now(merchant_id)
    return MerchantView.of(found).model_dump_json(exclude_none=True).encode() if found is not None else None


def lists_of(shard: str) -> Lists:
    """Return the lists of a shard in every order. Dearest first is cheapest first from its end, if that is whole."""
    of, key = _index(shard)
    files: Files = {}
    partial = []
    for name, order, descending in ORDERS:
        found = catalog.list_now(of, key, order, cap=domain.LIST_CAP, descending=descending)
        files[name] = _pages(found)
        if found.partial:
            partial.append(name)
        if name == domain.CHEAPEST:
            if found.partial:
                found = catalog.list_now(of, key, order, cap=domain.LIST_CAP, descending=True)
                partial.append(domain.DEAREST)
            else:
                found = catalog.Shown(found.cards[::-1], partial=False)
            files[domain.DEAREST] = _pages(found)
    return Lists(files, tuple(partial))


def _index(shard: str) -> tuple[str, str]:
    if shard == domain.ALL:
        return "all", "all"
    if shard.startswith(domain.MERCHANT):
        return "merchant", shard.removeprefix(domain.MERCHANT)
    category_id = shard.removeprefix(domain.CATEGORY)
    known = catalog.tree_now().get(category_id)
    return ("category" if known is not None and known.parent_id else "top"), category_id


def _pages(shown: catalog.Shown) -> list[bytes | str]:
    from chalicelib.catalog.schemas import CardPage, CardView

    cards = [(product_id, CardView.of(product_id, card)) for product_id, card in shown.cards]
    return [
        CardPage.model_construct(items=page).model_dump_json(exclude_none=True).encode() for page in domain.pages(cards)
    ]
