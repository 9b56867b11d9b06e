"""A merchant's own system, played over HTTP: an owner makes a key, the system lists orders by it, it is revoked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.e2e.scenario import expect
from tools.shared.client import Client, Network

Say = Callable[[str], None]


def play(base_url: str, accounts: Sequence[dict[str, str]], *, say: Say = lambda _: None) -> None:
    """Play it, with an owner among the accounts that ``tools.dev.seed`` made.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        owner = next(one for one in accounts if "merchant_id" in one and one["role"] != "clerk")
        _play(network, owner, say)
    finally:
        network.close()


def _play(network: Network, account: dict[str, str], say: Say) -> None:
    say("\nA merchant's own system lists orders by its key")
    owner, system = Client(network), Client(network)
    owner.sign_in(account["email"], account["password"])
    wanted = {"name": "Stock system", "scopes": ["orders:read"], "days": 30}
    made = owner.expect(201, "POST", "/v1/merchant/keys", wanted)
    shown = {"authorization": f"Key {made['key']}"}
    say(f"  the owner makes {made['key_id']} for {', '.join(made['scopes'])}; it is shown once and begins with bdk_")

    def ask(path: str) -> Any:
        return system.call("GET", path, headers=shown)

    orders = ask("/v1/merchant/orders")
    expect(orders.status == 200, "a key opens what its scopes say")
    expect(orders.json == owner.get("/v1/merchant/orders"), "it sees what its merchant sees")
    say(f"  the system reads {len(orders.json['items'])} orders")
    for path, code in (("/v1/merchant/products", "scope_needed"), ("/v1/merchant/keys", "person_needed")):
        expect(ask(path).json["code"] == code, "it opens nothing else")
        say(f"  {path}: {code}")
    owner.expect(204, "DELETE", f"/v1/merchant/keys/{made['key_id']}")
    expect(ask("/v1/merchant/orders").status == 401, "what is revoked opens nothing at once")
    say("  revoked, it opens nothing at once")
