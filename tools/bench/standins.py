"""``make bench-standins``: what a click at the cashier costs, and what memory is held, after many orders.

The stand-ins run as a process of their own and are called over HTTP, as the shop and a person call them: an order is
created (signed), clicked paid, its notice posted to a shop that says yes, every tenth refunded and looked at; a parcel
is subscribed and pushed four times. ``--whole`` plays whole orders through a whole dev server (with its trail) instead,
which takes a second for some ten of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import PaymentOrder
from chalicelib.payments.providers.sandbox.adapter import Sandbox, build
from chalicelib.payments.providers.sandbox.wire import Configuration
from tools.bench import http as bench_http
from tools.dev import standins
from tools.fakes import engine
from tools.fakes.sandbox.core import Keys
from tools.shared import tables
from tools.shared.client import Client, Network
from tools.shared.httpd import Response, Server

POINTS = (1_000, 5_000, 10_000)
CLICKS = 300
"""How many clicks are measured at each point."""
GROWTH_MB, GROWTH_SHARE = 12.0, 1.5
"""What the last point may have more than the first: memory, and how many times the CPU of a click."""
ORDERS_A_BUYER = 100
STAGES = ("collected", "in_transit", "out_for_delivery", "signed")


def serve() -> None:
    """Serve the stand-ins until standard input ends; print where they are."""
    made = standins.create()
    made.start()
    print(json.dumps({"pid": os.getpid(), "sandbox": made.sandbox_url, "carrier": made.carrier_url}), flush=True)
    sys.stdin.read()
    made.stop()


class Customers:
    """Whoever calls the stand-ins: the shop, a person at the cashier, a carrier's driver."""

    def __init__(self, told: dict[str, Any]) -> None:
        keys = Keys()
        self.pid = int(told["pid"])
        self.adapter: Sandbox = build(
            Configuration(told["sandbox"], keys.merchant_id, keys.api_key, (keys.webhook_key,))
        )
        self.cashier, self.carrier = Client(Network(told["sandbox"])), Client(Network(told["carrier"]))
        self.shop = Server(lambda _: Response(200), port=0, body_cap=1 << 20, name="shop")
        self.shop.start()

    def create(self) -> str:
        """Create an order, as the shop does."""
        now = clock.now()
        number = ids.child_id("pay", "pur_" + ids.digest(uuid4().hex), 1)
        order = PaymentOrder(
            number, Money(1990), "Tea 茶", "page", now, now + timedelta(minutes=30), f"{self.shop.url}/notice"
        )
        self.adapter.create(order)
        return number

    def click(self, number: str) -> int:
        """Pay it; return how many bytes the cashier answered."""
        _, _, body = self.cashier.send("POST", f"/pay/{number}", {"content-type": "application/json"}, b"{}")
        return len(body)

    def look(self, number: str) -> None:
        """Refund a part in the console and look at the page."""
        self.cashier.expect(200, "POST", f"/console-refund/{number}", {"amount": 100})
        self.cashier.get(f"/state?order={number}")

    def parcel(self) -> None:
        """Send a parcel and have it pushed at each stage."""
        number = f"YT{uuid4().int % 10**13:013d}"
        parameters = {"callbackurl": f"{self.shop.url}/pushed", "salt": "x"}
        param = {"company": "yuantong", "number": number, "key": "local-kuaidi100-key", "parameters": parameters}
        form = {"content-type": "application/x-www-form-urlencoded"}
        self.carrier.send("POST", "/poll", form, urlencode({"param": json.dumps(param)}).encode())
        for stage in STAGES:
            self.carrier.expect(200, "POST", "/command", {"number": number, "do": stage})


def measured(customers: Customers, count: int) -> dict[str, Any]:
    """Measure clicks and memory at one point, with ``count`` orders there."""
    waiting = [customers.create() for _ in range(CLICKS)]
    time.sleep(0.5)  # What was on its way has arrived.
    before = cpu_ms(customers.pid)
    sizes = [customers.click(number) for number in waiting]
    spent = cpu_ms(customers.pid) - before
    return {
        "orders": count,
        "click_cpu_ms": round(spent / CLICKS, 3),
        "answer_bytes": max(sizes),
        "rss_mb": round(rss_mb(customers.pid), 1),
    }


def cpu_ms(pid: int) -> float:
    """Return the CPU time of a process so far, threads that have ended among it."""
    return bench_http.cpu_s(pid) * 1000


def rss_mb(pid: int) -> float:
    """Return the memory a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def stand_ins_run(points: tuple[int, ...], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Fill the stand-ins up to each point and measure there."""
    command = [sys.executable, "-m", "tools.bench.standins", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise SystemExit("the stand-ins did not start")
        customers = Customers(json.loads(process.stdout.readline()))
        rows, made = [], 0
        for point in points:
            say(f"up to {point} orders ...")
            while made < point:
                number = customers.create()
                customers.click(number)
                made += 1
                if made % 10 == 0:
                    customers.look(number)
                    customers.parcel()
            rows.append(measured(customers, made))
            made += CLICKS
        process.stdin.close()
        customers.shop.stop()
    return rows


def whole_run(points: tuple[int, ...], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Play whole orders through a dev server of its own and measure it at each point."""
    server = bench_http.start([], trail=True)
    try:
        os.environ.update(engine.environment(server.info["engine"]))
        _, goods = bench_http.stock_up(server)
        pid, rows, made = int(server.info["pids"]["server"]), [], 0
        for point in points:
            say(f"up to {point} orders ...")
            before, count = cpu_ms(pid), point - made
            play(server, goods, count)
            made = point
            rows.append(
                {
                    "orders": point,
                    "order_cpu_ms": round((cpu_ms(pid) - before) / count, 1),
                    "rss_mb": round(rss_mb(pid), 1),
                }
            )
            say(json.dumps(rows[-1]))
    finally:
        server.stop()
    return rows


def play(server: bench_http.Server, goods: list[str], count: int, *, clients: int = 4) -> None:
    """Have some buyers place and pay so many orders together."""
    local = threading.local()

    def one(number: int) -> None:
        if not hasattr(local, "client"):
            local.client, local.pay = Client(Network(server.url)), Client(Network(server.info["sandbox"]))
            local.count = 0
        if local.count % ORDERS_A_BUYER == 0:  # Nobody's token lasts as long as this may take on a busy machine.
            local.buyer = bench_http.new_buyer(server)
            local.client.token = local.buyer[0]
        local.count += 1
        pair = [goods[number % len(goods)], goods[(number + 7) % len(goods)]]
        bench_http.buy_once(local.client, local.pay, pair, local.buyer[1])

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, range(count)))


def main() -> int:
    """Run, print, and exit with 1 if something grows."""
    parser = argparse.ArgumentParser(prog="make bench-standins ARGS=...", description=__doc__)
    parser.add_argument("--orders", type=int, default=POINTS[-1], help="how many in the end; measured at 1/10, 1/2, 1")
    parser.add_argument("--whole", action="store_true", help="whole orders through a whole dev server")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    gc.disable()
    points = tuple(max(1, options.orders * point // POINTS[-1]) for point in POINTS)
    rows = (whole_run if options.whole else stand_ins_run)(points, lambda text: print(text, flush=True))
    names = tuple(rows[0])
    print(tables.table(names, [[row[name] for name in names] for row in rows]))
    print(json.dumps({"bench": "standins", "whole": options.whole, "points": rows}))
    cost = "order_cpu_ms" if options.whole else "click_cpu_ms"
    grew = rows[-1]["rss_mb"] - rows[0]["rss_mb"] > GROWTH_MB or rows[-1][cost] > rows[0][cost] * GROWTH_SHARE
    if grew:
        print(f"it grows: more than {GROWTH_MB} MB, or {GROWTH_SHARE} times the CPU", file=sys.stderr)
    return 1 if grew else 0


if __name__ == "__main__":
    sys.exit(main())
