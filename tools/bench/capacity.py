"""``make bench-capacity``: DynamoDB calls and read/write units of each use case and of the whole life of an order.

Counted by a hook on the one seam to AWS, worked out by AWS's rules from the items' images (``tools.bench.metering``),
and compared with the floor of the design (section 8). ``--write`` puts the tables into ``docs/budget.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support import joining, people
from tests.support.letters import post_office
from tools.bench import capacity_ledger as bench_capacity_ledger
from tools.bench import capacity_money as bench_capacity_money
from tools.bench import storefront
from tools.bench.lab import ADDRESS, Lab, Shopper, alone
from tools.bench.steps import Step, measuring
from tools.generate import cost
from tools.shared import tables

BUDGET = Path(__file__).resolve().parents[2] / "docs" / "budget.md"
CASES: tuple[tuple[int, int], ...] = ((1, 1), (2, 1), (5, 1), (10, 1), (2, 2))
"""Lines and merchants of the lives that are measured."""


@dataclass
class Life:
    """The steps of one order's life."""

    lines: int
    merchants: int
    steps: list[Step] = field(default_factory=list)
    aside: list[Step] = field(default_factory=list)
    """Another way to the same, which is no part of the sums."""

    @property
    def total(self) -> tuple[int, float, float]:
        """Return the sums of calls, write units and read units."""
        calls = sum(step.calls for step in self.steps)
        return calls, sum(step.write_units for step in self.steps), sum(step.read_units for step in self.steps)

    @property
    def floor(self) -> tuple[int, int, int]:
        """Return the design's floor, which knows one merchant and no payment, ledger or shipment rows."""
        return 2 * self.lines + 9, 3 * self.lines + 6, self.lines + 2

    @property
    def usd_per_thousand(self) -> float:
        """Return what DynamoDB asks for a thousand such lives."""
        usd = cost.prices()["usd"]
        return float(1000 * (self.total[1] * usd["write_unit"] + self.total[2] * usd["read_unit"]))


def warm_up(lab: Lab) -> None:
    """Live one whole life unmeasured: what a process remembers (secrets, terms, queue addresses) is then there."""
    life(lab, 1, 1)


def life(lab: Lab, lines: int, merchant_count: int) -> Life:
    """Measure an order from the list page to its confirmation, as a storefront with published files lives it."""
    sellers = [lab.merchant() for _ in range(merchant_count)]
    made = [lab.product(sellers[at % merchant_count][0], stock=1000) for at in range(lines)]
    _remember_terms([merchant_id for merchant_id, _ in sellers])
    shopper = lab.shopper()
    lab.rest()
    found = Life(lines, merchant_count)
    steps = found.steps
    with measuring(lab, steps, "browsing, published files"):
        storefront.browse(product.product_id for product in made)
    _browse_by_api(lab, found, shopper, [product.product_id for product in made])
    with measuring(lab, steps, "cart and quote"):
        quote = lab.fill_and_quote(shopper, [product.sku_id for product in made])
    with measuring(lab, steps, "place and start to pay"):
        purchase = lab.place_and_pay(shopper, quote)
    _settle(lab, steps, "place: events")
    lab.sandbox.pay(purchase["payment"]["payment_id"])
    with measuring(lab, steps, "paid (notice)"):
        lab.drain()
    with measuring(lab, steps, "see that it is paid"):
        status = shopper.client.get(f"/v1/purchases/{purchase['purchase_id']}/status")["status"]
    if status != "paid":
        raise RuntimeError(f"the purchase is {status}")
    orders = shopper.client.get(f"/v1/purchases/{purchase['purchase_id']}")["orders"]
    staff = dict(sellers)
    numbers = []
    with measuring(lab, steps, "ship"):
        numbers += [lab.ship(staff[order["merchant_id"]], order) for order in orders]
    _settle(lab, steps, "ship: subscribe")
    with measuring(lab, steps, "tracking push, delivered"):
        for number in numbers:
            lab.hub.advance(number, "signed")
        lab.drain()
    with measuring(lab, steps, "confirm receipt"):
        for order in orders:
            shopper.client.expect(200, "POST", f"/v1/orders/{order['order_id']}/confirm", {})
    _settle(lab, steps, "confirm: events")
    with measuring(lab, steps, "order page"):
        for order in orders:
            shopper.client.get(f"/v1/orders/{order['order_id']}")
    found.steps = [step for step in steps if step.calls or ":" not in step.name]
    return found


def _browse_by_api(lab: Lab, found: Life, shopper: Shopper, product_ids: list[str]) -> None:
    """Measure what the same pages cost who asks the API for them: no part of the sums."""
    with measuring(lab, found.aside, "list page, by the API"):
        shopper.client.get("/v1/products?limit=20")
    with measuring(lab, found.aside, "product pages, by the API"):
        for product_id in product_ids:
            shopper.client.get(f"/v1/products/{product_id}")


def _settle(lab: Lab, steps: list[Step], name: str) -> None:
    with measuring(lab, steps, name):
        lab.drain()


def _remember_terms(merchant_ids: list[str]) -> None:
    from chalicelib.merchants import service as merchants

    merchants.terms(merchant_ids)


# Single use cases --------------------------------------------------------------------------------------------------


def use_cases(lab: Lab) -> list[Step]:
    """Measure use cases that are no part of an order's usual life."""
    steps: list[Step] = []
    merchant_id, staff = lab.merchant()
    made = [lab.product(merchant_id, stock=1000) for _ in range(3)]
    _remember_terms([merchant_id])
    shopper = lab.shopper()
    lab.rest()
    accounts(lab, steps)
    _catalog(lab, steps, staff, made[0].product_id)
    lab.rest()
    with measuring(lab, steps, "search one word"):
        shopper.client.get("/v1/search?q=product")
    with measuring(lab, steps, "list a category"):
        shopper.client.get("/v1/products?category=dresses&limit=20")
    skus = [made[0].sku_id, made[1].sku_id]
    _unpaid(lab, steps, shopper, merchant_id, skus)
    _lists(lab, steps, shopper, staff, skus)
    _complaint(lab, steps, shopper, staff, skus)
    return steps


def accounts(lab: Lab, steps: list[Step]) -> None:
    """Measure what a person does before the first order."""
    client = lab.client()
    identity, password = f"{uuid4().hex[:12]}@example.com", "a-long-enough-password"
    with measuring(lab, steps, "ask for a code"):
        asked = client.expect(202, "POST", "/v1/auth/codes", {"contact": identity, "purpose": "register"})
    shown = {"code_id": asked["code_id"], "code": joining.code_of(identity, asked["code_id"])}
    with post_office(), measuring(lab, steps, "send a message (relay and consumer)"):
        lab.drain()
    people.buyer()  # The first who is written down makes the key for personal data, and a process keeps it.
    with measuring(lab, steps, "register"):
        client.expect(201, "POST", "/v1/auth/register", {"identity": identity, "password": password, **shown})
    asked = client.expect(202, "POST", "/v1/auth/codes", {"contact": identity, "purpose": "sign_in"})
    shown = {"code_id": asked["code_id"], "code": joining.code_of(identity, asked["code_id"])}
    lab.drain()
    with measuring(lab, steps, "sign in with a code"):
        client.expect(200, "POST", "/v1/auth/sign-in/code", {"contact": identity, **shown})
    with measuring(lab, steps, "sign in"):
        client.sign_in(identity, password)
    with measuring(lab, steps, "read me"):
        client.get("/v1/me")
    with measuring(lab, steps, "add an address"):
        client.expect(201, "POST", "/v1/me/addresses", ADDRESS)
    lab.drain()


def _catalog(lab: Lab, steps: list[Step], staff: Any, like: str) -> None:
    body = {
        "titles": {"zh": "新商品", "en": "A new product"},
        "category_id": "dresses",
        "options": ["Size"],
        "skus": [
            {"options": [size], "price": {"minor": 1990, "currency": "CNY"}, "weight_g": 200} for size in ("S", "M")
        ],
    }
    with measuring(lab, steps, "create a product (2 SKUs)"):
        made = staff.expect(201, "POST", "/v1/merchant/products", body)
    items = [{"sku_id": sku["sku_id"], "quantity": 10} for sku in made["skus"]]
    with measuring(lab, steps, "receive stock (2 SKUs)"):
        staff.expect(200, "POST", f"/v1/merchant/products/{made['product_id']}/stock/receipts", {"lines": items})
    with measuring(lab, steps, "list the product"):
        staff.expect(200, "POST", f"/v1/merchant/products/{made['product_id']}/list")
    with measuring(lab, steps, "read stock of a product"):
        staff.get(f"/v1/merchant/products/{like}/stock")


def _unpaid(lab: Lab, steps: list[Step], shopper: Shopper, merchant_id: str, skus: list[str]) -> None:
    lab.fill(shopper, skus)
    lab.place(shopper, lab.quote(shopper))
    lab.drain()
    lab.time.advance(timedelta(minutes=31))
    with measuring(lab, steps, "expire an unpaid purchase (2 lines; deadline job and consumer)"):
        lab.pump.due()
        lab.drain()
    shopper.client.token = _token(shopper)
    _remember_terms([merchant_id])
    lab.fill(shopper, skus)
    purchase = lab.place(shopper, lab.quote(shopper))
    lab.drain()
    with measuring(lab, steps, "cancel an unpaid purchase (2 lines)"):
        shopper.client.expect(200, "POST", f"/v1/purchases/{purchase['purchase_id']}/cancel", {})
    lab.drain()


def _token(shopper: Shopper) -> str:

    return people.token(shopper.account_id)


def _paid(lab: Lab, shopper: Shopper, skus: list[str]) -> Any:
    lab.fill(shopper, skus)
    purchase = lab.place(shopper, lab.quote(shopper))
    payment_id = lab.start_payment(shopper, purchase["purchase_id"])
    lab.sandbox.pay(payment_id)
    lab.drain()
    return shopper.client.get(f"/v1/purchases/{purchase['purchase_id']}")


def _lists(lab: Lab, steps: list[Step], shopper: Shopper, staff: Any, skus: list[str]) -> None:
    for _ in range(3):
        purchase = _paid(lab, shopper, skus)
    staff.token = _staff_token(purchase["orders"][0]["merchant_id"])
    with measuring(lab, steps, "read the cart"):
        shopper.client.get("/v1/cart")
    with measuring(lab, steps, "list a buyer's orders"):
        shopper.client.get("/v1/orders?limit=20")
    with measuring(lab, steps, "list a merchant's orders to ship"):
        staff.get("/v1/merchant/orders?view=to_ship&limit=20")
    with measuring(lab, steps, "read a purchase with its orders"):
        shopper.client.get(f"/v1/purchases/{purchase['purchase_id']}")
    with measuring(lab, steps, "cancel a paid order (2 lines; refunded by itself)"):
        shopper.client.expect(200, "POST", f"/v1/orders/{purchase['order_ids'][0]}/cancel", {})
        lab.drain()


def _staff_token(merchant_id: str) -> str:

    return people.staff(merchant_id).token


def _complaint(lab: Lab, steps: list[Step], shopper: Shopper, staff: Any, skus: list[str]) -> None:
    order = _paid(lab, shopper, skus)["orders"][0]
    filing = {"order_id": order["order_id"], "line_id": "1", "reason": "damaged", "text": "A crack."}
    with measuring(lab, steps, "file a complaint"):
        complaint = shopper.client.expect(201, "POST", "/v1/complaints", filing)
    lab.drain()
    path = f"/v1/merchant/complaints/{complaint['complaint_id']}/reply"
    answer = {"answer": "refund", "amount": {"minor": 100, "currency": "CNY"}, "text": "Sorry."}
    with measuring(lab, steps, "answer a complaint"):
        staff.expect(200, "POST", path, answer)
    lab.drain()
    with measuring(lab, steps, "accept the offer (refunded, resolved)"):
        shopper.client.expect(200, "POST", f"/v1/complaints/{complaint['complaint_id']}/accept", {})
        lab.drain()


# Printing ----------------------------------------------------------------------------------------------------------


def report(lives: list[Life], singles: list[Step]) -> str:
    """Return all tables as Markdown."""
    parts = ["### The life of an order, against the floor\n"]
    rows: list[list[object]] = []
    for found in lives:
        (calls, writes, reads), (floor_calls, floor_writes, floor_reads) = found.total, found.floor
        rows.append(
            [
                found.lines,
                found.merchants,
                calls,
                floor_calls,
                writes,
                floor_writes,
                reads,
                floor_reads,
                round(found.usd_per_thousand, 4),
            ]
        )
    heads = ("lines", "merchants", "calls", "floor", "write units", "floor", "read units", "floor", "USD per 1,000")
    parts.append(tables.table(heads, rows))
    for found in lives:
        parts.append(f"\n### {found.lines} lines of {found.merchants} merchant(s), step by step\n")
        parts.append(_steps_table([*found.steps, _sum(found)]))
        parts.append("\nNot in the sum: the same browsing where no files are published, or nobody reads them.\n")
        parts.append(_steps_table(found.aside))
    parts.append("\n### Single use cases\n")
    parts.append(_steps_table(singles))
    return "\n".join(parts)


def _sum(found: Life) -> Step:
    calls, writes, reads = found.total
    index = sum(step.index_units for step in found.steps)
    return Step("sum", calls, writes, reads, index, sum(step.sends for step in found.steps), ())


def _steps_table(steps: list[Step]) -> str:
    heads = ("step", "calls", "write units", "of these for indexes", "read units", "SQS sends", "made of")
    rows: list[list[object]] = [
        [
            step.name,
            step.calls,
            step.write_units,
            step.index_units,
            step.read_units,
            step.sends,
            _made_of(step.operations),
        ]
        for step in steps
    ]
    return tables.table(heads, rows)


def _made_of(operations: tuple[str, ...]) -> str:
    counted: dict[str, int] = {}
    for operation in operations:
        counted[operation] = counted.get(operation, 0) + 1
    return "; ".join(f"{count} x {name}" if count > 1 else name for name, count in counted.items())


def write_into(text: str, path: Path = BUDGET) -> None:
    """Replace what stands between the markers of ``docs/budget.md``."""
    begin, end = "<!-- begin: bench-capacity -->", "<!-- end: bench-capacity -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def main() -> int:
    """Measure, print, close with one line of JSON."""
    parser = argparse.ArgumentParser(prog="make bench-capacity ARGS=...", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/budget.md")
    options = parser.parse_args()
    with alone() as lab:
        warm_up(lab)
        lives = [life(lab, lines, merchants) for lines, merchants in CASES]
        singles = [*use_cases(lab), *bench_capacity_money.use_cases(lab), *bench_capacity_ledger.use_cases(lab)]
    text = report(lives, singles)
    print(text)
    if options.write:
        write_into(text)
    figures = {
        "bench": "capacity",
        "lives": [
            {"lines": found.lines, "merchants": found.merchants, "total": found.total, "floor": found.floor}
            for found in lives
        ],
        "use_cases": {step.name: step.figures for step in singles},
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
