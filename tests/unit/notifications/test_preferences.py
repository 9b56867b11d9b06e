"""Quiet hours end when they say, by the clock where the person lives, on either side of midnight."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.notifications.domain import Kind
from chalicelib.notifications.preferences import AlwaysTold, Preferences, Quiet
from chalicelib.notifications.topics import Topic


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (Quiet(), "29 13:59:59", None),
        (Quiet(), "29 14:00:00", "30 00:00"),  # 22:00 in China.
        (Quiet(), "29 23:59:59", "30 00:00"),
        (Quiet(), "30 00:00:00", None),
        (Quiet(13 * 60, 14 * 60, 0), "29 13:30:30", "29 14:00"),
        (Quiet(13 * 60, 14 * 60, 0), "29 14:00:00", None),
        (Quiet(60, 60, 0), "29 01:00:00", None),  # None at all.
        (Quiet(22 * 60, 6 * 60, -300), "29 04:00:00", "29 11:00"),  # 23:00 of the day before, in New York.
    ],
)
def test_when_quiet_hours_are_over(quiet: Quiet, now: str, until: str | None) -> None:
    assert quiet.over_at(at(now)) == (at(until) if until else None)


def test_safety_wakes_and_is_never_off() -> None:
    night = at("29 15:00")
    everybody = Preferences("acc_1")
    assert everybody.not_before(Topic.PARCELS, night) == at("30 00:00")
    assert everybody.not_before(Topic.SECURITY, night) is None
    chosen = everybody.chosen([(Topic.PARCELS, Kind.EMAIL)], None)
    assert not chosen.wants(Topic.PARCELS, Kind.EMAIL)
    assert chosen.wants(Topic.PARCELS, Kind.SMS)
    assert chosen.not_before(Topic.PARCELS, night) is None
    with pytest.raises(AlwaysTold):
        everybody.chosen([(Topic.SECURITY, Kind.EMAIL)], None)
