"""An operator has an order and its buyer's account explained, over HTTP: one call each, and each look is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.e2e.scenario import expect
from tools.shared.client import Client, Network

Say = Callable[[str], None]


def play(base_url: str, accounts: Sequence[dict[str, str]], order_id: str, *, say: Say = lambda _: None) -> None:
    """Play it, with an operator among the accounts that ``tools.dev.seed`` made.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        account = next(one for one in accounts if one["role"] == "operator")
        operator = Client(network)
        operator.sign_in(account["email"], account["password"])
        _play(operator, order_id, say)
    finally:
        network.close()


def _play(operator: Client, order_id: str, say: Say) -> None:
    say(f"\nAn operator has {order_id} explained")

    def explain(what: str, number: str) -> Any:
        path = f"/v1/operator/{what}/{number}/explanation"
        return operator.expect(200, "POST", path, {"reason": "The buyer asks what became of it."})

    found = explain("orders", order_id)
    for step in found["items"]:
        told = "".join(f"  ✦ {event['event_id'].partition('#')[0]}" for event in step.get("events", ()))
        say(f"  {step['at'][11:19]}  {step['kind']:<9} {step['text']}{told}")
    kinds = {step["kind"] for step in found["items"]}
    expect({"purchase", "order", "payment", "refund", "ledger", "stock", "parcel", "complaint"} <= kinds, "all is told")
    again = explain("orders", order_id)
    expect(again["digest"] == found["digest"], "nothing happened between but the look")
    looks = [step for step in again["items"] if step["what"] == "explain_order"]
    expect(len(looks) == 1, "the look before stands in it")
    say(f"  its digest {found['digest'][:16]}… stands in the audit's line of each look")
    buyer = explain("accounts", found["buyer_id"])
    expect(order_id in buyer["order_ids"], "the buyer's account names the order")
    expect(any(step["what"] == "explain_order" for step in buyer["items"]), "and which staff looked")
    say(f"  the buyer's account: {buyer['count']} steps, {len(buyer['order_ids'])} orders, and who looked")
