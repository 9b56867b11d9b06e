"""What the simulator's oracle says of a parcel that arrived: its number may be written in more ways than one."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from tools.fakes.carriers.hub import Hub, Journey
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


def test_what_the_hub_does_not_allow_is_told_once() -> None:
    parcels = Parcels(lambda: NOW)
    hub = Hub(lambda *_: (200, b""), now=lambda: NOW)
    parcels.complaints = hub.complaints
    hub.journeys["SF1"] = Journey("shunfeng", "SF1", asked_at=NOW)
    param = json.dumps({"com": "shunfeng", "num": "SF1"})
    sign = hashlib.md5(f"{param}local-kuaidi100-keylocal-customer".encode(), usedforsecurity=False).hexdigest().upper()
    hub.handle("/poll/query.do", urlencode({"customer": "local-customer", "sign": sign, "param": param}).encode())

    told = [what for what, _ in parcels.check(lambda _: "acc_1", lambda _: 0.0)]

    assert told == ["the hub does not allow it: SF1: 查询过于频繁"]
    assert list(parcels.check(lambda _: "acc_1", lambda _: 0.0)) == []
