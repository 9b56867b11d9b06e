"""Parcels that went missing: found out by the clock or said by a person, and what their buyer gets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.roles import Role
from chalicelib.logistics import losing, store
from chalicelib.logistics.domain import Status
from chalicelib.orders.service import OrderStatus
from tests.integration.logistics.test_logistics import NUMBER, World, hub, world, writes_during
from tests.support import people
from tests.support.http import Answer, call

__all__ = ["hub", "world"]

ALL = [{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}]


def shipped(world: World) -> str:
    answer = world.ship(lines=ALL)
    assert answer.status == 201, answer.body
    world.pump.drain()
    return str(answer.json["shipment_id"])


def days(world: World, noon: Any, count: int) -> None:
    """Let days pass, in each of which the hub is asked once."""
    for _ in range(count):
        noon.advance(timedelta(days=1, seconds=1))
        world.pump.due()
        world.pump.drain()


def received(world: World, shipment_id: str, *, token: str = "", key: str | None = None) -> Answer:
    path = f"/v1/orders/{world.order.order_id}/shipments/{shipment_id}/received"
    return call("POST", path, {}, token=token or people.token(world.buyer.account_id), key=key)


def report(world: World, shipment_id: str, reason: str = "The carrier says so.", key: str | None = None) -> Answer:
    path = f"/v1/merchant/orders/{world.order.order_id}/shipments/{shipment_id}/lost"
    token = people.token(world.staff.account_id, Role.MERCHANT_STAFF, merchant_id=world.order.merchant_id)
    return call("POST", path, {"reason": reason}, token=token, key=key)


def settle(world: World, shipment_id: str, how: str) -> Answer:
    path = f"/v1/operator/orders/{world.order.order_id}/shipments/{shipment_id}/settle"
    return call("POST", path, {"how": how, "reason": "The carrier's receipt."}, token=people.operator().token)


def test_a_parcel_of_which_the_hub_knows_nothing_new_for_fifteen_days_is_lost_and_may_be_found(
    world: World, noon: Any
) -> None:
    shipment_id = shipped(world)
    noon.advance(timedelta(hours=5))
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()
    seen_at = store.load(shipment_id).news_at
    assert seen_at is not None

    days(world, noon, 14)
    assert store.load(shipment_id).status is Status.COLLECTED
    days(world, noon, 5)  # A hub that tells nothing new is asked ever less often.
    order = world.now_order()
    assert (store.load(shipment_id).status, order.status) == (Status.LOST, OrderStatus.TURNED_BACK)
    assert (order.parcels[0].lost, order.parcels[0].turned_back_at) == (True, seen_at)
    assert order.unshipped() == {"1": 2, "2": 1}
    [parcel] = world.follow(**{"accept-language": "en"})
    assert parcel["status_text"] == "Lost on its way; the merchant sends it again or pays it back"

    world.hub.advance(NUMBER, "signed")
    world.pump.drain()
    order = world.now_order()
    assert (store.load(shipment_id).status, order.status) == (Status.DELIVERED, OrderStatus.DELIVERED)
    assert not order.parcels[0].lost


def test_while_the_hub_does_not_answer_nothing_is_lost(world: World, noon: Any) -> None:
    shipment_id = shipped(world)
    world.hub.advance(NUMBER, "collected")
    world.pump.drain()
    world.hub.handle = lambda *_: (500, {}, b"")  # type: ignore[method-assign]
    days(world, noon, 20)
    assert store.load(shipment_id).status is Status.COLLECTED


def test_what_nobody_proved_is_taken_for_lost_after_thirty_days_and_never_confirmed(world: World, noon: Any) -> None:
    """Also without a watch: this parcel's number is another's, and its merchant never corrected it."""
    from chalicelib.checkout import service as checkout
    from chalicelib.runtime.db.work import UnitOfWork

    shipment_id = shipped(world)
    with UnitOfWork() as work:
        store.save(work, replace(store.load(shipment_id), detached=True))
    noon.advance(timedelta(days=29, hours=23))
    checkout.order_timed_out(world.order.order_id)
    assert world.now_order().status is OrderStatus.SHIPPED
    noon.advance(timedelta(hours=2))
    for _ in range(2):  # It is told again.
        checkout.order_timed_out(world.order.order_id)

    order = world.now_order()
    assert (order.status, order.parcels[0].lost, order.unshipped()) == (
        OrderStatus.TURNED_BACK,
        True,
        {"1": 2, "2": 1},
    )
    assert [entry.status for entry in order.history].count("turned_back") == 1
    assert order.due_at == clock.now() + timedelta(days=15)


def test_a_buyers_own_word_is_a_signature(world: World, noon: Any) -> None:
    shipment_id = shipped(world)
    noon.advance(timedelta(days=5))
    assert report(world, shipment_id).status == 200
    world.pump.drain()
    assert world.now_order().status is OrderStatus.TURNED_BACK
    assert received(world, shipment_id, token=people.token(world.stranger.account_id)).status == 404

    first = received(world, shipment_id, key="it-is-there")
    again = received(world, shipment_id, key="it-is-there")
    world.pump.drain()
    assert (first.status, first.json["status"], first.json["delivered_at"]) == (
        200,
        "delivered",
        again.json["delivered_at"],
    )
    assert again.headers["idempotency-replayed"] == "true"
    assert received(world, shipment_id).json["code"] == "illegal_transition"
    order = world.now_order()
    assert (order.status, order.due_at) == (OrderStatus.DELIVERED, clock.now() + timedelta(days=7))


def test_a_merchant_says_so_once_and_not_of_what_was_just_seen(world: World, noon: Any) -> None:
    shipment_id = shipped(world)
    assert report(world, shipment_id).json["code"] == "too_soon_to_be_lost"
    assert writes_during(lambda: report(world, shipment_id)) == []
    noon.advance(timedelta(days=3))
    done = report(world, shipment_id, key="the-carrier-lost-it")
    assert (done.status, done.json["status"]) == (200, "lost")
    assert report(world, shipment_id, "Another reason.", key="the-carrier-lost-it").status == 422
    assert report(world, shipment_id).json["code"] == "illegal_transition"
    word = store.load(shipment_id).word
    assert word is not None
    assert (word.by, word.reason) == (world.staff.account_id, "The carrier says so.")


@pytest.mark.parametrize(
    ("how", "parcel", "order"),
    [
        ("delivered", Status.DELIVERED, OrderStatus.DELIVERED),
        ("returned", Status.RETURNED, OrderStatus.TURNED_BACK),
        ("lost", Status.LOST, OrderStatus.TURNED_BACK),
    ],
)
def test_an_operator_with_proof_settles_it(
    world: World, noon: Any, how: str, parcel: Status, order: OrderStatus
) -> None:
    shipment_id = shipped(world)
    noon.advance(timedelta(days=4))
    assert settle(world, shipment_id, how).status == 200
    world.pump.drain()
    assert (store.load(shipment_id).status, world.now_order().status) == (parcel, order)


def test_what_a_buyer_refused_or_what_is_only_late_must_be_waited_for(world: World, noon: Any) -> None:
    path = f"/v1/orders/{world.order.order_id}/end-waiting"

    def end() -> Answer:
        return call("POST", path, {}, token=people.token(world.buyer.account_id))

    assert (end().status, end().json["code"]) == (409, "not_late")
    shipped(world)
    assert end().json["code"] == "not_late"
    world.hub.advance(NUMBER, "refused")
    world.pump.drain()
    assert world.now_order().status is OrderStatus.TURNED_BACK
    assert end().json["code"] == "not_late"
    assert writes_during(end) == []


def test_silence_needs_a_question_and_a_parcel_that_may_be_lost(world: World, noon: Any) -> None:
    shipment = store.load(shipped(world))
    late = shipment.shipped_at + losing.SILENT_FOR + timedelta(seconds=1)
    asked = replace(shipment, asked_at=late)
    assert losing.is_silent(asked, now=late)
    for other in (
        shipment,
        replace(asked, detached=True),
        replace(asked, status=Status.DELIVERED),
        replace(asked, status=Status.RETURNED),
        replace(asked, status=Status.LOST),
        replace(asked, carrier=None),
    ):
        assert not losing.is_silent(other, now=late)
    assert not losing.is_silent(asked, now=late - timedelta(seconds=2))
