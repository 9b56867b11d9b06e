"""Routes of the catalog: buyers browse, merchants keep their goods and stock, operators the categories."""

from __future__ import annotations

from chalicelib.catalog import bulk, encodings, search, service
from chalicelib.catalog.domain import (
    BadCategories,
    BadProduct,
    CategoryInUse,
    Cause,
    HandleTaken,
    Product,
    ProductChanged,
    ProductNotFound,
    VersionMissing,
)
from chalicelib.catalog.jobs import Job, JobKind, JobNotFound, JobStatus, Options, UnknownEncoding, UploadMissing
from chalicelib.catalog.schemas import (
    BeginImport,
    BrowseQuery,
    CardPage,
    CardView,
    ChangeProduct,
    CreateProduct,
    ExportView,
    ImportPage,
    ImportQuery,
    ImportView,
    LevelView,
    MovementPage,
    MovementView,
    MoveStock,
    OwnProductView,
    ProductView,
    RefusalPage,
    RefusalView,
    SearchQuery,
    SetBuckets,
    SetCategories,
    StockView,
    TreeView,
    UploadView,
)
from chalicelib.catalog.search import NothingToSearch
from chalicelib.inventory.service import BadQuantity, Level, NotEnoughToWriteOff
from chalicelib.kernel import context
from chalicelib.kernel.errors import IdempotencyKeyReused, IllegalTransition, TooLarge
from chalicelib.kernel.pages import Page
from chalicelib.kernel.texts import said
from chalicelib.merchants import service as merchants
from chalicelib.orders import service as orders
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("catalog")

PRODUCT_CAP_BYTES = 256 * 1024
BROWSED = "public, max-age=5, s-maxage=9, stale-while-revalidate=30"
"""A CDN asks us once in nine seconds; a browser's back button costs nothing."""
CATEGORIES_CACHED = "public, max-age=5, s-maxage=5, stale-while-revalidate=60"


# Buyers


@routes.route(
    "GET",
    "/v1/products",
    access=Access.PUBLIC,
    query=BrowseQuery,
    returns=CardPage,
    raises=(BadCursor,),
    cache_control=BROWSED,
    etag=True,
)
def list_products(query: BrowseQuery) -> CardPage:
    """List products of a category, a merchant, both, or all. One Query of an index that holds the cards."""
    bound = f"products {query.category or ''} {query.merchant or ''} {query.sort}"
    window = cursors.window(query.limit, query.cursor, query=bound)
    page = service.browse(window, category_id=query.category, merchant_id=query.merchant, sort=query.sort)
    return _cards(page, bound)


def _cards(page: Page[service.Entry], bound: str) -> CardPage:
    return CardPage.model_construct(
        items=[CardView.of(entry.product_id, entry.card, entry.status) for entry in page.items],
        next_cursor=cursors.seal(page.after, query=bound),
    )


@routes.route(
    "GET",
    "/v1/products/{product_id}",
    access=Access.PUBLIC,
    returns=ProductView,
    raises=(ProductNotFound,),
    cache_control=BROWSED,
    etag=True,
)
def get_product(product_id: str) -> ProductView:
    """Read a listed product: one read request."""
    return ProductView.of(service.read(product_id))


@routes.route(
    "GET",
    "/v1/categories",
    access=Access.PUBLIC,
    returns=TreeView,
    cache_control=CATEGORIES_CACHED,
    etag=True,
)
def list_categories() -> TreeView:
    """Read the tree of categories."""
    return TreeView.of(service.categories())


@routes.route(
    "GET",
    "/v1/search",
    access=Access.PUBLIC,
    query=SearchQuery,
    returns=CardPage,
    raises=(NothingToSearch, BadCursor),
    cache_control=BROWSED,
    etag=True,
)
def search_products(query: SearchQuery) -> CardPage:
    """Search listed products whose titles show every word, newest first. A page may be short though more follow."""
    bound = f"search {query.q}"
    found = search.search(query.q, cursors.window(query.limit, query.cursor, query=bound))
    return CardPage.model_construct(
        items=[CardView.of(product_id, card) for product_id, card in found.items],
        next_cursor=cursors.seal(found.after, query=bound),
    )


# Operators


@routes.route(
    "PUT",
    "/v1/operator/categories",
    access=Access.OPERATOR,
    body=SetCategories,
    returns=TreeView,
    raises=(BadCategories, CategoryInUse, ProductChanged),
)
def set_categories(body: SetCategories) -> TreeView:
    """Replace the tree of categories: two levels, ids for good."""
    return TreeView.of(service.set_categories([one.category() for one in body.categories], version=body.version))


# What merchants do to their products


def _own(product: Product, status: int = 200) -> Reply:
    return Reply(OwnProductView.of(product), status=status, headers={"ETag": f'"{product.revision}"'})


@routes.route(
    "POST",
    "/v1/merchant/products",
    access=Access.MERCHANT,
    body=CreateProduct,
    returns=OwnProductView,
    status=201,
    raises=(BadProduct, HandleTaken, IdempotencyKeyReused),
    cap_bytes=PRODUCT_CAP_BYTES,
)
def create_product(body: CreateProduct, caller: Caller, intent: Intent) -> Reply:
    """Create a product as a draft."""
    made, replayed = service.create(caller.owned_merchant(), body.draft(), intent=intent, handle=body.handle or "")
    reply = _own(made, 201)
    if replayed:
        reply.headers["Idempotency-Replayed"] = "true"
    return reply


@routes.route(
    "GET", "/v1/merchant/products", access=Access.MERCHANT, query=PageQuery, returns=CardPage, raises=(BadCursor,)
)
def list_own_products(query: PageQuery, caller: Caller) -> CardPage:
    """List the merchant's products in any status, newest first."""
    merchant_id = caller.owned_merchant()
    bound = f"own {merchant_id}"
    window = cursors.window(query.limit, query.cursor, query=bound)
    return _cards(service.own_list(merchant_id, window), bound)


@routes.route(
    "GET",
    "/v1/merchant/products/{product_id}",
    access=Access.MERCHANT,
    returns=OwnProductView,
    raises=(ProductNotFound,),
)
def get_own_product(product_id: str, caller: Caller) -> Reply:
    """Read one of the merchant's products; its ETag is what a change sends as If-Match."""
    return _own(service.own(caller.owned_merchant(), product_id))


@routes.route(
    "PATCH",
    "/v1/merchant/products/{product_id}",
    access=Access.MERCHANT,
    body=ChangeProduct,
    returns=OwnProductView,
    raises=(ProductNotFound, BadProduct, ProductChanged, VersionMissing),
    cap_bytes=PRODUCT_CAP_BYTES,
)
def change_product(product_id: str, body: ChangeProduct, caller: Caller, request: Request) -> Reply:
    """Change what the body names, if the product still has the version that If-Match says."""
    revision = _if_match(request)
    return _own(service.change(caller.owned_merchant(), product_id, body.draft(), revision=revision))


def _if_match(request: Request) -> int:
    given = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    if not given.isascii() or not given.isdigit() or len(given) > 12:
        raise VersionMissing
    return int(given)


@routes.route(
    "POST",
    "/v1/merchant/products/{product_id}/list",
    access=Access.MERCHANT,
    returns=OwnProductView,
    raises=(ProductNotFound, IllegalTransition, IdempotencyKeyReused),
)
def list_product(product_id: str, caller: Caller, intent: Intent) -> Reply:
    """Show the product to buyers."""
    return _own(service.move(caller.owned_merchant(), product_id, Cause.LIST, intent=intent))


@routes.route(
    "POST",
    "/v1/merchant/products/{product_id}/unlist",
    access=Access.MERCHANT,
    returns=OwnProductView,
    raises=(ProductNotFound, IllegalTransition, IdempotencyKeyReused),
)
def unlist_product(product_id: str, caller: Caller, intent: Intent) -> Reply:
    """Hide the product from buyers; orders are not touched."""
    return _own(service.move(caller.owned_merchant(), product_id, Cause.UNLIST, intent=intent))


# What merchants do to their stock


def _levels(merchant_id: str, levels: dict[str, Level]) -> StockView:
    """Show levels that were just read: what is unpaid is asked after them, and is never more than what is ordered."""
    held = orders.held_units(merchant_id)
    return StockView(items=[_level(sku_id, level, held) for sku_id, level in levels.items()])


def _level(sku_id: str, level: Level, held: dict[str, int] | None) -> LevelView:
    unpaid = None if held is None else min(held.get(sku_id, 0), level.ordered)
    return LevelView(
        sku_id=sku_id,
        available=level.available,
        ordered=level.ordered,
        held=unpaid,
        sold=None if unpaid is None else level.ordered - unpaid,
        received=level.received,
        written_off=level.written_off,
        buckets=level.buckets,
    )


@routes.route(
    "GET",
    "/v1/merchant/products/{product_id}/stock",
    access=Access.MERCHANT,
    returns=StockView,
    raises=(ProductNotFound,),
)
def get_stock(product_id: str, caller: Caller) -> StockView:
    """Read the stock of a product's SKUs."""
    merchant_id = caller.owned_merchant()
    return _levels(merchant_id, service.stock(merchant_id, product_id))


@routes.route(
    "POST",
    "/v1/merchant/products/{product_id}/stock/receipts",
    access=Access.MERCHANT,
    body=MoveStock,
    returns=StockView,
    raises=(ProductNotFound, BadQuantity, IdempotencyKeyReused),
)
def receive_stock(product_id: str, body: MoveStock, caller: Caller, intent: Intent) -> StockView:
    """Receive units of a product's SKUs."""
    merchant_id, quantities = caller.owned_merchant(), body.quantities()
    moved = service.receive(merchant_id, product_id, quantities, intent=intent, reason=body.reason)
    return _levels(merchant_id, moved)


@routes.route(
    "POST",
    "/v1/merchant/products/{product_id}/stock/write-offs",
    access=Access.MERCHANT,
    body=MoveStock,
    returns=StockView,
    raises=(ProductNotFound, BadQuantity, NotEnoughToWriteOff, IdempotencyKeyReused),
)
def write_off_stock(product_id: str, body: MoveStock, caller: Caller, intent: Intent) -> StockView:
    """Write off units of a product's SKUs: lost, broken, miscounted."""
    merchant_id, quantities = caller.owned_merchant(), body.quantities()
    moved = service.write_off(merchant_id, product_id, quantities, intent=intent, reason=body.reason)
    return _levels(merchant_id, moved)


@routes.route(
    "GET",
    "/v1/merchant/products/{product_id}/stock/{sku_id}/movements",
    access=Access.MERCHANT,
    query=PageQuery,
    returns=MovementPage,
    raises=(ProductNotFound, BadCursor),
)
def list_movements(product_id: str, sku_id: str, query: PageQuery, caller: Caller) -> MovementPage:
    """List what was received and written off of a SKU."""
    merchant_id = caller.owned_merchant()
    bound = f"movements {merchant_id} {sku_id}"
    window = cursors.window(query.limit, query.cursor, query=bound)
    page = service.movements(merchant_id, product_id, sku_id, window)
    items = [
        MovementView(
            movement_id=one.movement_id, kind=one.kind.value, quantity=one.quantity, reason=one.reason, at=one.at
        )
        for one in page.items
    ]
    return MovementPage(items=items, next_cursor=cursors.seal(page.after, query=bound))


@routes.route(
    "PUT",
    "/v1/merchant/products/{product_id}/stock/{sku_id}/buckets",
    access=Access.MERCHANT,
    body=SetBuckets,
    returns=LevelView,
    raises=(ProductNotFound, BadQuantity),
)
def set_buckets(product_id: str, sku_id: str, body: SetBuckets, caller: Caller) -> LevelView:
    """Spread a hot SKU's stock over buckets, or bring it together again. Sales go on meanwhile."""
    merchant_id = caller.owned_merchant()
    level = service.set_buckets(merchant_id, product_id, sku_id, body.buckets)
    return _level(sku_id, level, orders.held_units(merchant_id))


# Bulk


IMPORT_BODY_CAP_BYTES = 4_500_000
"""About 9,000 lines: what fits, in base64 and with the rest of the event, into Lambda's 6 MB. A larger file is uploaded
to S3."""


def _import(job: Job) -> ImportView:
    return ImportView.of(job, language=context.current().language, report_url=bulk.download(job))


def _options(wanted: ImportQuery, merchant_id: str, charset: str = "") -> Options:
    if wanted.default_category is not None:
        service.known_category(wanted.default_category)
    label = wanted.encoding or charset
    codec = encodings.codec_of(label) if label else ""
    if codec is None:
        raise UnknownEncoding(charset=label[:40])
    return Options(
        default_category=wanted.default_category or "",
        currency=wanted.currency or merchants.currency_of(merchant_id),
        stated=wanted.currency is not None,
        encoding=codec,
    )


def _charset(request: Request) -> str:
    """Return what the content type says of the body."""
    _, _, parameters = request.headers.get("content-type", "").partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""


@routes.route(
    "POST",
    "/v1/merchant/imports",
    access=Access.MERCHANT,
    body=BeginImport,
    returns=ImportView,
    status=201,
    raises=(BadProduct, IdempotencyKeyReused),
)
def begin_import(body: BeginImport, caller: Caller, intent: Intent) -> ImportView:
    """Begin an import of products in Shopify's CSV layout: PUT the file to ``upload``, then start the import."""
    merchant_id = caller.owned_merchant()
    job = bulk.begin_import(merchant_id, _options(body, merchant_id), intent=intent)
    if job.status is not JobStatus.AWAITING_UPLOAD:
        return _import(job)
    url = bulk.upload(job, body.size_bytes)
    return ImportView.of(
        job,
        language=context.current().language,
        upload=UploadView(method="PUT", url=url, headers={"Content-Type": "text/csv"}),
    )


@routes.route(
    "POST",
    "/v1/merchant/imports/file",
    access=Access.MERCHANT,
    query=ImportQuery,
    returns=ImportView,
    status=202,
    raises=(BadProduct, IdempotencyKeyReused, TooLarge, UnknownEncoding),
    content_types=("text/csv",),
    cap_bytes=IMPORT_BODY_CAP_BYTES,
)
def import_file(query: ImportQuery, request: Request, caller: Caller, intent: Intent) -> ImportView:
    """Import products from the CSV in the body, in the background. The content type may name its ``charset``."""
    merchant_id = caller.owned_merchant()
    options = _options(query, merchant_id, _charset(request))
    return _import(bulk.import_file(merchant_id, request.body, options, intent=intent))


@routes.route(
    "POST",
    "/v1/merchant/imports/{import_id}/start",
    access=Access.MERCHANT,
    returns=ImportView,
    status=202,
    raises=(JobNotFound, UploadMissing, TooLarge),
    idempotent=False,  # Starting what has started answers the same without a key.
)
def start_import(import_id: str, caller: Caller) -> ImportView:
    """Start an import whose file has been uploaded."""
    return _import(bulk.start(caller.owned_merchant(), import_id))


@routes.route(
    "GET", "/v1/merchant/imports", access=Access.MERCHANT, query=PageQuery, returns=ImportPage, raises=(BadCursor,)
)
def list_imports(query: PageQuery, caller: Caller) -> ImportPage:
    """List the merchant's imports, in no particular order."""
    merchant_id = caller.owned_merchant()
    bound = f"imports {merchant_id}"
    page = bulk.listed(merchant_id, JobKind.IMPORT, cursors.window(query.limit, query.cursor, query=bound))
    return ImportPage.model_construct(
        items=[ImportView.of(job, language=context.current().language) for job in page.items],
        next_cursor=cursors.seal(page.after, query=bound),
    )


@routes.route(
    "GET",
    "/v1/merchant/imports/{import_id}",
    access=Access.MERCHANT,
    returns=ImportView,
    raises=(JobNotFound,),
)
def get_import(import_id: str, caller: Caller) -> ImportView:
    """Read how far an import is."""
    return _import(bulk.load(caller.owned_merchant(), import_id, JobKind.IMPORT))


@routes.route(
    "GET",
    "/v1/merchant/imports/{import_id}/refusals",
    access=Access.MERCHANT,
    query=PageQuery,
    returns=RefusalPage,
    raises=(JobNotFound, BadCursor),
)
def list_refusals(import_id: str, query: PageQuery, caller: Caller) -> RefusalPage:
    """List every refused line with its column and reason; grows while the import runs."""
    merchant_id = caller.owned_merchant()
    job = bulk.load(merchant_id, import_id, JobKind.IMPORT)
    bound = f"refusals {merchant_id} {import_id}"
    page = bulk.refusals(job, cursors.window(query.limit, query.cursor, query=bound))
    language = context.current().language
    items = [
        RefusalView.model_construct(
            line=one.line, column=one.column, code=one.code, reason=said((one.en, one.zh), language)
        )
        for one in page.items
    ]
    return RefusalPage.model_construct(items=items, next_cursor=cursors.seal(page.after, query=bound))


@routes.route(
    "POST",
    "/v1/merchant/exports",
    access=Access.MERCHANT,
    returns=ExportView,
    status=202,
    raises=(IdempotencyKeyReused,),
)
def begin_export(caller: Caller, intent: Intent) -> ExportView:
    """Export all products of the merchant as CSV in Shopify's layout, in the background."""
    return ExportView.of(bulk.begin_export(caller.owned_merchant(), intent=intent))


@routes.route(
    "GET",
    "/v1/merchant/exports/{export_id}",
    access=Access.MERCHANT,
    returns=ExportView,
    raises=(JobNotFound,),
)
def get_export(export_id: str, caller: Caller) -> ExportView:
    """Read how far an export is, and where its file is."""
    job = bulk.load(caller.owned_merchant(), export_id, JobKind.EXPORT)
    return ExportView.of(job, bulk.download(job))
