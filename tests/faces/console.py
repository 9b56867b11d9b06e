"""People at the console, and what they find there: bought, paid, complained about."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from chalicelib.inventory import service as inventory
from chalicelib.runtime.intents import system_intent
from tests.e2e.scenario import png, post, upload
from tests.faces.visitor import Visitor
from tools.dev.server import DevServer
from tools.shared.client import Client, Network, Sender

if TYPE_CHECKING:
    from playwright.sync_api import Page

ADDRESS = {
    "recipient": "王梅",
    "phone": "+8613800138000",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "street": "文三路 1 号",
}


@dataclass(frozen=True)
class Bought:
    """A paid purchase of one order."""

    buyer: Client
    purchase_id: str
    order: dict[str, Any]

    def order_now(self) -> dict[str, Any]:
        """Return the order as its buyer sees it by now."""
        found: dict[str, Any] = self.buyer.get(f"/v1/orders/{self.order['order_id']}")
        return found

    def complain(self, text: str) -> str:
        """File a complaint with a picture; returns its id."""
        picture = png()
        asked = {"content_type": "image/png", "size": len(picture)}
        ticket = self.buyer.expect(201, "POST", "/v1/complaints/evidence", asked)
        upload(ticket, picture)
        filing = {
            "order_id": self.order["order_id"],
            "line_id": self.order["lines"][0]["line_id"],
            "reason": "damaged",
            "text": text,
            "evidence": [ticket["evidence_id"]],
        }
        return str(self.buyer.expect(201, "POST", "/v1/complaints", filing)["complaint_id"])


def _each(server: DevServer) -> Sender:
    """Send each request by a connection of its own: nobody has to remember to close one."""

    def send(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        with closing(Network(server.url)) as network:
            return network(method, path, headers, body)

    return send


def signed_up(server: DevServer) -> tuple[Client, str, str]:
    """Return somebody new, signed in, with name and password."""
    client = Client(_each(server))
    name, password = f"console-{uuid4().hex[:12]}@example.com", f"pass-{uuid4().hex[:12]}"
    client.register(name, password, client.code_in_mailbox)
    client.sign_in(name, password)
    return client, name, password


def bought(server: DevServer, *, least_minor: int = 1, buyer: Client | None = None) -> Bought:
    """Let somebody, new unless named, buy tea ware for at least so much, and pay at the sandbox."""
    if buyer is None:
        buyer, _, _ = signed_up(server)
    cards = [card for card in buyer.get("/v1/products?category=tea-ware&limit=50")["items"] if not card["sold_out"]]
    card = max(cards, key=lambda each: each["price_from"]["minor"])
    sku = buyer.get(f"/v1/products/{card['product_id']}")["skus"][0]
    quantity = max(2, -(-least_minor // sku["price"]["minor"]))
    # What one test buys must not be missing in another: all of them share one shop.
    inventory.receive_many({sku["sku_id"]: quantity}, intent=system_intent(f"stock#{uuid4().hex}"))
    buyer.expect(200, "PUT", f"/v1/cart/lines/{sku['sku_id']}", {"quantity": quantity})
    address_id = buyer.expect(201, "POST", "/v1/me/addresses", ADDRESS)["address_id"]
    quote = buyer.expect(200, "POST", "/v1/quotes", {"address_id": address_id})["quote"]
    purchase = buyer.expect(201, "POST", "/v1/purchases", {"quote": quote, "payment": {"provider": "sandbox"}})
    post(f"{server.sandbox_url}/pay/{purchase['payment']['payment_id']}", {"times": 1})
    path = f"/v1/orders/{purchase['order_ids'][0]}"
    deadline = time.monotonic() + 30
    while (order := buyer.get(path))["status"] != "paid":
        assert time.monotonic() < deadline, order["status"]
        time.sleep(0.1)
    return Bought(buyer, purchase["purchase_id"], order)


def account(server: DevServer, name: str) -> dict[str, str]:
    """Return one of the seeded accounts by the first part of its address."""
    return next(each for each in server.accounts if each["email"].startswith(f"{name}@"))


def seller(server: DevServer, found: Bought) -> dict[str, str]:
    """Return the owner of the merchant of an order."""
    return next(each for each in server.accounts if each.get("merchant_id") == found.order["merchant_id"])


def enter(person: Visitor, who: dict[str, str]) -> Page:
    """Sign somebody in; returns the page."""
    page = person.go("/console/#/sign-in")
    page.get_by_label("邮箱或手机号").fill(who["email"])
    page.get_by_label("密码", exact=True).fill(who["password"])
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("heading", name="概览").wait_for()
    return page


def at(person: Visitor, place: str) -> Page:
    """Go to a place of the console, as the address bar does; returns the page when it has read what it shows."""
    page = person.go(f"/console/#{place}")
    page.wait_for_load_state("networkidle")
    return page
