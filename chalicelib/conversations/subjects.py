"""What may be talked about: whose it is, what it is called, and whether it was paid."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.catalog import service as catalog
from chalicelib.complaints import service as complaints
from chalicelib.conversations.domain import About, Side
from chalicelib.kernel import context
from chalicelib.kernel.errors import NotFound
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, OrderStatus

_UNPAID = (OrderStatus.PLACED, OrderStatus.CANCELLED)
_MOST_TITLE = 120


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing, its two sides, and what it is called."""

    buyer_id: str
    merchant_id: str
    title: str
    is_paid: bool


def of(about: About, subject_id: str, side: Side, owner_id: str) -> Subject:
    """Return what a buyer (by account) or a merchant wants to talk about.

    Raises:
        NotFound: if there is none of theirs; about a product the buyer alone begins.
    """
    found = _read(about, subject_id, owner_id if side is Side.BUYER else "")
    if owner_id != (found.buyer_id if side is Side.BUYER else found.merchant_id) or not found.buyer_id:
        raise NotFound(what=about.value)
    return found


def is_paid(about: About, subject_id: str) -> bool:
    """Say whether it was paid by now.

    Raises:
        NotFound: if there is no such thing any more.
    """
    if about is About.ORDER:
        return orders.load_order(subject_id).status not in _UNPAID
    return about is About.COMPLAINT


def _read(about: About, subject_id: str, asking: str) -> Subject:
    if about is About.PRODUCT:
        product = catalog.read(subject_id)
        return Subject(
            asking, product.merchant_id, product.title(context.current().language)[:_MOST_TITLE], is_paid=False
        )
    if about is About.COMPLAINT:
        parties = complaints.parties(subject_id)
        order = orders.load_order(parties.order_id)
        return Subject(parties.buyer_id, parties.merchant_id, _title(order), is_paid=True)
    order = orders.load_order(subject_id)
    return Subject(order.buyer_id, order.merchant_id, _title(order), is_paid=order.status not in _UNPAID)


def _title(order: Order) -> str:
    return order.lines[0].title[:_MOST_TITLE] if order.lines else order.order_id
