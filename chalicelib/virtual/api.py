"""Routes of virtual goods: merchants keep pools and deliver, buyers look."""

from __future__ import annotations

from chalicelib.catalog.service import ProductNotFound
from chalicelib.kernel.errors import Busy, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery
from chalicelib.virtual import files, service
from chalicelib.virtual.domain import (
    CodeKnown,
    Form,
    NothingToShow,
    NotOwed,
    NotVirtual,
    PoolInUse,
    TooManyLooks,
    WrongForm,
)
from chalicelib.virtual.files import FileRefused
from chalicelib.virtual.schemas import (
    CodesView,
    DeliverByHand,
    FileTicketView,
    LookView,
    NewFile,
    Nothing,
    OwedPageView,
    PoolPageView,
    PoolView,
    PromiseView,
    PutPool,
    ShownView,
    UploadCodes,
    VirtualLinesView,
    VirtualLineView,
    WithdrawCodes,
)

routes = Routes("virtual")

CODES_CAP_BYTES = 1024 * 1024


@routes.route(
    "GET",
    "/v1/skus/{sku_id}/delivery",
    access=Access.PUBLIC,
    returns=PromiseView,
    raises=(NotFound,),
    cache_control="public, max-age=60",
    etag=True,
)
def get_promise(sku_id: str) -> PromiseView:
    """Read how a virtual SKU is delivered, and within which time."""
    return PromiseView.of(service.promise(sku_id))


@routes.route(
    "PUT",
    "/v1/merchant/pools/{sku_id}",
    access=Access.MERCHANT,
    body=PutPool,
    returns=PoolView,
    raises=(ProductNotFound, NotFound, NotVirtual, PoolInUse, FileRefused, Busy),
)
def put_pool(sku_id: str, body: PutPool, caller: Caller) -> PoolView:
    """Say how one of the merchant's virtual SKUs is delivered, and within which time after the payment."""
    merchant_id = caller.owned_merchant()
    file = files.keep(merchant_id, body.file_id) if body.file_id else None
    return PoolView.of(service.put(merchant_id, sku_id, body.terms(file)))


@routes.route(
    "GET",
    "/v1/merchant/pools",
    access=Access.MERCHANT,
    query=PageQuery,
    returns=PoolPageView,
    raises=(BadCursor,),
)
def list_pools(query: PageQuery, caller: Caller) -> PoolPageView:
    """List the merchant's pools."""
    merchant_id = caller.owned_merchant()
    scope = f"pools#{merchant_id}"
    page = service.of_merchant(merchant_id, cursors.window(query.limit, query.cursor, query=scope))
    return PoolPageView(
        items=[PoolView.of(pool) for pool in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route("GET", "/v1/merchant/pools/{sku_id}", access=Access.MERCHANT, returns=PoolView, raises=(NotFound,))
def get_pool(sku_id: str, caller: Caller) -> PoolView:
    """Read one of the merchant's pools: how many codes are free, never which."""
    return PoolView.of(service.own(caller.owned_merchant(), sku_id))


@routes.route(
    "POST",
    "/v1/merchant/pools/{sku_id}/codes",
    access=Access.MERCHANT,
    body=UploadCodes,
    returns=CodesView,
    cap_bytes=CODES_CAP_BYTES,
    raises=(NotFound, WrongForm, IdempotencyKeyReused, Busy),
)
def upload_codes(sku_id: str, body: UploadCodes, caller: Caller, intent: Intent) -> Reply:
    """Add codes to a pool; those that are known already, in any pool of the merchant's, are not taken."""
    upload, replayed = service.upload(caller.owned_merchant(), sku_id, body.codes, intent, to_stock=body.to_stock)
    return Reply(CodesView.of(upload), 200, replayed_header(replayed))


@routes.route(
    "POST",
    "/v1/merchant/pools/{sku_id}/withdraw",
    access=Access.MERCHANT,
    body=WithdrawCodes,
    returns=PoolView,
    raises=(NotFound, IdempotencyKeyReused, Busy),
)
def withdraw_codes(sku_id: str, body: WithdrawCodes, caller: Caller, intent: Intent) -> PoolView:
    """Take the oldest free codes out for good, with as many units of stock."""
    return PoolView.of(service.withdraw(caller.owned_merchant(), sku_id, body.quantity, intent))


@routes.route(
    "POST",
    "/v1/merchant/virtual-files",
    access=Access.MERCHANT,
    body=NewFile,
    returns=FileTicketView,
    status=201,
    raises=(FileRefused,),
)
def upload_virtual_file(body: NewFile, caller: Caller, intent: Intent) -> FileTicketView:
    """Get a form to upload one file with; name it by its id in a pool or a delivery."""
    ticket = files.ticket(caller.owned_merchant(), content_type=body.content_type, size=body.size, intent=intent)
    return FileTicketView.of(ticket)


@routes.route(
    "GET",
    "/v1/merchant/virtual-owed",
    access=Access.MERCHANT,
    query=PageQuery,
    returns=OwedPageView,
    raises=(BadCursor,),
)
def list_owed(query: PageQuery, caller: Caller) -> OwedPageView:
    """List what the merchant owes of virtual goods, most urgent first."""
    merchant_id = caller.owned_merchant()
    scope = f"owed#{merchant_id}"
    page = service.owed(merchant_id, cursors.window(query.limit, query.cursor, query=scope))
    items = [VirtualLineView.of(delivery) for delivery in page.items]
    return OwedPageView(items=items, next_cursor=cursors.seal(page.after, query=scope))


@routes.route(
    "GET",
    "/v1/merchant/orders/{order_id}/virtual",
    access=Access.MERCHANT,
    returns=VirtualLinesView,
    raises=(NotFound,),
)
def get_merchant_virtual(order_id: str, caller: Caller) -> VirtualLinesView:
    """See what was delivered of one of the merchant's orders, and whether the buyer looked at it."""
    _, found = service.of_merchants_order(order_id, caller.owned_merchant())
    return VirtualLinesView(items=[VirtualLineView.of(delivery) for delivery in found])


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/virtual/{line_id}/deliver",
    access=Access.MERCHANT,
    body=DeliverByHand,
    returns=VirtualLineView,
    raises=(NotFound, NotVirtual, NotOwed, CodeKnown, FileRefused, IllegalTransition, IdempotencyKeyReused, Busy),
)
def deliver_virtual(order_id: str, line_id: str, body: DeliverByHand, caller: Caller, intent: Intent) -> Reply:
    """Deliver units of a virtual line by hand: a code, a text, a link or a file."""
    merchant_id = caller.owned_merchant()
    file = files.keep(merchant_id, body.file_id) if body.file_id else None
    content = body.content(Form(body.form), file)
    if content is None:
        raise NotFound(what="order line")
    delivery, replayed = service.by_hand(merchant_id, service.Handed(order_id, line_id, content, body.quantity), intent)
    return Reply(VirtualLineView.of(delivery), 200, replayed_header(replayed))


@routes.route("GET", "/v1/orders/{order_id}/virtual", access=Access.BUYER, returns=VirtualLinesView, raises=(NotFound,))
def get_virtual(order_id: str, caller: Caller) -> VirtualLinesView:
    """See what was delivered of the virtual lines of one of the caller's orders, and until when the rest comes."""
    _, found = service.of_buyers_order(order_id, caller.account_id)
    return VirtualLinesView(items=[VirtualLineView.of(delivery) for delivery in found])


@routes.route(
    "POST",
    "/v1/orders/{order_id}/virtual/{line_id}/look",
    access=Access.BUYER,
    body=Nothing,
    returns=LookView,
    raises=(NotFound, NothingToShow, TooManyLooks, IdempotencyKeyReused, Busy),
)
def look_at_virtual(order_id: str, line_id: str, caller: Caller, intent: Intent) -> Reply:
    """Show what was bought; each look is written down, and what nobody looked at can be paid back as new."""
    delivery, shown, replayed = service.look(caller.account_id, order_id, line_id, intent)
    view = LookView(line=VirtualLineView.of(delivery), items=[ShownView.of(one) for one in shown])
    return Reply(view, 200, replayed_header(replayed))


@routes.route(
    "POST",
    "/v1/orders/{order_id}/virtual/{line_id}/confirm",
    access=Access.BUYER,
    body=Nothing,
    returns=VirtualLineView,
    raises=(NotFound, IllegalTransition, IdempotencyKeyReused, Busy),
)
def confirm_virtual(order_id: str, line_id: str, caller: Caller, intent: Intent) -> Reply:
    """Say that all of a line is there; an order of virtual goods alone is confirmed with its last line."""
    delivery, replayed = service.confirm(caller.account_id, order_id, line_id, intent)
    return Reply(VirtualLineView.of(delivery), 200, replayed_header(replayed))
