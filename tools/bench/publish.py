"""``make bench-publish``: how late a change is published, and how many files a burst of changes writes.

A dev server runs in this process with its real streams, queues and passes, and batches are gathered for as long as on
AWS. Changes are prices of random products, made through the service as merchants make them. What is timed begins where
the change is committed, and ends where a manifest that names its file is written: the product's own, and that of the
list of everything. A reader's copy of a manifest may be older by what it says it may be kept, and a CDN's by as much
again. The functions of other queues, which hear of the same changes, do not run: on AWS each has machines of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib import topology
from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause
from chalicelib.kernel import context
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Window
from chalicelib.publishing import domain
from chalicelib.runtime import aws, names, queues
from chalicelib.runtime.intents import system_intent
from tools.bench import metering
from tools.dev.server import DevServer, log_to

PATIENCE_S = 600.0
WELL_WITHIN = domain.LIST_CAP - 10
"""Places of the newest that the published list of everything shows."""


@dataclass(frozen=True)
class Goods:
    """A listed product, and its place among the newest."""

    product_id: str
    merchant_id: str
    place: int


@dataclass
class Watch:
    """Sees what is written, as a hook on S3."""

    counts: Counter[str] = field(default_factory=Counter)
    _prices: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """(Shard, file) -> prices by product."""
    _waiting: dict[str, dict[str, list[tuple[int, float]]]] = field(default_factory=dict)
    """Kind of manifest -> product -> (price, when committed) of changes that are not out yet."""
    _shown: dict[tuple[str, str], int] = field(default_factory=dict)
    lags_s: dict[str, list[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, product_id: str, minor: int, *, on_the_list: bool) -> None:
        """Await a price that was committed now; ``on_the_list`` of everything, which is published to its cap."""
        with self._lock:
            for kind in ("product", "list") if on_the_list else ("product",):
                if self._shown.get((kind, product_id), 0) >= minor:
                    self.lags_s.setdefault(kind, []).append(0.0)
                    continue
                waiting = self._waiting.setdefault(kind, {})
                waiting.setdefault(product_id, []).append((minor, time.monotonic()))

    def left(self) -> int:
        """Return how many changes are not out yet."""
        with self._lock:
            return sum(len(found) for waiting in self._waiting.values() for found in waiting.values())

    def __call__(
        self, service: str, operation: str, params: dict[str, Any], proceed: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Look at one call."""
        if service != "s3" or operation != "PutObject" or not str(params["Key"]).startswith("published/"):
            return proceed()
        body = bytes(params["Body"])
        answer = proceed()
        _, what, *rest = str(params["Key"]).removesuffix(".json").split("/")
        shard = rest[0]
        with self._lock:
            group = "products" if shard.startswith(domain.PRODUCTS) else "lists"
            self.counts[f"{what} of {group}"] += 1
            if what == "files":
                self._note_file(shard, rest[1], json.loads(body))
            elif what == "current":
                self._note_manifest(shard, json.loads(body)["files"])
        return answer

    def _note_file(self, shard: str, name: str, content: Any) -> None:
        cards = content.get("items", [content] if "skus" in content else [])
        self._prices[shard, name] = {card["product_id"]: card["price_from"]["minor"] for card in cards}

    def _note_manifest(self, shard: str, files: dict[str, list[str]]) -> None:
        kind = "product" if shard.startswith(domain.PRODUCTS) else "list"
        if kind == "list" and shard != domain.ALL:
            return
        names = [name for key, found in files.items() if kind == "product" or key == domain.NEWEST for name in found]
        now = time.monotonic()
        for name in names:
            for product_id, minor in self._prices.get((shard, name), {}).items():
                self._out(kind, product_id, minor, now)

    def _out(self, kind: str, product_id: str, minor: int, now: float) -> None:
        """Prices only rise here: what shows a later one has published those before."""
        self._shown[kind, product_id] = minor
        waiting = self._waiting.get(kind, {}).get(product_id)
        if not waiting:
            return
        out = [entry for entry in waiting if entry[0] <= minor]
        self._waiting[kind][product_id] = [entry for entry in waiting if entry[0] > minor]
        self.lags_s.setdefault(kind, []).extend(now - committed for _, committed in out)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-publish ARGS=...", description=__doc__)
    parser.add_argument("--products", type=int, default=1_000, help="so many beside the demonstration's")
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=5.0, help="changes a second")
    parser.add_argument("--burst", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    chance = random.Random(told.seed)  # noqa: S311
    log_to(None)
    with DevServer(port=0, record=False, say=print) as server:
        server.pump.settle(120)
        _add(told.products)
        server.pump.settle(600)
        server.pump.gathers = True
        server.pump.paused = frozenset(topology.QUEUES) - {"publishing"}
        goods = [Goods(*ids, place) for place, ids in enumerate(_listed())]
        print(f"{len(goods)} products are listed; load of the machine {_load()}")
        if told.changes:
            with _watched() as (watch, meter):
                print(f"\n{told.changes} changes of random products, {told.rate:g} a second")
                _trickle(watch, goods, told.changes, told.rate, chance)
                _report(watch, meter, told.changes)
        if told.burst:
            with _watched() as (watch, meter):
                print(f"\na burst of {told.burst} changes")
                began = time.monotonic()
                made_s = _burst(watch, goods, told.burst, chance)
                print(f"  made in {made_s:.1f} s, settled after {time.monotonic() - began:.1f} s")
                _report(watch, meter, told.burst)
        _dead()
    return 0


def _load() -> str:
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def _dead() -> None:
    """Say what gave up."""
    queue = queues.url(names.dead_letter_name("publishing"))
    params = {"QueueUrl": queue, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
    found = aws.call("sqs", "ReceiveMessage", params).get("Messages", [])
    print(f"\ndead letters: {len(found)}")
    for one in found:
        print(f"  {one['Body']}: {one.get('MessageAttributes')}")


def _add(count: int) -> None:
    """List more products, of the merchants that there are, in some of the categories."""
    merchants = sorted({merchant_id for _, merchant_id in _listed()})
    categories = [one.category_id for one in catalog.categories().categories if one.parent_id]

    def add(number: int) -> None:
        draft = catalog.Draft(
            titles={"en": f"Number {number}"},
            category_id=categories[number % len(categories)],
            skus=(catalog.SkuDraft((), Money(1000 + number)),),
        )
        merchant_id = merchants[number % len(merchants)]
        made, _ = catalog.create(merchant_id, draft, intent=system_intent(f"bench#{number}"))
        catalog.move(merchant_id, made.product_id, Cause.LIST, intent=system_intent(f"bench#{number}#list"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(count)))


def _listed() -> Iterator[tuple[str, str]]:
    window = Window(200)
    while True:
        page = catalog.listed_page(window)
        yield from page.items
        if page.after is None:
            return
        window = Window(200, page.after)


@contextmanager
def _watched() -> Iterator[tuple[Watch, metering.Meter]]:
    """Watch what is written, and meter what the function ``publishing`` calls, and nobody else."""
    watch = Watch()
    with aws.hooked(watch), metering.measured(lambda: context.current().actor == "queue:publishing") as meter:
        yield watch, meter


def _raise_price(watch: Watch, product: Goods) -> None:
    """Raise all prices of a product by a fen."""

    def decide(now: catalog.Product) -> catalog.Product:
        dearer = (
            replace(sku, price=Money(sku.price.minor + 1, sku.price.currency), compare_at=None) for sku in now.skus
        )
        return replace(now, skus=tuple(dearer), revision=now.revision + 1)

    changed = catalog.edit(product.merchant_id, product.product_id, decide)
    watch.expect(product.product_id, changed.price_from.minor, on_the_list=product.place < WELL_WITHIN)


def _trickle(watch: Watch, goods: list[Goods], count: int, rate: float, chance: random.Random) -> None:
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        _raise_price(watch, chance.choice(goods))
        if number % 100 == 99:
            print(f"  {number + 1} made, {watch.left()} not out yet; load {_load()}", flush=True)
    _wait(watch)


def _burst(watch: Watch, goods: list[Goods], count: int, chance: random.Random) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(_raise_price, watch, chance.choice(goods)) for _ in range(count)]
        for number, job in enumerate(jobs, 1):
            job.result()
            if number % 1_000 == 0:
                print(f"  {number} made, {watch.left()} not out yet; load {_load()}", flush=True)
    took_s = time.monotonic() - began
    _wait(watch)
    return took_s


def _wait(watch: Watch) -> None:
    began = time.monotonic()
    said = 0
    while watch.left():
        waited_s = time.monotonic() - began
        if waited_s > PATIENCE_S:
            raise TimeoutError(f"{watch.left()} changes are not published after {PATIENCE_S:.0f} s")
        if waited_s // 10 > said:
            said = int(waited_s // 10)
            print(f"  {watch.left()} not out yet", flush=True)
        time.sleep(0.1)


def _report(watch: Watch, meter: metering.Meter, changes: int) -> None:
    for kind, lags in sorted(watch.lags_s.items()):
        lags.sort()
        at = {share: lags[min(len(lags) - 1, int(len(lags) * share))] for share in (0.5, 0.95, 0.99)}
        said = ", ".join(f"p{share * 100:.0f} {lag:.2f} s" for share, lag in at.items())
        print(f"  {kind} published after: {said}, longest {lags[-1]:.2f} s ({len(lags)} changes)")
    print("  written: " + ", ".join(f"{count} {what}" for what, count in sorted(watch.counts.items())))
    units = f"{meter.calls} DynamoDB calls, {meter.write_units:g} write units, {meter.read_units:g} read units"
    print(f"  the function called: {units}; S3 {dict(sorted(meter.s3.items()))}; SQS {dict(sorted(meter.sqs.items()))}")
    print(
        f"  a change: {meter.calls / changes:.2f} DynamoDB calls, {meter.write_units / changes:.2f} write units, "
        f"{meter.read_units / changes:.2f} read units, {meter.s3['PutObject'] / changes:.2f} puts, "
        f"{meter.s3['GetObject'] / changes:.2f} gets"
    )


if __name__ == "__main__":
    sys.exit(main())
