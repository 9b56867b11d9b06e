"""When orders and purchases are due, worked out anew: their entries on the due index may stand earlier, never later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

_DAY = 86_400
_WAITS_S = {"awaiting_payment": 1_800}
"""A purchase's states."""
_LASTS_S = {
    "paid": 15 * _DAY,
    "partly_shipped": 15 * _DAY,
    "shipped": 30 * _DAY,
    "turned_back": 15 * _DAY,
    "delivered": 7 * _DAY,
}
"""An order's."""
_HELD_IN = ("shipped", "delivered")
"""States in which an open complaint stops the clock."""


def due_s(item: dict[str, Any]) -> float | None:
    """Return when the record of a row is due at the latest, in Unix seconds; None if nothing is."""
    status = item["status"]["S"]
    doc = msgspec.json.decode(item["doc"]["S"])
    lasts_s = _WAITS_S if item["id"]["S"].startswith("pur_") else _LASTS_S
    if status not in lasts_s or (status in _HELD_IN and doc.get("held_by")):
        return None
    return float(int(item["since_ms"]["N"]) / 1000 + lasts_s[status] + doc.get("longer_s", 0))


def is_due_at_once(item: dict[str, Any]) -> bool:
    """Say whether the row's entry says that nothing is left to wait for."""
    return "due_at" in item and int(item["due_at"]["N"]) <= int(item["since_ms"]["N"]) / 1000 + 1


def problems(item: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a row's entry."""
    due = due_s(item)
    if due is None or "parked" in item:
        return
    if "due_at" not in item:
        yield f"it is due at {due:.0f}, and nobody will be told"
    elif int(item["due_at"]["N"]) > due + 1:
        yield f"it is due at {due:.0f}, and told only at {item['due_at']['N']}"
