"""KDNiao beside Kuaidi100: pushes of many parcels over HTTP, which hub has a parcel, and how often each is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.kernel import clock
from chalicelib.logistics import polling, recognising, store, waybills
from chalicelib.logistics.domain import Shipment, Status
from chalicelib.logistics.ports import Party
from chalicelib.logistics.watch import Watch
from chalicelib.orders import service as orders
from chalicelib.runtime import outbound
from chalicelib.runtime.intents import Intent
from tests.support import people, sales
from tests.support.entries import WAYBILL
from tests.support.http import Answer, call
from tests.support.pump import UNPUBLISHED, Pump
from tools.fakes.carriers import kdniao
from tools.fakes.carriers.hub import Hub


@dataclass
class World:
    """A merchant and a buyer with two paid orders, and both hubs."""

    staff: people.Person
    buyer: people.Person
    orders: list[str]
    birds: kdniao.KDNiao
    hundred: Hub
    pump: Pump

    def ship(self, number: str, *, carrier: str = "yuantong", order: int = 0) -> Shipment:
        answer = self.try_to_ship(number, carrier=carrier, order=order)
        assert answer.status == 201, answer.body
        self.pump.drain()
        return store.load(answer.json["shipment_id"])

    def try_to_ship(self, number: str, *, carrier: str, order: int) -> Answer:
        lines = [{"line_id": "1", "quantity": 1}]
        body = {"lines": lines, "carrier": carrier, "tracking_number": number}
        return call("POST", f"/v1/merchant/orders/{self.orders[order]}/shipments", body, token=self.staff.token)

    def status(self, shipment: Shipment) -> Status:
        self.pump.drain()
        return store.load(shipment.shipment_id).status


@contextmanager
def lost(world: World) -> Iterator[None]:
    """Let no push arrive within: the hub keeps it for later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.birds, "_deliver", lambda *_: (503, b""))
        yield


@pytest.fixture
def world(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("BIANDAN_CARRIER_HUB", "kdniao,kuaidi100")
    monkeypatch.setenv("BIANDAN_CARRIER_HUB_OF", "jd:kuaidi100")

    def deliver(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        answer = call("POST", urlsplit(url).path, raw=body, headers=headers)
        return answer.status, answer.body.encode()

    birds, hundred = kdniao.KDNiao(deliver, now=clock.now), Hub(deliver, now=clock.now)

    def transport(request: outbound.Request) -> outbound.Response:
        parts = urlsplit(request.url)
        there = birds if parts.netloc == "api.kdniao.com" else hundred
        return outbound.Response(*there.handle(f"{parts.path}?{parts.query}".rstrip("?"), request.body))

    outbound.install(transport)
    merchant, buyer = people.merchant(), people.buyer()
    sold = [sales.paid(buyer.account_id, (merchant.merchant_id, (sales.line("1", 3),))) for _ in range(2)]
    ids = [sale.orders[0].order_id for sale in sold]
    yield World(people.staff(merchant.merchant_id), buyer, ids, birds, hundred, Pump(leaves=UNPUBLISHED))
    outbound.install(None)


def test_one_push_moves_many_parcels_and_what_is_bad_in_it_loses_none(world: World, noon: Any) -> None:
    first, second = world.ship("YT0001"), world.ship("ZT0002", carrier="zhongtong", order=1)
    assert (first.watch, first.hub, second.hub) == (Watch.WATCHED, "kdniao", "kdniao")
    noon.advance(timedelta(hours=2))
    world.birds.advance("YT0001", "collected", "in_transit", push=False)
    world.birds.advance("ZT0002", "collected", push=False)

    strangers = (None, {"LogisticCode": 5}, {"LogisticCode": "XX9", "CallBack": "theirs", "State": "3"})
    answer = world.birds.push("YT0001", "ZT0002", strangers=strangers)

    assert world.birds.acknowledged(answer), answer
    assert [world.status(one) for one in (first, second)] == [Status.IN_TRANSIT, Status.COLLECTED]
    assert world.pump.dead("logistics") == []


def test_snapshots_again_late_and_out_of_order_end_where_the_last_news_ends(world: World, noon: Any) -> None:
    parcel = world.ship("YT0003")
    noon.advance(timedelta(hours=2))
    for stage in ("collected", "in_transit", "out_for_delivery", "signed"):
        noon.advance(timedelta(hours=1))
        world.birds.advance("YT0003", stage, push=False)
        with lost(world):
            world.birds.push("YT0003")
    assert world.status(parcel) is Status.CREATED
    for index, status in ((1, Status.IN_TRANSIT), (0, Status.IN_TRANSIT), (3, Status.DELIVERED)):
        assert world.birds.acknowledged(world.birds.replay(index))
        assert world.status(parcel) is status
    for index in (2, 3, 0, 1):
        world.birds.replay(index)
        assert world.status(parcel) is Status.DELIVERED

    found = store.load(parcel.shipment_id)
    assert (world.status(parcel), len(found.scans), found.watch) == (Status.DELIVERED, 4, Watch.FINISHED)


@pytest.mark.parametrize("how", kdniao.FORGERIES)
def test_a_forged_push_is_refused_in_the_hubs_words_and_leaves_no_trace(world: World, noon: Any, how: str) -> None:
    parcel = world.ship("YT0004")
    noon.advance(timedelta(hours=2))
    world.birds.advance("YT0004", "collected", push=False)

    status, body = world.birds.forge("YT0004", how=how)

    assert status in (400, 403), body
    assert not world.birds.acknowledged((status, body))
    assert world.status(parcel) is Status.CREATED
    assert store.load(parcel.shipment_id).version == parcel.version


def test_a_carrier_has_its_own_hub_and_one_without_a_code_goes_where_it_has_one(world: World) -> None:
    assert world.ship("JD0001", carrier="jd").hub == "kuaidi100"
    assert world.ship("RR0001", carrier="rrs", order=1).hub == "kuaidi100"
    assert (list(world.hundred.journeys), list(world.birds.parcels)) == (["JD0001", "RR0001"], [])


def test_a_hub_that_will_not_is_left_for_the_next_at_once_and_a_busy_one_after_its_tries(
    world: World, noon: Any
) -> None:
    world.birds.refuse_with = "没有此单号"
    assert (world.ship("YT0005").hub, world.ship("YT0005", order=1).hub) == ("kuaidi100", "kuaidi100")
    world.birds.refuse_with = "系统繁忙"
    parcel = world.ship("YT0006")
    assert (parcel.watch, parcel.tries, parcel.hub) == (Watch.WAITING, 1, "kdniao")
    world.pump.pass_time(noon, timedelta(hours=3), step=timedelta(minutes=20))

    found = store.load(parcel.shipment_id)
    assert (found.watch, found.hub, found.tries) == (Watch.WATCHED, "kuaidi100", 0)


def test_the_hub_that_finds_another_carrier_corrects_it(world: World, noon: Any) -> None:
    parcel = world.ship("YT0007")
    noon.advance(timedelta(hours=2))
    world.birds.advance("YT0007", "collected", push=False)
    world.birds.correct("YT0007", "STO")
    world.pump.drain()

    found = store.load(parcel.shipment_id)
    assert (found.carrier, found.carrier_given, found.hub) == ("shentong", "yuantong", "kdniao")


def test_silence_is_asked_about_ever_less_often_within_what_the_hub_allows_and_never_after_the_end(
    world: World, noon: Any
) -> None:
    parcel = world.ship("YT0008")
    noon.advance(timedelta(hours=1))
    world.birds.advance("YT0008", "collected")
    world.pump.drain()
    asked = []
    for hour in range(24 * 14):
        noon.advance(timedelta(hours=1))
        before = len(world.birds.questions)
        for _ in range(2):
            polling.wake(parcel.shipment_id)
        asked += [hour] * (len(world.birds.questions) - before)
    gaps = [later - earlier for earlier, later in pairwise(asked)]

    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[-1]) == (24, 72)
    assert list(world.birds.complaints) == []
    world.birds.advance("YT0008", "signed")
    world.pump.drain()
    count = len(world.birds.questions)
    for _ in range(24 * 10):
        noon.advance(timedelta(hours=1))
        polling.wake(parcel.shipment_id)
    assert (len(world.birds.questions), store.load(parcel.shipment_id).watch) == (count, Watch.FINISHED)


def test_thirty_days_without_news_are_a_reason_to_subscribe_again(world: World, noon: Any) -> None:
    parcel = world.ship("YT0009")
    for _ in range(32 * 4):
        noon.advance(timedelta(hours=6))
        polling.wake(parcel.shipment_id)

    assert world.birds.parcels["YT0009"].subscriptions == 2
    assert store.load(parcel.shipment_id).subscriptions == 2
    assert list(world.birds.complaints) == []


def test_a_days_questions_are_never_exceeded(world: World, noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_KDNIAO_QUESTIONS", "1")
    parcels = [world.ship("YT0010"), world.ship("YT0011", order=1)]
    noon.advance(timedelta(hours=24))
    for parcel in parcels:
        polling.wake(parcel.shipment_id)
    assert list(world.birds.questions) == ["YT0010"]
    noon.advance(timedelta(hours=24))
    for parcel in reversed(parcels):
        polling.wake(parcel.shipment_id)
    assert list(world.birds.questions) == ["YT0010", "YT0011"]


def test_orders_in_one_parcel_hear_of_one_push_and_ask_once(world: World, noon: Any) -> None:
    first, second = world.ship("YT0012"), world.ship("YT0012", order=1)
    assert store.load(first.shipment_id).shared
    assert second.shared
    noon.advance(timedelta(hours=24, minutes=1))
    for parcel in (first, second):
        polling.wake(parcel.shipment_id)
    assert list(world.birds.questions) == ["YT0012"]
    world.birds.advance("YT0012", "collected", "out_for_delivery")
    assert [world.status(one) for one in (first, second)] == [Status.OUT_FOR_DELIVERY] * 2


def test_a_hub_that_does_not_watch_the_parcel_is_not_heard(world: World, noon: Any) -> None:
    parcel = world.ship("JD0002", carrier="jd")
    world.birds.parcels["JD0002"] = kdniao.Parcel("JD", "JD0002", parcel.shipment_id)
    noon.advance(timedelta(hours=2))
    world.birds.advance("JD0002", "collected", "signed")

    assert world.status(parcel) is Status.CREATED


def carriers_of(world: World, number: str) -> tuple[list[str], str]:
    answer = call("GET", f"/v1/merchant/carriers?tracking_number={number}", token=world.staff.token)
    assert answer.status == 200, answer.body
    return [one["code"] for one in answer.json["items"]], answer.json["said_by"]


def test_a_carrier_is_recognised_by_the_form_of_its_number_else_by_a_hub(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert carriers_of(world, "sf%201234-567890123") == (["shunfeng"], "form")
    assert carriers_of(world, "773000000000001") == (["shentong"], "kdniao")
    assert carriers_of(world, "460000000000001") == (["yunda", "yuantong"], "kdniao")
    assert carriers_of(world, "999999999999") == ([], "form")
    monkeypatch.setenv("BIANDAN_CARRIER_HUB", "kuaidi100")
    assert carriers_of(world, "773000000000001") == (["shentong"], "kuaidi100")
    monkeypatch.setenv("BIANDAN_CARRIER_HUB", "kdniao")
    monkeypatch.setattr(recognising, "A_MERCHANTS_DAY", 1)
    assert carriers_of(world, "773000000000001") == ([], "form")
    answer = call("GET", "/v1/merchant/carriers?tracking_number=!", token=world.staff.token)
    assert (answer.status, answer.json["code"]) == (422, "invalid_request")


def test_a_number_that_no_hub_knows_under_its_carrier_is_watched_under_the_only_one_it_can_be_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIANDAN_CARRIER_HUB", "kdniao")
    world.birds.codes = {"STO"}

    parcel = world.ship("773000000000001")

    assert (parcel.carrier, parcel.carrier_given, parcel.watch) == ("shentong", "yuantong", Watch.WATCHED)
    assert world.birds.parcels["773000000000001"].code == "STO"


def test_a_waybill_is_drawn_once_under_our_number_and_its_label_shown_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/merchant/orders/{world.orders[0]}/waybills"

    def draw(key: str, **body: Any) -> Answer:
        return call("POST", path, {**WAYBILL, **body}, token=world.staff.token, key=f"waybill-key-{key}")

    assert draw("w0").json["code"] == "no_waybills"
    monkeypatch.setenv("BIANDAN_WAYBILLS", "kdniao")
    assert draw("w0", carrier="rrs").json["code"] == "no_waybills"
    first, again, other = draw("w1"), draw("w1"), draw("w2")
    assert first.status == again.status == other.status == 201, first.body
    number = first.json["tracking_number"]
    assert (again.json["tracking_number"], again.json.get("label_html")) == (number, None)
    assert (first.json["label_html"], len(world.birds.drawn)) == (f"<p>{number}</p>", 2)
    assert draw("w1", goods="别的").status == 422
    assert world.ship(number).watch is Watch.WATCHED


def test_a_waybill_whose_answer_was_lost_is_asked_for_again_under_the_same_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIANDAN_WAYBILLS", "kdniao")
    wanted = waybills.Wanted(
        "yuantong", Party("仓库", "13800138001", "浙江省", "杭州市", "西湖区", "文三路 1 号"), "茶叶"
    )
    intent = Intent("acc_1", "w3", "f")
    merchant_id, real = orders.load_order(world.orders[0]).merchant_id, outbound._transport
    assert real is not None

    def lose(request: outbound.Request) -> outbound.Response:
        real(request)
        raise outbound.OutboundTimeout(kind="test")

    outbound.install(lose)
    with pytest.raises(outbound.OutboundTimeout):
        waybills.draw(merchant_id, world.orders[0], wanted, intent)
    outbound.install(real)
    waybill, _ = waybills.draw(merchant_id, world.orders[0], wanted, intent)

    assert world.birds.drawn == {waybill.waybill_id: waybill.number}
    with pytest.raises(waybills.WaybillRefused):
        waybills.draw(merchant_id, world.orders[0], replace(wanted, goods=""), Intent("acc_1", "w4", "f"))
