"""Routes of purchases and orders for buyers and merchants. Cancelling moves money and stock: see ``checkout``."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.orders import service
from chalicelib.orders.addressing import AddressSettled
from chalicelib.orders.schemas import (
    AskAddress,
    Confirm,
    ContactView,
    MerchantOrdersQuery,
    OrderPageView,
    OrderView,
    PurchaseStatusView,
    PurchaseView,
    Reveal,
)
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

ASK_AGAIN_S = 2
"""How soon a page that waits for money asks again: see docs/payments.md for what that costs."""

routes = Routes("orders")


@routes.route("GET", "/v1/orders", access=Access.BUYER, query=PageQuery, returns=OrderPageView, raises=(BadCursor,))
def list_orders(query: PageQuery, caller: Caller) -> OrderPageView:
    """List the caller's orders, newest first."""
    scope = f"orders#{caller.account_id}"
    page = service.list_for_buyer(caller.account_id, cursors.window(query.limit, query.cursor, query=scope))
    return OrderPageView(
        items=[OrderView.of(order) for order in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route("GET", "/v1/orders/{order_id}", access=Access.BUYER, returns=OrderView, raises=(NotFound,))
def get_order(order_id: str, caller: Caller) -> OrderView:
    """Read one of the caller's orders."""
    return OrderView.of(service.buyers_order(order_id, caller.account_id))


@routes.route(
    "GET",
    "/v1/purchases/{purchase_id}/status",
    access=Access.BUYER,
    returns=PurchaseStatusView,
    raises=(NotFound,),
    etag=True,
)
def get_purchase_status(purchase_id: str, caller: Caller) -> Reply:
    """Read how a purchase stands, for a page that waits for its money: ask with If-None-Match until it is not a 304.

    While it waits for money the answer says by Retry-After how soon to ask again.
    """
    purchase = service.buyers_purchase(purchase_id, caller.account_id)
    waiting = purchase.status is service.PurchaseStatus.AWAITING_PAYMENT
    return Reply(PurchaseStatusView.of(purchase), 200, {"Retry-After": str(ASK_AGAIN_S)} if waiting else {})


@routes.route(
    "GET", "/v1/purchases/{purchase_id}", access=Access.BUYER, returns=PurchaseView, raises=(NotFound,), etag=True
)
def get_purchase(purchase_id: str, caller: Caller) -> PurchaseView:
    """Read one of the caller's purchases with its orders."""
    sale = service.buyers_sale(purchase_id, caller.account_id)
    return PurchaseView.of(sale.purchase, sale)


@routes.route(
    "POST",
    "/v1/orders/{order_id}/confirm",
    access=Access.BUYER,
    body=Confirm,
    returns=OrderView,
    raises=(NotFound, IllegalTransition),
)
def confirm_receipt(order_id: str, caller: Caller, intent: Intent) -> OrderView:
    """Confirm that everything arrived; the order is complete."""
    return OrderView.of(service.confirm(order_id, caller.account_id, intent))


@routes.route(
    "GET",
    "/v1/merchant/orders",
    access=Access.MERCHANT,
    query=MerchantOrdersQuery,
    returns=OrderPageView,
    raises=(BadCursor,),
)
def list_merchant_orders(query: MerchantOrdersQuery, caller: Caller) -> OrderPageView:
    """List the merchant's orders: all, newest first, or those to ship, oldest first."""
    merchant_id = caller.owned_merchant()
    scope = f"merchant-orders#{query.view}#{merchant_id}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    page = service.list_for_merchant(merchant_id, window, to_ship=query.view == "to_ship")
    return OrderPageView(
        items=[OrderView.of(order) for order in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route(
    "GET",
    "/v1/merchant/orders/{order_id}",
    access=Access.MERCHANT,
    returns=OrderView,
    raises=(NotFound, ConcurrentUpdate),
)
def get_merchant_order(order_id: str, caller: Caller) -> OrderView:
    """Read one of the merchant's orders; the address shows once it is paid, and masked a week after it is complete."""
    order, contact = service.merchants_order(order_id, caller.owned_merchant())
    return OrderView.of(order, contact)


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/ask-address",
    access=Access.MERCHANT,
    body=AskAddress,
    returns=OrderView,
    raises=(NotFound, AddressSettled, IdempotencyKeyReused, ConcurrentUpdate),
)
def ask_address(order_id: str, body: AskAddress, caller: Caller, intent: Intent) -> OrderView:
    """Ask the buyer of an order that was not sent yet for another address: only the buyer names one."""
    return OrderView.of(service.ask_for_address(caller.owned_merchant(), order_id, body.reason, intent))


@routes.route("GET", "/v1/operator/orders/{order_id}", access=Access.OPERATOR, returns=OrderView, raises=(NotFound,))
def get_operator_order(order_id: str) -> OrderView:
    """Read any order, without its address."""
    return OrderView.of(service.load_order(order_id))


@routes.route(
    "GET", "/v1/operator/purchases/{purchase_id}", access=Access.OPERATOR, returns=PurchaseView, raises=(NotFound,)
)
def get_operator_purchase(purchase_id: str) -> PurchaseView:
    """Read any purchase with its orders, without its address."""
    sale = service.load_sale(purchase_id)
    return PurchaseView.of(replace(sale.purchase, delivery=service.NOWHERE), sale)


@routes.route(
    "POST",
    "/v1/operator/purchases/{purchase_id}/contact",
    access=Access.OPERATOR,
    body=Reveal,
    returns=ContactView,
    raises=(NotFound,),
    idempotent=False,  # Looking again is another look: each has its line in the audit.
)
def reveal_contact(purchase_id: str) -> ContactView:
    """Read where a purchase goes, for a reason that is kept: who looked, when and why stands in the audit."""
    return ContactView.of(service.reveal_contact(purchase_id))
