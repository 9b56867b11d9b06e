"""Quotes: what a cart would cost, and the changes of it that come with the question.

What a quote looks at lies in four tables, and one call reads it as far as it is known beforehand: the address book, the
cart, the products and the stock of the SKUs that the question names. What only the cart names takes a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.auth import service as auth
from chalicelib.auth.service import AddressBook
from chalicelib.cart import service as carts
from chalicelib.cart.service import Cart
from chalicelib.catalog import service as catalog
from chalicelib.catalog.service import Product
from chalicelib.checkout import domain, pricing
from chalicelib.checkout.domain import Quote
from chalicelib.inventory import service as inventory
from chalicelib.inventory.service import BucketKey
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy
from chalicelib.orders import service as orders
from chalicelib.orders.service import Contact
from chalicelib.runtime.db.lookups import Lookup, together
from chalicelib.runtime.db.races import racing, starting_from

_NO_BOOK: Lookup[AddressBook] = Lookup.of([], lambda _: AddressBook(account_id=""))


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to know the price of."""

    account_id: str
    address_id: str | None = None
    sku_ids: tuple[str, ...] | None = None
    """Those of the cart that are meant; None: all."""
    changes: Mapping[str, int] = field(default_factory=dict)
    """Lines of the cart to set before; see ``carts.change``."""

    @property
    def named(self) -> list[str]:
        """Return the SKUs that the question itself names."""
        put_in = [sku_id for sku_id, quantity in self.changes.items() if quantity]
        asked = dict.fromkeys([*put_in, *(self.sku_ids or ())])
        return [sku_id for sku_id in asked if ids.is_child_id("sku", sku_id)]


def quote(asked: Asked) -> Quote:
    """Price the account's cart, or the named SKUs of it; changes of the cart are written if there is a quote of it.

    Raises:
        NotFound: for an address that is not theirs.
        TooManyUnits: if this account could never order so many at once.
        NoSuchSku, CartFull: for changes that the cart does not take.
        Busy: if the cart kept changing.
        and as ``domain.price``.
    """
    if not asked.changes:
        return _quote(asked, sure=True)
    # A stale cart costs half, and is noticed where it is written: then it is read for sure.
    is_sure = starting_from(known=False, read=lambda: True)
    return racing(lambda: _quote(asked, sure=is_sure()), otherwise=Busy)


def _quote(asked: Asked, *, sure: bool) -> Quote:
    named = asked.named
    cart, book, shelf = _look(asked, named, sure=sure)
    lines = carts.changed(cart, asked.changes, shelf.products) if asked.changes else cart.lines
    chosen = set(lines if asked.sku_ids is None else asked.sku_ids)
    quantities = {sku_id: quantity for sku_id, quantity in lines.items() if sku_id in chosen}
    shelf.fetch(quantities)
    shares = pricing.price(quantities, shelf.products, account_id=asked.account_id)
    shares = domain.with_left(shares, shelf.left(quantities))
    orders.check_units(asked.account_id, sum(quantities.values()))
    contact = contact_of(book, asked.address_id) if asked.address_id is not None else None
    if contact is None and domain.needs_address(shares):
        raise domain.AddressNeeded
    if asked.changes:
        cart = carts.write(cart, lines)
    return Quote(
        account_id=asked.account_id,
        cart_version=cart.version,
        shares=shares,
        contact=contact,
        expires_at=clock.now() + domain.QUOTE_FOR,
    )


def quote_made(account_id: str, sku_id: str, quantity: int, *, address_id: str | None) -> Quote:
    """Say what was made for a buyer costs: as agreed, with today's freight. No cart is looked at, or changed by it.

    Raises:
        NotForSale: if it is somebody else's, or was to be ordered before.
        AddressNeeded, NotFound, TooManyUnits, TotalTooLarge: as of any quote.
    """
    keys = inventory.buckets_of({sku_id: 1})
    book = auth.addresses_lookup(account_id) if address_id is not None else _NO_BOOK
    found_book, products, units = together(book, pricing.products_of([sku_id]), inventory.lookup(keys))
    shares = pricing.price({sku_id: quantity}, products, account_id=account_id)
    orders.check_units(account_id, quantity)
    contact = contact_of(found_book, address_id) if address_id is not None else None
    if contact is None and domain.needs_address(shares):
        raise domain.AddressNeeded
    return Quote(
        account_id=account_id,
        cart_version=domain.NO_CART,
        shares=domain.with_left(shares, {sku_id: sum(units.values())}),
        contact=contact,
        expires_at=clock.now() + domain.QUOTE_FOR,
    )


@dataclass(slots=True)
class _Shelf:
    """Products, and the units in their buckets, as far as they were looked at."""

    products: dict[str, Product]
    units: dict[BucketKey, int]
    asked: set[str]
    """Products that were asked for, found or not."""

    def fetch(self, sku_ids: Iterable[str]) -> None:
        """Look at these SKUs: nothing to do where all was seen, one call more where a product says of more buckets."""
        wanted = list(sku_ids)
        while True:
            missing = [sku_id for sku_id in wanted if catalog.product_of(sku_id) not in self.asked]
            keys = [key for key in inventory.buckets_of(self._spread(wanted)) if key not in self.units]
            if not missing and not keys:
                return
            products, units = together(pricing.products_of(missing), inventory.lookup(keys))
            self.products |= products
            self.units |= dict.fromkeys(keys, 0) | units
            self.asked |= {catalog.product_of(sku_id) for sku_id in missing}

    def left(self, sku_ids: Iterable[str]) -> dict[str, int]:
        """Return about how many units of each can be had: a hint as of now, nothing is held by a quote."""
        result = dict.fromkeys(sku_ids, 0)
        for sku_id, bucket in inventory.buckets_of(self._spread(result)):
            result[sku_id] += self.units[sku_id, bucket]
        return result

    def _spread(self, sku_ids: Iterable[str]) -> dict[str, int]:
        return {sku_id: self._bucket_count(sku_id) for sku_id in sku_ids}

    def _bucket_count(self, sku_id: str) -> int:
        product = self.products.get(catalog.product_of(sku_id))
        sku = product.sku(sku_id) if product is not None else None
        return sku.stock_buckets if sku is not None else 1


def _look(asked: Asked, named: list[str], *, sure: bool) -> tuple[Cart, AddressBook, _Shelf]:
    """Read all that the question names in one call."""
    keys = inventory.buckets_of(dict.fromkeys(named, 1))
    book = auth.addresses_lookup(asked.account_id) if asked.address_id is not None else _NO_BOOK
    cart, found_book, products, units = together(
        carts.lookup(asked.account_id, consistent=sure), book, pricing.products_of(named), inventory.lookup(keys)
    )
    seen = dict.fromkeys(keys, 0) | units
    return cart, found_book, _Shelf(products, seen, {catalog.product_of(sku_id) for sku_id in named})


def contact_of(book: AddressBook, address_id: str) -> Contact:
    """Return an address of a book as a purchase keeps it.

    Raises:
        NotFound: if the book has no such address.
    """
    address = book.to_deliver_to(address_id)
    return Contact(
        recipient=address.recipient,
        phone=address.phone,
        country=address.country,
        province=address.province or "",
        city=address.city,
        district=address.district or "",
        street=address.street,
        postcode=address.postcode or "",
    )
