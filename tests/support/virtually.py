"""A merchant with a pool of codes, and a buyer whose orders are paid: for tests of virtual goods."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, PaidBack
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import people, sales
from tests.support.goods import Made
from tests.support.http import Answer, call
from tests.support.pump import UNPUBLISHED, Pump
from tests.support.shop import Buyer, Shop
from tests.support.shop import shop as a_shop


@dataclass
class Counter:
    """The parts of one test."""

    shop: Shop
    buyer: Buyer
    goods: Made
    pump: Pump = field(default_factory=lambda: Pump(leaves=UNPUBLISHED))

    @classmethod
    def open(cls, *, form: str = "code", **terms: Any) -> Counter:
        """Make them; the SKU is delivered as the terms say."""
        place, person = a_shop(), people.buyer()
        made = place.product(kind="virtual", stock=0, listed=False)
        counter = cls(place, Buyer(person.account_id, person.token), made)
        answer = counter.put(form=form, **terms)
        assert answer.status == 200, answer.body
        return counter

    @property
    def sku_id(self) -> str:
        """The one SKU."""
        return self.goods.sku_id

    def put(self, **terms: Any) -> Answer:
        """Say how the SKU is delivered."""
        return call("PUT", f"/v1/merchant/pools/{self.sku_id}", {"form": "code", **terms}, token=self.shop.token)

    def upload(self, *codes: str, key: str | None = None, **more: Any) -> Answer:
        """Upload codes."""
        return self.shop.post(f"/v1/merchant/pools/{self.sku_id}/codes", {"codes": list(codes), **more}, key=key)

    def pool(self) -> Any:
        """Read the pool."""
        return self.shop.get(f"/v1/merchant/pools/{self.sku_id}").json

    def paid(self, quantity: int = 1, *, lines: int = 1) -> Order:
        """Return a paid order of so many units in each of so many lines."""
        made = tuple(
            replace(
                sales.line(str(number), quantity, kind="virtual"),
                sku_id=self.sku_id,
                product_id=self.goods.product_id,
            )
            for number in range(1, lines + 1)
        )
        return sales.paid(self.buyer.account_id, (self.shop.merchant_id, made)).orders[0]

    def later(self, fixed: Any, by: timedelta) -> None:
        """Let time pass, fire what is due, and sign in anew."""
        self.pump.pass_time(fixed, by, step=by)
        self.buyer.token = people.token(self.buyer.account_id)
        self.shop.token = people.staff(self.shop.merchant_id).token

    def pay_back(self, order: Order, units: int, *, refund: str = "ref_1") -> Order:
        """Ask for a refund of so many units of line 1, as payments do in their own work."""
        now = orders.load_order(order.order_id)
        amount = Money(now.lines[0].unit.minor * units)
        everything = amount.minor + now.under_way.minor + now.refunded.minor >= now.total.minor
        with UnitOfWork() as work:
            paid = PaidBack(refund, amount, (("1", units),), ("1",) if everything else (), everything)
            orders.pay_back(work, now, paid)
        return orders.load_order(order.order_id)

    def lines(self, order: Order) -> Any:
        """Read what was delivered, as the buyer."""
        answer = self.buyer.get(f"/v1/orders/{order.order_id}/virtual")
        assert answer.status == 200, answer.body
        return answer.json["items"]

    def look(self, order: Order, line_id: str = "1", *, key: str | None = None) -> Answer:
        """Look at what was delivered of a line."""
        return self.buyer.post(f"/v1/orders/{order.order_id}/virtual/{line_id}/look", key=key)
