"""Wire models of the catalog."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from chalicelib.catalog.csvreasons import NOTES, failure_texts
from chalicelib.catalog.domain import (
    LABEL_CHARS,
    MAX_AXES,
    MAX_CATEGORIES,
    MAX_PICTURES,
    MAX_SKUS,
    MAX_TAGS,
    TAG_CHARS,
    TITLE_CHARS,
    Card,
    Category,
    Draft,
    Kind,
    Product,
    Sku,
    SkuDraft,
    Status,
    Tree,
)
from chalicelib.catalog.exclusions import NoReturn
from chalicelib.catalog.jobs import FILE_CAP_BYTES, Job, JobStatus
from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import said
from chalicelib.runtime.schema import Currency, Id, MoneyView, PageQuery, PictureAddress, Schema, Timestamp, refusal


def _legible(text: str) -> str:
    if "\ufffd" in text:
        raise refusal("bad_encoding", "holds characters that were lost to a wrong encoding")
    return text


_Legible = AfterValidator(_legible)
"""What is not UTF-8 becomes U+FFFD on its way here: goods are not sold by names that nobody can read."""
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{1,31}$")]
"""A category's id."""
Short = Annotated[str, StringConstraints(min_length=1, max_length=60), _Legible]
Title = Annotated[str, StringConstraints(max_length=TITLE_CHARS), _Legible]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=TAG_CHARS), _Legible]
Html = Annotated[str, StringConstraints(max_length=50_000), _Legible]
Label = Annotated[str, StringConstraints(max_length=LABEL_CHARS), _Legible]
Handle = Annotated[str, StringConstraints(pattern=r"^[a-z0-9\u0080-\uffff][a-z0-9_\-\u0080-\uffff]{0,199}$")]
Encoding = Literal[
    "utf-8",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "windows-1250",
    "windows-1251",
    "windows-1252",
]
"""As ``encodings.CODECS``."""
Units = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]


class Names(Schema):
    """A text in one or both languages."""

    zh: Title | None = None
    en: Title | None = None

    def texts(self) -> dict[str, str]:
        """Return the languages that are there."""
        return {language: text for language, text in (("zh", self.zh), ("en", self.en)) if text}

    @classmethod
    def of(cls, texts: dict[str, str]) -> Names:
        """Return the wire form."""
        return cls.model_construct(zh=texts.get("zh"), en=texts.get("en"))


class Description(Schema):
    """HTML in one or both languages; only harmless markup is kept."""

    zh: Html | None = None
    en: Html | None = None

    def texts(self) -> dict[str, str]:
        """Return the languages that are there."""
        return {language: text for language, text in (("zh", self.zh), ("en", self.en)) if text}


class Specification(Schema):
    """One line of the table of facts."""

    name: Short
    value: Annotated[str, StringConstraints(min_length=1, max_length=500), _Legible]


class SkuIn(Schema):
    """A SKU as its merchant states it. Without ``sku_id`` it is the one with these options, or a new one."""

    sku_id: Id | None = None
    options: Annotated[tuple[Short, ...], Field(max_length=MAX_AXES)] = ()
    price: MoneyView
    compare_at: MoneyView | None = None
    weight_g: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] = 0
    picture: PictureAddress | None = None
    code: Label = ""

    def draft(self) -> SkuDraft:
        """Return the domain's form."""
        return SkuDraft(
            options=self.options,
            price=self.price.money(),
            compare_at=self.compare_at.money() if self.compare_at else None,
            weight_g=self.weight_g,
            picture=self.picture,
            code=self.code,
            sku_id=self.sku_id,
        )


class ChangeProduct(Schema):
    """What to change; what is not named stays as it is. ``skus`` replaces the whole list."""

    titles: Names | None = None
    kind: Kind | None = None
    category_id: Slug | None = None
    options: Annotated[list[Short], Field(max_length=MAX_AXES)] | None = None
    skus: Annotated[list[SkuIn], Field(min_length=1, max_length=MAX_SKUS)] | None = None
    description: Description | None = None
    specifications: Annotated[list[Specification], Field(max_length=60)] | None = None
    pictures: Annotated[list[PictureAddress], Field(max_length=MAX_PICTURES)] | None = None
    vendor: Label | None = None
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] | None = None
    no_return: NoReturn | Literal[""] | None = None
    """Why it is not returned without a reason, where the law excludes it or lets it be excluded; empty for no more."""

    def draft(self) -> Draft:
        """Return the domain's form."""
        specifications = None
        if self.specifications is not None:
            specifications = tuple((one.name, one.value) for one in self.specifications)
        return Draft(
            titles=self.titles.texts() if self.titles is not None else None,
            kind=self.kind,
            category_id=self.category_id,
            options=tuple(self.options) if self.options is not None else None,
            skus=tuple(sku.draft() for sku in self.skus) if self.skus is not None else None,
            description=self.description.texts() if self.description is not None else None,
            specifications=specifications,
            pictures=tuple(self.pictures) if self.pictures is not None else None,
            vendor=self.vendor,
            tags=tuple(self.tags) if self.tags is not None else None,
            no_return=str(self.no_return) if self.no_return is not None else None,
        )


class CreateProduct(ChangeProduct):
    """A new product; it starts as a draft."""

    titles: Names
    category_id: Slug
    skus: Annotated[list[SkuIn], Field(min_length=1, max_length=MAX_SKUS)]
    handle: Handle | None = None
    """The merchant's name for it in files, unique among theirs."""


class SkuView(Schema):
    """A buyable variant."""

    sku_id: str
    options: list[str]
    price: MoneyView
    compare_at: MoneyView | None = None
    weight_g: int
    picture: str | None = None
    sold_out: bool

    @classmethod
    def of(cls, sku: Sku) -> SkuView:
        """Return the wire form."""
        return cls.model_construct(**_sku(sku))


def _sku(sku: Sku) -> dict[str, Any]:
    return {
        "sku_id": sku.sku_id,
        "options": list(sku.options),
        "price": MoneyView.of(sku.price),
        "compare_at": MoneyView.of(sku.compare_at) if sku.compare_at else None,
        "weight_g": sku.weight_g,
        "picture": sku.picture,
        "sold_out": sku.sold_out,
    }


class ProductView(Schema):
    """A product as buyers see it."""

    product_id: str
    merchant_id: str
    kind: Kind
    titles: Names
    category_id: str
    options: list[str]
    skus: list[SkuView]
    price_from: MoneyView
    price_to: MoneyView
    sold_out: bool
    description: Description
    specifications: list[Specification]
    pictures: list[str]
    vendor: str | None = None
    tags: list[str]
    no_return: NoReturn | None = None
    """Why it is not returned without a reason, if the buyer confirms that when it is ordered."""
    listed_at: Timestamp | None = None

    @classmethod
    def of(cls, product: Product) -> ProductView:
        """Return the wire form."""
        return cls.model_construct(**_product(product), skus=[SkuView.of(sku) for sku in product.skus])


def _product(product: Product) -> dict[str, Any]:
    description = product.description
    return {
        "product_id": product.product_id,
        "merchant_id": product.merchant_id,
        "kind": product.kind,
        "titles": Names.of(dict(product.titles)),
        "category_id": product.category_id,
        "options": list(product.options),
        "price_from": MoneyView.of(product.price_from),
        "price_to": MoneyView.of(product.price_to),
        "sold_out": product.sold_out,
        "description": Description.model_construct(zh=description.get("zh"), en=description.get("en")),
        "specifications": [
            Specification.model_construct(name=name, value=value) for name, value in product.specifications
        ],
        "pictures": list(product.pictures),
        "vendor": product.labels.vendor or None,
        "tags": list(product.labels.tags),
        "no_return": NoReturn(product.no_return) if product.no_return else None,
        "listed_at": product.listed_at,
    }


class OwnSkuView(SkuView):
    """A variant as its merchant sees it."""

    code: str
    stock_buckets: int

    @classmethod
    def of(cls, sku: Sku) -> OwnSkuView:
        """Return the wire form."""
        return cls.model_construct(**_sku(sku), code=sku.code, stock_buckets=sku.stock_buckets)


class OwnProductView(ProductView):
    """A product as its merchant sees it. ``version`` is what ``If-Match`` wants."""

    skus: list[OwnSkuView]  # type: ignore[assignment]
    status: Status
    handle: str
    version: int
    created_at: Timestamp

    @classmethod
    def of(cls, product: Product) -> OwnProductView:
        """Return the wire form."""
        return cls.model_construct(
            **_product(product),
            skus=[OwnSkuView.of(sku) for sku in product.skus],
            status=product.status,
            handle=product.handle,
            version=product.revision,
            created_at=product.created_at,
        )


class CardView(Schema):
    """A product in a list."""

    product_id: str
    merchant_id: str
    category_id: str
    kind: Kind
    titles: Names
    price_from: MoneyView
    price_to: MoneyView
    compare_at: MoneyView | None = None
    picture: str | None = None
    sold_out: bool
    status: Status | None = None
    """Only in the merchant's own list."""

    @classmethod
    def of(cls, product_id: str, card: Card, status: str | None = None) -> CardView:
        """Return the wire form."""
        was = card.was_minor
        return cls.model_construct(
            product_id=product_id,
            merchant_id=card.merchant,
            category_id=card.category,
            kind=Kind(card.kind),
            titles=Names.of(card.titles),
            price_from=MoneyView.of(Money(card.minor, card.currency)),
            price_to=MoneyView.of(Money(card.to_minor, card.currency)),
            compare_at=MoneyView.of(Money(was, card.currency)) if was is not None else None,
            picture=card.picture,
            sold_out=card.sold_out,
            status=Status(status) if status else None,
        )


class CardPage(Schema):
    """One page of a list."""

    items: list[CardView]
    next_cursor: str | None = None


class BrowseQuery(PageQuery):
    """Which products, in which order."""

    category: Slug | None = None
    merchant: Id | None = None
    sort: Literal["newest", "price_asc", "price_desc"] = "newest"


class SearchQuery(PageQuery):
    """Words that a title must show, all of them."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class CategoryView(Schema):
    """A node of the tree."""

    category_id: Slug
    parent_id: Slug | None = None
    names: Names

    def category(self) -> Category:
        """Return the domain's form."""
        return Category(self.category_id, self.names.texts(), self.parent_id)


class TreeView(Schema):
    """All categories, in the operator's order, parents by id."""

    categories: list[CategoryView]
    version: int

    @classmethod
    def of(cls, tree: Tree) -> TreeView:
        """Return the wire form."""
        return cls.model_construct(
            categories=[
                CategoryView.model_construct(
                    category_id=one.category_id, parent_id=one.parent_id, names=Names.of(one.names)
                )
                for one in tree.categories
            ],
            version=tree.version,
        )


class SetCategories(Schema):
    """The whole tree, replacing the one of this version (0: the first)."""

    categories: Annotated[list[CategoryView], Field(max_length=MAX_CATEGORIES)]
    version: Annotated[int, Field(strict=True, ge=0)]


class StockLine(Schema):
    """Units of a SKU."""

    sku_id: Id
    quantity: Units


class MoveStock(Schema):
    """Stock received or written off, all lines or none."""

    lines: Annotated[list[StockLine], Field(min_length=1, max_length=40)]
    reason: Annotated[str, StringConstraints(max_length=200)] = ""

    @model_validator(mode="after")
    def _once(self) -> MoveStock:
        if len({line.sku_id for line in self.lines}) != len(self.lines):
            raise refusal("repeated_sku", "names a SKU more than once")
        return self

    def quantities(self) -> dict[str, int]:
        """Return units by SKU."""
        return {line.sku_id: line.quantity for line in self.lines}


class LevelView(Schema):
    """Stock of a SKU: ``received - written_off = available + ordered``, always, and ``ordered = held + sold``."""

    sku_id: str
    available: Annotated[int, Field(description="What can still be sold.")]
    ordered: Annotated[
        int,
        Field(
            description="In orders, less what they gave back: counted in the very changes that take units from stock "
            "and put them back. Units that were sent and came back stay here until they are received again."
        ),
    ]
    held: Annotated[
        int | None,
        Field(
            description="Of those ordered, what waits for its money, counted through the unpaid orders. One placed in "
            "the last moments may still count as sold. Absent while 5,000 orders of the merchant or more are unpaid."
        ),
    ] = None
    sold: Annotated[int | None, Field(description="Of those ordered, the others: paid. Absent where ``held`` is.")] = (
        None
    )
    received: Annotated[int, Field(description="What ever came in.")]
    written_off: Annotated[int, Field(description="What was taken out for good.")]
    buckets: Annotated[int, Field(description="Over how many rows the stock is spread.")]


class StockView(Schema):
    """Stock of a product's SKUs."""

    items: list[LevelView]


class SetBuckets(Schema):
    """Over how many buckets a hot SKU's stock is spread; each stands for about 50 orders a second."""

    buckets: Annotated[int, Field(strict=True, ge=1, le=20)]


class MovementView(Schema):
    """One receipt or write-off."""

    movement_id: str
    kind: Literal["receive", "write_off"]
    quantity: int
    reason: str
    at: Timestamp


class MovementPage(Schema):
    """One page of a SKU's movements, in no particular order."""

    items: list[MovementView]
    next_cursor: str | None = None


class ImportQuery(Schema):
    """What goes with a file in the body.

    ``currency`` is that of prices beside which the file names none: without it products keep theirs, and new ones have
    the shop's. ``encoding`` is needed for files that are neither UTF-8 nor everyday Chinese from a spreadsheet.
    """

    default_category: Slug | None = None
    currency: Currency | None = None
    encoding: Encoding | None = None


class BeginImport(ImportQuery):
    """An import whose file is uploaded afterwards; see the options of a file in the body."""

    size_bytes: Annotated[int, Field(strict=True, ge=1, le=FILE_CAP_BYTES)]


class UploadView(Schema):
    """Where and how to send the file."""

    method: Literal["PUT"]
    url: str
    headers: dict[str, str]


class NoteView(Schema):
    """What is to be known of products that were taken: in how many lines, the first of them, and in which column."""

    code: str
    column: str
    line: int
    lines: int
    reason: str


class ImportView(Schema):
    """An import and how far it is.

    ``notes`` say what was not taken over as it stood in the file. ``report_url`` is a CSV of every refused line and
    every note, once it has ended.
    """

    import_id: str
    status: JobStatus
    created_at: Timestamp
    ended_at: Timestamp | None = None
    progress_percent: int
    products_created: int
    products_updated: int
    products_refused: int
    lines_read: int
    lines_refused: int
    notes: list[NoteView]
    failure: str | None = None
    failure_text: str | None = None
    """Why it ended early, for people, in the caller's language."""
    upload: UploadView | None = None
    report_url: str | None = None

    @classmethod
    def of(
        cls, job: Job, *, language: str = "en", upload: UploadView | None = None, report_url: str | None = None
    ) -> ImportView:
        """Return the wire form, its words in a language."""
        progress = job.progress
        done = 100 if job.status is JobStatus.FINISHED else min(99, progress.offset * 100 // max(1, progress.size))
        return cls.model_construct(
            import_id=job.job_id,
            status=job.status,
            created_at=job.created_at,
            ended_at=job.ended_at,
            progress_percent=done,
            products_created=progress.created,
            products_updated=progress.updated,
            products_refused=progress.refused,
            lines_read=max(0, progress.line - 1),
            lines_refused=progress.lines_refused,
            notes=[
                NoteView.model_construct(
                    code=one.code,
                    column=one.column,
                    line=one.line,
                    lines=one.lines,
                    reason=said(NOTES[one.code], language),
                )
                for one in progress.notes
            ],
            failure=progress.failure or None,
            failure_text=said(failure_texts(progress.failure), language) if progress.failure else None,
            upload=upload,
            report_url=report_url,
        )


class ImportPage(Schema):
    """One page of imports."""

    items: list[ImportView]
    next_cursor: str | None = None


class RefusalView(Schema):
    """A refused line: where, and why in the caller's language."""

    line: int
    column: str
    code: str
    reason: str


class RefusalPage(Schema):
    """One page of refused lines, in the order of the file."""

    items: list[RefusalView]
    next_cursor: str | None = None


class ExportView(Schema):
    """An export and how far it is. ``url`` is the file, once it is finished."""

    export_id: str
    status: JobStatus
    created_at: Timestamp
    ended_at: Timestamp | None = None
    products: int
    url: str | None = None

    @classmethod
    def of(cls, job: Job, url: str | None = None) -> ExportView:
        """Return the wire form."""
        return cls.model_construct(
            export_id=job.job_id,
            status=job.status,
            created_at=job.created_at,
            ended_at=job.ended_at,
            products=job.progress.exported,
            url=url,
        )
