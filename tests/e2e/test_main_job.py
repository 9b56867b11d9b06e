"""The main job over HTTP against a dev server in this process: the same play as ``make demo``."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.runtime import aws, queues
from tests.e2e import elsewhere, explained, parcels, returned, scenario, system, talked, told, vouchers
from tools.dev import control, goods, seed
from tools.dev.server import DevServer
from tools.dev.trail import text_of
from tools.operate import audit
from tools.shared.client import Client, InProcess


@pytest.fixture
def server(cloud: str) -> Iterator[DevServer]:
    with DevServer(port=0, engine_url=os.environ["AWS_ENDPOINT_URL"]) as running:
        yield running


def test_the_main_job_from_sign_up_to_a_settled_complaint(server: DevServer) -> None:
    said: list[str] = []

    played = scenario.play(
        server.url,
        server.sandbox_url,
        server.carrier_url,
        accounts=server.accounts,
        advance=server.advance,
        say=said.append,
    )

    assert len(played.orders) == 2
    assert server.pump.settle(20)
    assert [state for state in control.queue_states() if state["waiting"] or state["dead"]] == []
    explained.play(server.url, server.accounts, played.orders[0], say=said.append)
    parcels.play(server.url, server.accounts, played.orders[0], say=said.append)
    sold = vouchers.play(server.url, server.sandbox_url, server.accounts, say=said.append)
    assert server.pump.settle(20)
    assert [word for word in said if sold["code"] in word] == []
    assert sold["code"] not in str(server.trail.entries)
    assert list(audit.prove().broken) == []
    _explains_itself(server, played)
    _ledger_balances(played)
    with urllib.request.urlopen(f"{server.url}/docs") as page:
        assert b"<title>Biandan API</title>" in page.read()


def test_people_sign_in_by_qq_and_a_mini_program(server: DevServer) -> None:
    said: list[str] = []
    assert server.stand_ins is not None
    there = server.stand_ins.sign_in
    elsewhere.play(server.url, there.base_url, say=said.append)
    assert said[-1] == "  one is removed, the last one stays"
    assert [
        word for word in (*there._tokens, *there._codes, "client_secret") if word in str(server.trail.entries)
    ] == []
    mei = next(account for account in server.accounts if account["email"].startswith("mei"))
    code = there.login("qq_mini", "mei")["js_code"]
    client = Client(InProcess())
    session = client.expect(200, "POST", "/v1/auth/mini/qq_mini/sign-in", {"js_code": code})
    client.token = session["access_token"]
    assert client.get("/v1/me")["email"] == mei["email"], "one of the seeded buyers signs in by it"


def test_a_merchants_own_system_lists_orders_by_its_key(server: DevServer) -> None:
    said: list[str] = []
    system.play(server.url, server.accounts, say=said.append)
    assert said[-1] == "  revoked, it opens nothing at once"
    assert [word for word in ("bdk_", "Key ") if word in str(server.trail.entries)] == [], "no key is written down"


def test_a_buyer_talks_with_a_merchant_and_calls_the_service(server: DevServer) -> None:
    said: list[str] = []
    talked.play(server.url, server.accounts, say=said.append)
    assert [line for line in said if "tea12345" in line] == [], "nobody is led away before paying"
    assert said[-1].startswith("  asked once how it was")


def test_a_merchants_own_system_is_told_by_webhook(server: DevServer) -> None:
    said: list[str] = []

    def advance(by: timedelta) -> None:
        body = json.dumps({"advance_s": by.total_seconds()}).encode()
        headers = {"content-type": "application/json"}
        asked = urllib.request.Request(f"{server.url}/_dev/clock", body, headers=headers)
        with urllib.request.urlopen(asked):
            pass

    told.play(server.url, server.accounts, advance=advance, say=said.append)
    assert said[-1].startswith("  taken, then told again on request: 3 genuine messages")
    assert "whsec_" not in str(server.trail.entries), "no secret is written down"


def test_goods_go_back_for_others_and_for_money(server: DevServer) -> None:
    said: list[str] = []
    order_id = returned.play(server.url, server.sandbox_url, server.carrier_url, server.accounts, say=said.append)
    assert said[-1].endswith("went back, as was said")
    assert server.pump.settle(20)
    assert [state for state in control.queue_states() if state["dead"]] == []
    assert "return" in text_of(server.trail.explain(order_id))


def _explains_itself(server: DevServer, played: scenario.Played) -> None:
    text = text_of(server.trail.explain(played.purchases[0]))
    paid_by_notice = text.index("POST /v1/webhooks/payments/sandbox")
    assert text.index("event purchase.placed#") < paid_by_notice
    assert paid_by_notice < text.index("queue payment-notices takes payment.noticed") < text.index("purchase.paid#")
    assert "queue orders takes shipment.delivered" in text
    honoured = text_of(server.trail.explain(played.purchases[2]))
    assert honoured.index("event purchase.expired#") < honoured.index("event purchase.paid#"), honoured
    late = text_of(server.trail.explain(played.purchases[3]))
    for step in ("job deadlines: due#pur_", "/close -> 200", "event purchase.expired#", "/v1/refunds -> 200"):
        assert step in late, late
    assert server.trail.intact()
    server.trail.entries[3] = server.trail.entries[4]
    assert not server.trail.intact()


def _ledger_balances(played: scenario.Played) -> None:
    from chalicelib.runtime import names

    for purchase_id, entries in zip(played.purchases, (2, 0, 1, 2), strict=True):
        items = aws.call(
            "dynamodb",
            "Query",
            {
                "TableName": names.table_name("ledger"),
                "KeyConditionExpression": "purchase_id = :id",
                "ExpressionAttributeValues": {":id": {"S": purchase_id}},
            },
        )["Items"]
        assert len(items) == entries
    assert queues.url(names.queue_name("orders"))


def test_seeding_goes_on_where_it_was_interrupted(cloud: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goods, "SHOPS", (replace(goods.SHOPS[0], lines=goods.SHOPS[0].lines[:3]),))
    kept = tmp_path / "accounts.json"
    with monkeypatch.context() as broken:
        broken.setattr(seed, "_product", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            seed.ensure(remembered=kept, say=lambda _: None)

    accounts = seed.ensure(remembered=kept, say=lambda _: None)
    again = seed.ensure(remembered=kept, say=lambda _: None)

    assert again == accounts
    # Two operators of every desk, for much takes a second person, and one of support; an owner and a clerk; two buyers.
    assert len(accounts) == 7
    client = Client(InProcess())
    client.sign_in(accounts[-1]["email"], accounts[-1]["password"])
    assert len(client.get("/v1/products?limit=100")["items"]) == 3
