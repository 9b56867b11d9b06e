"""Routes of carts, for buyers and guests alike."""

from __future__ import annotations

from chalicelib.cart import service
from chalicelib.cart.schemas import CartLine, CartView, MergeCart, SetQuantity
from chalicelib.cart.service import BadCartToken, CartChanged, CartFull
from chalicelib.catalog.service import product_of, products
from chalicelib.kernel import context
from chalicelib.kernel.errors import NotFound
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Request, Routes
from chalicelib.runtime.schema import MoneyView

routes = Routes("cart")


def _owner(caller: Caller | None, request: Request) -> str:
    return service.owner_of(
        account_id=caller.account_id if caller else None, guest_token=request.headers.get("x-cart-token")
    )


@routes.route("GET", "/v1/cart", access=Access.OPTIONAL, returns=CartView, raises=(BadCartToken,))
def get_cart(caller: Caller | None, request: Request) -> CartView:
    """Read the cart of the caller, or of the guest whose X-Cart-Token is sent, with what each SKU is and costs now."""
    cart = service.load(_owner(caller, request))
    found = products({product_of(sku_id) for sku_id in cart.lines})
    language = context.current().language
    lines = []
    for sku_id, quantity in cart.lines.items():
        product = found.get(product_of(sku_id))
        sku = next((s for s in product.skus if s.sku_id == sku_id), None) if product else None
        if product is None or sku is None:
            lines.append(CartLine(sku_id=sku_id, quantity=quantity, available=False))
            continue
        lines.append(
            CartLine(
                sku_id=sku_id,
                quantity=quantity,
                product_id=product.product_id,
                merchant_id=product.merchant_id,
                title=product.titles.get(language) or next(iter(product.titles.values()), ""),
                options=list(sku.options),
                picture=sku.picture,
                price=MoneyView.of(sku.price),
                available=product.status == "listed",
            )
        )
    return CartView(lines=lines, version=cart.version)


@routes.route(
    "PUT",
    "/v1/cart/lines/{sku_id}",
    access=Access.OPTIONAL,
    body=SetQuantity,
    returns=CartView,
    raises=(CartFull, BadCartToken, NotFound),
)
def set_cart_line(sku_id: str, body: SetQuantity, caller: Caller | None, request: Request) -> CartView:
    """Set how many units of a SKU the cart holds. A guest without a token gets a new cart and its token."""
    begun = None
    if caller is None and "x-cart-token" not in request.headers:
        begun = service.new_guest_token()
        owner = service.owner_of(account_id=None, guest_token=begun)
    else:
        owner = _owner(caller, request)
    return CartView.of(service.set_quantity(owner, sku_id, body.quantity), begun)


@routes.route(
    "DELETE",
    "/v1/cart/lines/{sku_id}",
    access=Access.OPTIONAL,
    returns=CartView,
    raises=(BadCartToken, NotFound),
)
def remove_cart_line(sku_id: str, caller: Caller | None, request: Request) -> CartView:
    """Take a SKU out of the cart."""
    return CartView.of(service.remove(_owner(caller, request), sku_id))


@routes.route(
    "POST",
    "/v1/cart/merge",
    access=Access.BUYER,
    body=MergeCart,
    returns=CartView,
    idempotent=False,  # A repeat finds the guest's cart gone and changes nothing: no key is needed.
    raises=(CartFull, CartChanged, BadCartToken),
)
def merge_cart(body: MergeCart, caller: Caller) -> CartView:
    """Pour a guest's cart into the caller's; the larger quantity of each SKU wins."""
    return CartView.of(service.merge_guest(caller.account_id, body.cart_token))
