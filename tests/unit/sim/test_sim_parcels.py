"""What the simulator's oracle says of a parcel that arrived: its number may be written in more ways than one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tools.sim.parcels import Parcels

NOW = datetime(2026, 11, 22, 5, 21, tzinfo=UTC)
SIGNED = {"statusCode": "301", "time": "2026-11-22 13:20:55"}
OLD = {"statusCode": "301", "time": "2026-11-21 13:20:55"}
LATER = "since its order was paid"


@pytest.mark.parametrize(
    ("number", "scan", "wrong"),
    [
        ("SF3894494450", SIGNED, False),
        ("SF-3894494450", SIGNED, False),
        ("sf3894494450", SIGNED, False),
        ("SF3894494451", SIGNED, True),
        ("SF3894494450", OLD, True),
    ],
)
def test_it_was_signed_for_under_its_number_however_written(number: str, scan: dict[str, str], wrong: bool) -> None:
    parcels = Parcels(lambda: NOW)
    parcels.journeys = {number: SimpleNamespace(scans=[scan])}
    doc = json.dumps({"merchant_id": "mer_1", "delivered_ms": int(NOW.timestamp() * 1000)})
    row = {"id": "shp_1", "order_id": "ord_1", "carrier": "shunfeng", "number": "SF-3894494450", "doc": doc}
    parcels.claim({"doc": {"S": json.dumps({"carrier": "shunfeng", "number": row["number"], "shipments": ["shp_1"]})}})
    parcels.shipment({name: {"S": value} for name, value in row.items()})

    found = [what for what, _ in parcels.check(lambda _: "acc_1", lambda _: NOW.timestamp() - 600)]

    assert [LATER in what for what in found] == [True] * wrong
