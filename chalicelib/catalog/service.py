"""Use cases of the catalog: what merchants change, what buyers read, what other capabilities ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.catalog import domain, store
from chalicelib.catalog.domain import (
    BadProduct,
    Card,
    Category,
    Cause,
    Draft,
    Kind,
    Labels,
    Product,
    ProductNotFound,
    Sku,
    SkuDraft,
    Status,
    Tree,
    card_of,
    is_sold_to,
)
from chalicelib.catalog.exclusions import text as no_return_text
from chalicelib.catalog.making import Made, make
from chalicelib.catalog.shown import Shown, list_now, listed_page, products_now, tree_now
from chalicelib.catalog.store import Entry
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, Busy, ConcurrentUpdate
from chalicelib.kernel.pages import Page, Window
from chalicelib.merchants import service as merchants
from chalicelib.runtime import caches
from chalicelib.runtime.db.lookups import Lookup
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = [
    "BadProduct",
    "Card",
    "Category",
    "Draft",
    "Entry",
    "Kind",
    "Labels",
    "Made",
    "Product",
    "ProductNotFound",
    "Shown",
    "Sku",
    "SkuDraft",
    "Status",
    "Tree",
    "card_of",
    "is_sold_to",
    "list_now",
    "listed_page",
    "make",
    "no_return_text",
    "product_of",
    "products",
    "products_now",
    "tree_now",
]

TREE_KEPT: Final = timedelta(seconds=5)
_ATTEMPTS: Final = 8
_MOVES_KEPT: Final = 8
_FILTERED_QUERIES: Final = 4


# What other capabilities ask


def products(product_ids: Iterable[str]) -> dict[str, Product]:
    """Return many products as they are now, in any status, a hundred a call; missing ids are absent.

    Long descriptions are left out (see ``Product.has_body``). An unlisted product is returned with its status, so that
    a cart can say what became of it.
    """
    return lookup(product_ids).read()


def lookup(product_ids: Iterable[str]) -> Lookup[dict[str, Product]]:
    """Say how many products are read, as :func:`products`, for whoever reads more in the same call."""
    return store.heads(product_id for product_id in product_ids if ids.is_id("prd", product_id))


def product_of(sku_id: str) -> str:
    """Return the id of the product a SKU belongs to."""
    return ids.parent_id("prd", sku_id)


# What buyers read


def read(product_id: str) -> Product:
    """Return a listed product, whole, with one read request (and its merchant's standing, remembered for seconds).

    Raises:
        ProductNotFound: if there is none, it is not listed, or its merchant is suspended.
    """
    found = store.page(product_id) if ids.is_id("prd", product_id) else None
    if found is None or found.status is not Status.LISTED or merchants.suspended([found.merchant_id]):
        raise ProductNotFound
    return found


PAGE_KEPT: Final = timedelta(seconds=1)
_PAGES_KEPT: Final = 500
_pages: dict[tuple[Any, ...], tuple[datetime, Page[Entry]]] = {}
caches.register(_pages.clear)


def browse(window: Window, *, category_id: str | None, merchant_id: str | None, sort: str) -> Page[Entry]:
    """Return listed products of a category (those below it included), a merchant, both, or all: one Query.

    With both, the merchant's list is read and the category picked out of it; a page may then hold fewer than
    the limit though there are more. So may one on which goods of suspended merchants would stand: they are left out.
    Pages are remembered for a second, or until this process changes a product: with the nine seconds a CDN keeps
    them, a change is seen within ten.
    """
    asked = (category_id, merchant_id, sort, window.limit, str(window.after), merchants.changes())
    held = _pages.get(asked)
    if held is not None and held[0] > clock.now():
        return held[1]
    page = _browse(window, category_id=category_id, merchant_id=merchant_id, sort=sort)
    if len(_pages) >= _PAGES_KEPT:
        _pages.clear()
    _pages[asked] = (clock.now() + PAGE_KEPT, page)
    return page


def _browse(window: Window, *, category_id: str | None, merchant_id: str | None, sort: str) -> Page[Entry]:
    order, descending = ("new", True) if sort == "newest" else ("price", sort == "price_desc")
    wanted: set[str] | None = None
    if merchant_id is not None:
        if merchants.suspended([merchant_id]):
            return Page([])
        of, key = "merchant", merchant_id
        wanted = _below(category_id) if category_id is not None else None
    elif category_id is not None:
        known = categories().get(category_id)
        of, key = ("category" if known is not None and known.parent_id else "top"), category_id
    else:
        of, key = "all", "all"
    found: list[Entry] = []
    after = window.after
    for _ in range(_FILTERED_QUERIES):
        page = store.entries(store.INDEXES[of, order], key, Window(window.limit, after), descending=descending)
        after = page.after
        hidden = merchants.suspended(entry.card.merchant for entry in page.items)
        found += [
            entry
            for entry in page.items
            if entry.card.merchant not in hidden and (wanted is None or entry.card.category in wanted)
        ]
        if after is None or len(found) >= window.limit:
            break
    if len(found) > window.limit:
        found = found[: window.limit]
        after = found[-1].after
    return Page(found, after)


def _below(category_id: str) -> set[str]:
    tree = categories()
    return {category_id} | {one.category_id for one in tree.categories if one.parent_id == category_id}


# Categories


_tree: list[tuple[datetime, Tree]] = []
caches.register(_tree.clear)


def categories() -> Tree:
    """Return the tree, remembered for five seconds."""
    if _tree and _tree[0][0] > clock.now():
        return _tree[0][1]
    found = store.tree()
    _tree[:] = [(clock.now() + TREE_KEPT, found)]
    return found


def set_categories(wanted: Sequence[Category], *, version: int) -> Tree:
    """Replace the tree.

    Raises:
        ProductChanged: if ``version`` is not the tree's.
        BadCategories: if it breaks a rule; a category is never moved, products are filed under its top.
        CategoryInUse: if a category with listed products would go.
    """
    before = store.tree(consistent=True)
    if before.version != version:
        raise domain.ProductChanged(version=before.version)
    after = domain.check_tree(wanted, before)
    if after == before:
        return before
    for gone in {one.category_id for one in before.categories} - {one.category_id for one in wanted}:
        found = store.entries(store.INDEXES["category", "new"], gone, Window(1), descending=True).items
        if found:
            raise domain.CategoryInUse(category_id=gone)
    saved = store.save_tree(after)
    _tree.clear()
    return saved


def _tree_with(category_id: str) -> Tree:
    """Return a tree that holds the category, if there is one: what is remembered may be too old for it."""
    tree = categories()
    if tree.get(category_id) is None:
        tree = store.tree(consistent=True)
        _tree.clear()
    return tree


def known_category(category_id: str) -> Tree:
    """Return a tree that holds the category.

    Raises:
        BadProduct: if there is none.
    """
    tree = _tree_with(category_id)
    if tree.get(category_id) is None:
        raise BadProduct(
            rule="unknown_category",
            field="category_id",
            en=f"There is no category {category_id}.",
            zh=f"分类 {category_id} 不存在。",
        )
    return tree


# What merchants change


def create(merchant_id: str, draft: Draft, *, intent: Intent, handle: str = "") -> tuple[Product, bool]:
    """Create a product in draft. Returns it, and whether this intent had created it before.

    Raises:
        BadProduct: if it breaks a rule.
        HandleTaken: if another product of the merchant has the handle.
        IdempotencyKeyReused: if the key was used for another product.
    """
    product_id = intent.record_id("prd")
    try:
        product = domain.create(
            draft,
            product_id=product_id,
            merchant_id=merchant_id,
            handle=handle,
            at=clock.now(),
            fingerprint=intent.fingerprint,
        )
        return insert(product), False
    except AlreadyExists:
        found = store.page(product_id, consistent=True)
    except domain.HandleTaken as taken:
        found = store.page(product_id, consistent=True) if taken.params["product_id"] == product_id else None
        if found is None:
            raise
    if found is None or found.merchant_id != merchant_id:
        raise ProductNotFound
    intent.check(found.fingerprint)
    return found, True


def insert(product: Product) -> Product:
    """Write a new product and take its handle."""
    tree = known_category(product.category_id)
    with UnitOfWork() as work:
        store.add(work, product, tree, None)
        if product.handle != product.product_id:
            store.add_handle(work, product)
    _pages.clear()
    return replace(product, version=1)


def own(merchant_id: str, product_id: str) -> Product:
    """Return a merchant's product in any status, as it is now.

    Raises:
        ProductNotFound: if it is not theirs.
    """
    found = store.page(product_id, consistent=True) if ids.is_id("prd", product_id) else None
    if found is None or found.merchant_id != merchant_id:
        raise ProductNotFound
    return found


def own_list(merchant_id: str, window: Window) -> Page[Entry]:
    """Return a merchant's products in any status, newest first."""
    return store.entries(store.ProductRow.own, merchant_id, window, descending=True)


def change(merchant_id: str, product_id: str, draft: Draft, *, revision: int) -> Product:
    """Change what the draft names, if the product is still at this revision.

    Raises:
        ProductChanged: if it is not.
        BadProduct: if it breaks a rule.
    """

    def decide(product: Product) -> Product:
        if product.revision != revision:
            raise domain.ProductChanged(version=product.revision)
        return domain.change(product, draft)

    return edit(merchant_id, product_id, decide)


def edit(merchant_id: str, product_id: str, decide: Callable[[Product], Product]) -> Product:
    """Read, decide, write; again if the row changed meanwhile (a sold-out flag is no merchant's change)."""

    def attempt() -> Product:
        before = own(merchant_id, product_id)
        after = decide(before)
        if after == before:
            return before
        tree = known_category(after.category_id)
        with UnitOfWork() as work:
            store.add(work, after, tree, before)
        _pages.clear()
        return replace(after, version=before.version + 1)

    return racing(attempt, otherwise=Busy)


def move(merchant_id: str, product_id: str, cause: Cause, *, intent: Intent) -> Product:
    """List or unlist, once for each intent.

    Raises:
        IllegalTransition: if its status does not take it.
    """
    done = f"{intent.token} {intent.fingerprint}"

    def decide(product: Product) -> Product:
        for past in product.moves:
            if past.startswith(intent.token):
                intent.check(past.split(" ")[1])
                return product
        moved = domain.move(product, cause, at=clock.now())
        return replace(moved, moves=(*product.moves, done)[-_MOVES_KEPT:])

    return edit(merchant_id, product_id, decide)


# Stock, by the merchant's hand


def _own_skus(merchant_id: str, product_id: str, sku_ids: Iterable[str]) -> Product:
    product = own(merchant_id, product_id)
    known = {ids.child_id("sku", product_id, number) for number in range(1, product.next_sku)}
    for sku_id in sku_ids:
        if sku_id not in known:
            raise ProductNotFound  # Retired SKUs count: what is left of them can be written off.
    return product


def receive(
    merchant_id: str, product_id: str, quantities: Mapping[str, int], *, intent: Intent, reason: str = ""
) -> dict[str, inventory.Level]:
    """Receive stock of a product's SKUs, all or none; returns their levels."""
    _own_skus(merchant_id, product_id, quantities)
    inventory.receive_many(quantities, intent=intent, reason=reason)
    return inventory.levels(quantities)


def write_off(
    merchant_id: str, product_id: str, quantities: Mapping[str, int], *, intent: Intent, reason: str = ""
) -> dict[str, inventory.Level]:
    """Write off stock of a product's SKUs, all or none; returns their levels."""
    _own_skus(merchant_id, product_id, quantities)
    inventory.write_off_many(quantities, intent=intent, reason=reason)
    return inventory.levels(quantities)


def stock(merchant_id: str, product_id: str) -> dict[str, inventory.Level]:
    """Return the levels of a product's SKUs."""
    product = own(merchant_id, product_id)
    return inventory.levels(sku.sku_id for sku in product.skus)


def movements(merchant_id: str, product_id: str, sku_id: str, window: Window) -> Page[inventory.Movement]:
    """Return one page of a SKU's receipts and write-offs."""
    _own_skus(merchant_id, product_id, [sku_id])
    return inventory.movements(sku_id, window)


def set_buckets(merchant_id: str, product_id: str, sku_id: str, count: int) -> inventory.Level:
    """Spread a hot SKU's stock over buckets. The product tells others; who does not know yet is told by the stock."""
    product = _own_skus(merchant_id, product_id, [sku_id])
    if product.sku(sku_id) is None:
        raise ProductNotFound
    level = inventory.set_buckets(sku_id, count)
    edit(merchant_id, product_id, lambda found: domain.with_buckets(found, sku_id, count))
    return level


def refresh_sold_out(sku_id: str) -> None:
    """Bring a SKU's sold-out flag in line with its stock, however often and in whatever order this runs.

    The flag is written under the version read before the stock was, and the stock is looked at again afterwards, so
    two consumers of opposite crossings cannot leave the older one's answer.
    """
    for _ in range(_ATTEMPTS):
        before = store.head(product_of(sku_id))
        if before is None:
            return
        sold_out = inventory.level(sku_id).available == 0
        after = domain.with_sold_out(before, sku_id, sold_out=sold_out)
        if after is before:
            return
        try:
            with UnitOfWork() as work:
                store.add(work, after, _tree_with(after.category_id), before)
        except ConcurrentUpdate:
            continue
        _pages.clear()
        if (inventory.level(sku_id).available == 0) == sold_out:
            return
    raise Busy
