"""A shop with one real provider's stand-in behind it, where many scenarios are played at once on one clock.

A scenario is a generator over a :class:`Customer`: it acts, yields how long to wait (``NOW`` for "until nothing
moves"), asserts, and goes on. :func:`play` runs all of them side by side, so that waiting half an hour costs once, and
every scenario lives among the others' traffic, as it would in a shop.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Role
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.runtime import aws, names, secrets
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people
from tools.bench.lab import Lab, Shopper
from tools.fakes.sandbox import providers
from tools.fakes.sandbox.wechatpay import certificate
from tools.shared.client import Answer

NOW = timedelta()
GOODS, FREIGHT, STOCK = 2200, 800, 1000
TOTAL = GOODS + FREIGHT
Steps = Iterator[timedelta]
Scenario = Callable[["Customer"], Steps]


@dataclass(frozen=True)
class Way:
    """What differs between providers, as their documents say."""

    name: str
    methods: Mapping[str, Mapping[str, str]]
    """Each method with what the buyer's client must send for it; the first is used where it does not matter."""
    sent_method: str
    """A method whose creation is a call of ours (Alipay's pages are carried by the buyer's browser)."""
    took: int
    """The status of our answer to a notice that we accept."""
    refused: int
    proves: bool = True
    """Notices prove; else they only make us ask."""
    has_window: bool = True
    """Notices carry their time: an old one is refused."""
    tells_refunds: bool = True
    """A refund's end comes by notice, not only by asking."""
    tells_console: str = ""
    """How a refund made in the provider's console is filed when its notice comes; empty where none comes."""
    stuck: tuple[str, ...] = ()
    """In which of ``abnormal``, ``closed`` and ``failed`` a refund can end here."""
    pause: timedelta = NOW
    """Between two refunds of one payment."""


WAYS = {
    "wechatpay": Way(
        "wechatpay",
        {"native": {}, "jsapi": {"payer": "oUpF8uMuAJO_M2"}, "mini": {"payer": "oMini"}, "h5": {}, "app": {}},
        "native",
        took=204,
        refused=401,
        tells_console="unknown_refund",
        stuck=("abnormal", "closed", "failed"),
        pause=timedelta(minutes=1),
    ),
    "alipay": Way(
        "alipay",
        {"page": {"return_url": "https://shop.example/done"}, "wap": {}, "app": {}, "qr": {}},
        "qr",
        took=200,
        refused=401,
        has_window=False,
        tells_console="unknown_refund",
        stuck=("failed",),
    ),
    "qqwallet": Way(
        "qqwallet",
        {"native": {}, "jsapi": {}, "miniapp": {}},
        "native",
        took=200,
        refused=400,
        proves=False,
        has_window=False,
        tells_refunds=False,
        stuck=("abnormal", "failed"),
    ),
    "stripe": Way(
        "stripe",
        {"checkout": {"return_url": "https://shop.example/done"}, "payment_intent": {}},
        "checkout",
        took=200,
        refused=400,
        stuck=("closed", "failed"),
        tells_console="unknown_refund",
    ),
}


@dataclass
class Desk:
    """The shop, the provider in question, and what is on sale."""

    lab: Lab
    way: Way
    merchants: list[str] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)

    def __post_init__(self) -> None:
        for _ in range(2):
            merchant_id = people.merchant(freight=FREIGHT, free_from=None, commission_bps=500).merchant_id
            self.merchants.append(merchant_id)
            self.skus.append(goods.product(merchant_id, price_minor=GOODS, stock=STOCK).sku_id)
        self.operator = people.operator().account_id
        self.lab.drain()

    @property
    def stand(self) -> Any:
        """The provider's other end."""
        return self.lab.stand_ins[self.way.name]

    def learn_keys(self) -> None:
        """Put the provider's keys of now into the shop's secret, and let the shop read it (300 s later, really)."""
        told = providers.secret_of(self.way.name, self.stand)
        name = names.secret_name(f"payments-{self.way.name}")
        aws.call("secretsmanager", "PutSecretValue", {"SecretId": name, "SecretString": json.dumps(told)})
        secrets.forget()

    def rotate(self, *, overlap: bool) -> None:
        """Let the provider sign with a new key: with overlap the one before counts as well."""
        if self.way.name == "wechatpay" and overlap:  # From the public key to a certificate: both modes at once.
            self.stand.rotate(certificate(3))
        else:
            self.stand.turn_keys(overlap=overlap)
        self.learn_keys()

    def list_second(self, cause: Cause) -> None:
        """Put the second shop's goods on sale, or take them off; buyers of the first notice nothing."""
        product_id = catalog.product_of(self.skus[1])
        catalog.move(self.merchants[1], product_id, cause, intent=system_intent(f"{cause}#{product_id}"))
        self.lab.drain()

    def stock_left(self) -> int:
        """Return what can still be sold of both goods."""
        return sum(inventory.level(sku_id).available for sku_id in self.skus)


@dataclass
class Customer:
    """One buyer with one purchase: what a scenario does, and what it can look at."""

    desk: Desk
    name: str
    shops: int = 1
    shopper: Shopper = field(init=False)
    purchase: Any = field(init=False)
    apart: int = 0
    """What the provider's books and ours differ by, for its bill to tell: a refund made without us, or its own lie."""

    def __post_init__(self) -> None:
        self.shopper = self.desk.lab.shopper()
        self.desk.lab.fill(self.shopper, self.desk.skus[: self.shops])
        self.purchase = self.desk.lab.place(self.shopper, self.desk.lab.quote(self.shopper))
        assert self.purchase["total"] == {"minor": self.total, "currency": "CNY"}
        self.desk.customers.append(self)

    @property
    def total(self) -> int:
        """What the purchase costs."""
        return TOTAL * self.shops

    @property
    def way(self) -> Way:
        """The provider's habits."""
        return self.desk.way

    @property
    def stand(self) -> Any:
        """The provider's other end."""
        return self.desk.stand

    @property
    def purchase_id(self) -> str:
        """The purchase's id."""
        return str(self.purchase["purchase_id"])

    def attempt(self, number: int = 1) -> str:
        """Return the id that an attempt has or will have."""
        return ids.child_id("pay", self.purchase_id, number)

    # What the buyer and an operator do.

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, operator: bool = False
    ) -> Answer:
        """Call the shop as the buyer or as an operator; tokens end after ten minutes, so each call has a fresh one."""
        who = self.desk.operator if operator else self.shopper.account_id
        client = self.desk.lab.client(people.token(who, Role.BUYER, *([Role.OPERATOR] if operator else [])))
        return client.call(method, path, body, key=key)

    def start(self, method: str = "", *, key: str | None = None, **more: str) -> Answer:
        """Start an attempt."""
        method = method or next(iter(self.way.methods))
        body = {"provider": self.way.name, "method": method, **self.way.methods[method], **more}
        return self.call("POST", f"/v1/purchases/{self.purchase_id}/payments", body, key=key or uuid4().hex)

    def started(self, method: str = "") -> str:
        """Start an attempt that the provider takes, and open what it hands out; returns the attempt's id."""
        answer = self.start(method)
        assert (answer.status, answer.json["status"]) == (201, "pending"), answer
        self.open(answer.json["instruction"])
        return str(answer.json["payment_id"])

    def open(self, instruction: Mapping[str, Any]) -> None:
        """Do what the buyer's client does with an instruction: at Alipay the order exists only from then on."""
        if self.way.name == "alipay":
            self.stand.open(instruction.get("url") or instruction["params"]["orderStr"])

    def paid(self) -> str:
        """Start an attempt and pay it."""
        payment_id = self.started()
        self.stand.pay(payment_id)
        return payment_id

    def refund(self, minor: int, *, shop: int = 0) -> str:
        """Refund part of a shop's order as an operator; returns the refund's id."""
        body = {
            "order_id": self.order(shop),
            "amount": {"minor": minor, "currency": "CNY"},
            "reason": "买家退货",
        }
        answer = self.call("POST", f"/v1/operator/purchases/{self.purchase_id}/refunds", body, operator=True)
        assert answer.status == 201, answer
        return str(answer.json["refund_id"])

    def retry(self, refund_id: str) -> str:
        """Try a stuck refund again as an operator; returns the number it goes on under."""
        answer = self.call("POST", f"/v1/operator/refunds/{refund_id}/retry", operator=True)
        assert answer.status == 200, answer
        return str(answer.json["refund_id"])

    def order(self, shop: int = 0) -> str:
        """Return the id of a shop's order."""
        sale = orders.load_sale(self.purchase_id)
        return next(o.order_id for o in sale.orders if o.merchant_id == self.desk.merchants[shop])

    def resolve(self, body: Mapping[str, str]) -> None:
        """Resolve the purchase's one quarantined notice as an operator."""
        (found,) = self.story()["quarantined"]
        path = f"/v1/operator/purchases/{self.purchase_id}/quarantined/{found['quarantine_id']}/resolve"
        answer = self.call("POST", path, body, operator=True, key=uuid4().hex)
        assert answer.status == 200, answer

    # What can be seen.

    @property
    def status(self) -> str:
        """The purchase's state, as its buyer sees it."""
        return str(self.call("GET", f"/v1/purchases/{self.purchase_id}").json["status"])

    @property
    def payments(self) -> list[str]:
        """The states of all attempts, as the buyer sees them."""
        found = self.call("GET", f"/v1/purchases/{self.purchase_id}/payments").json["items"]
        return [payment["status"] for payment in found]

    def story(self) -> Any:
        """Return everything an operator sees of the payments."""
        answer = self.call("GET", f"/v1/operator/purchases/{self.purchase_id}/payments", operator=True)
        assert answer.status == 200, answer
        return answer.json

    @property
    def refunds(self) -> list[str]:
        """The states of all refunds."""
        return [refund["status"] for refund in self.story()["refunds"]]

    @property
    def disputes(self) -> list[str]:
        """The states of all disputes."""
        return [dispute["status"] for dispute in self.story()["disputes"]]

    @property
    def doubts(self) -> list[str]:
        """Why notices of this purchase were quarantined."""
        return [quarantined["why"] for quarantined in self.story()["quarantined"]]

    @property
    def accounts(self) -> dict[str, int]:
        """The purchase's ledger, without accounts that are even: merchants are numbered as the shops are."""
        proof = ledger.proof(self.purchase_id)
        assert proof.balanced
        short = {f"clearing:{self.way.name}": "clearing"}
        short |= {f"merchant:{merchant_id}": f"merchant {n}" for n, merchant_id in enumerate(self.desk.merchants, 1)}
        return {short.get(account, account): amount.minor for account, amount in proof.balances if amount}

    @property
    def entries(self) -> int:
        """How many entries the ledger has: one for each fact."""
        return len(ledger.entries(self.purchase_id))

    def there(self, payment_id: str) -> tuple[int, int]:
        """Return what the provider's own books say was captured and given back on an attempt."""
        captured, returned = self.stand.money(payment_id)
        return captured, returned

    def answers(self, payment_id: str) -> list[int]:
        """Return how we answered the provider's notices of an attempt."""
        return [status for status, content in self.stand.delivered if payment_id in json.dumps(content, default=str)]

    def units_gone(self) -> int:
        """Return how many of its units are not for sale: one an order, none of one paid back whole unshipped."""
        back = Counter[str]()
        for refund in self.story()["refunds"]:
            if refund["status"] != "replaced" and refund.get("order_id"):
                back[refund["order_id"]] += refund["amount"]["minor"]
        return self.shops - sum(back[self.order(shop)] == TOTAL for shop in range(self.shops))

    # What must hold.

    def is_paid(self, *, refunded: Sequence[int] = (), attempts: Sequence[str] = ("captured",)) -> None:
        """Demand that the purchase is paid, and what the ledger says then, to the fen; ``refunded`` by order."""
        assert (self.status, self.payments) == ("paid", list(attempts))
        assert self.accounts == paid_accounts(self.shops, refunded)

    def is_untouched(self, *, attempts: Sequence[str] = ("pending",)) -> None:
        """Demand that nothing moved."""
        assert (self.status, self.payments, self.accounts) == ("awaiting_payment", list(attempts), {})

    def books_agree(self) -> None:
        """Demand that what the provider holds is what our ledger says it holds."""
        money = [self.there(payment["payment_id"]) for payment in self.story()["payments"]]
        held = sum(captured - returned for captured, returned in money)
        assert self.accounts.get("clearing", 0) == held + self.apart, (self.name, money, self.accounts)


def paid_accounts(shops: int = 1, refunded: Sequence[int] = ()) -> dict[str, int]:
    """Return the ledger of a paid purchase: 5 % commission, given back with what is refunded (rounded down)."""
    found = {"clearing": 0, "commission": 0}
    for shop in range(shops):
        back = refunded[shop] if shop < len(refunded) else 0
        ours = TOTAL // 20 - TOTAL // 20 * back // TOTAL
        found["clearing"] += TOTAL - back
        found["commission"] -= ours
        found[f"merchant {shop + 1}"] = ours - (TOTAL - back)
    return {account: minor for account, minor in found.items() if minor}


def play(desk: Desk, scenarios: Mapping[str, Scenario], *, shops: Mapping[str, int]) -> dict[str, BaseException]:
    """Play all of them side by side; returns what went wrong, by scenario."""
    steps = {name: scenario(Customer(desk, name, shops.get(name, 1))) for name, scenario in scenarios.items()}
    return side_by_side(desk.lab, steps)


def side_by_side(lab: Lab, stories: Mapping[str, Steps]) -> dict[str, BaseException]:
    """Let all stories take their steps on one clock, at whatever desk they play; returns what went wrong, by name."""
    wrong: dict[str, BaseException] = {}
    order = count()
    waiting: list[tuple[datetime, int, str, Steps]] = []
    for name, steps in stories.items():
        heapq.heappush(waiting, (clock.now(), next(order), name, steps))
    lab.drain()
    while waiting:
        if waiting[0][0] > clock.now():
            lab.pass_time(waiting[0][0] - clock.now())
        now = clock.now()
        awake = []
        while waiting and waiting[0][0] <= now:
            awake.append(heapq.heappop(waiting))
        for _, _, name, steps in awake:
            try:
                heapq.heappush(waiting, (now + next(steps), next(order), name, steps))
            except StopIteration:
                continue
            except Exception as error:
                wrong[name] = error
        lab.drain()
    return wrong
