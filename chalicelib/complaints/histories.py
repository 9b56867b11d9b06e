"""What happened in the complaints about an order, for whoever explains it."""

from __future__ import annotations

from typing import Final

from chalicelib.complaints import store
from chalicelib.complaints.domain import Complaint
from chalicelib.complaints.texts import HAPPENED
from chalicelib.kernel.errors import OTHERWISE
from chalicelib.kernel.pages import Window
from chalicelib.kernel.texts import Texts

MOST: Final = 200
"""So many complaints of a buyer, the latest, are looked through: limits let nobody file as many in years."""


def of_order(order_id: str, buyer_id: str) -> list[Complaint]:
    """Return all complaints about an order, the first first, as they stood a moment ago."""
    found: list[Complaint] = []
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
