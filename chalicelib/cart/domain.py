"""What a cart is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chalicelib.kernel.errors import Conflict, NotFound, ShopError

MAX_LINES = 90
"""A checkout is one transaction of at most a hundred rows: lines, orders, purchase and cart together."""
MAX_QUANTITY = 999


BEGUN_WINDOW_S = 3600
BEGUN_BY_NETWORK = 60
"""So many guests' carts one network may begin in a window; a cart that is kept on with its token counts once."""


class TooManyCarts(ShopError):
    """One network began too many carts."""

    code, status = "too_many_carts", 429
    en = "Too many carts were started from this network: send your cart's token, sign in, or wait {wait_s} seconds."
    zh = "当前网络新建的购物车过多：请携带已有的购物车令牌、登录后再试，或等待 {wait_s} 秒。"
    shown = ("wait_s",)


class CartFull(Conflict):
    """No further SKU fits."""

    code = "cart_full"
    en = "A cart holds at most {cap} different items."
    zh = "购物车最多可放 {cap} 种商品。"
    shown = ("cap",)


class NoSuchSku(NotFound):
    """No such SKU is on sale: a draft's looks like one that never was."""

    en, zh = "There is no such SKU.", "商品规格不存在。"
    shown: ClassVar[tuple[str, ...]] = ("what", "sku_ids")

    def __init__(self, sku_ids: list[str]) -> None:
        super().__init__(what="SKU", sku_ids=sku_ids)


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


def changed(lines: Mapping[str, int], changes: Mapping[str, int]) -> dict[str, int]:
    """Return a cart's lines with some set anew; a quantity of 0 takes one out, whether it was in or not.

    Raises:
        CartFull: if they are too many then.
    """
    after = {sku_id: quantity for sku_id, quantity in {**lines, **changes}.items() if quantity}
    if len(after) > MAX_LINES and len(after) > len(lines):
        raise CartFull(cap=MAX_LINES)
    return after
