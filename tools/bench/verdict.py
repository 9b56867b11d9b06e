"""What must be true of a shop that stands still: judged from its tables alone, whoever wrote them.

The simulator's oracle looks at stock, sales, payments and books together. Beside it: each paid purchase was captured
once and for its total, every entry of the ledger and the ledger as a whole sum to zero, what the provider holds by our
books is what the paid purchases came to, and the balances are what the entries add up to.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from chalicelib.kernel import clock
from chalicelib.ledger import readers
from chalicelib.runtime import aws, names
from tools.operate import balances
from tools.sim.bank import Bank
from tools.sim.oracle import Oracle

Item = dict[str, Any]
CAPTURED = ("captured",)


def rows(table: str) -> Iterator[Item]:
    """Read a whole table."""
    params: Item = {"TableName": names.table_name(table), "ConsistentRead": True}
    while True:
        answer = aws.call("dynamodb", "Scan", params)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def judge() -> tuple[list[str], dict[str, int]]:
    """Return what is wrong, and what was looked at."""
    sales = list(rows("orders"))
    purchases = {row["id"]["S"]: row for row in sales if row["id"]["S"].startswith("pur_") and "status" in row}
    captured: dict[str, list[Item]] = defaultdict(list)
    payments = list(rows("payments"))
    for row in payments:
        if row["id"]["S"].startswith("pay_") and row["status"]["S"] in CAPTURED:
            captured[row["purchase_id"]["S"]].append(row)
    entries, stock = list(rows("ledger")), list(rows("stock"))
    wrong = [
        *_oracle({"orders": sales, "payments": payments, "ledger": entries, "stock": stock}),
        *_paid_once(purchases, captured),
        *_books(entries, captured),
        *_balances(len(entries)),
    ]
    paid = sum(row["status"]["S"] == "paid" for row in purchases.values())
    looked_at = {"purchases": len(purchases), "paid": paid, "entries": len(entries), "stock_rows": len(stock)}
    return wrong, looked_at


def _oracle(found: dict[str, list[Item]]) -> Iterator[str]:
    """Show the simulator's oracle every row as it is now, and ask it what does not fit together.

    It sees no history: whether each step was allowed, only the simulator can say.
    """
    oracle = Oracle(Bank("sandbox", now_s=lambda: clock.now().timestamp(), chance=random.Random(0)), now=clock.now)  # noqa: S311
    for table, items in found.items():
        take = oracle._tables[names.table_name(table)]  # noqa: SLF001
        for row in items:
            take(None, row)
    oracle.violations.clear()
    kept = list(oracle.stock)
    oracle._check_units()  # noqa: SLF001 -- it says what orders hold of each SKU, too
    for sku_id in kept:
        oracle._check_stock(sku_id)  # noqa: SLF001
    yield from (str(each) for each in oracle.violations)
    for sale in oracle.sales.values():
        yield from oracle._problems(sale)  # noqa: SLF001


def _paid_once(purchases: dict[str, Item], captured: dict[str, list[Item]]) -> Iterator[str]:
    for purchase_id, row in purchases.items():
        paid, won = row["status"]["S"] == "paid", captured.get(purchase_id, [])
        if paid is not bool(won) or len(won) > 1:
            yield f"{purchase_id} is {row['status']['S']} and captured {len(won)} times"
        elif won and won[0]["amount_minor"]["N"] != row["total_minor"]["N"]:
            yield f"{purchase_id} was paid {won[0]['amount_minor']['N']} of {row['total_minor']['N']}"


def _books(entries: list[Item], captured: dict[str, list[Item]]) -> Iterator[str]:
    held: Counter[str] = Counter()
    for row in entries:
        sums: Counter[str] = Counter()
        for account, minor, currency in msgspec.json.decode(row["postings"]["S"]):
            sums[currency] += minor
            held[account.partition(":")[0]] += minor
        if any(sums.values()):
            yield f"{row['id']['S']} does not sum to zero"
    of_payments = sum(int(row["amount_minor"]["N"]) for won in captured.values() for row in won)
    if held["clearing"] != of_payments:
        yield f"the books hold {held['clearing']} at providers, paid purchases came to {of_payments}"
    if sum(held.values()):
        yield f"the ledger sums to {sum(held.values())}"


def _balances(entries: int) -> Iterator[str]:
    for shift in (timedelta(minutes=2), timedelta(minutes=4)):
        with clock.use(clock.Fixed(clock.now() + shift)):
            readers.run()
    for each in balances.differences(balances.entries(1e9, lambda _: None)):
        yield f"balance {each.name} of {each.key}: kept {each.kept}, the entries add up to {each.rebuilt}"
    counted = balances.mend(balances.entries(1e9, lambda _: None), 0)
    if counted:
        yield f"{counted} of {entries} entries were not counted"
