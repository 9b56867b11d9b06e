"""What a cart is."""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.kernel.errors import Conflict

MAX_LINES = 90
"""A checkout is one transaction of at most a hundred rows: lines, orders, purchase and cart together."""
MAX_QUANTITY = 999


class CartFull(Conflict):
    """No further SKU fits."""

    code = "cart_full"
    en = "A cart holds at most {cap} different items."
    zh = "购物车最多可放 {cap} 种商品。"
    shown = ("cap",)


class CartChanged(Conflict):
    """The cart is not as it was when it was quoted."""

    code = "cart_changed"
    en = "The cart changed since it was quoted; ask for a new quote."
    zh = "购物车已变更，请重新确认价格。"


@dataclass(frozen=True, slots=True)
class Cart:
    """Units of each SKU. ``version`` counts changes; 0 is a cart that does not exist yet."""

    owner_id: str
    lines: dict[str, int] = field(default_factory=dict)
    version: int = 0
