"""A service is booked, paid and provided, and something is made to order, over HTTP."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.scenario import PATIENCE_S, Unexpected, expect, money, post
from tools.shared.client import Client, Network

Say = Callable[[str], None]
ADDRESS = {
    "recipient": "王梅",
    "phone": "+8613800138000",
    "country": "CN",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "street": "文三路 1 号",
}


def play(
    base_url: str, sandbox_url: str, accounts: Sequence[dict[str, str]], *, say: Say = lambda _: None
) -> tuple[str, str]:
    """Play it, with an owner and a buyer among the accounts that ``tools.dev.seed`` made; returns the two orders.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        game = _Game(network, sandbox_url, say)
        owner = next(one for one in accounts if "merchant_id" in one and one["role"] != "clerk")
        buyer = next(one for one in accounts if one["role"] == "buyer")
        game.shop.sign_in(owner["email"], owner["password"])
        game.buyer.sign_in(buyer["email"], buyer["password"])
        return game.service(), game.made_to_order()
    finally:
        network.close()


class _Game:
    def __init__(self, network: Network, sandbox_url: str, say: Say) -> None:
        self.shop, self.buyer = Client(network), Client(network)
        self.sandbox_url, self.say = sandbox_url, say

    def service(self) -> str:
        """A ceramics lesson: offered, booked before it is paid, moved, and its code taken once."""
        self.say("\nA shop offers lessons, and somebody books one")
        sku_id, product_id = self._lesson()
        starts = [self._day(days).isoformat() for days in (3, 4)]
        slots = [{"starts_at": one, "minutes": 90, "capacity": 1} for one in starts]
        path = f"/v1/merchant/products/{product_id}/skus/{sku_id}/slots"
        self.shop.expect(200, "PUT", path, {"slots": slots})
        purchase = self._order({"lines": [{"sku_id": sku_id, "quantity": 1}]})
        order_id = purchase["order_ids"][0]
        bookings = f"/v1/orders/{order_id}/bookings"
        held = self.buyer.expect(201, "POST", bookings, {"line_id": "1", "starts_at": starts[0]})
        expect((held["status"], "code" in held) == ("held", False), "a place is kept until it is paid, without a code")
        self._pay(purchase["purchase_id"])
        moved = self.buyer.expect(200, "POST", f"{bookings}/{held['booking_id']}/move", {"starts_at": starts[1]})
        expect(moved["status"] == "booked", "what is paid is booked")
        self.say(f"  booked, paid, and moved to {moved['starts_at'][:16]}; the code is {moved['code'][:4]}…")
        taken = self.shop.expect(200, "POST", "/v1/merchant/bookings/redeem", {"code": moved["code"]})
        again = self.shop.call("POST", "/v1/merchant/bookings/redeem", {"code": moved["code"]})
        expect((taken["status"], again.status) == ("redeemed", 409), "a code is taken once")
        order = self.buyer.get(f"/v1/orders/{order_id}")
        expect(order["status"] == "delivered", "what was provided is with the buyer")
        self.say(f"  the shop takes the code once; the order is {order['status']}")
        return str(order_id)

    def made_to_order(self) -> str:
        """A teapot in another colour: asked for, offered, accepted, and ordered by this buyer alone."""
        self.say("\nSomething is made to order")
        product = self.shop.get("/v1/merchant/products?limit=100")["items"]
        like = next(one for one in product if one["status"] == "listed" and one["kind"] == "physical")
        asked = self.buyer.expect(
            201, "POST", "/v1/requests", {"product_id": like["product_id"], "text": "The same in blue?"}
        )
        path = f"requests/{asked['request_id']}"
        self.shop.expect(200, "POST", f"/v1/merchant/{path}/say", {"text": "Which blue?"})
        self.buyer.expect(200, "POST", f"/v1/{path}/say", {"text": "Like the sky."})
        until = self._day(9)
        offered = {
            "title": "Sky-blue, one of a kind",
            "price": {"minor": 66_600, "currency": "CNY"},
            "ready_by": until.date().isoformat(),
            "until": until.isoformat(),
            "text": "Nine days.",
        }
        self.shop.expect(200, "POST", f"/v1/merchant/{path}/offer", offered)
        accepted = self.buyer.expect(200, "POST", f"/v1/{path}/accept", {"offer": 1})
        unseen = self.buyer.call("GET", f"/v1/products/{accepted['sku_id'].replace('sku_', 'prd_')[:-3]}")
        expect(unseen.status == 404, "nobody sees what was made for one buyer")
        address = self.buyer.expect(201, "POST", "/v1/me/addresses", ADDRESS)["address_id"]
        quoted = self.buyer.expect(200, "POST", f"/v1/{path}/quote", {"address_id": address})
        purchase = self.buyer.expect(201, "POST", "/v1/purchases", {"quote": quoted["quote"]})
        self._pay(purchase["purchase_id"])
        order = self.buyer.get(f"/v1/orders/{purchase['order_ids'][0]}")
        expect(order["lines"][0]["title"] == offered["title"], "what is ordered is what was agreed on")
        self.say(f"  {order['lines'][0]['title']!r} for {money(order['total'])}: {order['status']}")
        return str(order["order_id"])

    def _lesson(self) -> tuple[str, str]:
        category = self.shop.get("/v1/categories")["categories"][0]["category_id"]
        wanted = {
            "titles": {"zh": "拉坯体验课", "en": "A lesson at the potter's wheel"},
            "kind": "service",
            "category_id": category,
            "skus": [{"price": {"minor": 19_900, "currency": "CNY"}}],
        }
        made = self.shop.expect(201, "POST", "/v1/merchant/products", wanted)
        product_id, sku_id = made["product_id"], made["skus"][0]["sku_id"]
        stock = {"lines": [{"sku_id": sku_id, "quantity": 20}]}
        self.shop.expect(200, "POST", f"/v1/merchant/products/{product_id}/stock/receipts", stock)
        self.shop.expect(200, "POST", f"/v1/merchant/products/{product_id}/list", {})
        return sku_id, product_id

    def _day(self, days: int) -> datetime:
        """Return a moment so many days ahead by the server's clock, which may be ahead of ours: its tokens tell it."""
        claims = (self.buyer.token or "").split(".")[1]
        made_s = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["iat"]
        now = datetime.fromtimestamp(made_s, UTC)
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(days=days)

    def _order(self, cart: dict[str, Any]) -> Any:
        quoted = self.buyer.expect(200, "POST", "/v1/quotes", {**cart, "sku_ids": [cart["lines"][0]["sku_id"]]})
        return self.buyer.expect(201, "POST", "/v1/purchases", {"quote": quoted["quote"]})

    def _pay(self, purchase_id: str) -> None:
        path = f"/v1/purchases/{purchase_id}"
        payment = self.buyer.expect(201, "POST", f"{path}/payments", {"provider": "sandbox"})
        post(f"{self.sandbox_url}/pay/{payment['payment_id']}", {})
        deadline = time.monotonic() + PATIENCE_S
        while self.buyer.get(path)["status"] != "paid":
            if time.monotonic() > deadline:
                raise Unexpected(f"{purchase_id} is not paid")
            time.sleep(0.05)
