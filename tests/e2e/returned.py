"""Two units go back, over HTTP: one is exchanged, one is paid back as the preview said beforehand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from tests.e2e.scenario import PATIENCE_S, STAGES, expect, money, post, send
from tools.shared.client import Client, Network

Json = Any
Say = Callable[[str], None]
ADDRESS = {
    "recipient": "王梅",
    "phone": "+8613800138000",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "street": "文三路 1 号",
}
RETURN_ADDRESS = {"recipient": "退货组", "phone": "+86 571 8800 0000", "city": "杭州市", "street": "仓前路 8 号"}


def play(
    base_url: str,
    sandbox_url: str,
    carrier_url: str,
    accounts: Sequence[dict[str, str]],
    *,
    say: Say = lambda _: None,
) -> str:
    """Play it with a buyer and a merchant of the seed; returns the order.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        buyer, merchant = Client(network), Client(network)
        account = next(one for one in accounts if one["role"] == "buyer")
        buyer.sign_in(account["email"], account["password"])
        game = _Game(buyer, merchant, sandbox_url, carrier_url, list(accounts), say)
        return game.play()
    finally:
        network.close()


def _until(client: Client, path: str, holds: Callable[[Json], bool], what: str) -> Json:
    """Read until it holds: what happens behind queues takes a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds(found := client.get(path)):
        expect(time.monotonic() < deadline, f"{what}; {path} is {found}"[:2000])
        time.sleep(0.05)
    return found


def _told(url: str, body: Json) -> None:
    """Have the carrier say something, as soon as its hub watches the parcel."""
    deadline = time.monotonic() + PATIENCE_S
    while send(url, body)[0] != 200:
        expect(time.monotonic() < deadline, f"the hub knows of {body}")
        time.sleep(0.05)


def _has(return_id: str, times: int, inbox: Json) -> bool:
    return [one.get("about") for one in inbox["items"]].count(return_id) == times


@dataclass
class _Game:
    buyer: Client
    merchant: Client
    sandbox_url: str
    carrier_url: str
    accounts: list[dict[str, str]]
    say: Say
    order_id: str = field(default="")

    def play(self) -> str:
        self.say("\nShe sends two units back: one for another, one for her money")
        self._buy()
        exchanged = self._back("exchange", "quality", "漏水。")
        self._exchange(exchanged)
        preview = self._preview()
        paid = self._back("refund", "no_reason", "")
        self._pay_back(paid, preview)
        order = self.buyer.get(f"/v1/orders/{self.order_id}")
        expect(order["returned"] == {"1": 1}, "one unit came back for good")
        self._told_of(exchanged)
        return self.order_id

    def _told_of(self, return_id: str) -> None:
        """Each side was told what it had to do, or what comes."""
        for person, times in ((self.buyer, 2), (self.merchant, 4)):
            what = f"{times} messages about {return_id}"
            _until(person, "/v1/me/inbox?limit=50", partial(_has, return_id, times), what)

    def _buy(self) -> None:
        card = next(
            one
            for one in self.buyer.get("/v1/products?sort=price_asc&limit=20")["items"]
            if one["kind"] == "physical" and not one["sold_out"]
        )
        account = next(one for one in self.accounts if one.get("merchant_id") == card["merchant_id"])
        self.merchant.sign_in(account["email"], account["password"])
        product = self.buyer.get(f"/v1/products/{card['product_id']}")
        sku_id = next(sku["sku_id"] for sku in product["skus"] if not sku["sold_out"])
        self.buyer.expect(200, "PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 2})
        address_id = self.buyer.expect(201, "POST", "/v1/me/addresses", ADDRESS)["address_id"]
        quote = self.buyer.expect(200, "POST", "/v1/quotes", {"address_id": address_id, "sku_ids": [sku_id]})
        purchase = self.buyer.expect(201, "POST", "/v1/purchases", {"quote": quote["quote"]})
        path = f"/v1/purchases/{purchase['purchase_id']}"
        payment = self.buyer.expect(201, "POST", f"{path}/payments", {"provider": "sandbox"})
        post(f"{self.sandbox_url}/pay/{payment['payment_id']}", {})
        _until(self.buyer, path, lambda found: found["status"] == "paid", "it is paid")
        self.order_id = purchase["order_ids"][0]
        body = {"lines": [{"line_id": "1", "quantity": 2}], **self._parcel()}
        shipment = self.merchant.expect(201, "POST", f"/v1/merchant/orders/{self.order_id}/shipments", body)
        self._carry(shipment["tracking_number"])
        order = f"/v1/orders/{self.order_id}"
        _until(self.buyer, order, lambda found: found["status"] == "delivered", "the order is delivered")

    def _parcel(self) -> Json:
        return {"carrier": "yuantong", "tracking_number": f"YT{uuid4().int % 10**13:013d}"}

    def _carry(self, number: str) -> None:
        for stage in STAGES:
            _told(f"{self.carrier_url}/command", {"number": number, "do": stage})

    def _asking(self, wish: str, reason: str, text: str) -> Json:
        lines = [{"line_id": "1", "quantity": 1}]
        return {"order_id": self.order_id, "lines": lines, "wish": wish, "reason": reason, "text": text}

    def _preview(self) -> Json:
        return self.buyer.expect(200, "POST", "/v1/returns/preview", self._asking("refund", "no_reason", ""))

    def _back(self, wish: str, reason: str, text: str) -> str:
        found = self.buyer.expect(201, "POST", "/v1/returns", self._asking(wish, reason, text))
        return_id = str(found["return_id"])
        self.say(f"  {return_id}: {found['wish_text']}, {found['reason_text']}; {found['freight_payer_text']}")
        expect(found["turn"] == "merchant" and bool(found["due_at"]), "it is the merchant's turn, until then")
        order = self.buyer.get(f"/v1/orders/{self.order_id}")
        expect(order.get("due_at") is None, "the order does not confirm itself meanwhile")
        self.merchant.expect(
            200, "POST", f"/v1/merchant/returns/{return_id}/approve", {"address": RETURN_ADDRESS, "label": "SF-COLLECT"}
        )
        parcel = self._parcel()
        self.buyer.expect(200, "POST", f"/v1/returns/{return_id}/parcel", parcel)
        self._carry(parcel["tracking_number"])
        self._stands(return_id, "received")
        return return_id

    def _stands(self, return_id: str, status: str) -> Json:
        path = f"/v1/returns/{return_id}"
        return _until(self.buyer, path, lambda found: found["status"] == status, f"the return is {status}")

    def _exchange(self, return_id: str) -> None:
        looked = {"lines": [{"line_id": "1", "damaged": 1}], "text": "确有漏水。"}
        path = f"/v1/merchant/returns/{return_id}"
        found = self.merchant.expect(200, "POST", f"{path}/inspection", looked)
        expect(found["status"] == "replacing", "its replacement is held")
        parcel = self._parcel()
        self.merchant.expect(200, "POST", f"{path}/replacement", parcel)
        self._carry(parcel["tracking_number"])
        self._stands(return_id, "replaced")
        self.say("  the first came damaged; its replacement was held, sent, and has arrived")

    def _pay_back(self, return_id: str, preview: Json) -> None:
        looked = {"lines": [{"line_id": "1", "as_new": 1}]}
        self.merchant.expect(200, "POST", f"/v1/merchant/returns/{return_id}/inspection", looked)
        done = self._stands(return_id, "refunded")
        expect(done["refund"] == preview["amount"], "what was said beforehand is what went back")
        self.say(f"  the second came as new and is on sale again; {money(done['refund'])} went back, as was said")
