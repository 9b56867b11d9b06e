"""Times of services over HTTP and the embedded engine: nobody is booked twice into one place, and no place is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, product
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.bookings import service, store
from chalicelib.bookings.domain import Slot
from chalicelib.checkout import service as checkout
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, PaidBack
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people, sales
from tests.support.http import Answer, call
from tests.support.pump import UNPUBLISHED, Pump
from tools.bench import metering

MASSAGE = 8_800


@dataclass
class Salon:
    """A merchant with a service that has times, and a buyer of it."""

    clock: Any
    merchant_id: str
    made: goods.Made
    buyer: people.Person
    staff: people.Person
    pump: Pump

    def as_buyer(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        return call(method, path, body, token=people.token(self.buyer.account_id), key=key)

    def as_staff(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        token = people.token(self.staff.account_id, Role.MERCHANT_STAFF, merchant_id=self.merchant_id)
        return call(method, path, body, token=token, key=key)

    @property
    def slots_path(self) -> str:
        return f"products/{self.made.product_id}/skus/{self.made.sku_id}/slots"

    def offer(self, *starts: datetime, capacity: int = 1, minutes: int = 60, **more: Any) -> Answer:
        slots = [{"starts_at": one.isoformat(), "minutes": minutes, "capacity": capacity} for one in starts]
        return self.as_staff("PUT", f"/v1/merchant/{self.slots_path}", {"slots": slots, **more})

    def order(self, quantity: int = 1, *, paid: bool = True) -> Order:
        made = (sales.paid if paid else sales.placed)(self.buyer.account_id, (self.merchant_id, (self.line(quantity),)))
        return made.orders[0]

    def line(self, quantity: int = 1) -> Any:
        line = sales.line("1", quantity, MASSAGE, kind="service")
        return replace(line, sku_id=self.made.sku_id, product_id=self.made.product_id)

    def book(self, order: Order, starts_at: datetime, quantity: int = 1, *, key: str | None = None) -> Answer:
        body = {"line_id": "1", "starts_at": starts_at.isoformat(), "quantity": quantity}
        return self.as_buyer("POST", f"/v1/orders/{order.order_id}/bookings", body, key=key)

    def seen(self, order: Order) -> list[Any]:
        found: list[Any] = self.as_buyer("GET", f"/v1/orders/{order.order_id}/bookings").json["items"]
        return found

    def act(self, order: Order, booking_id: str, what: str, body: Any = None, *, key: str | None = None) -> Answer:
        path = f"/v1/orders/{order.order_id}/bookings/{booking_id}/{what}"
        return self.as_buyer("POST", path, body or {}, key=key)

    def redeem(self, code: str, *, key: str | None = None) -> Answer:
        return self.as_staff("POST", "/v1/merchant/bookings/redeem", {"code": code}, key=key)

    def slot(self, starts_at: datetime) -> Slot:
        return store.slot(self.made.sku_id, starts_at)

    def taken(self, *starts: datetime) -> list[int]:
        return [self.slot(one).taken for one in starts]


@pytest.fixture
def salon(cloud: str, noon: Any) -> Salon:
    merchant = people.merchant()
    made = goods.product(merchant.merchant_id, kind="service", stock=0)
    staff = people.staff(merchant.merchant_id)
    return Salon(noon, merchant.merchant_id, made, people.buyer(), staff, Pump(leaves=UNPUBLISHED))


def day(number: int) -> datetime:
    return datetime(2026, 11, 22, 2, tzinfo=UTC) + timedelta(days=number)


def span(since: int, until: int) -> str:
    return f"?since={day(since):%Y-%m-%dT%H:%M:%SZ}&until={day(until):%Y-%m-%dT%H:%M:%SZ}"


def to(number: int) -> dict[str, str]:
    return {"starts_at": day(number).isoformat()}


def told(answer: Answer) -> tuple[int, str, str]:
    return answer.status, str(answer.json.get("code")), str(answer.json.get("why", ""))


# --- offering and seeing ----------------------------------------------------------------------------------------------


def test_a_merchant_offers_times_and_everybody_sees_what_is_left(salon: Salon) -> None:
    offered = salon.offer(day(1), day(2), capacity=3, change_hours=12, moves=1)
    assert (offered.status, [one["capacity"] for one in offered.json["items"]]) == (200, [3, 3]), offered.body
    salon.book(salon.order(2), day(2), 2)
    query = span(0, 30)
    seen = call("GET", f"/v1/{salon.slots_path}{query}")
    assert [(one["left"], one["moves"], one["change_until"]) for one in seen.json["items"]] == [
        (3, 1, "2026-11-22T14:00:00.000Z"),
        (1, 1, "2026-11-23T14:00:00.000Z"),
    ]
    assert seen.headers["etag"]
    own = salon.as_staff("GET", f"/v1/merchant/{salon.slots_path}{query}")
    assert [(one["capacity"], one["taken"]) for one in own.json["items"]] == [(3, 0), (3, 2)]
    # Nobody's place is taken away, nor is the time another than was agreed; more may come, or none besides.
    assert told(salon.offer(day(2), capacity=1))[:2] == (409, "slot_in_use")
    assert told(salon.offer(day(1), day(2), capacity=4, minutes=30))[:2] == (409, "slot_in_use")
    assert salon.slot(day(1)).capacity == 3
    assert salon.offer(day(2), capacity=2).json["items"][0]["left"] == 0
    salon.clock.advance(timedelta(days=1))
    assert [one["left"] for one in call("GET", f"/v1/{salon.slots_path}{query}").json["items"]] == [0]


def test_what_is_no_time_is_refused_before_anything_is_written(salon: Salon) -> None:
    past = day(0) - timedelta(days=1)
    assert salon.offer(past).json["errors"][0]["code"] == "not_ahead"
    assert salon.offer(day(400)).json["errors"][0]["code"] == "not_ahead"
    assert salon.offer(day(1), day(1)).json["errors"][0]["code"] == "same_time_twice"
    assert salon.offer(day(1) + timedelta(seconds=1)).json["errors"][0]["code"] == "not_on_the_minute"
    assert salon.offer(day(1).replace(tzinfo=None)).json["errors"][0]["code"] == "no_zone"
    physical = goods.product(salon.merchant_id)
    salon.made, made = physical, salon.made
    assert told(salon.offer(day(1)))[:2] == (422, "not_a_service")
    salon.made = goods.Made(made.product_id, (made.sku_id.replace("_01", "_02"),))
    assert told(salon.offer(day(1)))[:2] == (404, "not_found")
    other = goods.product(people.merchant().merchant_id, kind="service")
    salon.made = other
    assert told(salon.offer(day(1)))[:2] == (404, "not_found")
    assert store.slots(made.sku_id, day(-1), day(30), limit=10) == []


# --- booking, moving, cancelling --------------------------------------------------------------------------------------


def test_a_paid_order_is_booked_and_its_code_taken_once(salon: Salon) -> None:
    salon.offer(day(20))
    order = salon.order()
    booked = salon.book(order, day(20), key="book-it-once")
    assert (booked.status, booked.json["status"], len(booked.json["code"])) == (201, "booked", 12), booked.body
    again = salon.book(order, day(20), key="book-it-once")
    assert (again.json, again.headers["idempotency-replayed"]) == (booked.json, "true")
    assert told(salon.book(order, day(21), key="book-it-once"))[:2] == (422, "idempotency_key_reused")
    assert told(salon.book(order, day(20))) == (409, "not_bookable", "units")
    # The order waits for the day instead of being called off for not having been shipped.
    assert orders.load_order(order.order_id).due_at == day(20) + timedelta(hours=1, days=4)
    salon.pump.pass_time(salon.clock, timedelta(days=19), step=timedelta(days=1))
    assert orders.load_order(order.order_id).status == "paid"
    code = booked.json["code"]
    (planned,) = salon.as_staff("GET", f"/v1/merchant/bookings{span(19, 22)}").json["items"]
    assert (planned["booking_id"], planned["status"]) == (booked.json["booking_id"], "booked")
    assert code not in str(planned)
    assert told(salon.redeem("000000000000"))[:2] == (404, "unknown_code")
    taken = salon.redeem(code, key="take-the-code")
    assert (taken.status, taken.json["status"]) == (200, "redeemed"), taken.body
    assert salon.redeem(code, key="take-the-code").headers["idempotency-replayed"] == "true"
    assert told(salon.redeem(code))[:2] == (409, "illegal_transition")
    after = orders.load_order(order.order_id)
    assert (after.status, after.appointments, after.kept()) == ("delivered", (), {"1": 1})
    assert "code" not in salon.seen(order)[0]
    salon.pump.pass_time(salon.clock, timedelta(days=8), step=timedelta(days=1))
    assert orders.load_order(order.order_id).status == "completed"


def test_a_place_is_kept_until_the_order_is_paid_or_over(salon: Salon) -> None:
    salon.offer(day(1), capacity=2)
    orders_of_two = [salon.order(paid=False), salon.order(paid=False)]
    for order in orders_of_two:
        held = salon.book(order, day(1))
        assert (held.json["status"], "code" in held.json) == ("held", False)
    assert told(salon.book(salon.order(), day(1))) == (409, "slot_refused", "full")
    pay(orders_of_two[0])
    assert [one["status"] for one in salon.seen(orders_of_two[0])] == ["booked"]  # Though it is noted later only.
    salon.pump.pass_time(salon.clock, timedelta(minutes=11), step=timedelta(minutes=11))
    assert [store.of_order(one.order_id)[0].status for one in orders_of_two] == ["booked", "held"]
    checkout.expire(orders_of_two[1].purchase_id)
    salon.pump.pass_time(salon.clock, timedelta(minutes=21), step=timedelta(minutes=7))
    assert [store.of_order(one.order_id)[0].status for one in orders_of_two] == ["booked", "void"]
    assert salon.taken(day(1)) == [1]
    assert orders.load_order(orders_of_two[1].order_id).appointments == ()
    assert salon.book(salon.order(), day(1)).status == 201


def pay(order: Order) -> None:
    sale = orders.load_sale(order.purchase_id)
    with UnitOfWork() as work:
        orders.settle(
            work, sale, payment_id=f"pay_{order.purchase_id[4:]}_01", captured=sale.purchase.total, at=clock.now()
        )


def test_a_code_of_an_order_that_was_just_paid_is_taken_at_once(salon: Salon) -> None:
    salon.offer(day(1))
    order = salon.order(paid=False)
    booking_id = salon.book(order, day(1)).json["booking_id"]
    code = store.load(order.order_id, booking_id).code
    assert told(salon.redeem(code))[:2] == (409, "illegal_transition")
    pay(order)
    assert [one["what"] for one in salon.redeem(code).json["history"]] == ["pay", "redeem"]


def test_a_buyer_moves_and_cancels_as_the_rules_say(salon: Salon) -> None:
    salon.offer(day(2), day(3), day(4), change_hours=24, moves=2)
    order = salon.order()
    booking_id = salon.book(order, day(2)).json["booking_id"]
    moved = salon.act(order, booking_id, "move", to(3), key="move-it-once")
    assert (moved.status, moved.json["moves_left"], salon.taken(day(2), day(3))) == (200, 1, [0, 1]), moved.body
    assert salon.act(order, booking_id, "move", to(3), key="move-it-once").json == moved.json
    assert told(salon.act(order, booking_id, "move", to(3))) == (
        409,
        "slot_refused",
        "same",
    )
    assert told(salon.act(order, booking_id, "move", to(9)))[:2] == (404, "not_found")
    assert salon.act(order, booking_id, "move", to(4)).status == 200
    assert told(salon.act(order, booking_id, "move", to(2))) == (
        409,
        "booking_fixed",
        "moves",
    )
    assert orders.load_order(order.order_id).appointments[0].ends_at == day(4) + timedelta(hours=25)
    cancelled = salon.act(order, booking_id, "cancel")
    assert (cancelled.json["status"], salon.taken(day(2), day(3), day(4))) == ("cancelled", [0, 0, 0])
    assert told(salon.act(order, booking_id, "cancel"))[:2] == (409, "illegal_transition")
    second = salon.book(order, day(2)).json["booking_id"]
    salon.clock.advance(timedelta(days=1))
    assert told(salon.act(order, second, "cancel")) == (409, "booking_fixed", "late")
    assert told(salon.act(order, second, "move", to(2))) == (409, "booking_fixed", "late")
    # Nor by calling off the order: somebody keeps the time free.
    refused = salon.as_buyer("POST", f"/v1/orders/{order.order_id}/cancel", {"reason": "changed my mind"})
    assert told(refused)[:2] == (409, "appointment_fixed")


def test_a_merchant_who_cannot_gives_the_time_back(salon: Salon) -> None:
    salon.offer(day(1))
    order = salon.order()
    booking_id = salon.book(order, day(1)).json["booking_id"]
    path = f"/v1/merchant/orders/{order.order_id}/bookings/{booking_id}/decline"
    declined = salon.as_staff("POST", path, {"reason": "Our masseuse is ill."})
    assert (declined.json["status"], declined.json["history"][-1]["note"]) == ("declined", "Our masseuse is ill.")
    assert salon.taken(day(1)) == [0]
    assert orders.load_order(order.order_id).appointments == ()


def test_nobody_came_and_the_time_was_kept(salon: Salon) -> None:
    salon.offer(day(1))
    order = salon.order()
    salon.book(order, day(1))
    salon.pump.pass_time(salon.clock, timedelta(hours=46), step=timedelta(hours=2))
    assert salon.seen(order)[0]["status"] == "booked"
    salon.pump.pass_time(salon.clock, timedelta(hours=2), step=timedelta(hours=2))
    assert salon.seen(order)[0]["status"] == "missed"
    assert orders.load_order(order.order_id).status == "delivered"


def test_units_that_are_paid_back_free_their_time_the_latest_first(salon: Salon) -> None:
    salon.offer(day(1), day(2), capacity=5)
    order = salon.order(3)
    salon.book(order, day(1), 1)
    late = salon.book(order, day(2), 2).json["booking_id"]
    code = store.load(order.order_id, late).code
    with UnitOfWork() as work:
        orders.pay_back(work, orders.load_order(order.order_id), PaidBack("ref_x", Money(MASSAGE), units=(("1", 1),)))
    assert told(salon.redeem(code))[:2] == (409, "illegal_transition")  # Before anybody has heard of it.
    salon.pump.drain()
    assert [one["status"] for one in salon.seen(order)] == ["booked", "void"]
    assert salon.taken(day(1), day(2)) == [1, 0]
    assert [one.line_id for one in orders.load_order(order.order_id).appointments] == ["1"]
    assert salon.book(order, day(2), 1).status == 201
    assert told(salon.book(order, day(2), 1)) == (409, "not_bookable", "units")


def test_what_is_booked_is_not_sent_otherwise(salon: Salon) -> None:
    salon.offer(day(1))
    order = salon.order(2)
    salon.book(order, day(1), 1)
    path = f"/v1/merchant/orders/{order.order_id}/shipments"
    both = salon.as_staff("POST", path, {"lines": [{"line_id": "1", "quantity": 2}], "note": "done"})
    assert told(both)[:2] == (409, "over_shipped")
    assert salon.as_staff("POST", path, {"lines": [{"line_id": "1", "quantity": 1}], "note": "done"}).status == 201


def test_what_cannot_be_booked_is_refused(salon: Salon) -> None:
    salon.offer(day(1), capacity=9)
    order = salon.order()
    mine = salon.buyer
    salon.buyer = people.buyer()
    assert told(salon.book(order, day(1)))[:2] == (404, "not_found")
    salon.buyer = mine
    tea = sales.paid(mine.account_id, (salon.merchant_id, (sales.line("1"),))).orders[0]
    assert told(salon.book(tea, day(1))) == (409, "not_bookable", "kind")
    assert told(salon.book(order, day(2)))[:2] == (404, "not_found")
    assert told(salon.book(order, day(1), 2)) == (409, "not_bookable", "units")
    salon.clock.advance(timedelta(days=1))
    assert told(salon.book(order, day(1))) == (409, "slot_refused", "past")
    assert salon.taken(day(1)) == [0]


def test_a_merchant_cannot_guess_codes(salon: Salon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.bookings.domain.MISSES", 2)
    salon.offer(day(1))
    code = salon.book(salon.order(), day(1)).json["code"]
    for number in range(2):
        assert salon.redeem(f"{number:012d}").status == 404
    assert told(salon.redeem("000000000002"))[:2] == (429, "too_many_codes")
    assert salon.redeem(code).status == 429
    salon.clock.advance(timedelta(hours=1))
    assert salon.redeem(code).status == 200


def test_another_merchants_code_is_none(salon: Salon) -> None:
    salon.offer(day(1))
    code = salon.book(salon.order(), day(1)).json["code"]
    salon.merchant_id = people.merchant().merchant_id
    salon.staff = people.staff(salon.merchant_id)
    assert told(salon.redeem(code))[:2] == (404, "unknown_code")


# --- at once, and cut off anywhere ------------------------------------------------------------------------------------


def test_twelve_buyers_at_once_get_the_four_places_there_are(salon: Salon) -> None:
    salon.offer(day(1), capacity=4)
    bought = [salon.order() for _ in range(12)]
    barrier, answers = Barrier(12), []

    def rush(order: Order) -> None:
        barrier.wait()
        answers.append(salon.book(order, day(1)))

    threads = [Thread(target=rush, args=(order,)) for order in bought]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [201] * 4 + [409] * 8
    assert {told(answer) for answer in answers if answer.status == 409} == {(409, "slot_refused", "full")}
    assert salon.taken(day(1)) == [4]
    assert sum(len(store.of_order(order.order_id)) for order in bought) == 4


class _Cut(Exception):
    """The process ended here."""


def _cutting(number: int, *, applied: bool) -> Any:
    """Return a hook that ends the process at its n-th call, before the call or right after it."""
    made = count(1)

    def hook(kind: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if next(made) != number:
            return proceed()
        if applied:
            proceed()
        raise _Cut

    return hook


def test_cut_off_at_every_call_and_repeated_it_is_booked_moved_and_ended_exactly_once(salon: Salon) -> None:
    salon.offer(day(2), day(3), capacity=900)
    buyer = salon.buyer.account_id

    def story(order: Order, name: str) -> None:
        wanted = service.Wanted(order.order_id, "1", day(2), 1)
        booking, _ = service.book(buyer, wanted, system_intent(f"{name}#book"))
        service.move(buyer, order.order_id, booking.booking_id, day(3), system_intent(f"{name}#move"))
        service.redeem(salon.merchant_id, booking.code, system_intent(f"{name}#redeem"))

    bought: list[Order] = []
    cuts = 0
    for applied, number in product((False, True), range(1, 16)):
        order, name = salon.order(), f"{applied}#{number}"
        bought.append(order)
        try:
            with aws.hooked(_cutting(number, applied=applied)):
                story(order, name)
        except _Cut:
            cuts += 1
            story(order, name)  # The caller asks again, under the same keys.
    assert cuts == 2 * 12
    found = [store.of_order(order.order_id) for order in bought]
    assert [[one.status for one in each] for each in found] == [["redeemed"]] * len(bought)
    assert salon.taken(day(2), day(3)) == [0, len(bought)]
    assert all(orders.load_order(order.order_id).kept() == {"1": 1} for order in bought)


def test_each_step_costs_what_it_must(salon: Salon) -> None:
    salon.offer(day(2), day(3), capacity=5)
    order = salon.order()
    buyer = salon.buyer.account_id
    costs: dict[str, tuple[int, float, float]] = {}

    def step(name: str, act: Callable[[], Any]) -> Any:
        with metering.measured() as meter:
            done = act()
        costs[name] = (meter.calls, meter.write_units, meter.read_units)
        return done

    wanted = service.Wanted(order.order_id, "1", day(2), 1)
    booking, _ = step("book", lambda: service.book(buyer, wanted, system_intent("book")))
    place = (buyer, order.order_id, booking.booking_id)
    step("move", lambda: service.move(*place, day(3), system_intent("move")))
    step("list", lambda: service.of_order(order.order_id, buyer))
    step("redeem", lambda: service.redeem(salon.merchant_id, booking.code, system_intent("redeem")))
    assert costs == {
        "book": (4, 10.0, 3.0),
        "move": (4, 12.0, 3.0),
        "list": (2, 0.0, 1.0),
        "redeem": (4, 6.0, 4.0),
    }
