"""Wire models of carts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from chalicelib.cart.domain import MAX_LINES, MAX_QUANTITY, Cart
from chalicelib.runtime.schema import Id, MoneyView, Schema, refusal


class SetQuantity(Schema):
    """How many units the cart shall hold."""

    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY, strict=True)]


class LineChange(Schema):
    """How many units of a SKU the cart shall hold; 0 takes it out."""

    sku_id: Id
    quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY, strict=True)]


def _once(lines: list[LineChange]) -> list[LineChange]:
    if len({line.sku_id for line in lines}) != len(lines):
        raise refusal("repeated_sku", "names a SKU more than once")
    return lines


LineChanges = Annotated[list[LineChange], Field(min_length=1, max_length=MAX_LINES), AfterValidator(_once)]
"""Changes of several lines at a time: all of them or none."""


class ChangeCart(Schema):
    """Lines to set; those that are not named stay as they are."""

    lines: LineChanges


class MergeCart(Schema):
    """The guest's token, as a header gave it out."""

    cart_token: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class CartLine(Schema):
    """One SKU in a cart. What it is and costs now is shown where the view reads it; only a quote's price counts."""

    sku_id: str
    quantity: int
    product_id: str | None = None
    merchant_id: str | None = None
    title: str | None = None
    options: list[str] | None = None
    picture: str | None = None
    price: MoneyView | None = None
    available: bool | None = None


class CartView(Schema):
    """A cart; ``cart_token`` is there when a guest's cart was just begun: keep it and send it as X-Cart-Token."""

    lines: list[CartLine]
    version: int
    cart_token: str | None = None

    @classmethod
    def of(cls, cart: Cart, cart_token: str | None = None) -> CartView:
        """Return the bare wire form: SKUs and quantities."""
        lines = [CartLine(sku_id=sku_id, quantity=quantity) for sku_id, quantity in cart.lines.items()]
        return cls(lines=lines, version=cart.version, cart_token=cart_token)


def changes_of(lines: list[LineChange]) -> dict[str, int]:
    """Return units by SKU."""
    return {line.sku_id: line.quantity for line in lines}
