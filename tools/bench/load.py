"""``make bench-load``: the whole story under load for ten minutes, one instance, reads and orders mixed.

Prints throughput and latencies a minute, how the memory of our process and of the engine grows, and in the end what the
shop's own tables say: whether stock, money and balances are whole (``verdict``). ``--minutes`` shortens it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.bench import http, verdict
from tools.bench.http import Server
from tools.fakes import engine
from tools.shared import tables
from tools.shared.client import Client, Network

BUYERS, READERS = 4, 4
GROWTH_MB_A_THOUSAND = 25.0
"""What our process may grow by for each thousand orders once it is warm: the stand-ins keep what was paid."""


@dataclass
class Minute:
    """What one minute saw."""

    orders: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    server_mb: float = 0.0
    engine_mb: float = 0.0

    def figures(self, seconds: float) -> dict[str, Any]:
        """Return the numbers to print."""
        return {
            "orders_per_s": round(len(self.orders) / seconds, 1),
            "reads_per_s": round(len(self.reads) / seconds, 1),
            "order_p99_ms": _percentile(self.orders, 0.99),
            "read_p99_ms": _percentile(self.reads, 0.99),
            "failures": len(self.failures),
            "server_mb": round(self.server_mb, 1),
            "engine_mb": round(self.engine_mb, 1),
        }


class Load:
    """Buyers and readers who go on until they are told to stop."""

    def __init__(self, server: Server, goods: list[str], pages: list[str]) -> None:
        self.minute = Minute()
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._server, self._goods, self._pages = server, goods, pages

    def threads(self) -> list[threading.Thread]:
        """Return everybody, ready to start."""
        return [threading.Thread(target=self._buy, args=(number,)) for number in range(BUYERS)] + [
            threading.Thread(target=self._read, args=(number,)) for number in range(READERS)
        ]

    def next_minute(self) -> Minute:
        """Return what was seen since the last time."""
        with self._lock:
            seen, self.minute = self.minute, Minute()
        return seen

    def _buy(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311
        client, pay = Client(Network(self._server.url)), Client(Network(self._server.info["sandbox"]))
        bought = 0
        while not self.stop.is_set():
            if bought % 50 == 0:  # A new buyer now and then: a token lasts ten minutes.
                client.token, address_id = http.new_buyer(self._server)
            self._timed("orders", lambda: http.buy_once(client, pay, chance.sample(self._goods, 2), address_id))  # noqa: B023
            bought += 1

    def _read(self, number: int) -> None:
        chance = random.Random(-number - 1)  # noqa: S311
        client = Client(Network(self._server.url))
        while not self.stop.is_set():
            self._timed("reads", lambda: client.get(chance.choice(self._pages)))

    def _timed(self, kind: str, act: Any) -> None:
        started = time.perf_counter()
        try:
            act()
        except Exception as error:
            with self._lock:
                self.minute.failures.append(f"{kind}: {type(error).__name__}: {error}"[:300])
            return
        with self._lock:
            getattr(self.minute, kind).append((time.perf_counter() - started) * 1000)


def rss_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def _percentile(found: list[float], share: float) -> float:
    ordered = sorted(found)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else 0.0


def play(server: Server, minutes: float) -> tuple[list[Minute], list[str], dict[str, int]]:
    """Load a server and judge what it leaves; returns its minutes, what is wrong, and what was looked at."""
    from chalicelib.runtime import caches

    os.environ.update(engine.environment(server.info["engine"]))
    caches.forget_all()
    products, goods = http.stock_up(server)
    pages = [f"/v1/products/{product_id}" for product_id in products] + ["/v1/products?limit=20", "/v1/search?q=tea"]
    load = Load(server, goods, pages)
    threads = load.threads()
    for thread in threads:
        thread.start()
    seen: list[Minute] = []
    until = time.monotonic() + 60 * minutes
    while (left_s := until - time.monotonic()) > 0:
        time.sleep(min(60.0, left_s))
        seen.append(load.next_minute())
        seen[-1].server_mb, seen[-1].engine_mb = (rss_mb(server.info["pids"][name]) for name in ("server", "engine"))
        print(json.dumps(seen[-1].figures(min(60.0, left_s))), file=sys.stderr, flush=True)
    load.stop.set()
    for thread in threads:
        thread.join()
    seen[-1].failures += load.next_minute().failures
    time.sleep(5)  # What is on its way comes to rest.
    wrong, looked_at = verdict.judge()
    return seen, wrong, looked_at


def main() -> int:
    """Load, judge, print, close with one line of JSON; exits with 1 if something failed or is wrong."""
    parser = argparse.ArgumentParser(prog="make bench-load ARGS=...", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    server = http.start([])
    try:
        seen, wrong, looked_at = play(server, options.minutes)
    finally:
        server.stop()
    seconds = 60 * min(1.0, options.minutes)
    rows = [{"minute": number, **minute.figures(seconds)} for number, minute in enumerate(seen, 1)]
    print(tables.table(list(rows[0]), [list(row.values()) for row in rows]))
    orders = [one for minute in seen for one in minute.orders]
    failures = [one for minute in seen for one in minute.failures]
    half = len(seen) // 2
    grown_mb = seen[-1].server_mb - seen[half].server_mb
    since = sum(len(minute.orders) for minute in seen[half + 1 :])
    a_thousand = round(1000 * grown_mb / since, 1) if since else 0.0
    for each in [*failures[:5], *wrong[:20]]:
        print(f"  {each}")
    print("the shop is whole" if not wrong else f"{len(wrong)} things are wrong")
    figures = {
        "bench": "load",
        "minutes": options.minutes,
        "orders_per_s": round(len(orders) / (60 * options.minutes), 1),
        "reads_per_s": round(sum(len(minute.reads) for minute in seen) / (60 * options.minutes), 1),
        "order_p99_ms": _percentile(orders, 0.99),
        "read_p99_ms": _percentile([one for minute in seen for one in minute.reads], 0.99),
        "grown_mb_second_half": round(grown_mb, 1),
        "grown_mb_a_thousand_orders": a_thousand,
        "failures": len(failures),
        "looked_at": looked_at,
        "wrong": len(wrong),
    }
    print(json.dumps(figures))
    return 1 if failures or wrong or a_thousand > GROWTH_MB_A_THOUSAND else 0


if __name__ == "__main__":
    sys.exit(main())
