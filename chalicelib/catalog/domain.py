"""Products, SKUs and categories: their types and rules. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from chalicelib.catalog.search_words import TOKENS_OF_A_PRODUCT, tokens
from chalicelib.kernel import ids
from chalicelib.kernel.errors import Conflict, IllegalTransition, NotFound, ShopError
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import MAX_MINOR, Money

MAX_AXES: Final = 3
MAX_SKUS: Final = 99
"""A SKU's number is two digits of its id, and is never given to another one of the product."""
MAX_PICTURES: Final = 60
MAX_TAGS: Final = 250
TAG_CHARS: Final = 255
"""As Shopify has it, so that what was exported there can be kept here."""
TAGS_CAP: Final = 65_536
"""Bytes of all tags together: they are part of every product page."""
LABEL_CHARS: Final = 255
TITLE_CHARS: Final = 250
MAX_CATEGORIES: Final = 300
MAX_PRICE_MINOR: Final = MAX_MINOR
MARKUP_CAP: Final = 200_000
"""Bytes of both languages together before they are cleaned: word processors write more markup than text."""
DESCRIPTION_CAP: Final = 60_000
"""Bytes of both languages together: a DynamoDB item takes 400 KB, a phone should not."""
LANGUAGES: Final = ("zh", "en")

ByLanguage = Mapping[str, str]
"""A text by language, ``zh`` and/or ``en``: at least one."""


class Kind(StrEnum):
    """What sort of goods: parcels, codes, or something that is done."""

    PHYSICAL = "physical"
    VIRTUAL = "virtual"
    SERVICE = "service"


class Status(StrEnum):
    """Whether a product can be seen and bought."""

    DRAFT = "draft"
    LISTED = "listed"
    UNLISTED = "unlisted"


class Cause(StrEnum):
    """What changes a product's status."""

    LIST = "list"
    UNLIST = "unlist"
    ARCHIVE = "archive"
    """What a file brings that was archived where it comes from: it was for sale once, and is no draft."""


MACHINE: StateMachine[Status, Cause] = StateMachine(
    name="product",
    initial=Status.DRAFT,
    edges={
        Status.DRAFT: {Cause.LIST: Status.LISTED, Cause.ARCHIVE: Status.UNLISTED},
        Status.LISTED: {Cause.UNLIST: Status.UNLISTED},
        Status.UNLISTED: {Cause.LIST: Status.LISTED},
    },
)


class BadProduct(ShopError):
    """The product breaks a rule. ``rule`` names it, ``field`` says where."""

    code, status = "bad_product", 422
    shown = ("rule", "field")
    en, zh = "{en}", "{zh}"


class ProductChanged(ShopError):
    """``If-Match`` names an older version: somebody changed the product since it was read."""

    code, status = "product_changed", 412
    en = "The product is at version {version} now; read it again and repeat your change."
    zh = "商品已被修改（当前版本 {version}），请重新读取后再提交。"
    shown = ("version",)


class VersionMissing(ShopError):
    """A change came without ``If-Match``."""

    code, status = "if_match_missing", 428
    en = "Send If-Match with the version you read."
    zh = "请在 If-Match 请求头中携带读取到的版本。"


class HandleTaken(Conflict):
    """Another product of the merchant has this handle."""

    code = "handle_taken"
    en, zh = "Another product has the handle {handle}.", "已有其他商品使用 {handle}。"
    shown = ("handle", "product_id")


class CategoryInUse(Conflict):
    """A category with listed products cannot be removed or moved."""

    code = "category_in_use"
    en, zh = "Category {category_id} has listed products.", "分类 {category_id} 下仍有在售商品。"
    shown = ("category_id",)


class BadCategories(ShopError):
    """The tree breaks a rule."""

    code, status = "bad_categories", 422
    en, zh = "The categories are refused at {category_id}: {rule}.", "分类 {category_id} 有误：{rule}。"
    shown = ("category_id", "rule")
    texts_of = {  # noqa: RUF012
        "rule": {
            "too_many": ("there are too many categories", "分类数量过多"),
            "bad_id": ("its id is malformed", "分类编号格式不正确"),
            "unknown_parent": ("there is no such parent", "上级分类不存在"),
            "two_levels": ("categories have two levels at most", "分类最多两级"),
            "moved": ("it cannot be moved to another parent", "不能更换上级分类"),
            "name_missing": ("it has no name", "缺少名称"),
            "repeated": ("an id comes twice", "分类编号重复"),
        }
    }


class ProductNotFound(NotFound):
    """No such product, or not the caller's, or not listed."""

    en, zh = "There is no such product.", "商品不存在。"

    def __init__(self) -> None:
        super().__init__(what="product")


@dataclass(frozen=True, slots=True)
class Sku:
    """One buyable variant. ``options`` are its values on the product's axes, in their order."""

    sku_id: str
    options: tuple[str, ...]
    price: Money
    compare_at: Money | None = None
    weight_g: int = 0
    picture: str | None = None
    stock_buckets: int = 1
    sold_out: bool = True
    code: str = ""
    """The merchant's own number for it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What merchants' files carry beside: kept, shown, not interpreted."""

    vendor: str = ""
    type: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MadeFor:
    """Of goods that are made for one buyer: a digest of who that is, and until when they can be ordered."""

    buyer: str
    until: datetime

    @classmethod
    def of(cls, account_id: str, product_id: str, until: datetime) -> MadeFor:
        """Return what says that a product is made for an account."""
        return cls(ids.digest(account_id, product_id), until)


@dataclass(frozen=True, slots=True)
class Product:
    """A product. ``revision`` counts what its merchant changed (If-Match); ``version`` also what stock changed.

    ``description`` and ``specifications`` are filled on the product page; read in bulk (``service.products``), those
    of a product with a long text are left out and ``has_body`` is False.
    """

    product_id: str
    merchant_id: str
    kind: Kind
    status: Status
    titles: ByLanguage
    category_id: str
    options: tuple[str, ...]
    skus: tuple[Sku, ...]
    created_at: datetime
    description: ByLanguage = field(default_factory=dict)
    specifications: tuple[tuple[str, str], ...] = ()
    pictures: tuple[str, ...] = ()
    labels: Labels = Labels()
    no_return: str = ""
    """Why it is not returned without a reason (:class:`exclusions.NoReturn`); empty where it is."""
    handle: str = ""
    listed_at: datetime | None = None
    next_sku: int = 1
    revision: int = 1
    version: int = 0
    body_version: int = 0
    has_body: bool = True
    fingerprint: str = ""
    imported: str = ""
    """The job and line of the file that last wrote it."""
    moves: tuple[str, ...] = ()
    """``token fingerprint`` of the latest list and unlist requests, to answer repeats."""
    made: MadeFor | None = None
    """For whom it is made; nobody else ever sees it, and it stays as it was agreed on."""

    def sku(self, sku_id: str) -> Sku | None:
        """Return one of its SKUs."""
        return next((sku for sku in self.skus if sku.sku_id == sku_id), None)

    def title(self, language: str) -> str:
        """Return the title in a language, or in the other one."""
        return self.titles.get(language) or next(iter(self.titles.values()))

    @property
    def sold_out(self) -> bool:
        """Say whether every SKU is."""
        return all(sku.sold_out for sku in self.skus)

    @property
    def price_from(self) -> Money:
        """Return the lowest price."""
        return min((sku.price for sku in self.skus), key=lambda money: money.minor)

    @property
    def price_to(self) -> Money:
        """Return the highest price."""
        return max((sku.price for sku in self.skus), key=lambda money: money.minor)


@dataclass(frozen=True, slots=True)
class Card:
    """What a list shows of a product; the only thing its indexes project."""

    titles: dict[str, str]
    merchant: str
    category: str
    kind: str
    minor: int
    to_minor: int
    currency: str
    was_minor: int | None = None
    picture: str | None = None
    sold_out: bool = False


@dataclass(frozen=True, slots=True)
class SkuDraft:
    """A SKU as a merchant states it. Without ``sku_id`` it is found by its options, or is new."""

    options: tuple[str, ...]
    price: Money
    compare_at: Money | None = None
    weight_g: int = 0
    picture: str | None = None
    code: str = ""
    sku_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A product, or a change of one (None: leave as it is), as a merchant states it."""

    titles: ByLanguage | None = None
    kind: Kind | None = None
    category_id: str | None = None
    options: tuple[str, ...] | None = None
    skus: tuple[SkuDraft, ...] | None = None
    description: ByLanguage | None = None
    specifications: tuple[tuple[str, str], ...] | None = None
    pictures: tuple[str, ...] | None = None
    vendor: str | None = None
    type: str | None = None
    tags: tuple[str, ...] | None = None
    no_return: str | None = None
    """Why it is not returned without a reason; empty takes the mark off."""


@dataclass(frozen=True, slots=True)
class Category:
    """A node of the tree, which has two levels."""

    category_id: str
    names: dict[str, str]
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """All categories, in the operator's order."""

    categories: tuple[Category, ...] = ()
    version: int = 0

    def get(self, category_id: str) -> Category | None:
        """Return a category."""
        return next((one for one in self.categories if one.category_id == category_id), None)

    def named(self, text: str) -> Category | None:
        """Return the category with this id, or with this name (the last part of ``A > B > C``), case aside."""
        exact = self.get(text)
        if exact is not None:
            return exact
        wanted = text.rpartition(">")[2].strip().casefold()
        for one in self.categories:
            if wanted in {one.category_id, *(name.casefold() for name in one.names.values())}:
                return one
        return None

    def top(self, category_id: str) -> str:
        """Return the top category above (or the category itself)."""
        found = self.get(category_id)
        return found.parent_id or category_id if found is not None else category_id


def _refuse(rule: str, where: str, en: str, zh: str) -> BadProduct:
    return BadProduct(rule=rule, field=where, en=en, zh=zh)


def create(
    draft: Draft, *, product_id: str, merchant_id: str, handle: str, at: datetime, fingerprint: str = ""
) -> Product:
    """Return a new product in draft.

    Raises:
        BadProduct: if it breaks a rule.
    """
    blank = Product(
        product_id=product_id,
        merchant_id=merchant_id,
        kind=Kind.PHYSICAL,
        status=Status.DRAFT,
        titles={},
        category_id="",
        options=(),
        skus=(),
        created_at=at,
        handle=handle or product_id,
        revision=0,
        fingerprint=fingerprint,
    )
    return change(blank, draft)


def is_sold_to(product: Product, account_id: str, now: datetime) -> bool:
    """Say whether an account can order it now: it is listed, or was made for that account and waits for it still."""
    if product.made is None:
        return product.status is Status.LISTED
    return product.made == MadeFor.of(account_id, product.product_id, product.made.until) and now < product.made.until


def _check_not_made(product: Product) -> None:
    if product.made is not None:
        raise _refuse(
            "made_to_order",
            "product",
            "This was made to one buyer's order; offer anew.",
            "定制商品不可修改，请重新报价。",
        )


def change(product: Product, draft: Draft) -> Product:
    """Return the product as the merchant wants it, one revision on; the very product if that is how it is.

    Raises:
        BadProduct: if it breaks a rule, or was made to somebody's order.
    """
    _check_not_made(product)
    options = product.options if draft.options is None else tuple(name.strip() for name in draft.options)
    pictures = product.pictures if draft.pictures is None else tuple(dict.fromkeys(draft.pictures))
    skus, next_sku = product.skus, product.next_sku
    if draft.skus is not None:
        skus, next_sku = _skus(product, draft.skus)
    elif options != product.options and len(options) != len(product.options):
        raise _refuse("skus_missing", "skus", "Send the SKUs with the options.", "修改规格名时请同时提交 SKU。")
    pictures = tuple(dict.fromkeys([*pictures, *(sku.picture for sku in skus if sku.picture)]))
    description = product.description if draft.description is None else _harmless(draft.description)
    changed = replace(
        product,
        titles=product.titles if draft.titles is None else _texts(draft.titles),
        kind=draft.kind or product.kind,
        category_id=draft.category_id or product.category_id,
        options=options,
        skus=skus,
        next_sku=next_sku,
        description=description,
        specifications=product.specifications if draft.specifications is None else draft.specifications,
        pictures=pictures,
        labels=_labels(product.labels, draft),
        no_return=product.no_return if draft.no_return is None else draft.no_return,
    )
    if changed == product and product.revision:
        return product  # Nobody needs to hear of it, and an If-Match that was good stays good.
    _check(changed)
    if changed.titles != product.titles:
        _check_words(changed.titles)
    return replace(changed, revision=product.revision + 1)


def _texts(texts: ByLanguage) -> dict[str, str]:
    return {language: texts[language].strip() for language in LANGUAGES if texts.get(language, "").strip()}


def _labels(labels: Labels, draft: Draft) -> Labels:
    return Labels(
        vendor=labels.vendor if draft.vendor is None else draft.vendor,
        type=labels.type if draft.type is None else draft.type,
        tags=labels.tags if draft.tags is None else draft.tags,
    )


def _harmless(texts: ByLanguage) -> dict[str, str]:
    """Return descriptions with only harmless markup.

    Raises:
        BadProduct: if they are so long that nobody should clean them.
    """
    if sum(len(text.encode()) for text in texts.values()) > MARKUP_CAP:
        raise _description_too_long()
    from chalicelib.catalog.markup import clean  # Readers of products do not need a parser.

    return _texts({language: clean(text) for language, text in texts.items()})


def _description_too_long() -> BadProduct:
    return _refuse("description_too_long", "description", "The description is too long.", "商品描述过长。")


def _skus(product: Product, drafts: Sequence[SkuDraft]) -> tuple[tuple[Sku, ...], int]:
    by_id = {sku.sku_id: sku for sku in product.skus}
    by_options = {sku.options: sku for sku in product.skus}
    number, result = product.next_sku, []
    for draft in drafts:
        options = tuple(value.strip() for value in draft.options)
        if draft.sku_id is not None and draft.sku_id not in by_id:
            raise _refuse("unknown_sku", "skus", f"{draft.sku_id} is no SKU of this product.", "SKU 不属于该商品。")
        known = by_id.get(draft.sku_id or "") or by_options.get(options)
        if known is None:
            if number > MAX_SKUS:
                raise _refuse(
                    "too_many_skus",
                    "skus",
                    f"A product has at most {MAX_SKUS} SKUs, removed ones included.",
                    f"每个商品最多 {MAX_SKUS} 个 SKU（含已删除的）。",
                )
            known = Sku(sku_id=ids.child_id("sku", product.product_id, number), options=options, price=draft.price)
            number += 1
        result.append(
            replace(
                known,
                options=options,
                price=draft.price,
                compare_at=draft.compare_at,
                weight_g=draft.weight_g,
                picture=draft.picture,
                code=draft.code,
            )
        )
    return tuple(result), number


def _check(product: Product) -> None:
    if not product.titles:
        raise _refuse("title_missing", "titles", "A product needs a title.", "商品必须有标题。")
    if not product.skus:
        raise _refuse("skus_missing", "skus", "A product needs at least one SKU.", "商品至少需要一个 SKU。")
    _check_options(product)
    _check_prices(product.skus)
    if len(product.pictures) > MAX_PICTURES:
        raise _refuse(
            "too_many_pictures", "pictures", f"At most {MAX_PICTURES} pictures.", f"图片最多 {MAX_PICTURES} 张。"
        )
    if sum(len(tag.encode()) for tag in product.labels.tags) > TAGS_CAP:
        raise _refuse("tags_too_long", "tags", "All tags together are too long.", "标签总长度过长。")
    if sum(len(text.encode()) for text in product.description.values()) > DESCRIPTION_CAP:
        raise _description_too_long()


def _check_words(titles: ByLanguage) -> None:
    found = len(tokens(titles.values()))
    if found > TOKENS_OF_A_PRODUCT:
        raise _refuse(
            "too_many_words",
            "titles",
            f"The titles hold {found} words and characters to search by, more than {TOKENS_OF_A_PRODUCT}.",
            f"标题包含 {found} 个检索词，超过上限 {TOKENS_OF_A_PRODUCT} 个，请缩短。",
        )


def _check_options(product: Product) -> None:
    axes = product.options
    if len(axes) > MAX_AXES or len(set(axes)) != len(axes) or not all(axes):
        raise _refuse(
            "bad_options",
            "options",
            f"At most {MAX_AXES} different, named options.",
            f"规格名最多 {MAX_AXES} 个，不能重复或为空。",
        )
    seen: set[tuple[str, ...]] = set()
    for sku in product.skus:
        if len(sku.options) != len(axes) or not all(sku.options):
            raise _refuse(
                "option_values", "skus", "Each SKU needs one value for each option.", "每个 SKU 须填写全部规格值。"
            )
        if sku.options in seen:
            raise _refuse("sku_repeated", "skus", "Two SKUs have the same option values.", "存在规格值完全相同的 SKU。")
        seen.add(sku.options)
    if len({sku.sku_id for sku in product.skus}) != len(product.skus):
        raise _refuse("sku_repeated", "skus", "A SKU is named twice.", "SKU 重复。")


_PRICE_EN = f"A price is above zero and at most {MAX_PRICE_MINOR} minor units."
_PRICE_ZH = f"价格必须大于零，且不超过 {MAX_PRICE_MINOR} 个最小货币单位。"
_FORMER_EN = f"A former price is not below zero and at most {MAX_PRICE_MINOR} minor units."
_FORMER_ZH = f"划线价不能小于零，且不超过 {MAX_PRICE_MINOR} 个最小货币单位。"


def _check_prices(skus: Iterable[Sku]) -> None:
    currencies = set()
    for sku in skus:
        currencies.add(sku.price.currency)
        if not 0 < sku.price.minor <= MAX_PRICE_MINOR:
            raise _refuse("bad_price", "skus", _PRICE_EN, _PRICE_ZH)
        if sku.compare_at is not None:
            currencies.add(sku.compare_at.currency)
            if not 0 <= sku.compare_at.minor <= MAX_PRICE_MINOR:
                raise _refuse("bad_price", "skus", _FORMER_EN, _FORMER_ZH)
    if len(currencies) > 1:
        raise _refuse("currencies", "skus", "All SKUs of a product have one currency.", "同一商品的 SKU 币种必须一致。")


def move(product: Product, cause: Cause, *, at: datetime) -> Product:
    """List or unlist. The first listing is the one that counts as its age.

    Raises:
        IllegalTransition: if the status does not take it, or it was made to somebody's order.
    """
    if product.made is not None:
        raise IllegalTransition(machine=MACHINE.name, state=product.status.value, cause=cause.value)
    status = MACHINE.next(product.status, cause)
    listed_at = product.listed_at or (at if status is Status.LISTED else None)
    return replace(product, status=status, listed_at=listed_at, revision=product.revision + 1)


def with_sold_out(product: Product, sku_id: str, *, sold_out: bool) -> Product:
    """Return the product with one SKU's flag set; the same object if it is so already."""
    sku = product.sku(sku_id)
    if sku is None or sku.sold_out == sold_out:
        return product
    return replace(
        product,
        skus=tuple(replace(one, sold_out=sold_out) if one.sku_id == sku_id else one for one in product.skus),
    )


def with_buckets(product: Product, sku_id: str, count: int) -> Product:
    """Return the product with one SKU's number of stock buckets set."""
    return replace(
        product,
        skus=tuple(replace(one, stock_buckets=count) if one.sku_id == sku_id else one for one in product.skus),
    )


def card_of(product: Product) -> Card:
    """Return what lists show of the product."""
    cheapest = min(product.skus, key=lambda sku: sku.price.minor)
    return Card(
        titles=dict(product.titles),
        merchant=product.merchant_id,
        category=product.category_id,
        kind=product.kind.value,
        minor=cheapest.price.minor,
        to_minor=product.price_to.minor,
        currency=cheapest.price.currency,
        was_minor=cheapest.compare_at.minor if cheapest.compare_at else None,
        picture=product.pictures[0] if product.pictures else None,
        sold_out=product.sold_out,
    )


_SLUG = re.compile(r"^[a-z0-9][a-z0-9_-]{1,31}$")


def check_tree(categories: Sequence[Category], before: Tree) -> Tree:
    """Return the new tree.

    Raises:
        BadCategories: if an id repeats or is malformed, a parent is missing or has one itself, or one was moved.
    """
    if len(categories) > MAX_CATEGORIES:
        raise BadCategories(category_id=categories[-1].category_id, rule="too_many")
    by_id = {one.category_id: one for one in categories}
    for one in categories:
        parent = by_id.get(one.parent_id) if one.parent_id else None
        known = before.get(one.category_id)
        rule = (
            ("bad_id" if not _SLUG.match(one.category_id) else "")
            or ("unknown_parent" if one.parent_id and parent is None else "")
            or ("two_levels" if parent is not None and parent.parent_id else "")
            or ("moved" if known is not None and known.parent_id != one.parent_id else "")
            or ("name_missing" if not any(one.names.get(language) for language in LANGUAGES) else "")
        )
        if rule:
            raise BadCategories(category_id=one.category_id, rule=rule)
    if len(by_id) != len(categories):
        raise BadCategories(category_id="", rule="repeated")
    return Tree(tuple(categories), before.version)
