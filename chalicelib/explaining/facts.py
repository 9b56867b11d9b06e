"""Which events told others of a step: an event is named after the fact, so the step says its name. Pure."""

from __future__ import annotations

_SAME = frozenset(
    {
        "purchase.placed",
        "payment.started",
        "payment.captured",
        "payment.closed",
        "refund.requested",
        "refund.succeeded",
        "refund.bounced",
    }
)
"""Steps that are called like their events."""
_CALLED = {
    "payment.surplus": "payment.captured",
    "payment.failed": "payment.closed",
    "refund.abnormal": "refund.failed",
    "refund.failed": "refund.failed",
    "refund.closed": "refund.failed",
}
_TOLD = {
    "purchase": frozenset({"paid", "expired", "cancelled"}),
    "order": frozenset({"paid", "shipped", "delivered", "completed", "cancelled"}),
}
"""States of which others are told."""


def facts_of(what: str, record_id: str, status: str, note: str) -> tuple[str, ...]:
    """Return the names of the events of a step of a purchase, an order, a payment or a refund."""
    if what in _SAME:
        return (f"{what}#{record_id}",)
    if what in _CALLED:
        return (f"{_CALLED[what]}#{record_id}",)
    of, _, word = what.partition(".")
    if word != "changed":
        return ()
    if (of, status) == ("order", "turned_back"):
        return (f"order.turned_back#{record_id}#{note}",)
    return (f"{of}.{status}#{record_id}",) if status in _TOLD.get(of, ()) else ()
