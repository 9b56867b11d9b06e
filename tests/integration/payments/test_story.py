"""The story of a purchase as an operator reads it, when its provider tells whole seconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.paying import Till


def test_the_story_begins_with_the_purchase_and_pays_what_was_started(cloud: str, noon: Any) -> None:
    till = Till.open(noon)
    noon.advance(timedelta(milliseconds=700))
    sale, payment_id = till.paid((1000,))

    items = till.operate("GET", f"/v1/operator/purchases/{sale.purchase.purchase_id}/story").json["items"]

    assert [item["what"] for item in items] == [
        "purchase.placed",
        "payment.started",
        "payment.captured",
        "purchase.changed",
        "order.changed",
        "ledger.posted",
    ]
    captured = next(item for item in items if item["what"] == "payment.captured")
    assert (captured["record_id"], captured["at"][-5:]) == (payment_id, ".000Z")
    assert captured["at"] < items[0]["at"]
    assert [item["text"] for item in items] == [
        "The purchase was placed",
        "A payment was begun",
        "The money came",
        "Paid",
        "Paid; waiting for the merchant to ship it",
        "It was booked",
    ]
