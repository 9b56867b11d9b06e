"""``make bench-contention``: 200 buyers in 8 threads race for 50 units, cart to purchase, over the real handlers.

Plain; with injected conflicts, throttles and lost answers; with the stock in ten buckets; with both. Each must end with
exactly 50 orders and 150 clean refusals, no 5xx, and no unit unsold while anybody was refused.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from chalicelib.runtime import aws
from tools.bench.lab import Lab, Shopper, alone
from tools.shared import tables

BUYERS, UNITS, THREADS = 200, 50, 8
OTHERS = "In the same race, as installed, one well-known shop sold 200, another 73, a third 29 with 171 errors."


@dataclass
class Race:
    """What came of one race."""

    name: str
    answers: Counter[tuple[int, str]]
    orders: int
    left: int
    seconds: float
    transactions: int
    injected: int

    @property
    def refused(self) -> int:
        """Return the clean refusals."""
        return self.answers[(409, "out_of_stock")]

    @property
    def server_errors(self) -> int:
        """Return the answers that blame us."""
        return sum(count for (status, _), count in self.answers.items() if status >= 500)

    @property
    def is_right(self) -> bool:
        """Say whether it ended as it must."""
        exact = self.orders == UNITS and self.answers[(201, "")] == UNITS and self.refused == BUYERS - UNITS
        return exact and self.left == 0 and not self.server_errors

    def figures(self) -> dict[str, Any]:
        """Return the numbers to print."""
        others = BUYERS - self.answers[(201, "")] - self.refused - self.server_errors
        return {
            "race": self.name,
            "orders": self.orders,
            "out_of_stock": self.refused,
            "other_4xx": others,
            "5xx": self.server_errors,
            "unsold": self.left,
            "seconds": round(self.seconds, 2),
            "transactions": self.transactions,
            "injected_faults": self.injected,
            "right": self.is_right,
        }


@dataclass
class Faults:
    """Lets writes fail as DynamoDB does under contention. Deterministic in number, not in place."""

    chance: random.Random
    count: int = 0
    transactions: int = 0
    share: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hook(self, service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """Stand in the way of some transactions: conflict, throttle, or apply them and lose the answer."""
        if service != "dynamodb" or operation != "TransactWriteItems":
            return proceed()
        with self._lock:
            self.transactions += 1
            drawn = self.chance.random()
            self.count += drawn < self.share
        if drawn < self.share * 0.5:
            reasons = [{"Code": "TransactionConflict"}] + [{"Code": "None"}] * (len(params["TransactItems"]) - 1)
            raise _error("TransactionCanceledException", operation, CancellationReasons=reasons)
        if drawn < self.share * 0.8:
            raise _error("ProvisionedThroughputExceededException", operation)
        answer = proceed()
        if drawn < self.share:
            raise _error("InternalServerError", operation)  # Applied, and nobody was told.
        return answer


def _error(code: str, operation: str, **more: Any) -> Exception:
    from botocore.exceptions import ClientError

    response: Any = {"Error": {"Code": code, "Message": "injected"}, **more}
    return ClientError(response, operation)


def race(lab: Lab, name: str, *, buckets: int = 1, share: float = 0.0, seed: int = 0) -> Race:
    """Run one race."""
    merchant_id, staff = lab.merchant()
    made = lab.product(merchant_id, stock=UNITS, buckets=buckets)
    shoppers = [lab.shopper() for _ in range(BUYERS)]
    lab.drain()
    answers: Counter[tuple[int, str]] = Counter()
    lock = threading.Lock()

    def buy(shopper: Shopper) -> None:
        lab.fill(shopper, [made.sku_id])
        answer = shopper.client.call("POST", "/v1/purchases", {"quote": lab.quote(shopper)})
        with lock:
            answers[(answer.status, "" if answer.status == 201 else answer.json["code"])] += 1

    faults = Faults(random.Random(seed), share=share)  # noqa: S311
    began = time.perf_counter()
    with ExitStack() as stack:
        stack.enter_context(aws.hooked(faults.hook))
        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        for job in [pool.submit(buy, shopper) for shopper in shoppers]:
            job.result()
    seconds = time.perf_counter() - began
    lab.drain()
    levels = staff.get(f"/v1/merchant/products/{made.product_id}/stock")["items"]
    return Race(
        name,
        answers,
        orders=_orders(staff),
        left=sum(level["available"] for level in levels),
        seconds=seconds,
        transactions=faults.transactions,
        injected=faults.count,
    )


def _orders(staff: Any) -> int:
    count, cursor = 0, ""
    while True:
        page = staff.get(f"/v1/merchant/orders?limit=100{cursor}")
        count += len(page["items"])
        if not page.get("next_cursor"):
            return count
        cursor = f"&cursor={page['next_cursor']}"


def races(lab: Lab, *, seed: int = 0) -> list[Race]:
    """Run all of them."""
    return [
        race(lab, "plain"),
        race(lab, "conflicts, throttles, lost answers", share=0.4, seed=seed),
        race(lab, "ten buckets", buckets=10),
        race(lab, "ten buckets, with faults", buckets=10, share=0.4, seed=seed),
    ]


def main() -> int:
    """Race, print, close with one line of JSON."""
    parser = argparse.ArgumentParser(prog="make bench-contention ARGS=...", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the injected faults")
    with alone() as lab:
        found = races(lab, seed=parser.parse_args().seed)
    rows = [one.figures() for one in found]
    print(f"{BUYERS} buyers in {THREADS} threads, {UNITS} units\n")
    print(tables.table(list(rows[0]), [list(row.values()) for row in rows]))
    print(f"\n{OTHERS}")
    print(json.dumps({"bench": "contention", "buyers": BUYERS, "units": UNITS, "races": rows}))
    return 0 if all(one.is_right for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
