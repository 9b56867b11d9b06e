"""A fact that nobody waits for rides on no row: it wakes no relay and lengthens nothing; whoever listens hears it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import topology
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.kernel.events import Event
from chalicelib.merchants.events import MerchantCreated
from chalicelib.orders.events import PurchasePlaced
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import work as work_module
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.relay import envelopes_of
from infra import streams
from tests.integration.runtime.test_unit_of_work import Jar, jars
from tests.support import facts_told, sales
from tests.support.shop import buyer, shop

__all__ = ["jars"]  # A fixture.


class Unlisted(Event, frozen=True, tag="jar.unlisted"):
    jar_id: str

    @property
    def subject(self) -> str:
        return self.jar_id


def item(jar_id: str) -> dict[str, Any]:
    key = {"TableName": Jar.Meta.table_name, "Key": {"jar_id": {"S": jar_id}}}
    found: dict[str, Any] = aws.call("dynamodb", "GetItem", key)["Item"]
    return found


def riding(jar_id: str) -> list[str]:
    text = item(jar_id).get("events", {}).get("S", "[]")
    return [envelope.type for envelope in facts.decode_list(text)]


def test_only_what_somebody_waits_for_rides(jars: str) -> None:
    silent, awaited = PurchasePlaced(purchase_id="pur_1"), MerchantCreated(merchant_id="mer_1")
    told: list[facts.Envelope] = []
    with work_module.listening(told.extend):
        with UnitOfWork() as work:
            work.save(Jar("none"), events=[silent])
            work.save(Jar("both"), events=[silent, awaited])
            work.save(Jar("unlisted"), events=[Unlisted(jar_id="1")])
        assert [envelope.type for envelope in told] == ["purchase.placed", "purchase.placed"]
    assert "event_version" not in item("none")
    assert (riding("none"), riding("both"), riding("unlisted")) == ([], ["merchant.created"], ["jar.unlisted"])


def test_what_is_not_committed_is_not_told(jars: str) -> None:
    row = Jar("a")
    with UnitOfWork() as work:
        work.save(row)
    stale = Jar("a", version=7)
    with facts_told.listening() as told, pytest.raises(ConcurrentUpdate), UnitOfWork() as work:
        work.save(stale, events=[PurchasePlaced(purchase_id="pur_2")])
    assert told == []
    assert work_module.listeners == []


def test_a_change_after_one_that_was_told_drops_its_events(jars: str) -> None:
    row = Jar("a")
    with UnitOfWork() as work:
        work.save(row, events=[MerchantCreated(merchant_id="mer_1")])
    with UnitOfWork() as work:
        work.save(row, events=[PurchasePlaced(purchase_id="pur_1")])
    assert riding("a") == []


def test_placing_wakes_no_relay_and_paying_for_merchants_systems_alone(cloud: str) -> None:
    """Nobody waits for a purchase that was placed, nor for one that was paid; webhooks tell of each paid order."""
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    who.buy((sku_id, 1))
    assert woken() == []
    sales.paid(who.account_id, ("mer_1", (sales.line("1", 1),)))
    assert woken() == ["order.paid"]
    assert topology.queues_for("order.paid") == ("webhooks",)


def woken() -> list[str]:
    """Return what the rows of a sale, as they are now, wake the relay with."""
    told = []
    for table in ("orders", "payments", "carts", "holds"):
        for row in aws.call("dynamodb", "Scan", {"TableName": names.table_name(table)})["Items"]:
            change = {"eventName": "MODIFY", "eventSourceARN": _arn(table), "dynamodb": {"NewImage": row}}
            found = [envelope.type for envelope in envelopes_of(change)]
            assert streams.passes(table, change) == bool(found)
            told += found
    return told


def _arn(table: str) -> str:
    return f"arn:aws:dynamodb:r:1:table/{names.table_name(table)}/s"
