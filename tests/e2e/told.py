"""A merchant's own system is told of orders, over HTTP: signed, tried again after a failure, told again on request."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tests.e2e.scenario import expect
from tools.shared.client import Client, Network

Say = Callable[[str], None]
Advance = Callable[[timedelta], None]
DOOR = "/_dev/webhooks"


def play(base_url: str, accounts: Sequence[dict[str, str]], *, advance: Advance, say: Say = lambda _: None) -> None:
    """Play it, with an owner among the accounts that ``tools.dev.seed`` made.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        account = next(one for one in accounts if "merchant_id" in one and one["role"] != "clerk")
        owner = Client(network)
        owner.sign_in(account["email"], account["password"])
        _play(base_url, owner, advance, say)
    finally:
        network.close()


def _play(base_url: str, owner: Client, advance: Advance, say: Say) -> None:
    say("\nA merchant's own system is told by webhook")
    path = "/v1/merchant/webhooks"
    made = owner.expect(201, "POST", path, {"name": "Warehouse", "url": f"{base_url}{DOOR}"})
    own = f"{path}/{made['webhook_id']}"
    say(f"  the owner names {made['url']}; the secret is shown once and begins with {made['secret'][:6]}")
    _door(base_url, {"secrets": [made["secret"]], "answers": [500]})

    def state() -> Any:
        (found,) = owner.get(f"{own}/deliveries")["items"]
        return found

    test = owner.expect(201, "POST", f"{own}/test", {})
    advance(timedelta(seconds=1))
    expect([one["answer"] for one in state()["attempts"]] == ["500"], "the first attempt failed")
    say(f"  {test['type']} is answered 500, the next attempt is at {state()['next_at'][11:19]}")
    advance(timedelta(minutes=2))
    expect(state()["status"] == "delivered", "the second attempt was taken")
    owner.expect(200, "POST", f"{own}/deliveries/{test['delivery_id']}/replay", {})
    advance(timedelta(seconds=1))
    seen = _door(base_url, {})
    ids = [one["message_id"] for one in seen["told"]]
    expect(ids == [test["delivery_id"]] * 3 and not seen["refused"], "three genuine messages under one id")
    say(f"  taken, then told again on request: {len(ids)} genuine messages under one id, none refused")
    owner.expect(204, "DELETE", own)


def _door(base_url: str, wanted: Any) -> Any:
    url, body = f"{base_url}{DOOR}/set", json.dumps(wanted).encode()
    asked = urllib.request.Request(url, body, headers={"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read())
