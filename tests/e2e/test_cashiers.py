"""A person at each cashier of the dev server: every call goes over a socket, both ways."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.inventory import service as inventory
from chalicelib.kernel import ids
from chalicelib.ledger import service as ledger
from chalicelib.runtime import log
from chalicelib.runtime.intents import system_intent
from tests.e2e.scenario import post
from tests.support import goods, people
from tools.bench.lab import ADDRESS
from tools.dev.server import DevServer
from tools.fakes.sandbox import providers
from tools.fakes.sandbox.stand_in import nobodys
from tools.shared.client import Client, Network

TOTAL = 3000
PATIENCE_S = 120
OPENED: list[Network] = []
BODIES: dict[str, dict[str, str]] = {
    "sandbox": {},
    "wechatpay": {"method": "native"},
    "alipay": {"method": "page", "return_url": "https://shop.example/done"},
    "qqwallet": {"method": "native"},
    "stripe": {"method": "checkout", "return_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}"},
}
ANSWERS = {
    "sandbox": "OK",
    "wechatpay": "",
    "alipay": "success",
    "qqwallet": "<xml><return_code>SUCCESS</return_code></xml>",
    "stripe": '{"received": true}',
}
"""What the shop says to a notice that it has kept, in each provider's own words."""


@pytest.fixture
def server(cloud: str) -> Iterator[DevServer]:
    log.set_level("CRITICAL")
    with DevServer(port=0, engine_url=os.environ["AWS_ENDPOINT_URL"], seed=False) as running:
        yield running
        while OPENED:
            OPENED.pop().close()
    log.set_level("INFO")


class Visit:
    """One buyer at one cashier."""

    def __init__(self, server: DevServer, provider: str, sku_id: str) -> None:
        self.server, self.provider = server, provider
        self.cashier = server.cashiers[provider]
        self.account_id = people.buyer().account_id
        self.buyer = self._signed_in(people.token(self.account_id))
        address = self.buyer.expect(201, "POST", "/v1/me/addresses", ADDRESS)
        self.buyer.expect(200, "PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1})
        quote = self.buyer.expect(200, "POST", "/v1/quotes", {"address_id": address["address_id"]})["quote"]
        self.purchase = self.buyer.expect(201, "POST", "/v1/purchases", {"quote": quote})
        self.path = f"/v1/purchases/{self.purchase['purchase_id']}"

    def _signed_in(self, token: str) -> Client:
        network = Network(self.server.url)
        OPENED.append(network)
        client = Client(network)
        client.token = token
        return client

    def start(self) -> tuple[str, str]:
        """Start an attempt; return its id and where its instruction leads a browser in the end."""
        body = {"provider": self.provider, **BODIES[self.provider]}
        answer = self.buyer.expect(201, "POST", f"{self.path}/payments", body)
        assert answer["status"] == "pending", answer
        with urllib.request.urlopen(answer["instruction"]["url"]) as page:
            assert answer["payment_id"] in page.read().decode()
            return answer["payment_id"], page.url

    def tell(self, path: str, body: dict[str, Any] | None = None) -> None:
        """Press a button of the cashier."""
        post(f"{self.cashier}{path}", body or {})

    def state(self) -> Any:
        """Return what the cashier shows."""
        with urllib.request.urlopen(f"{self.cashier}/state") as answer:
            return json.loads(answer.read())

    def until(self, what: Callable[[], Any], wanted: Any) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := what()) != wanted:
            assert time.monotonic() < deadline, (self.provider, found, wanted, self.state())
            time.sleep(0.05)

    def payments(self) -> list[str]:
        """Return the states of the attempts."""
        self.buyer.token = people.token(self.account_id)
        return [payment["status"] for payment in self.buyer.get(f"{self.path}/payments")["items"]]

    def refund(self, minor: int) -> None:
        """Refund as an operator."""
        order_id = ids.child_id("ord", self.purchase["purchase_id"], 1)
        body = {"order_id": order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "不合适"}
        operator = self._signed_in(people.operator().token)
        operator.expect(201, "POST", self.path.replace("/v1/", "/v1/operator/") + "/refunds", body)

    def clearing(self) -> int:
        """Return what our ledger says the provider holds."""
        balances = dict(ledger.proof(self.purchase["purchase_id"]).balances)
        return balances[f"clearing:{self.provider}"].minor if balances else 0


def test_pay_refund_late_and_twice_at_every_cashier(server: DevServer) -> None:
    merchant = people.merchant(freight=800, free_from=None)
    sku_id = goods.product(merchant.merchant_id, price_minor=2200, stock=100).sku_id
    scarce = goods.product(merchant.merchant_id, price_minor=2200, stock=len(server.cashiers)).sku_id
    assert list(server.cashiers) == list(providers.PORTS)
    visits = {name: Visit(server, name, sku_id) for name in server.cashiers}
    lates = {name: Visit(server, name, scarce) for name in server.cashiers}

    for name, visit in visits.items():
        payment_id, landed = visit.start()
        assert urlsplit(landed).netloc == urlsplit(server.cashiers[name]).netloc
        assert landed.endswith(f"/?order={payment_id}")
        visit.tell("/control/" + payment_id, {"duplicates": 10})
        visit.tell("/pay/" + payment_id)
    for visit in visits.values():
        visit.until(visit.payments, ["captured"])
        assert visit.clearing() == TOTAL
        visit.refund(800)
    late_ids = {name: visit.start()[0] for name, visit in lates.items()}
    server.advance(timedelta(minutes=31))
    for visit in lates.values():
        visit.until(visit.payments, ["closed"])
    # Late money is honoured while everything is free; here it is gone, so all of it goes back.
    inventory.write_off(scarce, len(server.cashiers), intent=system_intent(f"gone#{scarce}"))
    for name, visit in lates.items():
        visit.tell("/pay-closed/" + late_ids[name])
    for visit in lates.values():
        visit.until(lambda visit=visit: visit.payments()[0] in ("surplus", "returned"), True)  # type: ignore[misc]
    for _ in range(3):
        server.advance(timedelta(minutes=2))
    for visit in lates.values():
        visit.until(visit.payments, ["returned"])
        assert visit.clearing() == 0
    for name, visit in visits.items():
        assert visit.clearing() == TOTAL - 800
        (order,) = [row for row in visit.state()["orders"] if row["number"] not in late_ids.values()]
        assert (order["state"], order["money"]) == ("paid", [TOTAL, 800]), name
        assert [row["money"] for row in visit.state()["orders"] if row["number"] in late_ids.values()] == [[TOTAL] * 2]


def test_the_other_buttons_do_at_every_cashier_what_they_say(server: DevServer) -> None:
    """Pay twice, pay 0.01 less, refund in the console, settle what is pending, let a pending refund come to its end."""
    merchant = people.merchant(freight=800, free_from=None)
    sku_id = goods.product(merchant.merchant_id, price_minor=2200, stock=100).sku_id
    twice, less, back = ({name: Visit(server, name, sku_id) for name in server.cashiers} for _ in range(3))

    for visit in twice.values():
        visit.start()
        visit.tell("/pay-twice/" + visit.start()[0])  # Also the first one, which the shop closed for the second.
    for visit in less.values():
        visit.tell("/pay/" + visit.start()[0], {"amount": TOTAL - 1})
    paid = {name: visit.start()[0] for name, visit in back.items()}
    for name, visit in back.items():
        visit.tell("/pay/" + paid[name])
    for name, visit in back.items():
        visit.until(visit.payments, ["captured"])
        visit.tell("/console-refund/" + paid[name], {"amount": 5})
        visit.tell("/control/" + paid[name], {"refund": "pending"})
        visit.refund(700)
    for visit in back.values():
        visit.until(lambda visit=visit: [row["state"] for row in visit.state()["refunds"]][-1:], ["pending"])  # type: ignore[misc]
        visit.tell(f"/settle/{visit.state()['refunds'][-1]['number']}", {"state": "succeeded"})
    for _ in range(4):
        server.advance(timedelta(minutes=2))
    for name in server.cashiers:
        twice[name].until(lambda visit=twice[name]: sorted(visit.payments()), ["captured", "returned"])  # type: ignore[misc]
        assert twice[name].clearing() == TOTAL, name
        less[name].until(less[name].payments, ["returned"])
        assert less[name].clearing() == 0, name
        back[name].until(back[name].clearing, TOTAL - 700)
        (row,) = [row for row in back[name].state()["orders"] if row["number"] == paid[name]]
        assert row["money"] == [TOTAL, 705], name
        assert not [why for why in back[name].state()["refusals"] if "sign" in why.lower()], name


def test_the_keys_turn_under_a_running_shop(server: DevServer) -> None:
    merchant = people.merchant(freight=800, free_from=None)
    sku_id = goods.product(merchant.merchant_id, price_minor=2200, stock=100).sku_id

    for name in server.cashiers:
        visit = Visit(server, name, sku_id)
        payment_id, _ = visit.start()
        for body in ({"overlap": True}, {"overlap": False}):
            visit.tell("/rotate", body)
        visit.tell("/pay/" + payment_id)
        visit.until(visit.payments, ["captured"])
        assert {status for status, _ in visit.state()["delivered"]} <= {200, 204}


def test_what_a_cashier_cannot_do_it_says(server: DevServer) -> None:
    def refused(name: str, path: str, body: dict[str, Any]) -> tuple[int, str]:
        as_json = {"content-type": "application/json"}
        request = urllib.request.Request(server.cashiers[name] + path, json.dumps(body).encode(), as_json)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        with error.value:
            return error.value.code, json.loads(error.value.read())["error"]

    assert refused("qqwallet", "/control", {"probe": ["notice"]}) == (409, "QQWallet knows no probe")
    assert refused("stripe", "/control", {"charset": "gbk"}) == (409, "Stripe knows no charset")
    assert refused("wechatpay", "/pay/pay_nobody_01", {})[0] == 404


def test_what_a_cashier_tells_of_strangers_the_shop_keeps_and_says_so(server: DevServer) -> None:
    """A number that the shop never gave, an event of a kind that nobody knows: acknowledged, kept, nothing booked."""
    merchant = people.merchant(freight=800, free_from=None)
    sku_id = goods.product(merchant.merchant_id, price_minor=2200, stock=100).sku_id
    strange = {name: Visit(server, name, sku_id) for name in server.cashiers}
    novel = {name: Visit(server, name, sku_id) for name in server.cashiers}
    operator = strange["sandbox"]._signed_in(people.operator().token)

    numbers: dict[str, str] = {}
    for visits, word in ((strange, "other_number"), (novel, "unknown_event")):
        for name, visit in visits.items():
            payment_id = visit.start()[0]
            numbers.setdefault(name, nobodys(payment_id))
            visit.tell("/control/" + payment_id, {word: True})
            visit.tell("/pay/" + payment_id)
    for _ in range(6):  # What may be an attempt of ours that is just being written is waited for.
        server.advance(timedelta(minutes=2))

    claims, events = strays_of(operator, "suspense"), strays_of(operator, "unknown_event")
    assert {row["provider"]: row["number"] for row in claims} == numbers
    assert [row for row in claims if row.get("amount")] == []
    assert {row["provider"] for row in events} == set(server.cashiers)
    for name, visit in strange.items():
        told = visit.state()  # As the page shows it: what was said, and what the shop answered.
        assert {status for status, _ in told["delivered"]} <= {200, 204}, name
        assert numbers[name] in json.dumps(told["delivered"]), name
        assert len(told["answers"]) == len(told["delivered"]), name
        assert set(told["answers"]) == {ANSWERS[name]}, name
    # The shop asked by itself and found the money that no notice named rightly.
    for visit in (*strange.values(), *novel.values()):
        visit.until(visit.payments, ["captured"])
        assert visit.clearing() == TOTAL


def strays_of(operator: Client, state: str) -> list[dict[str, Any]]:
    operator.token = people.operator().token
    found: list[dict[str, Any]] = operator.get(f"/v1/operator/payments?state={state}")["strays"]
    return found
