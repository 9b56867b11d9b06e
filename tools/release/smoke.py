"""Asks a stage that was just deployed whether it works: it is up, its keys are there, it reads, and in dev it sells.

The order of ``dev`` is placed and called off again at once, so nothing stays sold. It needs no credentials of AWS.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from tools.shared.client import Client, Failed, Network, Sender

Json = dict[str, Any]
WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""A new function, role or deployment of the API takes some seconds to be everywhere."""
NOT_YET = (403, 404, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    what: str
    wrong: str = ""
    """What was wrong, nothing if it worked."""
    left_out: str = ""
    """Why it was not tried."""


def play(send: Sender, *, orders: bool, sleep: Callable[[float], None] = time.sleep) -> list[Step]:
    """Try everything, one step after the other, until one goes wrong."""
    client = Client(send)
    steps: list[tuple[str, Callable[[], str]]] = [
        ("it is up", lambda: _up(client, sleep)),
        ("its keys are there", lambda: _keys(client)),
        ("it reads", lambda: _reads(client)),
    ]
    if orders:
        steps.append(("it sells", lambda: _sells(client)))
    done: list[Step] = []
    for what, step in steps:
        try:
            done.append(Step(what, left_out=step()))
        except (Failed, OSError, HTTPException, KeyError, TypeError, ValueError) as error:
            done.append(Step(what, wrong=f"{type(error).__name__}: {error}"[:500]))
            break
    return done


def _up(client: Client, sleep: Callable[[float], None]) -> str:
    for wait_s in WAITS_S:
        if client.call("GET", "/openapi.json").status not in NOT_YET:
            break
        sleep(wait_s)
    client.get("/openapi.json")
    return ""


def _keys(client: Client) -> str:
    if not client.get("/.well-known/jwks.json")["keys"]:
        raise Failed("there is no key that signs tokens")
    return ""


def _reads(client: Client) -> str:
    client.get("/v1/categories")
    client.get("/v1/products?limit=1")
    return ""


ADDRESS = {
    "recipient": "Smoke Test",
    "phone": "+86 138 0013 8000",
    "country": "CN",
    "province": "北京市",
    "city": "北京市",
    "district": "东城区",
    "street": "1 Test Street",
}


def _sells(client: Client) -> str:
    sku_id = _sku_for_sale(client)
    if sku_id is None:
        return "nothing is for sale yet (python -m tools.dev.seed fills a stage for trying)"
    name, password = f"smoke-{secrets.token_hex(8)}@example.org", secrets.token_urlsafe(24)
    client.register(name, password)
    client.sign_in(name, password)
    client.expect(200, "PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1})
    address_id = client.expect(201, "POST", "/v1/me/addresses", ADDRESS)["address_id"]
    quote = client.expect(200, "POST", "/v1/quotes", {"address_id": address_id})
    purchase = client.expect(201, "POST", "/v1/purchases", {"quote": quote["quote"]})
    try:
        if purchase["total"] != quote["total"]:
            raise Failed("what is owed is not what was quoted")
    finally:
        client.expect(200, "POST", f"/v1/purchases/{purchase['purchase_id']}/cancel", {})
    return ""


def _sku_for_sale(client: Client) -> str | None:
    for product in client.get("/v1/products?limit=20")["items"]:
        for sku in client.get(f"/v1/products/{product['product_id']}")["skus"]:
            if not sku["sold_out"]:
                return str(sku["sku_id"])
    return None


def report(url: str, *, orders: bool, say: Callable[[str], None]) -> bool:
    """Try a deployed stage and tell how it went; returns whether all was well."""
    network = Network(url, timeout_s=30)
    try:
        done = play(network, orders=orders)
    finally:
        network.close()
    for step in done:
        say(f"  {'✗' if step.wrong else '·' if step.left_out else '✓'} {step.what}{_why(step)}")
    return not any(step.wrong for step in done)


def _why(step: Step) -> str:
    told = step.wrong or step.left_out
    return f": {told}" if told else ""
