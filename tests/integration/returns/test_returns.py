"""Returns over HTTP, from the wish to the money or the replacement, with real stock and a provider in process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.inventory import service as inventory
from chalicelib.logistics.domain import Status
from chalicelib.orders.service import OrderStatus
from chalicelib.runtime.intents import system_intent
from tests.support.returning import ADDRESS, Desk, parcel

DAY = timedelta(days=1)


@pytest.fixture
def desk(cloud: str, noon: Any) -> Desk:
    return Desk.open(noon)


def test_a_unit_goes_back_is_paid_once_and_is_in_stock_again(desk: Desk) -> None:
    assert desk.stock() == (7, 3)
    preview = desk.buyer.post("/v1/returns/preview", desk.wanting(2)).json
    return_id = desk.received(2)
    assert desk.seen(return_id)["address"]["recipient"] == ADDRESS["recipient"]
    assert desk.order.due_at is None  # It does not confirm itself meanwhile.

    answer = desk.inspect(return_id, as_new=1, open_box=1)

    assert answer.json["status"] == "refunding", answer.body
    assert answer.json["refund"] == preview["amount"] == {"minor": 2000, "currency": "CNY"}
    assert (preview["freight_payer"], preview["freight"]) == ("buyer", False)
    assert desk.back() == 2000
    assert desk.refunds() == [(2000, (("1", 2),))]
    assert desk.stock() == (8, 2)  # What was opened is not sold as new.
    seen = desk.seen(return_id)
    assert (seen["status"], seen["turn"], seen.get("due_at")) == ("refunded", "nobody", None)
    order = desk.order
    assert (order.status, order.returned, order.returning, order.held_by) == (
        OrderStatus.DELIVERED,
        (("1", 2),),
        (),
        (),
    )
    assert order.due_at is not None
    assert desk.ask(2).json["code"] == "too_many_returned"  # One is left.
    assert desk.ask(1).status == 201


def test_an_exchange_holds_its_replacement_and_ships_it(desk: Desk) -> None:
    return_id = desk.received(wish="exchange", line={"exchange_for": desk.made.sku_ids[1]})
    assert desk.inspect(return_id, as_new=1).json["status"] == "replacing"
    assert (desk.stock(), desk.stock(1)) == ((8, 2), (9, 1))

    answer = desk.say(return_id, "replacement", parcel())
    assert answer.json["status"] == "replacement_sent", answer.body
    desk.deliver(answer.json["replacement_shipment_id"])

    seen = desk.seen(return_id)
    assert (seen["status"], seen.get("refund")) == ("replaced", None)
    assert desk.refunds() == []
    assert (desk.order.returning, desk.order.held_by) == ((), ())
    purposes = [one["purpose"] for one in desk.buyer.get(f"/v1/orders/{desk.order_id}/shipments").json["items"]]
    assert purposes == ["order", "return", "replacement"]
    assert desk.order.status is OrderStatus.DELIVERED  # Parcels of a return move nothing of the order.


def test_a_replacement_that_is_sold_out_is_paid_back(desk: Desk) -> None:
    return_id = desk.received(wish="exchange", line={"exchange_for": desk.made.sku_ids[1]})
    inventory.write_off(desk.made.sku_ids[1], 10, intent=system_intent("broken"))
    assert desk.inspect(return_id, as_new=1).json["status"] == "refunding"
    assert (desk.back(), desk.stock(), desk.stock(1)) == (1000, (8, 2), (0, 0))


def test_a_replacement_that_is_not_sent_is_paid_back_by_the_clock(desk: Desk, noon: Any) -> None:
    return_id = desk.received(wish="exchange")
    assert desk.inspect(return_id, as_new=1).json["status"] == "replacing"
    assert desk.stock() == (7, 3)  # One came in, one is held: the same goods again.
    noon.advance(7 * DAY + timedelta(minutes=1))
    desk.till.pump.due()
    assert (desk.back(), desk.stock()) == (1000, (8, 2))
    assert desk.seen(return_id)["status"] == "refunded"


def test_what_came_damaged_may_be_withheld_and_an_operator_decides(desk: Desk) -> None:
    return_id = desk.received(3)
    assert desk.inspect(return_id, as_new=1, damaged=2, withhold=True).json["status"] == "withheld"
    assert (desk.refunds(), desk.stock()) == ([], (7, 3))  # The buyer is asked first.
    assert desk.act(return_id, "escalate", {"text": "It came so."}).json["status"] == "contested"
    assert desk.decide(return_id, "refund").json["status"] == "refunding"
    assert (desk.back(), desk.refunds(), desk.stock()) == (3000, [(3000, (("1", 3),))], (8, 2))


def test_a_buyer_agrees_to_a_part_and_keeps_no_money_for_what_did_not_come(desk: Desk) -> None:
    return_id = desk.received(3)
    assert desk.inspect(return_id, as_new=2).json["status"] == "withheld"
    assert desk.act(return_id, "accept").json["status"] == "refunding"
    assert (desk.back(), desk.refunds(), desk.stock()) == (2000, [(2000, (("1", 2),))], (9, 1))
    assert desk.ask(1).status == 201  # The third is the buyer's still.


def test_what_is_refused_gives_the_order_its_state_back(desk: Desk, noon: Any) -> None:
    before = desk.order
    return_id = desk.asked()
    assert desk.say(return_id, "refuse", {"text": "Worn."}).json["turn"] == "buyer"
    noon.advance(3 * DAY + timedelta(minutes=1))
    desk.till.pump.due()
    assert desk.seen(return_id)["status"] == "dismissed"
    after = desk.order
    assert (after.status, after.returning, after.held_by) == (before.status, (), ())
    assert after.due_at is not None
    assert desk.refunds() == []


def test_a_silent_merchant_loses_the_turn_within_a_minute(desk: Desk, noon: Any) -> None:
    return_id = desk.asked()
    noon.advance(timedelta(hours=48))
    desk.till.pump.due()
    noon.advance(timedelta(seconds=59))
    desk.till.pump.due()
    seen = desk.seen(return_id)
    assert (seen["status"], seen["turn"]) == ("escalated", "operator")
    assert desk.decide(return_id, "approve", address=ADDRESS).json["status"] == "approved"
    assert desk.act(return_id, "parcel", parcel()).json["status"] == "sent"


def test_an_operator_pays_nothing_back_for_what_did_not_come(desk: Desk, noon: Any) -> None:
    return_id = desk.asked()
    noon.advance(timedelta(hours=48, minutes=1))
    desk.till.pump.due()
    assert desk.decide(return_id, "refund").json["code"] == "illegal_transition"
    assert desk.say(return_id, "leave", {"text": "Keep it."}).json["code"] == "illegal_transition"
    assert desk.decide(return_id, "dismiss").json["status"] == "dismissed"
    assert desk.refunds() == []


def test_a_merchant_may_pay_back_and_leave_the_goods(desk: Desk) -> None:
    return_id = desk.asked(2)
    assert desk.say(return_id, "leave", {"text": "Keep it."}).json["status"] == "refunding"
    assert (desk.back(), desk.stock()) == (2000, (7, 3))


def test_what_nobody_inspected_is_paid_back_within_seven_days(desk: Desk, noon: Any) -> None:
    return_id = desk.received(2)
    noon.advance(7 * DAY + timedelta(minutes=1))
    desk.till.pump.due()
    assert (desk.back(), desk.stock(), desk.seen(return_id)["status"]) == (2000, (7, 3), "refunded")


def test_a_parcel_that_turns_back_is_an_operators_affair(desk: Desk) -> None:
    return_id = desk.sent()
    desk.deliver(desk.seen(return_id)["shipment_id"], Status.REFUSED)
    assert desk.seen(return_id)["status"] == "missing"
    assert desk.decide(return_id, "arrived").json["status"] == "received"
    assert desk.inspect(return_id, as_new=1).json["status"] == "refunding"


def test_faulty_goods_bring_their_freight_back_with_the_last_of_them(desk: Desk) -> None:
    first = desk.received(1, reason="quality", text="Leaks.")
    assert desk.seen(first)["freight_payer"] == "merchant"
    assert desk.inspect(first, damaged=1).json["refund"]["minor"] == 1000
    desk.till.settle()
    preview = desk.buyer.post("/v1/returns/preview", desk.wanting(2, reason="quality", text="Leaks.")).json
    last = desk.received(2, reason="quality", text="Leaks.")
    assert desk.inspect(last, open_box=2).json["refund"] == preview["amount"] == {"minor": 2800, "currency": "CNY"}
    assert desk.back() == 3800


def test_what_was_paid_back_otherwise_meanwhile_is_not_paid_again(desk: Desk) -> None:
    return_id = desk.received(2)
    body = {"order_id": desk.order_id, "lines": [{"line_id": "1", "quantity": 2}], "reason": "Goodwill."}
    answer = desk.till.operate("POST", f"/v1/operator/purchases/{desk.order.purchase_id}/refunds", body)
    assert answer.status == 201, answer.body
    assert desk.back() == 2000
    assert desk.inspect(return_id, as_new=2).json["status"] == "refunding"
    assert desk.back() == 3000  # Of two, one was not paid for.
    assert desk.stock() == (9, 1)


def test_a_complaint_and_a_return_both_keep_the_order_from_confirming_itself(desk: Desk) -> None:
    return_id = desk.asked()
    body = {"order_id": desk.order_id, "line_id": "1", "reason": "quality", "text": "Leaks."}
    complaint_id = desk.buyer.post("/v1/complaints", body).json["complaint_id"]
    assert desk.order.held_by == (return_id, complaint_id)
    assert desk.act(return_id, "withdraw").json["status"] == "withdrawn"
    assert desk.order.due_at is None
    desk.buyer.post(f"/v1/complaints/{complaint_id}/withdraw")
    assert desk.order.due_at is not None


def test_a_refund_that_comes_back_opens_the_return_again(desk: Desk) -> None:
    return_id = desk.received()
    refund_id = desk.inspect(return_id, as_new=1).json["refund_id"]
    assert desk.back() == 1000
    desk.till.sandbox.settle(refund_id, "closed")
    desk.till.settle()
    assert desk.seen(return_id)["status"] == "refunding"
    assert list(desk.order.held_by) == [return_id]
    desk.till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry", {})
    desk.till.pump.duplicate = 3
    assert desk.back() == 1000
    assert desk.seen(return_id)["status"] == "refunded"
    assert not desk.order.held_by
