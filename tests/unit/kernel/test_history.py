"""One memory of requests for all histories, and a simulator that leaves no consumer out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chalicelib import topology
from chalicelib.kernel.errors import IdempotencyKeyReused
from chalicelib.kernel.history import remembered
from chalicelib.logistics import domain as logistics
from tools.sim import deployed


@dataclass(frozen=True)
class Entry:
    intent: str = ""
    fingerprint: str = ""


def test_a_request_is_remembered_by_its_key_and_body_and_an_entry_without_a_key_by_nothing() -> None:
    history = (Entry(), Entry("key", "body"))
    assert remembered(history, "key", "body")
    assert not remembered(history, "other", "body")
    assert not remembered(history, "", "")
    assert not remembered(history, "", "body")
    with pytest.raises(IdempotencyKeyReused):
        remembered(history, "key", "other body")


def test_a_consumer_that_cannot_be_imported_stops_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "QUEUES", {"broken": "chalicelib.orders.no_such_consumers"})
    with pytest.raises(ModuleNotFoundError):
        deployed.functions.__wrapped__()


def test_a_parcel_that_is_refused_or_sent_back_has_turned_back() -> None:
    names = {status for status in logistics.Status if status in logistics.TURNED}
    assert names == {logistics.Status.REFUSED, logistics.Status.RETURNING, logistics.Status.RETURNED}
