"""Signing in by QQ and a mini program, played over HTTP: by ``make demo`` and by the test of the dev server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.e2e.scenario import expect
from tools.shared.client import Client, Network

Say = Callable[[str], None]


def play(base_url: str, stand_in_url: str, *, say: Say = lambda _: None) -> None:
    """Play a storefront, a mini program, and the persons who sign in there.

    Raises:
        scenario.Unexpected: if anything is not as it must be.
    """
    network = Network(base_url)
    try:
        _play(network, base_url, stand_in_url, say)
    finally:
        network.close()


def _play(network: Network, base_url: str, there: str, say: Say) -> None:
    say("\nSomebody signs in with QQ")
    guest = Client(network)
    page = f"{base_url}/signed-in"
    session, back = _by_qq(guest, there, page, "dan")
    replayed = guest.call("POST", "/v1/auth/web/qq/complete", back)
    expect(replayed.status == 422, "a state counts once")
    again, _ = _by_qq(guest, there, page, "dan")
    expect(again["account_id"] == session["account_id"], "the same person has the same account")
    buyer = Client(network)
    buyer.token = session["access_token"]
    say(f"  {session['account_id']} is {buyer.get('/v1/me')['nickname']!r}, the second time as well")
    known = _by_mini(guest, there, "dan")
    expect(known.status == 409, "the same person by a mini program gets no account opened")
    link = buyer.expect(201, "POST", "/v1/me/identities/proof", {"proof": known.json["proof"]})
    expect(_by_mini(guest, there, "dan").json["account_id"] == session["account_id"], "with both proofs it opens it")
    for item in buyer.get("/v1/me/identities")["items"]:
        say(f"  {item['provider']} opens the account")
    other, _ = _by_qq(guest, there, page, "eve")
    stranger = Client(network)
    stranger.token = other["access_token"]
    code = {"js_code": _ask(f"{there}/login/qq_mini", {"person": "dan"})["js_code"]}
    taken = stranger.call("POST", "/v1/me/identities/mini/qq_mini", code)
    expect(taken.status == 409, "what opens one account is not added to another")
    buyer.expect(204, "DELETE", f"/v1/me/identities/{link['link_id']}")
    last = buyer.get("/v1/me/identities")["items"][0]["link_id"]
    expect(buyer.call("DELETE", f"/v1/me/identities/{last}").status == 409, "the last way to sign in stays")
    say("  one is removed, the last one stays")


def _by_qq(client: Client, there: str, page: str, person: str) -> tuple[Any, dict[str, str]]:
    verifier = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    begun = client.expect(200, "POST", "/v1/auth/web/qq/begin", {"return_url": page, "challenge": challenge})
    with urllib.request.urlopen(begun["url"]) as shown:
        expect(b"as-" in shown.read(), "there is a page on which a person says yes or no")
    asked = dict(parse_qsl(urlsplit(begun["url"]).query))
    location = _ask(f"{there}/decide", {**asked, "person": person})["location"]
    came = {**dict(parse_qsl(urlsplit(location).query)), "verifier": verifier, "return_url": page}
    return client.expect(200, "POST", "/v1/auth/web/qq/complete", came), came


def _by_mini(client: Client, there: str, person: str) -> Any:
    code = _ask(f"{there}/login/qq_mini", {"person": person})["js_code"]
    return client.call("POST", "/v1/auth/mini/qq_mini/sign-in", {"js_code": code})


def _ask(url: str, body: Any) -> Any:
    as_json = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), as_json)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())
