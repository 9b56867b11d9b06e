"""What the oracle knows of returns: only raw rows, and what follows from them for units, money and stock.

Of a line no more units are paid back than were bought, or than are with the buyer; a return pays exactly what they are
worth by now. What came as new is in stock again once, and nothing else of it; what replaces goods is taken from stock
and stays taken, unless it is paid back instead.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CLOSED = ("refunded", "replaced", "dismissed", "lapsed", "withdrawn")


@dataclass
class ReturnSeen:
    """One return as it stands."""

    status: str
    order_id: str
    buyer_id: str
    merchant_id: str
    units: dict[str, int]
    refund_id: str = ""
    reserves: dict[str, int] = field(default_factory=dict)
    """By SKU, by how much the stock's equation counts more (or less) for it than for its order alone."""


class Returned:
    """All returns, and what is wrong with them."""

    def __init__(self) -> None:
        self.seen: dict[str, ReturnSeen] = {}
        self._moved: dict[str, dict[str, int]] = {}
        self._problems: list[tuple[str, str]] = []

    def row(self, new: Mapping[str, Any], doc: Mapping[str, Any]) -> None:
        """Take a change of a return."""
        return_id = new["return_id"]["S"]
        before = self.seen.get(return_id)
        seen = ReturnSeen(
            status=new["status"]["S"],
            order_id=doc["order_id"],
            buyer_id=new["buyer_id"]["S"],
            merchant_id=new["merchant_id"]["S"],
            units={part[0]: part[1] for part in doc["parts"]},
            refund_id=doc.get("refund_id", ""),
        )
        for part in doc["parts"]:
            line_id, quantity, sku_id, replacement, graded, paid, again = _whole(part)
            came = sum(graded) if graded else quantity
            if again > (graded[0] if graded else 0):
                self._problems.append((f"{return_id}: {again} are in stock again, {graded} came", seen.order_id))
            if paid > came or came > quantity:
                self._problems.append((f"{return_id}: {paid} of line {line_id} are paid, {came} came", seen.order_id))
            self._add(seen.reserves, sku_id, -again)
            if doc.get("holds_stock"):
                self._add(seen.reserves, replacement or sku_id, quantity)
        had = before.reserves if before is not None else {}
        change = {sku: seen.reserves.get(sku, 0) - had.get(sku, 0) for sku in {**had, **seen.reserves}}
        self._moved[return_id] = change
        self.seen[return_id] = seen

    @staticmethod
    def _add(kept: dict[str, int], sku_id: str, count: int) -> None:
        if count:
            kept[sku_id] = kept.get(sku_id, 0) + count

    def problems(self) -> Iterator[tuple[str, str]]:
        """Say what is wrong since the last call, and with which order."""
        yield from self._problems
        self._problems.clear()

    def reserved(self) -> Iterator[tuple[str, int]]:
        """Return by how much what is held or sold of a SKU has changed since the last call."""
        for change in self._moved.values():
            yield from change.items()
        self._moved.clear()

    def open_about(self, order_id: str) -> str:
        """Return a return of an order that is open; empty if none is."""
        about = (key for key, one in self.seen.items() if one.order_id == order_id and one.status not in CLOSED)
        return next(about, "")

    def unfinished(self, back: Collection[str]) -> Iterator[tuple[str, str]]:
        """Say which returns have not ended, though their refund went ``back``; one that did not is judged as such."""
        for return_id, one in self.seen.items():
            waits = one.status == "refunding" and one.refund_id not in back
            if one.status not in CLOSED and not waits:
                yield f"{return_id} is still {one.status}", one.order_id

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return {key: copy.deepcopy(one) for key, one in self.seen.items()}

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.seen = {key: copy.deepcopy(one) for key, one in saved.items()}
        self._moved.clear()
        self._problems.clear()


def _whole(part: list[Any]) -> tuple[str, int, str, str, list[int], int, int]:
    """Return a part with what its row leaves out."""
    whole: list[Any] = [*part, *["", None, 0, 0][len(part) - 3 :]]
    return whole[0], whole[1], whole[2], whole[3], whole[4] or [], whole[5], whole[6]
