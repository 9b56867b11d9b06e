"""Which facts merchants' systems are told, and what of each: ids, states and amounts, nobody's personal data.

A type and its fields are a promise: fields may be added, never taken away (docs/webhooks.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from chalicelib.kernel import events as facts

ORDER: Final = "order"
SKU: Final = "sku"

TYPES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    # Type -> by what its merchant is found, and the fields that are told.
    "order.paid": (ORDER, ("order_id",)),
    "order.completed": (ORDER, ("order_id",)),
    "order.cancelled": (ORDER, ("order_id", "why")),
    "shipment.created": (ORDER, ("order_id", "shipment_id")),
    "shipment.delivered": (ORDER, ("order_id", "shipment_id")),
    "shipment.turned_back": (ORDER, ("order_id", "shipment_id")),
    "refund.succeeded": (ORDER, ("order_id", "refund_id", "amount")),
    "refund.bounced": (ORDER, ("order_id", "refund_id", "amount")),
    "complaint.filed": (ORDER, ("order_id", "complaint_id")),
    "complaint.escalated": (ORDER, ("order_id", "complaint_id", "why")),
    "complaint.decided": (ORDER, ("order_id", "complaint_id", "decision")),
    "complaint.reopened": (ORDER, ("order_id", "complaint_id")),
    "complaint.closed": (ORDER, ("order_id", "complaint_id", "status")),
    "stock.depleted": (SKU, ("sku_id",)),
    "stock.replenished": (SKU, ("sku_id",)),
}
TEST: Final = "webhook.test"
"""What a merchant has sent to try an endpoint; told to no other, and asked for by no list of types."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an endpoint is told: a type, the name of the fact, when it happened, and its data."""

    type: str
    event_id: str
    at: datetime
    data: Mapping[str, Any]


def data_of(fact: facts.Event) -> dict[str, Any]:
    """Return the data of a fact as it is told; amounts as ``{"minor", "currency"}``."""
    plain = {name: getattr(fact, name) for name in fact.__struct_fields__}
    plain["amount"] = {"minor": plain.get("amount_minor"), "currency": plain.get("currency")}
    return {name: plain[name] for name in TYPES[fact.name][1]}
