"""What buyers hold unpaid: counted anew from purchases alone, and compared with the rows that count it.

Paying in time writes nothing to those rows: they may list as unpaid what is paid, but nobody may be refused for it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from tools.sim.oracle import Sale

SETTING = "BIANDAN_UNPAID_LIMITS"
DEFAULT = {"fresh": (5, 200), "known": (20, 5000)}
COUNTS_FOR = timedelta(hours=24, minutes=30)
"""From its placing, for a purchase that ran out unpaid."""
_MARKS = {"paid": ("paid", ""), "cancelled": ("called_off",)}
"""What a row may say of a purchase that is so; of any other, nothing."""


def limits(world: Any) -> AbstractContextManager[Any]:
    """Let buyers hold little in some seeds; the seed says."""
    chance = random.Random(f"{world.seed}:holds")  # noqa: S311
    setting = "fresh:2/6/3,known:3/9/4" if chance.random() < 0.4 else ""
    if setting:
        world.oracle.holding.most = {"fresh": (2, 6), "known": (3, 9)}
        world.say(f"buyers may hold {setting}")
        world.faults.count("little_may_be_held")
    return patch.dict(os.environ, {SETTING: setting})


class Holding:
    """What the rows say, and what is to be looked at after this call."""

    def __init__(self) -> None:
        self.most = dict(DEFAULT)
        self.rows: dict[str, dict[str, Any]] = {}
        self.placed: list[str] = []
        """Buyers who placed something in the last call."""

    def row(self, new: dict[str, Any] | None) -> None:
        """Take a row of a buyer's or a network's."""
        if new is not None and not new["holder"]["S"].startswith("net_"):
            self.rows[new["holder"]["S"]] = new

    def problems(self, sales: Iterable[Sale], now: datetime, units: Any) -> Iterator[tuple[str, str]]:
        """Yield who holds more than he may, of those who placed something."""
        for buyer_id in self.placed:
            mine = [sale for sale in sales if sale.buyer_id == buyer_id]
            count = [sale for sale in mine if _counts(sale, now)]
            purchases, most = self.most["known" if any(sale.status == "paid" for sale in mine) else "fresh"]
            held = sum(units(order_id) for sale in count for order_id in sale.orders)
            if len(count) > purchases:
                yield f"{len(count)} purchases are held unpaid, {purchases} may be", buyer_id
            if held > most:
                yield f"{held} units are held unpaid, {most} may be", buyer_id
        self.placed.clear()

    def miscounted(self, sales: Iterable[Sale]) -> Iterator[tuple[str, str]]:
        """Yield what a buyer's row says otherwise than the purchases do."""
        mine: dict[str, list[Sale]] = {}
        for sale in sales:
            mine.setdefault(sale.buyer_id, []).append(sale)
        for buyer_id, bought in mine.items():
            row = self.rows.get(buyer_id, {})
            paid = sum(sale.status == "paid" for sale in bought)
            said = int(row.get("paid", {"N": "0"})["N"])
            if said > paid:
                yield f"{said} purchases are counted as paid, {paid} are", buyer_id
            for sale in bought:
                mark = row.get(f"~{sale.purchase_id}", {"S": ""})["S"]
                if sale.purchase_id in row and mark not in _MARKS.get(sale.status, ("",)):
                    yield f"{sale.purchase_id} is {sale.status}, and its hold says {mark or 'unpaid'}", buyer_id

    def free(self, buyer_id: str, sales: Iterable[Sale], now: datetime) -> set[str]:
        """Return the buyer's purchases that hold nothing (any more), and never will again."""
        return {sale.purchase_id for sale in sales if sale.buyer_id == buyer_id and not _counts(sale, now)}

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return dict(self.rows)

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.rows = dict(saved)
        self.placed.clear()


def _counts(sale: Sale, now: datetime) -> bool:
    if sale.status == "expired":
        return sale.placed_at is not None and sale.placed_at + COUNTS_FOR > now
    return sale.status == "awaiting_payment"
