"""Use cases of carts. A guest's cart is known by an unguessable token that only its browser holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.cart import domain, goods, store, tokens
from chalicelib.cart.domain import MAX_LINES, MAX_QUANTITY, Cart, CartChanged, CartFull, NoSuchSku, TooManyCarts
from chalicelib.catalog.service import Product
from chalicelib.kernel import ids
from chalicelib.kernel.errors import Busy, ConcurrentUpdate, Invalid, NotFound
from chalicelib.runtime import networks
from chalicelib.runtime.db.lookups import Lookup, together
from chalicelib.runtime.db.races import racing, starting_from
from chalicelib.runtime.db.work import UnitOfWork

__all__ = ["MAX_LINES", "Cart", "CartChanged", "CartFull", "NoSuchSku", "TooManyCarts"]

GUEST_KEEP_S = 30 * 86400


class BadCartToken(Invalid):
    """The guest's token is not one of ours."""

    code = "bad_cart_token"
    en, zh = "This cart token is not valid.", "购物车令牌无效。"


def owner_of(*, account_id: str | None, guest_token: str | None) -> str:
    """Return whose cart is meant: the account's, else the guest's (a digest: the table holds no usable token).

    A token that we did not give out leads to no cart; only :func:`change` could make one, and looks.

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


def lookup(account_id: str, *, consistent: bool = True) -> Lookup[Cart]:
    """Say how the cart of an account is read, for whoever reads more in the same call."""
    return store.lookup(account_id, consistent=consistent)


def change(account_id: str | None, guest_token: str | None, changes: Mapping[str, int]) -> Cart:
    """Set how many units of some SKUs on sale a cart holds, all or none; 0 takes a SKU out, on sale or not.

    Whether so many can be had is said by the quote. One call reads the cart and all products, one writes the cart,
    a new one too.

    Raises:
        NoSuchSku: naming those that are not on sale.
        BadCartToken: if the guest's token is none that we gave out.
        CartFull: if no further SKU fits.
        Busy: if the cart kept changing.
    """
    owner_id = owner_of(account_id=account_id, guest_token=guest_token)
    if account_id is None and not tokens.is_ours(guest_token or ""):
        raise BadCartToken
    # A stale cart costs half, and is noticed where it is written: then it is read for sure.
    is_sure = starting_from(known=False, read=lambda: True)

    def attempt() -> Cart:
        cart, products = together(store.lookup(owner_id, consistent=is_sure()), goods.lookup(_put_in(changes)))
        return write(cart, changed(cart, changes, products))

    return racing(attempt, otherwise=Busy)


def begin(changes: Mapping[str, int], *, source_ip: str) -> tuple[Cart, str]:
    """Begin a guest's cart with its first lines; returns it and its token.

    Raises:
        NoSuchSku: naming those that are not on sale.
        CartFull: if they are too many.
        TooManyCarts: if this network began too many of late.
    """
    token = tokens.new()
    new = Cart(owner_of(account_id=None, guest_token=token))
    lines = changed(new, changes, goods.lookup(_put_in(changes)).read())
    store.count_begun(networks.mark(source_ip, "carts"))
    return write(new, lines), token


def changed(cart: Cart, changes: Mapping[str, int], products: Mapping[str, Product]) -> dict[str, int]:
    """Return what a cart would hold after changes; ``products`` are those of all that is put in.

    Raises:
        NoSuchSku: naming those that are not on sale.
        CartFull: if no further SKU fits.
    """
    wanted = _put_in(changes)
    on_sale = goods.on_sale(wanted, products)
    missing = [sku_id for sku_id in changes if sku_id in wanted and sku_id not in on_sale]
    if missing:
        raise NoSuchSku(missing)
    return domain.changed(cart.lines, changes)


def write(cart: Cart, lines: Mapping[str, int]) -> Cart:
    """Write what :func:`changed` returned, if the cart still is as it was read.

    Raises:
        ConcurrentUpdate: if it is not: read it again.
    """
    if not lines and not cart.version:
        return cart  # Nothing was taken out of nothing.
    with UnitOfWork() as work:
        return store.write(work, cart, lines, keep_s=_keep_s(cart.owner_id))


def _put_in(changes: Mapping[str, int]) -> list[str]:
    return [sku_id for sku_id, quantity in changes.items() if quantity]


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

    def pour() -> Cart:
        guest, own = store.load(guest_id), store.load(account_id)
        if not guest.version:
            return own
        lines = dict(own.lines)
        for sku_id, quantity in guest.lines.items():
            lines[sku_id] = min(MAX_QUANTITY, max(quantity, lines.get(sku_id, 0)))
        if len(lines) > MAX_LINES:
            raise CartFull(cap=MAX_LINES)
        with UnitOfWork() as work:
            after = store.write(work, own, lines)
            store.delete(work, guest)
        return after

    return racing(pour, otherwise=CartChanged)


def forget(account_id: str) -> None:
    """Drop an account's cart; none is not missed."""

    def attempt() -> None:
        own = store.load(account_id)
        if own.version:
            with UnitOfWork() as work:
                store.delete(work, own)

    racing(attempt, losing=(CartChanged, ConcurrentUpdate))


def take_out(work: UnitOfWork, account_id: str, sku_ids: Iterable[str], *, version: int) -> None:
    """Take ordered SKUs out of the account's cart in the order's own work.

    Refused as ``CartChanged`` unless the cart still is the version that was quoted: so one quote orders once.
    """
    store.take_out(work, account_id, sku_ids, version=version)


def _keep_s(owner_id: str) -> int | None:
    return GUEST_KEEP_S if owner_id.startswith("gst_") else None
