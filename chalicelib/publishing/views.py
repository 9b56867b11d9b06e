"""What the files hold: byte for byte what the API would answer at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.catalog import service as catalog
from chalicelib.kernel.clock import epoch_ms
from chalicelib.merchants import service as merchants
from chalicelib.publishing import domain
from chalicelib.publishing.domain import Place, Places


@dataclass(frozen=True, slots=True)
class Seen:
    """A product as buyers see it now: its own file, its card in lists, and where it stands there."""

    file: bytes
    card: bytes
    place: Place
    category_id: str
    merchant_id: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A list in every order, with each product's card."""

    places: Places
    cards: Mapping[str, bytes]


def products(product_ids: Iterable[str]) -> dict[str, Seen]:
    """Return products as buyers see them; those that nobody may see are absent."""
    from chalicelib.catalog.schemas import ProductView

    found = {}
    for product_id, product in catalog.products_now(product_ids).items():
        card = catalog.card_of(product)
        found[product_id] = Seen(
            file=ProductView.of(product).model_dump_json(exclude_none=True).encode(),
            card=_card(product_id, card),
            place=Place(product_id, epoch_ms(product.listed_at or product.created_at), card.minor),
            category_id=product.category_id,
            merchant_id=product.merchant_id,
        )
    return found


def _card(product_id: str, card: catalog.Card) -> bytes:
    from chalicelib.catalog.schemas import CardView

    return CardView.of(product_id, card).model_dump_json(exclude_none=True).encode()


def tree() -> bytes:
    """Return the file of the category tree."""
    from chalicelib.catalog.schemas import TreeView

    return TreeView.of(catalog.tree_now()).model_dump_json(exclude_none=True).encode()


def merchant(merchant_id: str) -> bytes | None:
    """Return the merchant's file; None if there is no such merchant."""
    from chalicelib.merchants.schemas import MerchantView

    found = merchants.load_now(merchant_id)
    return MerchantView.of(found).model_dump_json(exclude_none=True).encode() if found is not None else None


def listed(shard: str) -> Listed:
    """Return a list from its index, to its cap. One that is whole in one order is whole in all: it is asked once."""
    of, key = _index(shard)
    newest = catalog.list_now(of, key, "new", cap=domain.LIST_CAP, descending=True)
    if not newest.partial:
        return Listed(Places(_places(newest)), _cards(newest))
    cheapest = catalog.list_now(of, key, "price", cap=domain.LIST_CAP, descending=False)
    dearest = catalog.list_now(of, key, "price", cap=domain.LIST_CAP, descending=True)
    places = Places(_places(newest), _places(cheapest), _places(dearest))
    return Listed(places, {**_cards(newest), **_cards(cheapest), **_cards(dearest)})


def _index(shard: str) -> tuple[str, str]:
    if shard == domain.ALL:
        return "all", "all"
    if shard.startswith(domain.MERCHANT):
        return "merchant", shard.removeprefix(domain.MERCHANT)
    category_id = shard.removeprefix(domain.CATEGORY)
    known = catalog.tree_now().get(category_id)
    return ("category" if known is not None and known.parent_id else "top"), category_id


def _places(shown: catalog.Shown) -> tuple[Place, ...]:
    return tuple(Place(product_id, shown.listed_ms[product_id], card.minor) for product_id, card in shown.cards)


def _cards(shown: catalog.Shown) -> dict[str, bytes]:
    return {product_id: _card(product_id, card) for product_id, card in shown.cards}
