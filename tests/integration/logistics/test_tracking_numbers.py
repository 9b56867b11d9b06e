"""Whose parcel a tracking number is: nobody's order arrives with another parcel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.roles import Role
from chalicelib.logistics import number_store, store, subscribing
from chalicelib.logistics.domain import Status
from chalicelib.logistics.providers import kuaidi100
from chalicelib.logistics.watch import Watch
from chalicelib.orders import service as orders
from chalicelib.orders.service import OrderStatus
from chalicelib.runtime.db.work import UnitOfWork
from tests.integration.logistics.test_logistics import NUMBER, World, hub, world
from tests.support import facts_told, people, sales
from tests.support.http import Answer, call

__all__ = ["hub", "world"]


def another(world: World, *, buyer: str | None = None, merchant: str | None = None, quantity: int = 2) -> str:
    """Make another paid order; returns its id."""
    share = (merchant or world.order.merchant_id, (sales.line("1", quantity),))
    return sales.paid(buyer or world.buyer.account_id, share).orders[0].order_id


def somebodys(world: World) -> str:
    return another(world, buyer=people.buyer().account_id)


def correct(
    world: World, shipment_id: str, number: str, *, carrier: str = "shunfeng", key: str | None = None
) -> Answer:
    path = f"/v1/merchant/orders/{world.order.order_id}/shipments/{shipment_id}/correct"
    return call("POST", path, {"carrier": carrier, "tracking_number": number}, token=world.staff.token, key=key)


def release(number: str, *, carrier: str = "shunfeng", key: str | None = None, **body: Any) -> Answer:
    path = f"/v1/operator/tracking-numbers/{carrier}/{number}/release"
    return call("POST", path, {"reason": "The carrier gave it out again.", **body}, token=operators_token(), key=key)


OPERATOR: list[str] = []
_HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def operator(cloud: str) -> None:
    OPERATOR[:] = [people.operator().account_id]


def operators_token() -> str:
    return people.token(OPERATOR[0], Role.OPERATOR)


def later(world: World, noon: Any, by: timedelta = _HOUR) -> None:
    """Let time pass; the staff signs in again."""
    noon.advance(by)
    token = people.token(world.staff.account_id, Role.MERCHANT_STAFF, merchant_id=world.order.merchant_id)
    world.staff = world.staff._replace(token=token)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json.get("code", "")


@pytest.mark.parametrize(
    "written",
    [
        "SF1234567890",
        "sf1234567890",
        "SF 1234 567890",
        "SF-1234-567890",
        " sf-1234 567890 ",
        "ＳＦ１２３４５６７８９０",
    ],
)
def test_a_number_is_one_orders_however_it_is_written(world: World, written: str) -> None:
    world.shipped()
    order_id = somebodys(world)
    version = orders.load_order(order_id).version

    assert told(world.ship(order_id=order_id, tracking_number=written)) == (409, "tracking_number_used")
    assert "shipment_id" not in world.ship(order_id=order_id, tracking_number=written).json
    assert store.of_order(order_id) == []
    assert orders.load_order(order_id).version == version
    assert world.ship(order_id=order_id, carrier="ems", tracking_number=written).status == 201


def test_a_number_that_was_signed_for_delivers_nothing_else(world: World, noon: Any) -> None:
    world.shipped()
    later(world, noon, timedelta(hours=2))
    world.hub.advance(NUMBER, "collected", "signed")
    world.pump.drain()
    later(world, noon, timedelta(days=3))
    for order_id in (another(world), somebodys(world)):
        assert told(world.ship(order_id=order_id)) == (409, "tracking_number_used")
        assert orders.load_order(order_id).status is OrderStatus.PAID


def test_only_one_of_two_orders_at_once_gets_the_number(world: World) -> None:
    ids = [world.order.order_id, somebodys(world), somebodys(world)]
    barrier, answers = Barrier(len(ids)), []

    def ship(order_id: str) -> None:
        barrier.wait()
        answers.append(world.ship(order_id=order_id).status)

    threads = [Thread(target=ship, args=(order_id,)) for order_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201, 409, 409]
    assert sum(len(store.of_order(order_id)) for order_id in ids) == 1


def test_orders_of_one_buyer_may_share_a_parcel_until_it_sets_out(world: World, noon: Any) -> None:
    first, early, late = world.shipped(), another(world), ""
    assert world.ship(order_id=early).status == 201
    later(world, noon, timedelta(hours=1))
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()
    later(world, noon, timedelta(hours=1))
    late = another(world)

    assert told(world.ship(order_id=late)) == (409, "tracking_number_used")
    claim = number_store.find("shunfeng", NUMBER)
    assert claim is not None
    assert claim.shipments == (first.shipment_id, store.of_order(early)[0].shipment_id)


def test_a_parcel_of_another_merchant_or_buyer_is_never_shared(world: World) -> None:
    world.shipped()
    theirs = people.merchant("Third")
    order_id = another(world, merchant=theirs.merchant_id)
    path = f"/v1/merchant/orders/{order_id}/shipments"
    body = {"lines": [{"line_id": "1", "quantity": 2}], "carrier": "shunfeng", "tracking_number": NUMBER}

    assert told(call("POST", path, body, token=people.staff(theirs.merchant_id).token)) == (409, "tracking_number_used")
    assert told(world.ship(order_id=somebodys(world))) == (409, "tracking_number_used")


def old_scans(world: World, number: str = NUMBER) -> None:
    """Let the carrier tell of a parcel that was signed for an hour before the order was paid."""
    for hours, code, state in ((30, "103", "1"), (1, "301", "3")):
        at = clock.now() - timedelta(hours=hours)
        world.hub.scan(number, at=at, text=f"earlier {code}", code=code, state=state)


def test_what_happened_before_the_payment_happened_to_another_parcel(world: World, noon: Any) -> None:
    shipment = world.shipped()
    old_scans(world)
    world.hub.push(NUMBER, status="shutdown")
    world.pump.drain()

    found = store.load(shipment.shipment_id)
    assert (found.status, found.scans, found.delivered_at, found.watch) == (Status.CREATED, (), None, Watch.POLLED)
    assert world.now_order().status is OrderStatus.PARTLY_SHIPPED
    later(world, noon, timedelta(hours=2))
    world.hub.advance(NUMBER, "collected", push=False)
    world.pump.pass_time(noon, timedelta(hours=9), step=timedelta(hours=1))
    assert store.load(shipment.shipment_id).status is Status.COLLECTED


def test_a_row_of_earlier_days_learns_when_its_order_was_paid_and_takes_its_number(world: World, noon: Any) -> None:
    shipment = world.shipped()
    claim = number_store.find("shunfeng", NUMBER)
    assert claim is not None
    with UnitOfWork() as work:
        work.delete(number_store._row(claim))
        row = store._row(shipment)
        row.doc.paid_s = None
        work.save(row)
    old_scans(world)
    later(world, noon, timedelta(minutes=5))
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()

    found = store.load(shipment.shipment_id)
    assert (found.status, len(found.scans), found.claimed) == (Status.COLLECTED, 1, True)
    assert found.paid_at == world.now_order().paid_at
    assert told(world.ship(order_id=somebodys(world))) == (409, "tracking_number_used")


def test_an_orders_time_runs_since_we_heard_of_the_delivery(world: World, noon: Any) -> None:
    world.ship(lines=[{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}])
    world.pump.drain()
    shipped_at = clock.now()
    later(world, noon, timedelta(days=6))
    world.hub.scan(NUMBER, at=shipped_at + timedelta(seconds=1), text="signed", code="301", state="3")
    world.hub.push(NUMBER)
    world.pump.drain()

    order = world.now_order()
    assert order.status is OrderStatus.DELIVERED
    assert order.due_at == clock.now() + timedelta(days=7)
    assert order.parcels[0].delivered_at == shipped_at + timedelta(seconds=1)


def test_a_delivery_is_not_dated_before_its_shipment(world: World, noon: Any) -> None:
    later(world, noon, timedelta(hours=5))
    shipment = world.shipped()
    world.hub.scan(NUMBER, at=clock.now() - timedelta(hours=2), text="signed", code="301", state="3")
    world.hub.push(NUMBER)
    world.pump.drain()

    assert store.load(shipment.shipment_id).delivered_at == shipment.shipped_at
    assert world.now_order().parcels[0].delivered_at == shipment.shipped_at


def test_a_hub_that_finds_the_parcel_of_others_moves_nothing(world: World, noon: Any) -> None:
    """The merchant names a wrong carrier; the hub corrects it to the one whose number is another order's."""
    world.shipped()
    stolen = somebodys(world)
    answer = world.ship(order_id=stolen, carrier="yuantong")
    assert answer.status == 201
    world.pump.drain()
    later(world, noon, timedelta(hours=2))
    world.hub.advance(NUMBER, "collected", "signed", push=False)
    journey, shipment_id = world.hub.journeys[NUMBER], answer.json["shipment_id"]
    journey.callback = f"https://shop.example/v1/webhooks/logistics/kuaidi100/{shipment_id}"
    journey.salt = kuaidi100.salt_of(shipment_id)
    world.hub.correct(NUMBER, "shunfeng")
    world.pump.drain()

    found = store.load(answer.json["shipment_id"])
    assert (found.status, found.scans, found.carrier, found.detached) == (Status.CREATED, (), "yuantong", True)
    assert orders.load_order(stolen).status is not OrderStatus.DELIVERED
    assert found.due_at is None
    path = f"/v1/merchant/orders/{stolen}/shipments"
    assert call("GET", path, token=world.staff.token).json["items"][0]["wrong_number"] is True


def test_a_carrier_that_the_hub_corrected_holds_the_number_instead(world: World, noon: Any) -> None:
    world.ship(carrier="yuantong")
    world.pump.drain()
    later(world, noon, timedelta(hours=1))
    world.hub.advance(NUMBER, "collected", push=False)
    world.hub.correct(NUMBER, "shunfeng")
    world.pump.drain()

    assert told(world.ship(order_id=somebodys(world))) == (409, "tracking_number_used")
    assert world.ship(order_id=somebodys(world), carrier="yuantong").status == 201


def test_the_next_question_of_a_corrected_carrier_carries_the_phone(world: World, noon: Any) -> None:
    shipment = store.load(world.ship(carrier="yuantong").json["shipment_id"])
    world.pump.drain()
    assert shipment.phone_tail == ""
    later(world, noon, timedelta(hours=1))
    world.hub.advance(NUMBER, "collected", push=False)
    world.hub.correct(NUMBER, "shunfeng")
    world.pump.drain()
    parcels: list[Any] = []
    asked = subscribing.parcel

    def seen(found: Any) -> Any:
        parcels.append(asked(found))
        return parcels[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subscribing, "parcel", seen)
        world.pump.pass_time(noon, timedelta(hours=50), step=timedelta(hours=1))

    assert [(one.carrier, one.phone_tail) for one in parcels[:1]] == [("shunfeng", "8000")]


def test_the_merchants_digits_are_kept_for_a_carrier_that_is_corrected(world: World) -> None:
    answer = world.ship(carrier="yuantong", phone_tail="4321")

    assert store.load(answer.json["shipment_id"]).phone_tail == "4321"


def test_a_corrected_number_frees_the_one_before(world: World, noon: Any) -> None:
    shipment = world.shipped()
    answer = correct(world, shipment.shipment_id, "SF0000000077", key="correct-01")
    again = correct(world, shipment.shipment_id, "SF0000000077", key="correct-01")
    other = correct(world, shipment.shipment_id, "SF0000000078", key="correct-01")
    world.pump.drain()

    assert (answer.status, answer.json["tracking_number"]) == (200, "SF0000000077")
    assert (again.json, again.headers["idempotency-replayed"]) == (answer.json, "true")
    assert told(other) == (422, "idempotency_key_reused")
    assert store.load(shipment.shipment_id).watch is Watch.WATCHED
    assert world.ship(order_id=somebodys(world)).status == 201
    assert told(world.ship(order_id=somebodys(world), tracking_number="SF0000000077"))[0] == 409
    world.hub.advance(NUMBER, "signed")  # Of the number that was given up.
    world.hub.advance("SF0000000077", "collected")
    world.pump.drain()
    assert store.load(shipment.shipment_id).status is Status.COLLECTED


def test_a_number_is_not_corrected_once_its_parcel_was_seen(world: World, noon: Any) -> None:
    shipment = world.shipped()
    taken = somebodys(world)
    assert world.ship(order_id=taken, tracking_number="SF0000000099").status == 201
    before = store.load(shipment.shipment_id)

    assert told(correct(world, shipment.shipment_id, "sf-0000000099")) == (409, "tracking_number_used")
    assert told(correct(world, shipment.shipment_id, "SF0000000098", carrier="pigeon")) == (422, "unknown_carrier")
    assert told(correct(world, store.of_order(taken)[0].shipment_id, "SF0000000098")) == (404, "not_found")
    assert store.load(shipment.shipment_id) == before
    later(world, noon, timedelta(hours=1))
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()
    assert told(correct(world, shipment.shipment_id, "SF0000000098")) == (409, "number_settled")


def test_a_number_is_corrected_five_times_at_most(world: World) -> None:
    shipment = world.shipped()
    answers = [correct(world, shipment.shipment_id, f"SF000000010{number}") for number in range(6)]

    assert [answer.status for answer in answers] == [200] * 5 + [409]


def test_an_operator_releases_a_number_that_the_carrier_gave_out_again(world: World, noon: Any) -> None:
    world.shipped()
    later(world, noon, timedelta(hours=2))
    world.hub.advance(NUMBER, "collected", "signed")
    world.pump.drain()
    later(world, noon, timedelta(days=500))
    order_id = somebodys(world)
    assert told(world.ship(order_id=order_id)) == (409, "tracking_number_used")
    assert told(release(NUMBER, reason=""))[0] == 422
    assert told(
        call(
            "POST",
            f"/v1/operator/tracking-numbers/shunfeng/{NUMBER}/release",
            {"reason": "me"},
            token=world.staff.token,
        )
    ) == (403, "forbidden")

    freed = release("sf-1234567890", key="release-01")

    assert (freed.status, freed.json["shipment_ids"]) == (200, [])
    assert freed.json["releases"][0]["reason"] == "The carrier gave it out again."
    assert release("sf-1234567890", key="release-01").json == freed.json
    assert told(release(NUMBER)) == (409, "nothing_to_release")
    assert told(release("SF5555555555")) == (404, "not_found")
    assert world.ship(order_id=order_id).status == 201
    held = call("GET", f"/v1/operator/tracking-numbers/shunfeng/{NUMBER}", token=operators_token()).json
    assert len(held["shipment_ids"]) == len(held["releases"]) == 1


def test_a_released_number_tells_its_old_holder_nothing_and_can_be_corrected(world: World, noon: Any) -> None:
    squatter = world.shipped()
    assert release(NUMBER).status == 200
    assert world.ship(order_id=somebodys(world)).status == 201
    later(world, noon, timedelta(hours=1))
    world.hub.advance(NUMBER, "collected", "signed")
    world.pump.drain()

    assert store.load(squatter.shipment_id).status is Status.CREATED
    assert told(correct(world, squatter.shipment_id, NUMBER)) == (409, "tracking_number_used")
    assert correct(world, squatter.shipment_id, "SF0000000055").status == 200
    world.pump.drain()
    later(world, noon, timedelta(hours=1))
    world.hub.advance("SF0000000055", "collected")
    world.pump.drain()
    assert store.load(squatter.shipment_id).status is Status.COLLECTED


def test_a_returned_parcel_is_told_once_and_never_delivered(world: World, noon: Any) -> None:
    shipment = world.shipped()
    for stage in ("collected", "out_for_delivery", "refused", "returning", "in_transit", "out_for_delivery", "signed"):
        later(world, noon, timedelta(hours=1))
        world.hub.advance(NUMBER, stage)
        world.hub.repeat(NUMBER)
        world.pump.drain()

    found = store.load(shipment.shipment_id)
    assert (found.status, found.delivered_at) == (Status.RETURNED, None)
    assert not any("shipment.delivered" in line for line in world.pump.log)
    assert world.now_order().parcels[0].delivered_at is None


def events_of(during: Callable[[], Any]) -> list[str]:
    with facts_told.listening() as told:
        during()
    return [envelope.type for envelope in told]


def test_the_return_is_a_fact_of_its_own(world: World, noon: Any) -> None:
    world.shipped()
    later(world, noon, timedelta(hours=1))

    def back() -> None:
        world.hub.advance(NUMBER, "refused", "returning", "returned")
        world.hub.repeat(NUMBER, 2)
        world.pump.drain()

    assert events_of(back).count("shipment.returned") == 1
