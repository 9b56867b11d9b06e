"""What the files hold: byte for byte what the API would answer at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.catalog import service as catalog
from chalicelib.merchants import service as merchants
from chalicelib.publishing import domain

Files = dict[str, list[bytes | str]]


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
    """Return the lists of a shard in every order. One that is whole in one order is whole in all: it is asked once."""
    of, key = _index(shard)
    newest = catalog.list_now(of, key, "new", cap=domain.LIST_CAP, descending=True)
    if newest.partial:
        by_price = catalog.list_now(of, key, "price", cap=domain.LIST_CAP, descending=False)
        from_the_end = catalog.list_now(of, key, "price", cap=domain.LIST_CAP, descending=True)
        cheapest, dearest = by_price.cards, from_the_end.cards
    else:
        cheapest = newest.cheapest_first()
        dearest = cheapest[::-1]
    parts = _parts([*newest.cards, *(cheapest + dearest if newest.partial else [])])
    files: Files = {
        order: _pages(cards, parts)
        for order, cards in ((domain.NEWEST, newest.cards), (domain.CHEAPEST, cheapest), (domain.DEAREST, dearest))
    }
    return Lists(files, tuple(files) if newest.partial else ())


def _index(shard: str) -> tuple[str, str]:
    if shard == domain.ALL:
        return "all", "all"
    if shard.startswith(domain.MERCHANT):
        return "merchant", shard.removeprefix(domain.MERCHANT)
    category_id = shard.removeprefix(domain.CATEGORY)
    known = catalog.tree_now().get(category_id)
    return ("category" if known is not None and known.parent_id else "top"), category_id


def _parts(cards: Iterable[tuple[str, catalog.Card]]) -> dict[str, bytes]:
    """Return each card's JSON, by product: a card stands in every order."""
    from chalicelib.catalog.schemas import CardView

    return {
        product_id: CardView.of(product_id, card).model_dump_json(exclude_none=True).encode()
        for product_id, card in dict(cards).items()
    }


def _pages(cards: Iterable[tuple[str, catalog.Card]], parts: Mapping[str, bytes]) -> list[bytes | str]:
    entries = [(product_id, parts[product_id]) for product_id, _ in cards]
    return [b'{"items":[' + b",".join(page) + b"]}" for page in domain.pages(entries)]
