"""A buyer talks with a merchant and calls the service, says how it was, and tells the platform something, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.e2e.scenario import PATIENCE_S, expect
from tools.shared.client import Client, Network

Say = Callable[[str], None]
CHINA = timedelta(hours=8)
"""Months of figures are China's."""


def play(base_url: str, accounts: Sequence[dict[str, str]], *, say: Say = lambda _: None) -> None:
    """Play it, with people among the accounts that ``tools.dev.seed`` made.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        people = {who: Client(network) for who in ("buyer", "merchant", "service")}
        _enter(people["buyer"], next(one for one in accounts if one["role"] == "buyer"))
        _enter(people["service"], next(one for one in accounts if one["role"] == "operator"))
        owners = {one["merchant_id"]: one for one in accounts if "merchant_id" in one and one["role"] != "clerk"}
        product = _asked_about(people["buyer"], owners)
        _enter(people["merchant"], owners[product["merchant_id"]])
        _play(people, product, say)
    finally:
        network.close()


def _play(people: dict[str, Client], product: Any, say: Say) -> None:
    buyer, merchant, service = people["buyer"], people["merchant"], people["service"]
    say("\nA buyer talks with a merchant, and calls the service")
    body = {"about": "product", "subject_id": product["product_id"], "text": "Cheaper at 微信 tea12345?"}
    begun = buyer.expect(201, "POST", "/v1/conversations", body)
    talk = begun["conversation"]["conversation_id"]
    say(f"  about {begun['conversation']['title']!r}: {begun['entry']['text']!r} - nobody is led away before paying")
    said = merchant.expect(201, "POST", f"/v1/merchant/conversations/{talk}/entries", {"text": "Only here."})
    expect(said["conversation"]["turn"] == "buyer", "it is the buyer's turn")
    buyer.expect(200, "POST", f"/v1/conversations/{talk}/call-service", {})
    desk = "/v1/operator/conversations"
    waiting = service.get(f"{desk}?queue=goods")["items"]
    expect(talk in [one["conversation_id"] for one in waiting], "it waits for the service")
    service.expect(200, "POST", f"{desk}/{talk}/take", {})
    service.expect(201, "POST", f"{desk}/{talk}/entries", {"text": "The price is the same for everybody."})
    service.expect(200, "POST", f"{desk}/{talk}/solve", {})
    say(f"  answered by the merchant, taken from a queue of {len(waiting)} and solved by the service")
    asked = _asked(buyer, talk)
    buyer.expect(200, "POST", f"/v1/satisfaction/{asked['survey_id']}", {"score": 5, "text": "Quick."})
    told = buyer.expect(201, "POST", "/v1/feedback", {"kind": "wish", "text": "More green tea."})
    own = f"/v1/operator/feedback/{told['feedback_id']}"
    service.expect(200, "POST", f"{own}/sort", {"topic": "goods"})
    service.expect(200, "POST", f"{own}/answer", {"text": "Next week."})
    month = (datetime.fromisoformat(asked["asked_at"]) + CHINA).strftime("%Y-%m")
    figures: Any = buyer.get(f"/v1/service-figures?month={month}")
    expect(figures["scores"] >= 1 and figures["feedback_answered"] >= 1, "figures are public")
    say(f"  asked once how it was; the public figures of {month} count {figures['scores']} scores")


def _enter(client: Client, account: dict[str, str]) -> None:
    client.sign_in(account["email"], account["password"])


def _asked_about(buyer: Client, owners: Container[str]) -> Any:
    """Return a product of one of these merchants that the buyer has not talked about yet."""
    talked = {one["subject_id"] for one in buyer.get("/v1/conversations?limit=100")["items"]}
    cards = buyer.get("/v1/products?limit=50")["items"]
    found = [card for card in cards if card["merchant_id"] in owners and card["product_id"] not in talked]
    expect(bool(found), "there is something to talk about")
    return found[0]


def _asked(buyer: Client, case_id: str) -> Any:
    """Read until the buyer is asked how it was: what happens behind queues takes a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := [one for one in buyer.get("/v1/satisfaction")["items"] if one["case_id"] == case_id]):
        expect(time.monotonic() < deadline, "the buyer is asked how it was")
        time.sleep(0.05)
    expect(len(found) == 1, "asked once")
    return found[0]
