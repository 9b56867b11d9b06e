"""Steps of several rooms become one story: by time, each room in its own order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import topology
from chalicelib.explaining.domain import Kind, Step, digest, woven
from chalicelib.explaining.facts import facts_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def step(what: str, minute: int, kind: Kind = Kind.ORDER) -> Step:
    return Step(NOON + timedelta(minutes=minute), kind, what, "ord_1", ("a", "b"))


def test_an_effect_with_an_earlier_time_stays_behind_its_cause() -> None:
    money = [step("placed", 0), step("started", 5), step("captured", 3), step("paid", 6)]
    parcels = [step("made", 4), step("moved", 5)]
    told = [one.what for one in woven(money, parcels)]
    assert told == ["placed", "made", "started", "captured", "moved", "paid"]
    assert woven([], parcels, []) == parcels


def test_the_digest_covers_what_happened_and_leaves_acts_to_their_seals() -> None:
    one, act = step("paid", 1), step("reveal_contact", 2, Kind.ACT)
    assert digest([one]) == digest([one, act])
    assert len({digest([one]), digest([]), digest([one, one]), digest([step("paid", 2)])}) == 4


@pytest.mark.parametrize(
    ("what", "status", "note", "told"),
    [
        ("purchase.placed", "", "", ["purchase.placed#x_1"]),
        ("purchase.changed", "paid", "", ["purchase.paid#x_1"]),
        ("purchase.changed", "expired", "", ["purchase.expired#x_1"]),
        ("order.changed", "partly_shipped", "", []),
        ("order.changed", "cancelled", "expired", ["order.cancelled#x_1"]),
        ("order.changed", "turned_back", "shp_1", ["order.turned_back#x_1#shp_1"]),
        ("payment.surplus", "refunding", "late", ["payment.captured#x_1"]),
        ("payment.failed", "", "", ["payment.closed#x_1"]),
        ("refund.abnormal", "", "", ["refund.failed#x_1"]),
        ("ledger.posted", "", "", []),
        ("approval.asked", "", "", []),
    ],
)
def test_a_step_names_events_that_the_topology_knows(what: str, status: str, note: str, told: list[str]) -> None:
    assert list(facts_of(what, "x_1", status, note)) == told
    assert all(name.partition("#")[0] in topology.EVENTS for name in told)
