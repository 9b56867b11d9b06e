"""Where the units of an order are: none is paid back twice, what never left is in stock again, an order ends right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.complaints import store as complaints
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Role
from chalicelib.orders import rows, store
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import people, shop
from tests.support.http import Answer, call
from tests.support.paying import Till, accounts, story

STOCK = 20
UNIT = 1000
FREIGHT = 600
SAID = {"text": "Decided.", "facts": "The units never left.", "rule": "CN-ECL-20-1"}
GROUNDS = {**SAID, "payer": "platform"}


@dataclass
class World:
    """A shop with one SKU, a buyer who has paid for some units of it, and an operator."""

    till: Till
    market: shop.Shop
    buyer: shop.Buyer
    sku_id: str
    staff: people.Person
    order_id: str = ""
    parcels: int = 0

    def buys(self, units: int = 5) -> World:
        placed = self.buyer.buy((self.sku_id, units))
        self.order_id = placed["order_ids"][0]
        path = f"/v1/purchases/{placed['purchase_id']}/payments"
        payment_id = self.buyer.post(path, {"provider": "sandbox"}).json["payment_id"]
        self.till.sandbox.pay(payment_id)
        self.till.settle()
        assert self.seen()["status"] == "paid"
        return self

    def seen(self) -> Any:
        return self.buyer.get(f"/v1/orders/{self.order_id}").json

    def order(self) -> Order:
        return orders.load_order(self.order_id)

    def ship(self, units: int) -> Answer:
        self.parcels += 1
        body = {
            "lines": [{"line_id": "1", "quantity": units}],
            "carrier": "shunfeng",
            "tracking_number": f"SF{self.parcels:010d}",
        }
        return self.market.post(f"/v1/merchant/orders/{self.order_id}/shipments", body)

    def shipped(self, units: int) -> World:
        answer = self.ship(units)
        assert answer.status == 201, answer.body
        self.till.settle()
        return self

    def arrived(self) -> World:
        """Let every parcel that is on its way be signed for."""
        for parcel in self.order().parcels:
            if parcel.turned_back_at is None:
                orders.record_delivery(self.order_id, parcel.shipment_id, clock.now())
        return self

    def available(self) -> int:
        return inventory.level(self.sku_id).available

    def to_ship(self) -> list[str]:
        items = self.market.get("/v1/merchant/orders?view=to_ship").json["items"]
        return [item["order_id"] for item in items]

    def operate(self, path: str, body: Any) -> Answer:
        token = people.token(self.till.operator.account_id, Role.BUYER, Role.OPERATOR)
        return call("POST", path, body, token=token)

    def refund(self, **wish: Any) -> Answer:
        purchase_id = "pur_" + self.order_id.split("_")[1]
        body = {"order_id": self.order_id, "reason": "operator", **wish}
        answer = self.operate(f"/v1/operator/purchases/{purchase_id}/refunds", body)
        self.till.settle()
        return answer

    def refund_units(self, units: int, **more: Any) -> Answer:
        return self.refund(lines=[{"line_id": "1", "quantity": units}], **more)

    def refund_amount(self, minor: int) -> Answer:
        return self.refund(amount={"minor": minor, "currency": "CNY"})

    def file(self, reason: str = "not_received", line_id: str = "1") -> Answer:
        body = {"order_id": self.order_id, "line_id": line_id, "reason": reason, "text": "Two are missing."}
        return self.buyer.post("/v1/complaints", body)

    def filed(self, reason: str = "not_received") -> str:
        answer = self.file(reason)
        assert answer.status == 201, answer.body
        return str(answer.json["complaint_id"])

    def offer(self, complaint_id: str, minor: int) -> Answer:
        body = {"answer": "refund", "amount": {"minor": minor, "currency": "CNY"}, "text": "Sorry."}
        return self.market.post(f"/v1/merchant/complaints/{complaint_id}/reply", body)

    def complained(self, minor: int, reason: str = "not_received") -> World:
        complaint_id = self.filed(reason)
        assert self.offer(complaint_id, minor).status == 200
        assert self.buyer.post(f"/v1/complaints/{complaint_id}/accept").status == 200
        self.till.settle()
        assert complaints.load(complaint_id).status == "resolved"
        return self

    def decided(self, minor: int, reason: str = "not_received") -> World:
        complaint_id = self.filed(reason)
        self.market.post(f"/v1/merchant/complaints/{complaint_id}/reply", {"answer": "reject", "text": "No."})
        self.buyer.post(f"/v1/complaints/{complaint_id}/escalate", {"text": "Look."})
        body = {"decision": "refund", "amount": {"minor": minor, "currency": "CNY"}, **GROUNDS}
        answer = self.operate(f"/v1/operator/complaints/{complaint_id}/decision", body)
        assert answer.status == 200, answer.body
        self.till.settle()
        return self

    def days(self, days: float) -> None:
        self.till.clock.advance(timedelta(days=days))
        for _ in range(3):
            self.till.pump.due()
            self.till.settle()
        self.buyer.token = people.token(self.buyer.account_id)
        merchant_id = self.market.merchant_id
        self.market.token = people.token(self.staff.account_id, Role.MERCHANT_STAFF, merchant_id=merchant_id)

    def back(self) -> int:
        """Return what went back to the buyer, by the provider's own books."""
        assert self.order().under_way == Money(0)
        refunds = story(orders.load_sale(self.order().purchase_id)).refunds
        assert self.order().refunded == Money(sum(one.amount.minor for one in refunds))
        return sum(refund.amount.minor for refund in refunds if refund.status == "succeeded")


@pytest.fixture
def world(cloud: str, noon: Any) -> World:
    till = Till.open(noon)
    merchant = people.merchant(freight=FREIGHT, free_from=None)
    staff = people.staff(merchant.merchant_id)
    market = shop.Shop(merchant.merchant_id, staff.token)
    made = market.product(price_minor=UNIT, stock=STOCK)
    return World(till, market, shop.buyer(), made.sku_id, staff)


# --- what is paid back once -------------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[World], Any]] = {
    "the merchant offers, the buyer accepts": lambda world: world.complained(2 * UNIT),
    "for parts that were missing": lambda world: world.complained(2 * UNIT, "missing_parts"),
    "because it is late": lambda world: world.complained(2 * UNIT, "late"),
    "for another reason": lambda world: world.complained(2 * UNIT, "other"),
    "an operator decides": lambda world: world.decided(2 * UNIT),
    "an operator refunds the units": lambda world: world.refund_units(2),
    "an operator refunds them one by one": lambda world: (world.refund_units(1), world.refund_units(1)),
    "a complaint about one, an operator for the other": lambda world: (world.complained(UNIT), world.refund_units(1)),
}


@pytest.mark.parametrize("way", WAYS)
def test_units_that_were_paid_back_are_not_sent_and_not_paid_back_again(world: World, way: str) -> None:
    world.buys(5).shipped(3)
    WAYS[way](world)

    seen = world.seen()
    assert (seen["status"], seen["given_up"], seen["refunded"]["minor"]) == ("shipped", {"1": 2}, 2 * UNIT)
    assert world.available() == STOCK - 3
    assert world.to_ship() == []
    assert world.ship(1).status == 409
    world.arrived().days(8)

    assert world.seen()["status"] == "completed"
    assert world.back() == 2 * UNIT
    assert world.available() == STOCK - 3


def test_an_amount_for_nothing_in_particular_is_set_against_the_rest(world: World) -> None:
    world.buys(5).shipped(3)
    world.refund_amount(1500)
    assert world.seen()["status"] == "partly_shipped"
    world.days(16)

    assert (world.seen()["status"], world.seen()["given_up"]) == ("shipped", {"1": 2})
    assert world.back() == 2 * UNIT
    assert world.available() == STOCK - 3


def test_half_of_what_is_missing_is_completed_when_the_rest_is_given_up(world: World) -> None:
    world.buys(5).shipped(3).complained(1500)
    assert (world.seen()["given_up"], world.available()) == ({"1": 1}, STOCK - 4)
    world.days(16)

    assert world.back() == 2 * UNIT
    assert world.available() == STOCK - 3


@pytest.mark.parametrize("reason", ["damaged", "quality", "wrong_item", "counterfeit", "not_as_described", "service"])
def test_compensation_for_goods_that_came_returns_nothing_to_stock_and_leaves_the_rest_owed(
    world: World, reason: str
) -> None:
    world.buys(5).shipped(3).complained(UNIT, reason)
    assert (world.seen()["status"], world.seen()["given_up"]) == ("partly_shipped", {})
    assert world.available() == STOCK - 5
    world.days(16)

    assert world.back() == 3 * UNIT
    assert world.available() == STOCK - 3


def test_units_that_came_and_were_paid_back_stay_out_of_stock(world: World) -> None:
    world.buys(5).shipped(5)
    world.refund_units(2)
    world.complained(UNIT)

    assert (world.seen()["given_up"], world.available()) == ({}, STOCK - 5)
    assert world.back() == 3 * UNIT


def test_the_rest_that_never_left_goes_back_to_stock_when_it_is_given_up(world: World) -> None:
    world.buys(5).shipped(3)
    world.days(16)

    seen = world.seen()
    assert (seen["status"], seen["given_up"], seen["refunded"]["minor"]) == ("shipped", {"1": 2}, 2 * UNIT)
    assert [parcel["lines"] for parcel in seen["parcels"]] == [{"1": 3}]
    assert world.available() == STOCK - 3
    left = world.refund_units(4)
    assert (left.status, left.json["why"], left.json["left"]) == (409, "more_units_than_bought", 3)
    assert world.refund_units(3, freight=True).status == 201
    assert world.back() == 5 * UNIT + FREIGHT
    assert accounts(orders.load_sale(world.order().purchase_id)) == {}


def test_a_line_that_is_paid_back_gets_no_second_offer_and_no_second_decision(world: World) -> None:
    world.buys(5).shipped(5).complained(5 * UNIT, "damaged")
    complaint_id = world.filed("quality")
    refused = world.offer(complaint_id, 1)
    assert (refused.status, refused.json["code"], refused.json["most_minor"]) == (409, "amount_too_large", 0)
    world.market.post(f"/v1/merchant/complaints/{complaint_id}/reply", {"answer": "reject", "text": "No."})
    world.buyer.post(f"/v1/complaints/{complaint_id}/escalate", {"text": "Look."})
    body = {"decision": "refund", "amount": {"minor": 1, "currency": "CNY"}, **GROUNDS}
    answer = world.operate(f"/v1/operator/complaints/{complaint_id}/decision", body)
    assert (answer.status, answer.json["code"]) == (409, "amount_too_large")
    assert world.refund_units(1).status == 409
    assert world.back() == 5 * UNIT


def test_an_offer_that_was_overtaken_by_a_refund_of_the_line_goes_to_an_operator(world: World) -> None:
    world.buys(5).shipped(5)
    complaint_id = world.filed("damaged")
    assert world.offer(complaint_id, 3 * UNIT).status == 200
    assert world.refund_units(4).status == 201
    answer = world.buyer.post(f"/v1/complaints/{complaint_id}/accept")
    assert (answer.status, answer.json["status"]) == (200, "escalated")
    assert world.back() == 4 * UNIT


def test_a_complaint_about_what_was_missing_pays_for_nothing_that_was_paid_back_meanwhile(world: World) -> None:
    world.buys(5).shipped(3)
    world.days(14.9)
    complaint_id = world.filed()
    assert world.offer(complaint_id, 2 * UNIT).status == 200
    world.days(0.2)
    assert (world.seen()["status"], world.back()) == ("shipped", 2 * UNIT)

    answer = world.buyer.post(f"/v1/complaints/{complaint_id}/accept")
    assert (answer.status, answer.json["status"]) == (200, "escalated")
    body = {"decision": "refund", "amount": {"minor": 2 * UNIT, "currency": "CNY"}, **GROUNDS}
    decided = world.operate(f"/v1/operator/complaints/{complaint_id}/decision", body)
    assert (decided.status, decided.json["code"], decided.json["most_minor"]) == (409, "amount_too_large", 0)
    assert world.back() == 2 * UNIT


def test_what_is_still_missing_may_be_paid_for_by_a_complaint(world: World) -> None:
    world.buys(5).shipped(3)
    complaint_id = world.filed()
    world.refund_units(1)
    too_much = world.offer(complaint_id, 2 * UNIT)
    assert (too_much.status, too_much.json["most_minor"]) == (409, UNIT)
    assert world.offer(complaint_id, UNIT).status == 200
    assert world.buyer.post(f"/v1/complaints/{complaint_id}/accept").json["status"] == "refunding"
    world.till.settle()
    assert (world.seen()["status"], world.back(), world.available()) == ("shipped", 2 * UNIT, STOCK - 3)


def test_goods_that_left_and_never_came_may_be_paid_for_by_a_complaint(world: World) -> None:
    world.buys(5).shipped(5).complained(3 * UNIT)
    assert (world.back(), world.available(), world.seen()["given_up"]) == (3 * UNIT, STOCK - 5, {})
    turned(world)  # The lost parcel comes back: three of its five are paid for.
    assert (world.seen()["given_up"], world.order().unshipped()) == ({"1": 3}, {"1": 2})
    world.days(16)
    assert (world.seen()["status"], world.back()) == ("cancelled", 5 * UNIT + FREIGHT)
    assert world.available() == STOCK - 5


def test_a_line_that_is_paid_back_and_turns_back_is_not_sent_again(world: World) -> None:
    world.buys(5).shipped(5).complained(5 * UNIT, "damaged")
    turned(world)
    assert (world.to_ship(), world.ship(1).status) == ([], 409)
    world.days(0.1)
    assert (world.seen()["status"], world.back()) == ("cancelled", 5 * UNIT + FREIGHT)
    assert world.available() == STOCK - 5


def test_a_refund_of_an_order_that_was_cancelled_of_old_gives_nothing_back_to_stock_again(world: World) -> None:
    world.buys(5)
    row, _ = rows.order_rows(world.order())
    row.status, row.stock = "cancelled", "released"  # As rows stand that were written before units were kept.
    with UnitOfWork() as work:
        work.save(row)
    before = world.available()
    assert world.refund_units(2).status == 201
    assert world.refund_amount(3 * UNIT + FREIGHT).status == 201
    assert (world.back(), world.available()) == (5 * UNIT + FREIGHT, before)


# --- an order that ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "way",
    [
        lambda world: world.refund_amount(5 * UNIT + FREIGHT),
        lambda world: world.refund_units(5, freight=True),
        lambda world: (world.refund_units(2), world.refund(freight=True), world.refund_units(3)),
        lambda world: (world.refund_amount(1700), world.refund_amount(5 * UNIT + FREIGHT - 1700)),
    ],
)
def test_an_order_that_is_paid_back_and_was_never_sent_ends_at_once(world: World, way: Callable[[World], Any]) -> None:
    world.buys(5)
    assert world.to_ship() == [world.order_id]
    way(world)

    seen = world.seen()
    assert (seen["status"], seen["given_up"], seen.get("due_at")) == ("cancelled", {"1": 5}, None)
    assert world.order().stock == "released"
    assert world.to_ship() == []
    assert world.ship(5).json["code"] == "illegal_transition"
    assert world.available() == STOCK
    world.days(20)
    assert world.back() == 5 * UNIT + FREIGHT
    assert world.available() == STOCK


def test_a_word_of_the_buyer_s_is_not_what_ended_the_order(world: World) -> None:
    cancel = f"/v1/orders/{world.buys(5).order_id}/cancel"
    assert world.buyer.post(cancel, {"reason": "refunded"}).status == 200
    world.till.settle()

    refused = world.market.post(f"/v1/merchant/orders/{world.order_id}/cancel", {"reason": "none left"})
    assert (refused.status, refused.json["code"]) == (409, "illegal_transition")
    assert refused.json["detail"] == "This order is cancelled; it cannot be cancelled."


def test_a_row_of_old_says_by_its_note_that_a_refund_ended_the_order(world: World) -> None:
    world.buys(5).refund_amount(5 * UNIT + FREIGHT)
    assert world.order().history[-1].by_refund
    row, _ = rows.order_rows(world.order())
    assert row.doc.by_refund == (len(row.doc.history) - 1,)
    row.doc.by_refund = ()
    with UnitOfWork() as work:
        work.save(row)

    assert world.order().history[-1].by_refund
    answer = world.buyer.post(f"/v1/orders/{world.order_id}/cancel", {"reason": "too late"})
    assert (answer.status, answer.json["status"]) == (200, "cancelled")


def test_an_order_whose_units_are_all_paid_back_ends_by_itself_with_its_freight(world: World) -> None:
    world.buys(5).complained(5 * UNIT)
    assert world.to_ship() == []
    assert world.ship(1).status == 409
    assert world.available() == STOCK
    world.days(0)

    assert world.seen()["status"] == "cancelled"
    assert world.back() == 5 * UNIT + FREIGHT
    assert world.available() == STOCK


def test_the_same_units_are_paid_back_once_when_an_order_is_cancelled(world: World) -> None:
    world.buys(5)
    world.refund_units(2)
    assert world.available() == STOCK - 3
    answer = world.buyer.post(f"/v1/orders/{world.order_id}/cancel", {"reason": "too late"})
    world.till.settle()

    assert (answer.status, answer.json["status"]) == (200, "cancelled")
    assert world.back() == 5 * UNIT + FREIGHT
    assert world.available() == STOCK


def test_a_partly_refunded_order_that_its_merchant_forgets_ends_with_exactly_the_rest(world: World) -> None:
    world.buys(5)
    world.refund_units(1)
    world.refund_amount(700)
    world.days(16)

    assert world.seen()["status"] == "cancelled"
    assert world.back() == 5 * UNIT + FREIGHT
    assert world.available() == STOCK


def test_a_refund_under_way_shows_on_the_order_and_on_the_one_that_a_merchant_reads(world: World) -> None:
    world.buys(5)
    payment_id = orders.load_purchase(world.order().purchase_id).settled_by or ""
    world.till.sandbox.steer(payment_id, refund="pending")
    refund_id = world.refund_units(2).json["refund_id"]
    seen = world.seen()
    assert (seen["refunding"]["minor"], seen["refunded"]["minor"]) == (2 * UNIT, 0)
    assert world.market.get(f"/v1/merchant/orders/{world.order_id}").json["refunding"]["minor"] == 2 * UNIT
    world.till.sandbox.settle(refund_id, "succeeded")
    world.till.settle()
    seen = world.seen()
    assert (seen["refunding"]["minor"], seen["refunded"]["minor"]) == (0, 2 * UNIT)
    world.till.sandbox.settle(refund_id, "closed")
    world.till.settle()
    seen = world.seen()
    assert (seen["refunding"]["minor"], seen["refunded"]["minor"]) == (2 * UNIT, 0)
    world.operate(f"/v1/operator/refunds/{refund_id}/retry", {})
    world.till.sandbox.steer(payment_id, refund="succeeded")
    world.days(0.1)
    seen = world.seen()
    assert (seen["refunding"]["minor"], seen["refunded"]["minor"]) == (0, 2 * UNIT)


def test_a_refund_and_a_parcel_of_the_same_units_at_the_same_moment(world: World, monkeypatch: Any) -> None:
    """Whoever writes first has them; the other is told."""
    world.buys(5).shipped(3)
    real = store.save_order
    rivals: list[int] = []

    def save(work: UnitOfWork, order: Order, events: Any = ()) -> None:
        real(work, order, events)
        if not rivals:
            rivals.append(0)
            rivals.append(world.ship(2).status)

    monkeypatch.setattr(store, "save_order", save)
    answer = world.refund_units(2)

    assert (rivals[1], answer.status) == (201, 201)  # They are refunded as units that left: nothing goes to stock.
    assert (world.seen()["status"], world.seen()["given_up"], world.available()) == ("shipped", {}, STOCK - 5)


# --- what is read of old ----------------------------------------------------------------------------------------------


def test_history_begins_with_the_placement(world: World) -> None:
    world.buys(1)
    seen = world.seen()
    assert [entry["status"] for entry in seen["history"]] == ["placed", "paid"]
    assert seen["history"][0]["at"] == seen["placed_at"]
    bought = world.buyer.get(f"/v1/purchases/{seen['purchase_id']}").json
    assert [entry["status"] for entry in bought["history"]] == ["awaiting_payment", "paid"]


def test_units_that_were_given_up_of_old_are_no_parcel(world: World) -> None:
    world.buys(5).shipped(3)
    row, _ = rows.order_rows(world.order())
    row.status = "shipped"
    row.doc.parcels = (*row.doc.parcels, type(row.doc.parcels[0])(rows.NO_PARCEL, (("1", 2),), 1))
    with UnitOfWork() as work:
        work.save(row)

    seen = world.seen()
    assert [parcel["lines"] for parcel in seen["parcels"]] == [{"1": 3}]
    assert seen["given_up"] == {"1": 2}
    assert orders.freed(world.order(), replace(world.order(), history=())) == {}


# --- an open complaint, a parcel that turns back ----------------------------------------------------------------------


def test_an_order_does_not_confirm_itself_while_a_complaint_is_open(world: World) -> None:
    world.buys(5).shipped(5).arrived()
    due_at = world.seen()["due_at"]
    world.days(5)
    complaint_id = world.filed("damaged")
    assert "due_at" not in world.seen()
    world.days(5)
    assert world.seen()["status"] == "delivered"
    assert world.buyer.post(f"/v1/complaints/{complaint_id}/withdraw").status in (200, 409)
    world.operate(f"/v1/operator/complaints/{complaint_id}/decision", {"decision": "dismiss", **SAID})
    closed_at = clock.now()

    assert world.seen()["due_at"] > due_at
    assert world.order().due_at == closed_at + timedelta(days=3)  # Two were left; three at least.
    world.days(2.9)
    assert world.seen()["status"] == "delivered"
    world.days(0.2)
    assert world.seen()["status"] == "completed"


def test_the_deadline_goes_on_with_what_was_left_of_it(world: World) -> None:
    world.buys(5).shipped(5)
    world.days(5)
    complaint_id = world.filed("damaged")
    world.days(1)
    assert world.buyer.post(f"/v1/complaints/{complaint_id}/withdraw").status == 200
    assert world.order().due_at == clock.now() + timedelta(days=25)


def test_one_of_two_open_complaints_is_enough(world: World) -> None:
    second = world.market.product(price_minor=UNIT, stock=STOCK)
    world.buyer.put(second.sku_id, 1)
    world.buys(2)
    quantities = {line["line_id"]: line["quantity"] for line in world.seen()["lines"]}
    body = {
        "lines": [{"line_id": line_id, "quantity": count} for line_id, count in quantities.items()],
        "carrier": "shunfeng",
        "tracking_number": "SF9000000001",
    }
    assert world.market.post(f"/v1/merchant/orders/{world.order_id}/shipments", body).status == 201
    first = world.filed("damaged")
    other = world.file("damaged", line_id="2").json["complaint_id"]
    for complaint_id, due in ((first, False), (other, True)):
        assert world.buyer.post(f"/v1/complaints/{complaint_id}/withdraw").status == 200
        assert ("due_at" in world.seen()) is due


def test_a_buyers_own_confirmation_counts_while_the_complaint_goes_on(world: World) -> None:
    world.buys(5).shipped(5)
    complaint_id = world.filed("damaged")
    assert world.buyer.post(f"/v1/orders/{world.order_id}/confirm").json["status"] == "completed"
    assert world.offer(complaint_id, UNIT).status == 200
    assert world.buyer.post(f"/v1/complaints/{complaint_id}/accept").json["status"] == "refunding"
    world.till.settle()
    assert complaints.load(complaint_id).status == "resolved"


def test_a_complaint_does_not_stop_a_merchants_deadline(world: World) -> None:
    world.buys(5)
    world.filed("late")
    world.days(16)
    assert world.seen()["status"] == "cancelled"
    assert world.back() == 5 * UNIT + FREIGHT


def turned(world: World, number: int = 1, hours: float = 0) -> None:
    shipment_id = world.order().parcels[number - 1].shipment_id
    orders.record_turn_back(world.order_id, shipment_id, clock.now() + timedelta(hours=hours))


def test_a_parcel_that_turns_back_does_not_complete_its_order_and_is_paid_back(world: World) -> None:
    world.buys(5).shipped(5)
    turned(world)
    turned(world)

    seen = world.seen()
    assert (seen["status"], world.to_ship()) == ("turned_back", [world.order_id])
    assert seen["parcels"][0]["turned_back_at"]
    refused = world.buyer.post(f"/v1/orders/{world.order_id}/confirm")
    assert (refused.status, refused.json["code"]) == (409, "illegal_transition")
    assert world.buyer.post(f"/v1/orders/{world.order_id}/cancel", {"reason": "x"}).status == 409
    world.days(16)

    assert world.seen()["status"] == "cancelled"
    assert world.back() == 5 * UNIT + FREIGHT
    assert (world.order().stock, world.available()) == ("committed", STOCK - 5)  # A merchant looks at them first.


def test_a_merchant_sends_again_what_turned_back(world: World) -> None:
    world.buys(5).shipped(5)
    turned(world)
    world.shipped(2)
    assert world.seen()["status"] == "turned_back"
    world.shipped(3)
    assert (world.seen()["status"], world.to_ship()) == ("shipped", [])
    world.arrived().days(8)
    assert (world.seen()["status"], world.back()) == ("completed", 0)


def test_a_merchant_calls_off_what_turned_back(world: World) -> None:
    world.buys(5).shipped(3)
    turned(world)
    answer = world.market.post(f"/v1/merchant/orders/{world.order_id}/cancel", {"reason": "none left"})
    world.till.settle()
    assert (answer.status, answer.json["status"]) == (200, "cancelled")
    assert world.back() == 5 * UNIT + FREIGHT
    assert world.available() == STOCK - 3


def test_a_parcel_that_reaches_the_buyer_after_all_delivers_the_order(world: World) -> None:
    world.buys(5).shipped(5)
    shipment_id = world.order().parcels[0].shipment_id
    turned(world)
    orders.record_delivery(world.order_id, shipment_id, clock.now() - timedelta(hours=1))  # Told late.
    assert world.seen()["status"] == "turned_back"
    orders.record_delivery(world.order_id, shipment_id, clock.now() + timedelta(hours=1))
    assert world.seen()["status"] == "delivered"
    turned(world)  # Told late, too.
    assert world.seen()["status"] == "delivered"


def test_one_of_two_parcels_turns_back_and_only_it_is_paid_back(world: World) -> None:
    world.buys(5).shipped(3).shipped(2)
    orders.record_delivery(world.order_id, world.order().parcels[0].shipment_id, clock.now())
    turned(world, 2)
    world.days(16)

    seen = world.seen()
    assert (seen["status"], seen["given_up"]) == ("delivered", {"1": 2})  # What is kept had arrived.
    assert (world.back(), world.available()) == (2 * UNIT, STOCK - 5)
    world.days(8)
    assert world.seen()["status"] == "completed"


def test_units_that_were_paid_back_while_they_were_away_are_not_sent_again(world: World) -> None:
    world.buys(5).shipped(5)
    world.refund_units(2)
    turned(world)
    assert (world.seen()["given_up"], world.order().unshipped()) == ({"1": 2}, {"1": 3})
    world.days(16)
    assert (world.seen()["status"], world.back()) == ("cancelled", 5 * UNIT + FREIGHT)
    assert world.available() == STOCK - 5


def lost(world: World, parcel: int = 1) -> None:
    shipment_id = world.order().parcels[parcel - 1].shipment_id
    orders.record_turn_back(world.order_id, shipment_id, clock.now() - timedelta(days=5), lost=True)


def test_what_was_lost_is_paid_back_as_soon_as_its_buyer_wishes_and_once(world: World) -> None:
    world.buys(5).shipped(3).shipped(2)
    lost(world, 2)
    path = f"/v1/orders/{world.order_id}/end-waiting"
    first = world.buyer.post(path, {}, key="no-longer")
    again = world.buyer.post(path, {}, key="no-longer")
    world.till.settle()

    assert (first.status, first.json["status"], first.json["given_up"]) == (200, "shipped", {"1": 2})
    assert again.json["given_up"] == {"1": 2}
    assert first.json["history"][-1]["text"].startswith("What was missing is not waited for")
    assert world.buyer.post(path, {}).json["code"] == "not_late"
    assert (world.back(), world.available()) == (2 * UNIT, STOCK - 5)
    world.arrived().days(8)
    assert (world.seen()["status"], world.back()) == ("completed", 2 * UNIT)


def test_an_order_of_which_everything_was_lost_ends_as_its_buyer_wishes(world: World) -> None:
    world.buys(2).shipped(2)
    lost(world)
    answer = world.buyer.post(f"/v1/orders/{world.order_id}/end-waiting", {})
    world.till.settle()
    assert (answer.status, answer.json["status"], world.back()) == (200, "cancelled", 2 * UNIT + FREIGHT)
    assert world.available() == STOCK - 2  # Nobody has them: they are not sold again.
