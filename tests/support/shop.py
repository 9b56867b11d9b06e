"""A shop for tests: merchants with goods, a buyer with an address, and the steps of buying through HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chalicelib.cart import service as carts
from chalicelib.runtime.db.races import racing
from tests.support import goods, people
from tests.support.http import Answer, call

ADDRESS = {
    "recipient": "王小明",
    "phone": "+8613800138000",
    "country": "CN",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "street": "文三路 1 号",
}


@dataclass
class Buyer:
    """A signed-in buyer with an address."""

    account_id: str
    token: str
    address_id: str = ""

    def put(self, sku_id: str, quantity: int = 1) -> Answer:
        """Set a line of the cart."""
        answer = call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": quantity}, token=self.token)
        assert answer.status == 200, answer.body
        return answer

    def fill(self, *lines: tuple[str, int]) -> Answer:
        """Set several lines of the cart at a time."""
        body = {"lines": [{"sku_id": sku_id, "quantity": quantity} for sku_id, quantity in lines]}
        return call("PATCH", "/v1/cart", body, token=self.token)

    def quote(self, **more: Any) -> Answer:
        """Ask for a quote of the cart."""
        return call("POST", "/v1/quotes", {"address_id": self.address_id, **more}, token=self.token)

    def place(self, quote: str | None = None, *, key: str | None = None) -> Answer:
        """Order what was quoted."""
        token = quote if quote is not None else self.quote().json["quote"]
        return call("POST", "/v1/purchases", {"quote": token}, token=self.token, key=key)

    def buy(self, *lines: tuple[str, int]) -> Any:
        """Fill the cart and order; returns the purchase."""
        for sku_id, quantity in lines:
            self.put(sku_id, quantity)
        answer = self.place()
        assert answer.status == 201, answer.body
        return answer.json

    def get(self, path: str) -> Answer:
        """Read something of the buyer's."""
        return call("GET", path, token=self.token)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Do something as the buyer."""
        return call("POST", path, body if body is not None else {}, token=self.token, key=key)


def buyer() -> Buyer:
    """Return a new buyer with an address."""
    person = people.buyer()
    made = Buyer(person.account_id, person.token)
    answer = call("POST", "/v1/me/addresses", ADDRESS, token=made.token)
    assert answer.status == 201, answer.body
    made.address_id = answer.json["address_id"]
    return made


@dataclass
class Shop:
    """A merchant, its staff's token, and goods made on demand."""

    merchant_id: str
    token: str
    made: list[goods.Made] = field(default_factory=list)

    def product(self, **wanted: Any) -> goods.Made:
        """Create and list a product with stock."""
        made = goods.product(self.merchant_id, **wanted)
        self.made.append(made)
        return made

    def get(self, path: str) -> Answer:
        """Read something of the merchant's."""
        return call("GET", path, token=self.token)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Do something as the merchant."""
        return call("POST", path, body if body is not None else {}, token=self.token, key=key)


def shop(**wanted: Any) -> Shop:
    """Return a new merchant with staff."""
    merchant = people.merchant(**wanted)
    return Shop(merchant.merchant_id, people.staff(merchant.merchant_id).token)


def keep(account_id: str, sku_id: str, quantity: int) -> None:
    """Leave a SKU in a buyer's cart, whether it is on sale or not: it was when it was put in."""

    def attempt() -> None:
        cart = carts.load(account_id)
        carts.write(cart, {**cart.lines, sku_id: quantity})

    racing(attempt)
