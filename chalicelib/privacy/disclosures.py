"""Who was shown where a person's parcels go: staff of the platform each time, and why; merchants once an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from chalicelib.kernel import ids
from chalicelib.kernel.pages import Page, Window
from chalicelib.orders import service as orders
from chalicelib.oversight import service as oversight
from chalicelib.oversight.service import Proven

DISCLOSING: Mapping[str, tuple[str, ...]] = {"reveal_contact": ("delivery",)}
"""Acts of operators that show them a person's values, and of which holdings. Each is one line of the audit, written
before anything is shown."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One look at a person's values."""

    at: datetime
    to: str
    """A merchant's number, or ``platform``."""
    what: tuple[str, ...]
    """Names of holdings."""
    record_id: str
    reason: str = ""
    """In the words of who looked; merchants need none: it is their parcel."""


PLATFORM = "platform"


def to_staff(account_id: str, window: Window) -> Page[Disclosure]:
    """Return one page of the looks that staff of the platform took, the first first; a page may hold fewer."""
    page = oversight.done_about(account_id, window)
    found = [*page.items, *(oversight.done_just_now(account_id) if page.after is None else ())]
    return Page(list(_looks(found, account_id)), page.after)


def _looks(found: Iterable[Proven], account_id: str) -> Iterable[Disclosure]:
    for proven in found:
        line = proven.line
        if line.act in DISCLOSING and account_id in line.about:
            about = next((one for one in line.records.values() if ids.is_id("pur", one)), "")
            yield Disclosure(line.at, PLATFORM, DISCLOSING[line.act], about, line.said.get("reason", ""))


def to_merchants(account_id: str, window: Window) -> Page[Disclosure]:
    """Return one page of the orders of which the merchant was shown where they go, newest order first."""
    page = orders.list_for_buyer(account_id, window)
    seen = [
        Disclosure(order.seen_at, order.merchant_id, ("delivery",), order.order_id)
        for order in page.items
        if order.seen_at is not None
    ]
    return Page(seen, page.after)
