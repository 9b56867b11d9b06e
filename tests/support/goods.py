"""Goods for tests: products with stock, made through the services as merchants make them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from chalicelib.catalog import domain, service, store
from chalicelib.catalog.domain import Cause, Draft, Kind, SkuDraft
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import Money
from chalicelib.runtime.intents import system_intent

_numbers = count(1)

TREE = (
    domain.Category("clothing", {"zh": "服饰", "en": "Clothing"}),
    domain.Category("dresses", {"zh": "连衣裙", "en": "Dresses"}, parent_id="clothing"),
    domain.Category("shirts", {"zh": "衬衫", "en": "Shirts"}, parent_id="clothing"),
    domain.Category("tea", {"zh": "茶叶", "en": "Tea"}),
    domain.Category("cards", {"zh": "卡券", "en": "Gift cards"}),
)


@dataclass(frozen=True)
class Made:
    """Ids of a product and its SKUs."""

    product_id: str
    sku_ids: tuple[str, ...]

    @property
    def sku_id(self) -> str:
        """Return the first SKU."""
        return self.sku_ids[0]


def categories() -> None:
    """Make sure that the category tree of the tests is there."""
    tree = store.tree(consistent=True)
    if not tree.categories:
        service.set_categories(TREE, version=tree.version)


def product(
    merchant_id: str,
    *,
    price_minor: int = 1990,
    stock: int = 10,
    kind: str = "physical",
    skus: int = 1,
    buckets: int = 1,
    listed: bool = True,
    title: str | None = None,
    title_en: str | None = None,
    category_id: str = "dresses",
    currency: str = "CNY",
    compare_at_minor: int | None = None,
) -> Made:
    """Create a product with ``skus`` variants (each of ``price_minor`` and ``stock``), list it, set its flags."""
    categories()
    number = next(_numbers)
    draft = Draft(
        titles={"zh": title or f"测试商品{number}", "en": title_en or f"Test product {number}"},
        kind=Kind(kind),
        category_id=category_id,
        options=("Size",) if skus > 1 else (),
        skus=tuple(
            SkuDraft(
                options=(f"S{at}",) if skus > 1 else (),
                price=Money(price_minor, currency),
                compare_at=Money(compare_at_minor, currency) if compare_at_minor is not None else None,
                weight_g=200 if kind == "physical" else 0,
            )
            for at in range(1, skus + 1)
        ),
        pictures=(f"https://pictures.example/{number}.jpg",),
    )
    made, _ = service.create(merchant_id, draft, intent=system_intent(f"goods#{merchant_id}#{number}"))
    sku_ids = tuple(sku.sku_id for sku in made.skus)
    for sku_id in sku_ids:
        if stock:
            inventory.receive(sku_id, stock, intent=system_intent(f"stock#{sku_id}"))
            service.refresh_sold_out(sku_id)
        if buckets > 1:
            service.set_buckets(merchant_id, made.product_id, sku_id, buckets)
    if listed:
        service.move(merchant_id, made.product_id, Cause.LIST, intent=system_intent(f"list#{made.product_id}"))
    return Made(made.product_id, sku_ids)
