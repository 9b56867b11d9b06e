"""Rows of products, and of the categories and handles that are written with them.

**A product** is one row (``part`` = ``head``); only a long text gets a second one (``body``) under the same key, so
that the product page is one Query whatever the length, and a quote that reads many heads pays for few 4 KB read units.

**What a write costs** (asserted in ``test_catalog_budget.py``). The row itself: 1 unit per KB, a
two-SKU product is 1 to 1.4 KB. Each of the eight sparse list indexes is keyed by fields that only listed products carry
and projects the card (0.4 KB): listing a product adds 8 units; a price change moves the entries of the four price
indexes (delete + put: 8) and rewrites the card in the other four (4); a title or first picture 8; stock, text and
specifications none, unless the whole product sells out or comes back. ``own`` (the merchant's list, drafts too) adds 1.
Merchants write rarely and buyers read always: a list page of 20 is one Query of 1 read unit instead of a batch read of
20 heads for 10.

**The ``catalog`` table** holds what is small or derived: the category tree (one row) and merchants' handles; the search
index (``search_store``) and bulk jobs (``job_store``) lie there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from chalicelib.catalog import domain
from chalicelib.catalog.domain import Card, Category, Kind, Labels, MadeFor, Product, Sku, Status, Tree
from chalicelib.catalog.events import (
    CategoriesChanged,
    ProductChanged,
    ProductListed,
    ProductStockTurned,
    ProductUnlisted,
)
from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_s
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import races, reads
from chalicelib.runtime.db.lookups import Found, Lookup
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

HEAD: Final = "head"
BODY: Final = "body"
_AGES: Final = 10**13
"""A moment counted from here backwards sorts the newer before the older."""
BODY_APART_BYTES: Final = 2_500
"""A longer text gets its own row, so that a head stays within one read unit."""
FEW_TAGS_BYTES: Final = 400
"""More tags than this lie with the texts: 250 of 255 characters are 64 KB, and a quote reads many heads."""


@dataclass(frozen=True, slots=True)
class _Sku:
    """A SKU as it is kept: numbers instead of ids and picture URLs."""

    n: int
    options: tuple[str, ...]
    minor: int
    was: int | None = None
    grams: int = 0
    picture: int | None = None
    buckets: int = 1
    code: str = ""
    out: bool = True


_NO_LABELS = Labels()


@dataclass(frozen=True, slots=True)
class _Goods:
    """Everything of a product that a quote may need."""

    options: tuple[str, ...]
    skus: tuple[_Sku, ...]
    currency: str
    pictures: tuple[str, ...] = ()
    next: int = 1
    labels: Labels = _NO_LABELS
    moves: tuple[str, ...] = ()
    no_return: str | msgspec.UnsetType = msgspec.UNSET
    """Nothing is written of most products: the two-SKU row would be longer than a KB by it."""


@dataclass(frozen=True, slots=True)
class _Body:
    """The texts only the product page shows."""

    description: dict[str, str]
    specifications: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    """Only many."""


_NOTHING = _Body({})


def _index(index: str, hash_name: str, range_name: str, *, number: bool) -> GlobalSecondaryIndex[Any]:
    """Build one sparse list index that projects the card."""
    meta = type("Meta", (), {"index_name": index, "projection": IncludeProjection(["card"])})
    range_kind = NumberAttribute if number else UnicodeAttribute
    fields = {
        "Meta": meta,
        hash_name: UnicodeAttribute(hash_key=True),
        range_name: range_kind(range_key=True),
    }
    built: GlobalSecondaryIndex[Any] = type(index, (GlobalSecondaryIndex,), fields)()
    return built


class OwnIndex(GlobalSecondaryIndex[Any]):
    """A merchant's products in any status, newest first."""

    class Meta:
        """Card and status: the merchant's own list shows both."""

        index_name = "own"
        projection = IncludeProjection(["card", "status"])

    merchant_id = UnicodeAttribute(hash_key=True)
    created_ms = NumberAttribute(range_key=True)


class ProductRow(Row):
    """Key: product_id, ``head``. The ``list_`` and ``sort_`` fields stand only on listed products."""

    class Meta:
        """Table."""

        table_name = names.table_name("products")
        region = region()

    product_id = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)
    merchant_id = UnicodeAttribute()
    created_ms = NumberAttribute()
    listed_ms = NumberAttribute(null=True)
    kind = UnicodeAttribute()
    status = UnicodeAttribute()
    category_id = UnicodeAttribute()
    handle = UnicodeAttribute()
    revision = NumberAttribute()
    fingerprint = UnicodeAttribute(null=True)
    imported = UnicodeAttribute(null=True)
    card: DocumentAttribute[Card] = DocumentAttribute(Card)
    goods: DocumentAttribute[_Goods] = DocumentAttribute(_Goods)
    body: DocumentAttribute[_Body] = DocumentAttribute(_Body, null=True)
    body_apart = NumberAttribute(null=True)
    """Version of the ``body`` row, where there is one."""
    list_all = UnicodeAttribute(null=True)
    list_top = UnicodeAttribute(null=True)
    list_category = UnicodeAttribute(null=True)
    list_merchant = UnicodeAttribute(null=True)
    sort_new = NumberAttribute(null=True)
    sort_price = UnicodeAttribute(null=True)
    made_for = UnicodeAttribute(null=True)
    made_until_s = NumberAttribute(null=True)

    own = OwnIndex()
    all_new = _index("all_new", "list_all", "sort_new", number=True)
    all_price = _index("all_price", "list_all", "sort_price", number=False)
    top_new = _index("top_new", "list_top", "sort_new", number=True)
    top_price = _index("top_price", "list_top", "sort_price", number=False)
    category_new = _index("category_new", "list_category", "sort_new", number=True)
    category_price = _index("category_price", "list_category", "sort_price", number=False)
    merchant_new = _index("merchant_new", "list_merchant", "sort_new", number=True)
    merchant_price = _index("merchant_price", "list_merchant", "sort_price", number=False)


class BodyRow(Row):
    """Key: product_id, ``body``: the long texts of a product."""

    class Meta:
        """Table."""

        table_name = names.table_name("products")
        region = region()

    product_id = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)
    body: DocumentAttribute[_Body] = DocumentAttribute(_Body)


class TreeRow(Row):
    """Key: ``categories``, ``tree``: all categories in one row."""

    class Meta:
        """Table."""

        table_name = names.table_name("catalog")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    tree: DocumentAttribute[tuple[Category, ...]] = DocumentAttribute(tuple[Category, ...])


class HandleRow(Row):
    """Key: ``handles#<merchant>``, handle: which product a merchant's file means."""

    class Meta:
        """Table."""

        table_name = names.table_name("catalog")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    product_id = UnicodeAttribute()


# Products


def _head(product: Product, tree: Tree, body: _Body | None, body_version: int | None) -> ProductRow:
    listed_ms = epoch_ms_or_none(product.listed_at)
    row = ProductRow(
        product_id=product.product_id,
        part=HEAD,
        merchant_id=product.merchant_id,
        created_ms=epoch_ms(product.created_at),
        listed_ms=listed_ms,
        kind=product.kind.value,
        status=product.status.value,
        category_id=product.category_id,
        handle=product.handle,
        revision=product.revision,
        fingerprint=product.fingerprint or None,
        imported=product.imported or None,
        card=domain.card_of(product),
        goods=_goods(product),
        body=body,
        body_apart=body_version,
        version=product.version,
    )
    if product.made is not None:
        row.made_for, row.made_until_s = product.made.buyer, int(product.made.until.timestamp())
    if product.status is Status.LISTED and listed_ms is not None:
        row.list_all = "all"
        row.list_top = tree.top(product.category_id)
        row.list_category = product.category_id
        row.list_merchant = product.merchant_id
        row.sort_new = listed_ms
        row.sort_price = price_place(product.price_from.minor, listed_ms)
    return row


def price_place(minor: int, listed_ms: int) -> str:
    """Return where a product stands in lists by price: of two at one price the newer one first."""
    return f"{minor:012d}#{_AGES - listed_ms:013d}"


def listed_ms_at(place: Mapping[str, Any]) -> int:
    """Return when a product was listed, from its place in a list in any order."""
    if "sort_new" in place:
        return int(place["sort_new"]["N"])
    return _AGES - int(place["sort_price"]["S"].rpartition("#")[2])


def _has_many_tags(labels: Labels) -> bool:
    return sum(len(tag.encode()) + 3 for tag in labels.tags) > FEW_TAGS_BYTES


def _texts(product: Product) -> _Body:
    tags = product.labels.tags if _has_many_tags(product.labels) else ()
    return _Body(dict(product.description), product.specifications, tags)


def _goods(product: Product) -> _Goods:
    places = {url: at for at, url in enumerate(product.pictures)}
    return _Goods(
        options=product.options,
        skus=tuple(
            _Sku(
                n=int(sku.sku_id[-2:]),
                options=sku.options,
                minor=sku.price.minor,
                was=sku.compare_at.minor if sku.compare_at else None,
                grams=sku.weight_g,
                picture=places.get(sku.picture or ""),
                buckets=sku.stock_buckets,
                code=sku.code,
                out=sku.sold_out,
            )
            for sku in product.skus
        ),
        currency=product.skus[0].price.currency,
        pictures=product.pictures,
        next=product.next_sku,
        labels=replace(product.labels, tags=()) if _has_many_tags(product.labels) else product.labels,
        moves=product.moves,
        no_return=product.no_return or msgspec.UNSET,
    )


_card = msgspec.json.Decoder(Card)
_goods_of = msgspec.json.Decoder(_Goods)
_body_of = msgspec.json.Decoder(_Body)


def _product(item: Mapping[str, Any], apart: Mapping[str, Any] | None = None) -> Product:
    """Build a product from its raw head: every quote does this, and PynamoDB takes six times as long."""

    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    def number(name: str) -> int:
        return int(item[name]["N"]) if name in item else 0

    goods = _goods_of.decode(text("goods"))
    body = _NOTHING
    if apart is not None:
        body = _body_of.decode(apart["body"]["S"])
    elif "body" in item:
        body = _body_of.decode(text("body"))
    product_id, currency = text("product_id"), goods.currency
    prefix = ids.child_id("sku", product_id, 0)[:-2]
    return Product(
        product_id=product_id,
        merchant_id=text("merchant_id"),
        kind=Kind(text("kind")),
        status=Status(text("status")),
        titles=_card.decode(text("card")).titles,
        category_id=text("category_id"),
        options=goods.options,
        skus=tuple(
            Sku(
                sku_id=f"{prefix}{sku.n:02d}",
                options=sku.options,
                price=Money(sku.minor, currency),
                compare_at=Money(sku.was, currency) if sku.was is not None else None,
                weight_g=sku.grams,
                picture=goods.pictures[sku.picture] if sku.picture is not None else None,
                stock_buckets=sku.buckets,
                sold_out=sku.out,
                code=sku.code,
            )
            for sku in goods.skus
        ),
        created_at=from_epoch_ms(number("created_ms")),
        description=body.description,
        specifications=body.specifications,
        pictures=goods.pictures,
        labels=replace(goods.labels, tags=body.tags) if body.tags else goods.labels,
        no_return=goods.no_return or "",
        handle=text("handle"),
        listed_at=from_epoch_ms(number("listed_ms")) if "listed_ms" in item else None,
        next_sku=goods.next,
        revision=number("revision"),
        version=number("version"),
        body_version=number("body_apart"),
        has_body=apart is not None or "body_apart" not in item,
        fingerprint=text("fingerprint"),
        imported=text("imported"),
        moves=goods.moves,
        made=MadeFor(text("made_for"), from_epoch_s(number("made_until_s"))) if "made_for" in item else None,
    )


def page(product_id: str, *, consistent: bool = False) -> Product | None:
    """Read a whole product with one Query."""
    found = {item["part"]["S"]: item for item in reads.query(ProductRow, product_id, consistent=consistent).items}
    if HEAD not in found:
        return None
    return _product(found[HEAD], found.get(BODY) if "body_apart" in found[HEAD] else None)


def head(product_id: str) -> Product | None:
    """Read a product's head now, without a long text."""
    item = reads.get_raw(ProductRow, product_id, HEAD, consistent=True)
    return _product(item) if item is not None else None


def heads(product_ids: Iterable[str]) -> Lookup[dict[str, Product]]:
    """Say how the heads of many products are read, a hundred a call."""
    wanted = sorted(set(product_ids))

    def make(found: Found) -> dict[str, Product]:
        items = {product_id: found.raw(ProductRow, product_id, HEAD) for product_id in wanted}
        return {product_id: _product(item) for product_id, item in items.items() if item is not None}

    return Lookup.of([(ProductRow, product_id, HEAD) for product_id in wanted], make)


def pages_now(product_ids: Iterable[str]) -> dict[str, Product]:
    """Read many whole products, consistently: their heads a hundred a call, then what long texts they have."""
    heads_ = {
        key[0]: item
        for key, item in reads.get_many_raw(
            [(ProductRow, product_id, HEAD) for product_id in product_ids], consistent=True
        ).items()
    }
    apart = [(ProductRow, product_id, BODY) for product_id, item in heads_.items() if "body_apart" in item]
    bodies = reads.get_many_raw(apart, consistent=True) if apart else {}
    found: dict[str, Product] = {}
    for product_id, item in heads_.items():
        body = bodies.get((product_id, BODY))
        written = body["version"]["N"] if body is not None else None
        if "body_apart" in item and written != item["body_apart"]["N"]:  # It was changed between the two reads.
            again = page(product_id, consistent=True)
            if again is not None:
                found[product_id] = again
            continue
        found[product_id] = _product(item, body)
    return found


def add(work: UnitOfWork, product: Product, tree: Tree, before: Product | None) -> None:
    """Add the writing of a product with the facts that follow from its change.

    ``before`` is what was read (None: a new one). The long text is written only if it changed.
    """
    body: _Body | None = None
    body_version: int | None = product.body_version or None
    apart: BodyRow | None = None
    write = remove = False
    if product.has_body:
        texts = _texts(product)
        had = _texts(before) if before is not None else _NOTHING
        apart = BodyRow(product_id=product.product_id, part=BODY, body=texts, version=product.body_version)
        if len(msgspec.json.encode(texts)) > BODY_APART_BYTES:
            write = texts != had or not product.body_version
            body_version = product.body_version + 1 if write else product.body_version
        else:
            body, body_version = texts, None
            remove = product.body_version > 0
    head_row = _head(product, tree, body, body_version)
    work.save(head_row, events=_facts(product, before), label="product")
    if apart is not None and write:
        work.save(apart, label="body", refuse=races.lost)
    if apart is not None and remove:
        work.delete(apart, label="body")


_Fact = ProductListed | ProductChanged | ProductUnlisted | ProductStockTurned


def _facts(product: Product, before: Product | None) -> list[_Fact]:
    was = before is not None and before.status is Status.LISTED
    now = product.status is Status.LISTED
    about = {"product_id": product.product_id, "merchant_id": product.merchant_id, "revision": product.revision}
    if now and not was:
        return [ProductListed(**about)]  # type: ignore[arg-type]
    if was and not now:
        return [ProductUnlisted(**about)]  # type: ignore[arg-type]
    if now and before is not None and product.revision != before.revision:
        return [ProductChanged(**about)]  # type: ignore[arg-type]
    if now and before is not None and [sku.sold_out for sku in product.skus] != [sku.sold_out for sku in before.skus]:
        return [ProductStockTurned(product.product_id, product.merchant_id, change=product.version + 1)]
    return []


# Lists


INDEXES: Final[dict[tuple[str, str], Any]] = {
    ("all", "new"): ProductRow.all_new,
    ("all", "price"): ProductRow.all_price,
    ("top", "new"): ProductRow.top_new,
    ("top", "price"): ProductRow.top_price,
    ("category", "new"): ProductRow.category_new,
    ("category", "price"): ProductRow.category_price,
    ("merchant", "new"): ProductRow.merchant_new,
    ("merchant", "price"): ProductRow.merchant_price,
}
"""(what is listed, order) -> index."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A list's entry: the product's card and id; ``after`` is the raw key from which the list goes on behind it."""

    product_id: str
    card: Card
    after: dict[str, Any]
    status: str | None = None


def entries(index: Any, key: str, window: Window, *, descending: bool) -> Page[Entry]:
    """Read one page of a list with one Query."""
    found = reads.windowed(ProductRow, key, window, index=index, descending=descending)
    listed = [
        Entry(
            product_id=item["product_id"]["S"],
            card=_card.decode(item["card"]["S"]),
            after={name: value for name, value in item.items() if name not in ("card", "status")},
            status=item["status"]["S"] if "status" in item else None,
        )
        for item in found.items
    ]
    return Page(listed, listed[-1].after if found.after is not None and listed else None)


# Categories


def tree(*, consistent: bool = False) -> Tree:
    """Read all categories."""
    row = reads.get(TreeRow, "categories", "tree", consistent=consistent)
    return Tree(row.tree, int(row.version)) if row is not None else Tree()


def save_tree(tree: Tree) -> Tree:
    """Replace all categories, exactly the version that was read.

    Raises:
        ConcurrentUpdate: if another operator was faster.
    """
    row = TreeRow(owner="categories", id="tree", tree=tree.categories, version=tree.version)
    with UnitOfWork() as work:
        work.save(row, events=[CategoriesChanged(tree.version + 1)], refuse=races.lost)
    return Tree(tree.categories, int(row.version))


# Handles


def add_handle(work: UnitOfWork, product: Product) -> None:
    """Take a handle for a product; refused as ``HandleTaken``."""
    row = HandleRow(owner=f"handles#{product.merchant_id}", id=product.handle, product_id=product.product_id)

    def refuse(item: Mapping[str, Any] | None) -> Exception:
        if item is None:
            return AlreadyExists()
        return domain.HandleTaken(handle=product.handle, product_id=item["product_id"]["S"])

    work.save(row, refuse=refuse, label="handle")


def product_of_handle(merchant_id: str, handle: str) -> str | None:
    """Return which product of a merchant has the handle."""
    row = reads.get(HandleRow, f"handles#{merchant_id}", handle, consistent=True)
    return row.product_id if row is not None else None
