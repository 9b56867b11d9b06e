"""Whom a fact concerns, and what fills its words: worked out from the ids that it carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.auth import service as auth
from chalicelib.kernel import ids
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Post
from chalicelib.notifications.service import Audience, FactRow
from chalicelib.orders import service as orders

MOST_PEOPLE = 20
"""So many of a merchant's people are told of a fact, owners first."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One person, and the words' values for them."""

    account_id: str
    values: dict[str, str] = field(default_factory=dict)


class Concerned:
    """What is looked up about one fact, once for all of its rows."""

    def __init__(self, fact: Event) -> None:
        self._fact = fact
        self._orders: tuple[orders.Order, ...] | None = None
        self._purchase: orders.Purchase | None = None

    def readers(self, row: FactRow) -> Iterator[Reader]:
        """Return everybody that a row means.

        Raises:
            NotFound: if the fact names an order or a purchase that is not there.
        """
        if row.to is Audience.PERSON:
            yield Reader(self._id("account_id"), self._values(None))
        elif row.to is Audience.BUYER:
            yield Reader(self._buyer(), self._values(self._one_order()))
        else:
            for merchant_id, order in self._shops():
                for account_id in _people(merchant_id, row.posts):
                    yield Reader(account_id, self._values(order))

    def about(self, row: FactRow) -> str:
        """Return the number of what a message leads to; of a payment that is its purchase."""
        named = self._id(row.about) if row.about else ""
        if not row.about or named:
            return ids.parent_id("pur", named) if named.startswith("pay_") else named
        return self._purchase_id()

    def _buyer(self) -> str:
        named = self._id("buyer_id")
        if named:
            return named
        order = self._one_order()
        return order.buyer_id if order is not None else self._bought().buyer_id

    def _shops(self) -> list[tuple[str, orders.Order | None]]:
        named = self._id("merchant_id")
        if named:
            return [(named, self._one_order())]
        order = self._one_order()
        return [(one.merchant_id, one) for one in ((order,) if order is not None else self._all_orders())]

    def _values(self, order: orders.Order | None) -> dict[str, str]:
        """Return what may stand in words: fields of the event, and what people know the things by."""
        found = {
            name: str(value)
            for name in self._fact.__struct_fields__
            if isinstance(value := getattr(self._fact, name), str | int) and not isinstance(value, bool)
        }
        if order is not None:
            found |= {"order": order.number, "shop": order.merchant_name}
        elif self._purchase_id():
            found |= {"order": self._bought().number}
        if "amount_minor" in found and "currency" in found:
            found["amount"] = Money(int(found["amount_minor"]), found["currency"]).text()
        return found

    def _one_order(self) -> orders.Order | None:
        order_id = self._id("order_id")
        if not order_id:
            return None
        if self._orders is None:
            self._orders = (orders.load_order(order_id),)
        return self._orders[0]

    def _all_orders(self) -> tuple[orders.Order, ...]:
        self._bought()
        return self._orders or ()

    def _bought(self) -> orders.Purchase:
        if self._purchase is None:
            sale = orders.load_sale(self._purchase_id())
            self._purchase, self._orders = sale.purchase, sale.orders
        return self._purchase

    def _purchase_id(self) -> str:
        for name in ("purchase_id", "order_id", "payment_id"):
            if named := self._id(name):
                return named if name == "purchase_id" else ids.parent_id("pur", named)
        return ""

    def _id(self, name: str) -> str:
        found: Any = getattr(self._fact, name, None)
        return str(found or "")


_RANK = (Post.OWNER, Post.MANAGER, Post.CLERK, Post.FINANCE)


def _people(merchant_id: str, posts: frozenset[Post]) -> list[str]:
    found = [one for one in auth.staff.members(merchant_id) if one.post in posts]
    return [one.account_id for one in sorted(found, key=lambda one: _RANK.index(one.post))][:MOST_PEOPLE]
