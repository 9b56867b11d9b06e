"""A whole shop in this process, one caller at a time, for exact measurements: nothing moves unless it is told to.

Needs an account on a running engine in the environment (``engine.environment``; tests have the ``cloud`` fixture). The
sandbox provider and the carrier hub answer in process; streams and queues move by :meth:`Lab.drain`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from chalicelib.kernel import clock
from chalicelib.runtime import caches, outbound
from tests.support import goods, people, watch
from tests.support.pump import UNCOUNTED, Pump
from tools.dev.server import log_to
from tools.fakes import engine, resources
from tools.fakes.carriers.hub import Hub
from tools.fakes.sandbox import providers
from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.mount import by_host
from tools.shared.client import Client, InProcess

ADDRESS = {
    "recipient": "王梅",
    "phone": "+8613800138000",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "street": "文三路 1 号",
}


@dataclass
class Shopper:
    """A buyer with an address."""

    client: Client
    account_id: str
    address_id: str


@dataclass
class Lab:
    """The shop and those who use it."""

    time: clock.Fixed = field(default_factory=lambda: clock.Fixed(datetime(2026, 11, 22, 4, 0, tzinfo=UTC)))
    """Stands still between steps, so that the same run costs the same."""
    pump: Pump = field(default_factory=lambda: Pump(watched=False, leaves=UNCOUNTED))
    """What counts against fraud runs behind all steps, and is measured by itself (docs/risk.md)."""
    send: InProcess = field(default_factory=InProcess)
    stand_ins: dict[str, Any] = field(init=False)
    """The payment providers' other ends, by name."""
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.stand_ins = providers.create(lambda: clock.now().timestamp())
        self.hub = Hub(self.deliver, now=clock.now)
        to_hosts = {host: self.stand_ins[name] for host, name in providers.HOSTS.items()}
        to_hosts[urlsplit(self.sandbox.base_url).netloc] = self.sandbox
        self._to_providers = by_host(to_hosts)

    @property
    def sandbox(self) -> Sandbox:
        """Return the sandbox provider."""
        found: Sandbox = self.stand_ins["sandbox"]
        return found

    def drain(self) -> None:
        """Move notices, streams and queues until nothing moves any more."""
        while True:
            posted = sum(stand_in.tick(self.post) for stand_in in self.stand_ins.values())
            if not self.pump.drain() and not posted:
                return

    def rest(self) -> None:
        """Drain, and wait out the pauses that publishing makes: nothing goes on afterwards."""
        self.drain()
        while self.pump.waits:
            self.time.advance(timedelta(seconds=3))
            self.drain()

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Deliver a provider's notice to the real route; return the answer's status."""
        return self.deliver(url, headers, body)[0]

    def pass_time(self, by: timedelta) -> None:
        """Let time pass, run the deadline job, move everything."""
        self.time.advance(by)
        self.pump.due()
        self.drain()

    def deliver(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Deliver what somebody else posts to us."""
        status, _, content = self.send("POST", urlsplit(url).path, headers, body)
        return status, content

    def outbound(self, request: outbound.Request) -> outbound.Response:
        """Answer what our code asks of others."""
        parts = urlsplit(request.url)
        if parts.path.startswith("/poll"):
            return outbound.Response(*self.hub.handle(parts.path, request.body))
        return self._to_providers(request)

    # People ----------------------------------------------------------------------------------------------------

    def client(self, token: str | None = None) -> Client:
        """Return a client, signed in if a token is given."""
        found = Client(self.send)
        found.token = token
        return found

    def shopper(self) -> Shopper:
        """Return a new buyer with an address."""
        account_id, token = people.buyer()
        client = self.client(token)
        address = client.expect(201, "POST", "/v1/me/addresses", ADDRESS)
        return Shopper(client, account_id, address["address_id"])

    def merchant(self) -> tuple[str, Client]:
        """Return a new merchant and one of its staff."""
        merchant_id = people.merchant(free_from=None).merchant_id
        return merchant_id, self.client(people.staff(merchant_id).token)

    def product(self, merchant_id: str, **options: Any) -> goods.Made:
        """Return a listed product with stock, its events already handled."""
        return goods.product(merchant_id, **options)

    # Buying ----------------------------------------------------------------------------------------------------

    def fill(self, shopper: Shopper, sku_ids: list[str], quantity: int = 1) -> None:
        """Put SKUs into the cart."""
        lines = [{"sku_id": sku_id, "quantity": quantity} for sku_id in sku_ids]
        shopper.client.expect(200, "PATCH", "/v1/cart", {"lines": lines})

    def quote(self, shopper: Shopper) -> str:
        """Ask what the cart costs."""
        return self._quoted(shopper, {})

    def fill_and_quote(self, shopper: Shopper, sku_ids: list[str]) -> str:
        """Put SKUs into the cart with the question what it costs then."""
        return self._quoted(shopper, {"lines": [{"sku_id": sku_id, "quantity": 1} for sku_id in sku_ids]})

    def _quoted(self, shopper: Shopper, changes: dict[str, Any]) -> str:
        body = {"address_id": shopper.address_id, **changes}
        return str(shopper.client.expect(200, "POST", "/v1/quotes", body)["quote"])

    def place(self, shopper: Shopper, quote: str) -> Any:
        """Check out."""
        return shopper.client.expect(201, "POST", "/v1/purchases", {"quote": quote})

    def place_and_pay(self, shopper: Shopper, quote: str, provider: str = "sandbox") -> Any:
        """Check out and start to pay in one request; returns the purchase with its first attempt."""
        body = {"quote": quote, "payment": {"provider": provider}}
        return shopper.client.expect(201, "POST", "/v1/purchases", body)

    def start_payment(self, shopper: Shopper, purchase_id: str, provider: str = "sandbox", **body: Any) -> str:
        """Start to pay."""
        path = f"/v1/purchases/{purchase_id}/payments"
        return str(shopper.client.expect(201, "POST", path, {"provider": provider, **body})["payment_id"])

    def ship(self, staff: Client, order: Any) -> str:
        """Ship everything of an order in one parcel; return its tracking number."""
        number = f"YT{uuid4().int % 10**13:013d}"
        lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in order["lines"]]
        body = {"lines": lines, "carrier": "yuantong", "tracking_number": number}
        staff.expect(201, "POST", f"/v1/merchant/orders/{order['order_id']}/shipments", body)
        return number


@contextmanager
def opened(*, real_providers: bool = False, kind: type[Lab] = Lab) -> Iterator[Lab]:
    """Open a lab, of another ``kind`` if wanted, in the environment's account; puts clock, transport and settings back.

    ``real_providers`` gives the shop the keys of their stand-ins and turns on those that are off by default.
    """
    caches.forget_all()
    lab = kind()
    resources.create_all(providers.secrets(lab.stand_ins) if real_providers else None)
    before = os.environ.get("BIANDAN_QQWALLET")
    if real_providers:
        os.environ["BIANDAN_QQWALLET"] = "on"
    clock.install(lab.time)
    outbound.install(lab.outbound)
    try:
        yield lab
    finally:
        outbound.install(None)
        clock.install(None)
        if before is None:
            os.environ.pop("BIANDAN_QQWALLET", None)


@contextmanager
def alone() -> Iterator[Lab]:
    """Open a lab on an engine of its own, for a command line."""
    from chalicelib.runtime import aws, config

    log_to(None)
    with engine.Engine() as running:
        os.environ.update(engine.environment(running.url))
        config.config.cache_clear()
        aws.forget_clients()
        watch.forget()
        with aws.hooked(watch.noting), opened() as lab:  # The pump looks where this process wrote, as in tests.
            yield lab
