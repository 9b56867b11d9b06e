"""What happened in the returns of an order, for whoever explains it."""

from __future__ import annotations

from typing import Final

from chalicelib.kernel.errors import OTHERWISE
from chalicelib.kernel.pages import Window
from chalicelib.kernel.texts import Texts
from chalicelib.returns import store
from chalicelib.returns.domain import Return
from chalicelib.returns.texts import HAPPENED

MOST: Final = 200
"""So many returns of a buyer, the latest, are looked through."""


def of_order(order_id: str, buyer_id: str) -> list[Return]:
    """Return all returns of an order, the first first, as they stood a moment ago."""
    found: list[Return] = []
    window = Window(100)
    for _ in range(MOST // window.limit):
        page = store.list_for("buyer", buyer_id, window)
        found += [one for one in page.items if one.order_id == order_id]
        if page.after is None:
            break
        window = Window(window.limit, page.after)
    return found[::-1]


def texts_of(what: str) -> Texts:
    """Return what an entry of a history is, in words."""
    return HAPPENED.get(what, OTHERWISE)
