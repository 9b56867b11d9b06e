from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.logistics import domain, polling, service, store, tracking, watching
from chalicelib.logistics.domain import Shipment, Status
from chalicelib.logistics.providers import kuaidi100
from chalicelib.logistics.watch import Watch
from chalicelib.orders import service as orders
from chalicelib.orders.service import Contact, Order, OrderStatus
from chalicelib.runtime import aws, names, outbound, queues
from tests.support import people, sales
from tests.support.http import Answer, call
from tests.support.pump import UNPUBLISHED, Pump
from tools.bench import metering
from tools.fakes.carriers.hub import Hub

NUMBER = "SF1234567890"


@dataclass
class World:
    """A paid order of two units of line 1 and one of line 2, its people, and the hub."""

    order: Order
    buyer: people.Person
    staff: people.Person
    stranger: people.Person
    other_staff: people.Person
    hub: Hub
    pump: Pump

    def ship(self, key: str | None = None, order_id: str | None = None, **body: Any) -> Answer:
        body = {"lines": [{"line_id": "1", "quantity": 2}], "carrier": "shunfeng", "tracking_number": NUMBER, **body}
        path = f"/v1/merchant/orders/{order_id or self.order.order_id}/shipments"
        return call("POST", path, body, token=self.staff.token, key=key)

    def follow(self, **headers: str) -> Any:
        path = f"/v1/orders/{self.order.order_id}/shipments"
        answer = call("GET", path, token=people.token(self.buyer.account_id), headers=headers)
        assert answer.status == 200, answer.body
        return answer.json["items"]

    def shipped(self) -> Shipment:
        answer = self.ship()
        assert answer.status == 201, answer.body
        self.pump.drain()
        return store.load(answer.json["shipment_id"])

    def now_order(self) -> Order:
        return orders.load_order(self.order.order_id)


@pytest.fixture
def hub() -> Iterator[Hub]:
    def deliver(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        answer = call("POST", urlsplit(url).path, raw=body, headers=headers)
        return answer.status, answer.body.encode()

    made = Hub(deliver, now=clock.now)

    def transport(request: outbound.Request) -> outbound.Response:
        status, headers, body = made.handle(urlsplit(request.url).path, request.body)
        return outbound.Response(status, headers, body)

    outbound.install(transport)
    yield made
    outbound.install(None)


@pytest.fixture
def world(cloud: str, noon: Any, hub: Hub) -> World:
    mine, others = people.merchant(), people.merchant("Other")
    buyer = people.buyer()
    lines = (sales.line("1", 2), sales.line("2", 1, 500))
    sale = sales.paid(buyer.account_id, (mine.merchant_id, lines))
    return World(
        order=sale.orders[0],
        buyer=buyer,
        staff=people.staff(mine.merchant_id),
        stranger=people.buyer(),
        other_staff=people.staff(others.merchant_id),
        hub=hub,
        pump=Pump(leaves=UNPUBLISHED),
    )


def writes_during(action: Callable[[], Any]) -> list[str]:
    seen: list[str] = []

    def hook(service_name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation in ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "SendMessageBatch"):
            seen.append(operation)
        return proceed()

    with aws.hooked(hook):
        action()
    return seen


def test_a_parcel_is_followed_from_the_merchants_hand_to_the_door(world: World, noon: Any) -> None:
    answer = world.ship()

    assert answer.status == 201
    shipment_id = answer.json["shipment_id"]
    assert shipment_id == f"shp_{world.order.order_id[4:]}1"
    assert (answer.json["status"], answer.json["status_text"]) == (
        "created",
        "Shipped; waiting for the carrier to collect it",
    )
    assert world.now_order().status is OrderStatus.PARTLY_SHIPPED
    world.pump.drain()
    journey = world.hub.journeys[NUMBER]
    assert journey.phone == "8000"
    assert store.load(shipment_id).watch is Watch.WATCHED

    for hours, stage, status in ((1, "collected", "collected"), (9, "in_transit", "in_transit")):
        noon.advance(timedelta(hours=hours))
        world.hub.advance(NUMBER, stage)
        world.pump.drain()
        assert world.follow()[0]["status"] == status
    noon.advance(timedelta(hours=10))
    world.hub.advance(NUMBER, "in_locker", "signed")
    world.pump.drain()

    assert journey.answers == [(200, kuaidi100.ACKNOWLEDGED.encode())] * 4
    [parcel] = world.follow(**{"accept-language": "zh-CN"})
    assert (parcel["status"], parcel["status_text"]) == ("delivered", "已签收")
    assert [event["status"] for event in parcel["events"]] == [
        "delivered",
        "ready_for_pickup",
        "in_transit",
        "collected",
    ]
    assert parcel["events"][0]["at"] == parcel["delivered_at"] == "2026-11-23T00:00:03.000Z"
    assert parcel["carrier"] == {"code": "shunfeng", "zh": "顺丰速运", "en": "SF Express", "needs_phone": True}
    ended = store.load(shipment_id)
    assert (ended.watch, ended.due_at, ended.phone_tail) == (Watch.FINISHED, None, "")
    assert f"orders:shipment.delivered#{shipment_id}" in [line.lstrip("!") for line in world.pump.log]


def test_the_same_request_again_is_the_same_shipment(world: World) -> None:
    first = world.ship(key="ship-one-00")
    again = world.ship(key="ship-one-00")
    other = world.ship(key="ship-one-00", tracking_number="SF0000000001")

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(store.of_order(world.order.order_id)) == 1


def test_every_refusal_leaves_no_trace(world: World) -> None:
    world.ship(lines=[{"line_id": "1", "quantity": 1}])
    before, version = store.of_order(world.order.order_id), world.now_order().version
    unpaid = sales.placed(world.buyer.account_id, (world.order.merchant_id, (sales.line("1"),))).orders[0]

    def refused(**body: Any) -> tuple[int, str]:
        answer = world.ship(**body)
        return answer.status, answer.json["code"]

    number = {"tracking_number": "SF0000000009"}
    assert refused(**number) == (409, "over_shipped")
    assert refused(**number, lines=[{"line_id": "9", "quantity": 1}]) == (409, "over_shipped")
    both = [{"line_id": "1", "quantity": 1}, {"line_id": "1", "quantity": 1}]
    assert refused(**number, lines=both) == (409, "over_shipped")
    assert refused(lines=[{"line_id": "2", "quantity": 1}]) == (409, "tracking_number_used")
    assert refused(**number, carrier="pigeon") == (422, "unknown_carrier")
    digital: dict[str, Any] = {"carrier": None, "tracking_number": None, "lines": [{"line_id": "2", "quantity": 1}]}
    assert refused(**digital) == (422, "wrong_delivery")
    assert refused(**number, order_id=unpaid.order_id, lines=both[:1]) == (409, "illegal_transition")
    wrong: dict[str, Any]
    for wrong in (
        {"lines": []},
        {"lines": [{"line_id": "1", "quantity": 0}]},
        {"lines": [{"line_id": "1", "quantity": "1"}]},
        {"tracking_number": None},
        {"tracking_number": "no spaces!"},
        {"phone_tail": "123"},
        {"code": "KEY-1"},
        {"weight": 3},
    ):
        assert refused(**wrong) == (422, "invalid_request"), wrong
    assert store.of_order(world.order.order_id) == before
    assert world.now_order().version == version
    assert orders.load_order(unpaid.order_id).version == unpaid.version


def test_another_merchants_order_is_like_no_order_and_so_is_anothers_view(world: World) -> None:
    path = f"/v1/merchant/orders/{world.order.order_id}/shipments"
    body = {"lines": [{"line_id": "1", "quantity": 1}], "carrier": "ems", "tracking_number": "EA123456789CN"}
    foreign = call("POST", path, body, token=world.other_staff.token)
    missing = call("POST", path.replace(world.order.order_id[4:10], "zzzzzz"), body, token=world.other_staff.token)

    def told(answer: Answer) -> Any:
        return answer.status, {**answer.json, "request_id": ""}

    assert told(foreign) == told(missing)
    assert foreign.status == 404
    assert call("GET", path, token=world.other_staff.token).status == 404
    assert call("GET", f"/v1/orders/{world.order.order_id}/shipments", token=world.stranger.token).status == 404
    assert call("POST", path, body, token=world.buyer.token).status == 403
    assert call("POST", path, body).status == 401
    assert store.of_order(world.order.order_id) == []


def test_two_shipments_at_once_never_over_ship(world: World) -> None:
    barrier = Barrier(2)
    answers: list[int] = []

    def ship(number: str) -> None:
        barrier.wait()
        answers.append(world.ship(tracking_number=number).status)

    threads = [Thread(target=ship, args=(f"SF000000000{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201, 409]
    [shipment] = store.of_order(world.order.order_id)
    assert world.now_order().unshipped() == {"2": 1}
    assert world.now_order().parcels[0].shipment_id == shipment.shipment_id


def test_a_rival_between_read_and_write_takes_the_number_and_we_take_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = service._pack
    calls = []

    def rival(*arguments: Any) -> Shipment:
        made = pack(*arguments)
        calls.append(made.shipment_id[-1])
        if len(calls) == 1:
            answer = world.ship(lines=[{"line_id": "2", "quantity": 1}], tracking_number="SF0000000002")
            assert answer.status == 201
        return made

    monkeypatch.setattr(service, "_pack", rival)

    answer = world.ship()

    assert answer.status == 201
    assert calls == ["1", "1", "2"]
    assert [each.number for each in store.of_order(world.order.order_id)] == ["SF0000000002", NUMBER]
    assert world.now_order().status is OrderStatus.SHIPPED


def test_digital_goods_arrive_at_once_and_only_the_buyer_reads_the_code(world: World, noon: Any) -> None:
    lines = (sales.line("1", 1, kind="virtual"), sales.line("2", 1))
    order = sales.paid(world.buyer.account_id, (world.order.merchant_id, lines)).orders[0]
    digital: dict[str, Any] = {
        "order_id": order.order_id,
        "carrier": None,
        "tracking_number": None,
        "lines": [{"line_id": "1", "quantity": 1}],
        "note": "Redeem on our site",
        "code": "KEY-AAAA-BBBB",
    }

    answer = world.ship(**digital)

    assert answer.status == 201
    assert (answer.json["kind"], answer.json["status"], answer.json["has_code"]) == ("digital", "delivered", True)
    assert "code" not in answer.json
    listed = call("GET", f"/v1/merchant/orders/{order.order_id}/shipments", token=world.staff.token)
    assert "KEY-AAAA-BBBB" not in listed.body
    world.order = order
    [seen] = world.follow()
    assert "code" not in seen
    path = f"/v1/orders/{order.order_id}/virtual/1/look"
    look = call("POST", path, {}, token=people.token(world.buyer.account_id))
    assert [item["code"] for item in look.json["items"]] == ["KEY-AAAA-BBBB"]
    kept = [aws.call("dynamodb", "Scan", {"TableName": names.table_name(one)}) for one in ("shipments", "virtual")]
    assert "KEY-AAAA-BBBB" not in str(kept)
    assert (seen["note"], seen["delivered_at"]) == (
        "Redeem on our site",
        "2026-11-22T04:00:00.000Z",
    )
    assert world.ship(**digital | {"carrier": "ems", "tracking_number": "EA123456789CN", "code": ""}).json["code"] == (
        "wrong_delivery"
    )
    world.pump.drain()
    assert world.hub.journeys == {}
    raw = aws.call("sqs", "GetQueueUrl", {"QueueName": names.dead_letter_name("logistics")})["QueueUrl"]
    assert "Messages" not in aws.call("sqs", "ReceiveMessage", {"QueueUrl": raw})


def test_a_code_belongs_to_one_order_line(world: World) -> None:
    made = []
    for _ in range(2):
        line = sales.line("1", 1, kind="virtual")
        made.append(sales.paid(world.buyer.account_id, (world.order.merchant_id, (line,))).orders[0])
    body: dict[str, Any] = {
        "carrier": None,
        "tracking_number": None,
        "lines": [{"line_id": "1", "quantity": 1}],
        "code": "KEY-1",
    }

    first = world.ship(order_id=made[0].order_id, key="give-key-1", **body)
    again = world.ship(order_id=made[0].order_id, key="give-key-1", **body)
    second = world.ship(order_id=made[1].order_id, **body)

    assert (first.status, again.json) == (201, first.json)
    assert (second.status, second.json["code"]) == (409, "code_already_given")
    assert orders.load_order(made[1].order_id).version == made[1].version
    assert store.of_order(made[1].order_id) == []


def test_carriers_that_need_a_phone_get_the_merchants_or_the_recipients(world: World) -> None:
    world.ship(phone_tail="1234")
    no_phone = Contact("王梅", "", "CN", "浙江省", "杭州市", "西湖区", "文三路 1 号")
    order = sales.paid(world.buyer.account_id, (world.order.merchant_id, (sales.line("1", 2),)), contact=no_phone)
    refused = world.ship(order_id=order.orders[0].order_id)

    assert store.of_order(world.order.order_id)[0].phone_tail == "1234"
    assert (refused.status, refused.json["code"], refused.json["carrier"]) == (422, "phone_needed", "shunfeng")


def test_duplicates_and_overtaken_pushes_change_nothing(world: World, noon: Any) -> None:
    shipment = world.shipped()
    for stage in ("collected", "in_transit", "signed"):
        noon.advance(timedelta(hours=1))
        world.hub.advance(NUMBER, stage)
    world.pump.drain()
    before = store.load(shipment.shipment_id)
    assert before.status is Status.DELIVERED
    world.hub.repeat(NUMBER, 3)
    world.hub.replay(NUMBER, 0)
    world.hub.replay(NUMBER, 1)

    seen = writes_during(world.pump.drain)

    assert store.load(shipment.shipment_id) == before
    assert seen == []
    delivered = f"orders:shipment.delivered#{shipment.shipment_id}"
    assert len({line for line in world.pump.log if delivered in line}) == 1


def test_a_return_after_the_signature_is_told_and_delivery_only_once(world: World, noon: Any) -> None:
    shipment = world.shipped()
    for stage in ("out_for_delivery", "signed", "returning", "returned"):
        noon.advance(timedelta(hours=1))
        world.hub.advance(NUMBER, stage)
        world.pump.drain()

    ended = store.load(shipment.shipment_id)
    assert ended.status is Status.RETURNED
    assert ended.delivered_at == ended.scans[2].at


def test_forged_and_tampered_pushes_leave_no_trace(world: World) -> None:
    shipment = world.shipped()
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()
    before = store.load(shipment.shipment_id)
    path = f"/v1/webhooks/logistics/kuaidi100/{shipment.shipment_id}"
    form = {"content-type": "application/x-www-form-urlencoded"}
    good = world.hub.journeys[NUMBER].pushes[-1]
    other = domain.shipment_id(world.order.order_id, 9)

    def push(body: bytes, to: str = path, headers: dict[str, str] = form) -> tuple[int, str]:
        answer = call("POST", to, raw=body, headers=headers)
        return answer.status, answer.json["code"]

    def attack() -> None:
        status, body = world.hub.tamper(NUMBER), b""
        assert (status[0], json.loads(status[1])["code"]) == (401, "bad_signature")
        assert push(urlencode({"param": "{}"}).encode()) == (401, "bad_signature")
        assert push(body) == (400, "unreadable_push")
        assert push(good, path.replace(shipment.shipment_id, other)) == (401, "bad_signature")
        assert push(good, path.replace(shipment.shipment_id, "shp_none")) == (404, "not_found")
        assert push(b"param=" + b"x" * (256 * 1024)) == (413, "too_large")
        assert push(good, headers={"content-type": "application/json"}) == (415, "unsupported_media_type")

    assert writes_during(attack) == []
    world.pump.drain()
    assert store.load(shipment.shipment_id) == before


def test_a_push_too_long_for_a_message_travels_packed(world: World) -> None:
    shipment = world.shipped()
    for number in range(60):
        world.hub.scan(NUMBER, at=clock.now() + timedelta(minutes=number), text="途" * 400, code="0", state="0")
    status, _ = world.hub.push(NUMBER)
    assert (status, len(world.hub.journeys[NUMBER].pushes[-1]) > 200_000) == (200, True)

    world.pump.drain()

    found = store.load(shipment.shipment_id)
    assert (found.status, len(found.scans), len(found.scans[0].text)) == (Status.IN_TRANSIT, 60, 300)


def test_a_push_for_a_number_that_is_not_the_shipments_has_no_effect(world: World) -> None:
    shipment = world.shipped()
    world.hub.advance(NUMBER, "collected", push=False)
    world.hub.journeys[NUMBER].number = "SF9999999999"
    assert world.hub.push(NUMBER)[0] == 200

    world.pump.drain()

    assert store.load(shipment.shipment_id) == shipment


def test_a_push_for_a_shipment_that_is_not_there_waits_in_the_dead_letters(world: World, noon: Any) -> None:
    other = domain.shipment_id(world.order.order_id, 9)
    with pytest.raises(NotFound):
        store.load(other)
    param = json.dumps({"status": "polling", "lastResult": {"nu": NUMBER, "state": "0", "data": []}})
    body = urlencode({"param": param, "sign": kuaidi100.push_signature(param.encode(), kuaidi100.salt_of(other))})
    path = f"/v1/webhooks/logistics/kuaidi100/{other}"
    answer = call("POST", path, raw=body.encode(), headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.body == kuaidi100.ACKNOWLEDGED

    for _ in range(9):
        world.pump.drain()
        noon.advance(timedelta(minutes=10))

    [letter] = world.pump.dead("logistics")
    assert letter["reason"] == "not_found"


def test_a_corrected_carrier_shows(world: World, noon: Any) -> None:
    world.shipped()
    noon.advance(timedelta(hours=1))
    world.hub.advance(NUMBER, "collected", push=False)
    world.hub.correct(NUMBER, "yuantong")
    world.pump.drain()

    [parcel] = world.follow()
    assert (parcel["carrier"]["code"], parcel["status"]) == ("yuantong", "collected")


def test_an_existing_subscription_counts_and_a_refused_one_is_asked_instead(world: World, noon: Any) -> None:
    world.hub.answer_with = "501"
    assert world.shipped().watch is Watch.WATCHED

    world.hub.answer_with = "700"
    answer = world.ship(lines=[{"line_id": "2", "quantity": 1}], tracking_number="SF0000000002")
    world.pump.drain()
    second = store.load(answer.json["shipment_id"])
    assert (second.watch, second.due_at) == (Watch.POLLED, clock.now() + timedelta(hours=8))


def test_a_busy_hub_is_tried_again_and_then_pushes(world: World, noon: Any) -> None:
    world.hub.answer_with = "500"
    shipment = world.shipped()
    assert (shipment.watch, shipment.tries) == (Watch.WAITING, 1)
    world.hub.answer_with = None

    world.pump.pass_time(noon, timedelta(minutes=11))

    assert store.load(shipment.shipment_id).watch is Watch.WATCHED


def test_a_hub_that_is_down_is_tried_again(world: World, noon: Any) -> None:
    def down(request: outbound.Request) -> outbound.Response:
        raise outbound.OutboundTimeout(kind="test")

    outbound.install(down)
    shipment = world.shipped()

    assert (shipment.watch, shipment.tries, shipment.due_at) == (Watch.WAITING, 1, clock.now() + timedelta(minutes=10))


def test_silence_is_asked_about_once_a_day_and_the_answer_applied(world: World, noon: Any) -> None:
    shipment = world.shipped()
    world.hub.advance(NUMBER, "collected", "in_transit", "signed", push=False)
    world.pump.duplicate = 2
    world.pump.pass_time(noon, timedelta(hours=24, minutes=2), step=timedelta(hours=1))

    found = store.load(shipment.shipment_id)
    assert (found.status, len(found.scans), world.hub.questions) == (Status.DELIVERED, 3, [NUMBER])
    world.pump.pass_time(noon, timedelta(hours=25), step=timedelta(hours=1))
    assert store.load(shipment.shipment_id).watch is Watch.FINISHED
    assert world.hub.questions == [NUMBER]


def test_a_question_without_an_answer_is_repeated_after_half_an_hour(world: World, noon: Any) -> None:
    shipment = world.shipped()
    noon.advance(timedelta(hours=24))
    asked = []

    def down(request: outbound.Request) -> outbound.Response:
        asked.append(clock.now())
        raise outbound.OutboundTimeout(kind="test")

    outbound.install(down)
    polling.wake(shipment.shipment_id)
    polling.wake(shipment.shipment_id)
    noon.advance(timedelta(minutes=29))
    polling.wake(shipment.shipment_id)
    noon.advance(timedelta(minutes=1))
    polling.wake(shipment.shipment_id)

    assert [later - asked[0] for later in asked] == [timedelta(), timedelta(minutes=30)]


def test_an_abort_is_followed_by_another_subscription_after_40_minutes(world: World, noon: Any) -> None:
    shipment = world.shipped()
    world.hub.abort(NUMBER)
    world.pump.drain()
    assert store.load(shipment.shipment_id).watch is Watch.BROKEN

    world.pump.pass_time(noon, timedelta(minutes=38))
    assert store.load(shipment.shipment_id).watch is Watch.BROKEN
    world.pump.pass_time(noon, timedelta(minutes=4))

    found = store.load(shipment.shipment_id)
    assert (found.watch, found.subscriptions) == (Watch.WATCHED, 2)


def test_a_stale_deadline_is_a_no_op(world: World, noon: Any) -> None:
    shipment = world.shipped()

    assert writes_during(lambda: polling.wake(shipment.shipment_id)) == []
    assert world.hub.questions == []


def test_a_snapshot_survives_a_rival_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shipment = world.shipped()
    world.hub.advance(NUMBER, "collected")
    follow = watching.follow
    rivals: list[int] = []

    def rival(found: Shipment, snapshot: Any, **rest: Any) -> Shipment:
        if not rivals:
            rivals.append(1)
            tracking.change(shipment.shipment_id, lambda row: replace(row, tries=3))
        return follow(found, snapshot, **rest)

    monkeypatch.setattr(watching, "follow", rival)
    world.pump.drain()

    found = store.load(shipment.shipment_id)
    assert (found.status, found.tries) == (Status.COLLECTED, 3)


def test_what_it_costs_is_counted(world: World, noon: Any) -> None:
    """DynamoDB calls, read units, write units (and how many of them are the index's)."""

    def cost(action: Callable[[], Any]) -> tuple[int, float, float, float]:
        with metering.measured() as meter:
            action()
        return meter.calls, meter.read_units, meter.write_units, meter.index_units

    # What the making of the merchants left to be published is no part of a parcel's cost.
    world.pump.pass_time(noon, timedelta(minutes=2), step=timedelta(minutes=1))
    lines = (sales.line("1", 2), sales.line("2", 1, 500))
    world.order = sales.paid(world.buyer.account_id, (world.order.merchant_id, lines)).orders[0]
    assert cost(world.ship) == (4, 2.5, 7.0, 1.0)  # SF: one call more, to read the phone; two units hold the number.
    assert cost(world.pump.drain) == (2, 1.0, 3.0, 2.0)
    written = []
    for stage in ("collected", "in_transit", "arrived", "in_transit", "out_for_delivery"):
        noon.advance(timedelta(hours=3))
        assert cost(lambda stage=stage: world.hub.advance(NUMBER, stage)) == (0, 0, 0, 0)  # type: ignore[misc]
        calls, read, write, index = cost(world.pump.drain)
        assert (calls, read, index) == (2, 1.0, 0)
        written.append(write)
    assert written == [1.0] * 5  # Nobody waits for a new state: its event rides on no row, which stays under 1 KB.
    assert cost(lambda: world.hub.repeat(NUMBER)) == (0, 0, 0, 0)
    assert cost(world.pump.drain) == (1, 1.0, 0, 0)
    assert cost(world.follow) == (2, 1.0, 0, 0)


def test_the_carriers_list_can_be_cached(cloud: str) -> None:
    answer = call("GET", "/v1/carriers")

    assert answer.status == 200
    assert len(answer.json["items"]) == 31
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert call("GET", "/v1/carriers", headers={"if-none-match": answer.headers["etag"]}).status == 304


def test_nothing_secret_travels_in_events(world: World) -> None:
    world.ship(phone_tail="1234")
    seen: list[str] = []

    def hook(service_name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "SendMessageBatch":
            seen.extend(entry["MessageBody"] for entry in params["Entries"])
        return proceed()

    with aws.hooked(hook):
        world.pump.drain()

    assert seen
    assert not [body for body in seen if "1234" in body.replace(NUMBER, "") or "王" in body]
    assert queues.url(names.queue_name("logistics"))


@pytest.mark.parametrize("stages", [("refused",), ("returning",), ("in_transit", "refused", "returning", "returned")])
def test_a_parcel_that_turns_back_does_not_complete_its_order(world: World, noon: Any, stages: tuple[str, ...]) -> None:
    both = [{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}]
    assert world.ship(lines=both).status == 201
    world.pump.drain()
    for stage in stages:
        noon.advance(timedelta(hours=3))
        world.hub.advance(NUMBER, stage)
        world.pump.drain()

    order = world.now_order()
    assert order.status is OrderStatus.TURNED_BACK
    assert order.unshipped() == {"1": 2, "2": 1}
    assert [entry.status for entry in order.history].count("turned_back") == 1
    assert order.due_at == order.since + timedelta(days=15)
