"""A voucher is sold over HTTP: a shop adds codes, a buyer pays, looks at hers, and nobody else ever sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from tests.e2e.scenario import expect, post
from tools.shared.client import Client, Network

Say = Callable[[str], None]
PATIENCE_S = 20.0


def play(
    base_url: str, sandbox_url: str, accounts: Sequence[dict[str, str]], *, say: Say = lambda _: None
) -> dict[str, str]:
    """Play it, with a buyer and a shop among the accounts that ``tools.dev.seed`` made; returns order and SKU.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        return _play(network, sandbox_url, accounts, say)
    finally:
        network.close()


def _play(network: Network, sandbox_url: str, accounts: Sequence[dict[str, str]], say: Say) -> dict[str, str]:
    say("\nA shop sells vouchers")
    buyer, shop = Client(network), Client(network)
    cards = buyer.get("/v1/products?category=digital-vouchers&limit=20")["items"]
    card = next(card for card in cards if card["kind"] == "virtual" and not card["sold_out"])
    sku = buyer.get(f"/v1/products/{card['product_id']}")["skus"][0]["sku_id"]
    owner = next(one for one in accounts if one.get("merchant_id") == card["merchant_id"] and one["role"] != "clerk")
    shop.sign_in(owner["email"], owner["password"])
    codes = [f"GIFT-{uuid4().hex[:12].upper()}" for _ in range(2)]
    terms = {"form": "code", "within_minutes": 60, "low_mark": 1}
    shop.expect(200, "PUT", f"/v1/merchant/pools/{sku}", terms)
    path = f"/v1/merchant/pools/{sku}/codes"
    added = shop.expect(200, "POST", path, {"codes": [*codes, codes[0]], "to_stock": False})
    expect(added["accepted"] == 2, "each code is taken once")
    say(f"  {card['titles']['en']!r}: {added['accepted']} codes are added, one that was there twice is refused")

    person = next(one for one in accounts if one["role"] == "buyer")
    buyer.sign_in(person["email"], person["password"])
    order_id = _buy(buyer, sandbox_url, sku)
    line = _until(buyer, f"/v1/orders/{order_id}/virtual")
    say(f"  paid, order {order_id} is {line['status']}: nothing of it is shown yet")
    shown = buyer.expect(200, "POST", f"/v1/orders/{order_id}/virtual/1/look", {})
    expect(shown["items"][0]["code"] in codes, "the buyer sees a code of the pool")
    seen = [shop.get(f"/v1/merchant/pools/{sku}"), shop.get(f"/v1/merchant/orders/{order_id}/virtual")]
    expect(not any(code in str(seen) for code in codes), "its shop sees no code any more")
    expect(seen[1]["items"][0]["looks"] == 1, "but that she looked")
    say(f"  she looks at {shown['items'][0]['code'][:9]}…; her shop reads that she did, and no code")
    confirmed = buyer.expect(200, "POST", f"/v1/orders/{order_id}/virtual/1/confirm", {})
    expect(confirmed["status"] == "confirmed", "she says that it is there")
    expect(buyer.get(f"/v1/orders/{order_id}")["status"] == "completed", "and the order is completed with it")
    say(f"  she confirms; {seen[0]['free']} code is left, and her shop is told that this is few")
    return {"order_id": order_id, "sku_id": sku, "code": shown["items"][0]["code"]}


def _buy(buyer: Client, sandbox_url: str, sku: str) -> str:
    for line in buyer.get("/v1/cart")["lines"]:
        buyer.call("DELETE", f"/v1/cart/lines/{line['sku_id']}")
    buyer.expect(200, "PUT", f"/v1/cart/lines/{sku}", {"quantity": 1})
    quote = buyer.expect(200, "POST", "/v1/quotes", {})
    purchase = buyer.expect(201, "POST", "/v1/purchases", {"quote": quote["quote"]})
    way = f"/v1/purchases/{purchase['purchase_id']}/payments"
    payment = buyer.expect(201, "POST", way, {"provider": "sandbox"})
    post(f"{sandbox_url}/pay/{payment['payment_id']}", {"times": 1})
    return str(purchase["order_ids"][0])


def _until(buyer: Client, path: str) -> Any:
    """Read until something is delivered: what happens behind queues takes a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        items = buyer.get(path)["items"]
        if items and items[0]["delivered"]:
            return items[0]
        time.sleep(0.05)
    expect(False, "what was paid is delivered within seconds")
    return None
