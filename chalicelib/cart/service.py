"""Use cases of carts. A guest's cart is known by an unguessable token that only its browser holds."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.cart import goods, store, tokens
from chalicelib.cart.domain import MAX_LINES, MAX_QUANTITY, Cart, CartChanged, CartFull, TooManyCarts
from chalicelib.kernel import ids
from chalicelib.kernel.errors import Invalid, NotFound
from chalicelib.runtime import networks
from chalicelib.runtime.db.work import UnitOfWork

__all__ = ["MAX_LINES", "Cart", "CartChanged", "CartFull", "TooManyCarts"]

GUEST_KEEP_S = 30 * 86400
_RACES = 5


class BadCartToken(Invalid):
    """The guest's token is not one of ours."""

    code = "bad_cart_token"
    en, zh = "This cart token is not valid.", "购物车令牌无效。"


def owner_of(*, account_id: str | None, guest_token: str | None) -> str:
    """Return whose cart is meant: the account's, else the guest's (a digest: the table holds no usable token).

    A token that we did not give out leads to no cart; only :func:`put` could make one, and looks.

    Raises:
        BadCartToken: if a token of the wrong shape was sent.
    """
    if account_id is not None:
        return account_id
    if guest_token is None or not tokens.is_shaped(guest_token):
        raise BadCartToken
    return ids.derived_id("gst", guest_token)


def load(owner_id: str) -> Cart:
    """Return a cart, empty where there is none."""
    return store.load(owner_id)


def put(account_id: str | None, guest_token: str | None, sku_id: str, quantity: int) -> Cart:
    """Set how many units of a SKU on sale a cart holds. Whether so many can be had is said by the quote.

    Raises:
        NotFound: if no such SKU is on sale: a draft's looks like one that never was.
        BadCartToken: if the guest's token is none that we gave out.
        CartFull: if no further SKU fits.
    """
    owner_id = owner_of(account_id=account_id, guest_token=guest_token)
    if account_id is None and not tokens.is_ours(guest_token or ""):
        raise BadCartToken
    _check_on_sale(sku_id)
    return set_quantity(owner_id, sku_id, quantity)


def set_quantity(owner_id: str, sku_id: str, quantity: int) -> Cart:
    """Set how many units of a SKU the cart holds, whatever the SKU is: :func:`put` has looked.

    Raises:
        CartFull: if no further SKU fits.
    """
    return store.set_quantity(owner_id, sku_id, quantity, keep_s=_keep_s(owner_id))


def begin(sku_id: str, quantity: int, *, source_ip: str) -> tuple[Cart, str]:
    """Begin a guest's cart with its first line; returns it and its token.

    Raises:
        NotFound: if no such SKU is on sale.
        TooManyCarts: if this network began too many of late.
    """
    _check_on_sale(sku_id)
    store.count_begun(networks.mark(source_ip, "carts"))
    token = tokens.new()
    owner_id = owner_of(account_id=None, guest_token=token)
    return set_quantity(owner_id, sku_id, quantity), token


def _check_on_sale(sku_id: str) -> None:
    if not ids.is_child_id("sku", sku_id) or sku_id not in goods.on_sale([sku_id]):
        raise NotFound(what="SKU")


def remove(owner_id: str, sku_id: str) -> Cart:
    """Take a SKU out; fine if it was not in.

    Raises:
        NotFound: if this is no SKU's id.
    """
    if not ids.is_child_id("sku", sku_id):
        raise NotFound(what="SKU")
    return store.remove(owner_id, sku_id)


def merge_guest(account_id: str, guest_token: str) -> Cart:
    """Pour a guest's cart into the account's at sign-in: the larger quantity of each SKU wins, the guest's cart goes.

    A repeat finds no guest cart and changes nothing, so a retried sign-in cannot double a quantity.

    Raises:
        BadCartToken: if the token is malformed.
        CartFull: if both together hold too many SKUs; nothing changed.
        CartChanged: if both kept changing.
    """
    guest_id = owner_of(account_id=None, guest_token=guest_token)
    for _ in range(_RACES):
        guest, own = store.load(guest_id), store.load(account_id)
        if not guest.version:
            return own
        lines = dict(own.lines)
        for sku_id, quantity in guest.lines.items():
            lines[sku_id] = min(MAX_QUANTITY, max(quantity, lines.get(sku_id, 0)))
        if len(lines) > MAX_LINES:
            raise CartFull(cap=MAX_LINES)
        try:
            with UnitOfWork() as work:
                store.replace(work, own, lines)
                store.delete(work, guest)
        except CartChanged:
            continue
        return Cart(account_id, dict(sorted(lines.items())), own.version + 1)
    raise CartChanged


def take_out(work: UnitOfWork, account_id: str, sku_ids: Iterable[str], *, version: int) -> None:
    """Take ordered SKUs out of the account's cart in the order's own work.

    Refused as ``CartChanged`` unless the cart still is the version that was quoted: so one quote orders once.
    """
    store.take_out(work, account_id, sku_ids, version=version)


def _keep_s(owner_id: str) -> int | None:
    return GUEST_KEEP_S if owner_id.startswith("gst_") else None
