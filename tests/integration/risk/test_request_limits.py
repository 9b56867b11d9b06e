"""Request limits over HTTP: what they cost, and that a flood is told to wait while others are served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.kernel import clock
from chalicelib.risk.rates.domain import LIMITS
from chalicelib.runtime import caches
from tests.support import http, people
from tools.bench import metering

pytestmark = pytest.mark.usefixtures("cloud")
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
MOST = LIMITS["account"]["place_purchase"]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_REQUEST_FACTOR", "1")


def place(token: str) -> http.Answer:
    """Ask for a purchase of a quote that is none: refused behind the limit, before anything is read."""
    return http.call("POST", "/v1/purchases", {"quote": "no"}, token=token)


def test_a_limit_costs_nothing_at_first_then_one_write_and_others_are_served() -> None:
    time = clock.Fixed(NOW)
    with clock.use(time):
        one, other = people.buyer().token, people.buyer().token
        costs, statuses = [], []
        for _ in range(MOST + 2):
            with metering.measured() as meter:
                statuses.append(place(one).status)
            costs.append(meter.figures)
        free = MOST // 4
        assert costs == [(0, 0, 0)] * free + [(1, 1, 0)] * (MOST + 2 - free)
        assert set(statuses[:MOST]) == {422}
        assert statuses[MOST:] == [429, 429]
        limited = place(one)
        assert (limited.json["code"], limited.headers["retry-after"]) == ("too_many_requests", "60")
        assert http.call("PATCH", "/v1/me", {}, token=one).status != 429  # Another operation has its own.
        assert place(other).status == 422
        time.advance(timedelta(minutes=1))
        assert place(one).status == 422


def test_processes_share_the_rest() -> None:
    with clock.use(clock.Fixed(NOW)):
        token = people.buyer().token
        passed = 0
        for _ in range(3):  # Each as a new process.
            caches.forget_all()
            passed += sum(place(token).status != 429 for _ in range(MOST))
        assert MOST <= passed < MOST + 3 * (MOST // 4)


def test_reads_and_strangers_reads_are_not_counted() -> None:
    with clock.use(clock.Fixed(NOW)):
        token = people.buyer().token
        with metering.measured() as meter:
            for _ in range(5):
                assert http.call("GET", "/v1/me/erasure", token=token).status == 404
        assert meter.figures == (5, 0, 5)  # What is asked for, each time.
