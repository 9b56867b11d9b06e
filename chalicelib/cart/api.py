"""Routes of carts, for buyers and guests alike."""

from __future__ import annotations

from chalicelib.cart import goods, service
from chalicelib.cart.schemas import CartLine, CartView, ChangeCart, MergeCart, SetQuantity, changes_of
from chalicelib.cart.service import BadCartToken, CartChanged, CartFull, NoSuchSku, TooManyCarts
from chalicelib.kernel import context, ids
from chalicelib.kernel.errors import Busy, NotFound
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
    """Read the cart of the caller, or of the guest whose X-Cart-Token is sent, with what each SKU is and costs now.

    Of a SKU that is not on sale (any more) it says only that.
    """
    cart = service.load(_owner(caller, request))
    found = goods.on_sale(cart.lines, goods.lookup(cart.lines).read())
    language = context.current().language
    lines = []
    for sku_id, quantity in cart.lines.items():
        if sku_id not in found:
            lines.append(CartLine(sku_id=sku_id, quantity=quantity, available=False))
            continue
        product, sku = found[sku_id]
        lines.append(
            CartLine(
                sku_id=sku_id,
                quantity=quantity,
                product_id=product.product_id,
                merchant_id=product.merchant_id,
                title=product.title(language),
                options=list(sku.options),
                picture=sku.picture or next(iter(product.pictures), None),
                price=MoneyView.of(sku.price),
                available=True,
            )
        )
    return CartView(lines=lines, version=cart.version)


def _change(changes: dict[str, int], caller: Caller | None, request: Request) -> CartView:
    token = request.headers.get("x-cart-token")
    if caller is None and token is None:
        cart, begun = service.begin(changes, source_ip=request.source_ip)
        return CartView.of(cart, begun)
    return CartView.of(service.change(caller.account_id if caller else None, token, changes))


@routes.route(
    "PATCH",
    "/v1/cart",
    access=Access.OPTIONAL,
    body=ChangeCart,
    returns=CartView,
    raises=(Busy, CartFull, BadCartToken, NoSuchSku, TooManyCarts),
)
def change_cart(body: ChangeCart, caller: Caller | None, request: Request) -> CartView:
    """Set several lines of the cart at a time, all or none of them; a quantity of 0 takes a SKU out.

    A refusal names the SKUs it is about. A guest without a token gets a new cart and its token.
    """
    return _change(changes_of(body.lines), caller, request)


@routes.route(
    "PUT",
    "/v1/cart/lines/{sku_id}",
    access=Access.OPTIONAL,
    body=SetQuantity,
    returns=CartView,
    raises=(Busy, CartFull, BadCartToken, NoSuchSku, NotFound, TooManyCarts),
)
def set_cart_line(sku_id: str, body: SetQuantity, caller: Caller | None, request: Request) -> CartView:
    """Set how many units of a SKU the cart holds. A guest without a token gets a new cart and its token."""
    if not ids.is_child_id("sku", sku_id):
        raise NotFound(what="SKU")
    return _change({sku_id: body.quantity}, caller, request)


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
