"""``make bench-scale``: calls and units of every use case at 1,000, 100,000 and 1,000,000 products and orders.

All products are one merchant's, in one category, under one word, all orders one buyer's of that merchant on one day:
whatever reads more of a partition the more is in it shows. Rows are made at the storage seam (``crowd``); no engine is
needed. Equal figures at every size are the promise; what grows is listed, and must be explained in docs/budget.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from chalicelib.kernel import ids
from tools.bench import capacity, capacity_ledger, capacity_money
from tools.bench.crowd import CrowdedLab, opened_in_memory
from tools.bench.steps import Step
from tools.dev.server import log_to
from tools.shared import tables
from tools.sim.__main__ import environment

SIZES = (1_000, 100_000, 1_000_000)
Figures = tuple[int, float, float]
GROWS: dict[str, str] = {}
"""Use case -> why it may cost more the more there is."""


def measure(count: int) -> dict[str, Figures]:
    """Measure every use case beside so many products and orders."""
    with opened_in_memory() as lab:
        capacity.warm_up(lab)
        lab.crowd(_originals(lab), count)
        steps: list[Step] = [
            *capacity.life(lab, 2, 1).steps,
            *capacity.use_cases(lab),
            *capacity_money.use_cases(lab),
        ]
        steps += capacity_ledger.use_cases(lab)
    return {step.name: step.figures for step in steps}


def _originals(lab: CrowdedLab) -> list[str]:
    """Make a product and an order that is through, and return what stands in the keys of their rows."""
    merchant_id, staff = lab.merchant()
    product = lab.product(merchant_id, stock=1000)
    shopper = lab.shopper()
    lab.rest()
    purchase = lab.place(shopper, lab.fill_and_quote(shopper, [product.sku_id]))
    lab.sandbox.pay(lab.start_payment(shopper, purchase["purchase_id"]))
    lab.drain()
    order = shopper.client.get(f"/v1/purchases/{purchase['purchase_id']}")["orders"][0]
    number = lab.ship(staff, order)
    lab.drain()
    lab.hub.advance(number, "signed")
    lab.drain()
    shopper.client.expect(200, "POST", f"/v1/orders/{order['order_id']}/confirm", {})
    lab.rest()
    return [ids.body(product.product_id), ids.body(purchase["purchase_id"])]


def report(found: dict[int, dict[str, Figures]]) -> tuple[str, list[str]]:
    """Return the table, and the use cases that differ without a reason."""
    sizes = sorted(found)
    rows: list[list[object]] = []
    differing = []
    for name, figures in found[sizes[0]].items():
        equal = all(found[size].get(name) == figures for size in sizes)
        if not equal and name not in GROWS:
            differing.append(name)
        rows.append([name, *(_shown(found[size].get(name)) for size in sizes), "equal" if equal else "GROWS"])
    heads = ["use case", *(f"{size:,}" for size in sizes), ""]
    return tables.table(heads, rows), differing


def _shown(figures: Figures | None) -> str:
    return "-" if figures is None else " / ".join(f"{part:g}" for part in figures)


def main() -> int:
    """Measure and print, close with one line of JSON; exits with 1 if something grows without a reason."""
    parser = argparse.ArgumentParser(prog="make bench-scale ARGS=...", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    environment()
    log_to(None)
    found, seconds = {}, {}
    for size in options.sizes:
        started = time.monotonic()
        found[size] = measure(size)
        seconds[size] = round(time.monotonic() - started, 1)
        print(f"{size:,}: {seconds[size]} s", file=sys.stderr)
    table, differing = report(found)
    print("Calls / write units / read units of each use case beside so many products and orders:\n")
    print(table)
    print()
    cases = len(found[options.sizes[0]])
    print(json.dumps({"bench": "scale", "seconds": seconds, "use_cases": cases, "grows": differing}))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
