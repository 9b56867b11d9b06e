"""Virtual goods over HTTP: uploaded, given once each, looked at, missed, confirmed, paid back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.inventory import service as inventory
from chalicelib.orders import service as orders
from chalicelib.orders.service import OrderStatus
from chalicelib.privacy.archive import sections
from chalicelib.privacy.archive.labels import ZH
from chalicelib.runtime import aws, names
from chalicelib.virtual import service as virtual
from tests.support import people, shop
from tests.support.http import call
from tests.support.virtually import Counter
from tools.bench import metering

pytestmark = pytest.mark.usefixtures("cloud")


def test_a_paid_unit_gets_a_code_that_only_its_buyers_look_shows(noon: Any) -> None:
    counter = Counter.open(low_mark=1)
    uploaded = counter.upload(" GIFT-AAAA-1 ", "GIFT-BBBB-2", "GIFT-AAAA-1", "GIFT-CCCC-3")
    assert uploaded.json == {"sku_id": counter.sku_id, "accepted": 3, "refused": [{"position": 2, "why": "repeated"}]}
    assert inventory.level(counter.sku_id).available == 3
    assert counter.put(form="link").json["code"] == "pool_in_use"

    order = counter.paid(2)
    counter.pump.drain()
    counter.pump.duplicate = 10
    counter.pump.drain()

    assert orders.load_order(order.order_id).status is OrderStatus.DELIVERED
    [line] = counter.lines(order)
    assert (line["status"], line["delivered"], line["looks"]) == ("delivered", 2, 0)
    pool = counter.pool()
    assert (pool["free"], pool["given"], pool["low"]) == (1, 2, True)
    shown = counter.look(order, key="look-at-it-1")
    again = counter.look(order, key="look-at-it-1")
    assert [item["code"] for item in shown.json["items"]] == ["GIFT-AAAA-1", "GIFT-BBBB-2"]
    assert shown.headers["cache-control"] == "no-store"
    assert (again.headers["idempotency-replayed"], again.json["items"]) == ("true", shown.json["items"])
    [line] = counter.lines(order)
    assert (line["looks"], line["looked_at"]) == (1, "2026-11-22T04:00:00.000Z")
    stranger = shop.Buyer(*people.buyer())
    assert stranger.post(f"/v1/orders/{order.order_id}/virtual/1/look").status == 404
    assert counter.buyer.post(f"/v1/orders/{order.order_id}/virtual/2/look").status == 404


def test_no_code_is_in_a_table_an_event_or_an_answer_but_the_look(noon: Any) -> None:
    counter = Counter.open()
    counter.upload("SECRET-ONE", "SECRET-TWO")
    order = counter.paid(1)
    counter.pump.drain()
    assert "SECRET-ONE" in counter.look(order).body

    said = [
        counter.shop.get(path).body
        for path in (
            f"/v1/merchant/pools/{counter.sku_id}",
            "/v1/merchant/pools",
            "/v1/merchant/virtual-owed",
            f"/v1/merchant/orders/{order.order_id}/virtual",
            f"/v1/merchant/orders/{order.order_id}",
        )
    ]
    said += [counter.buyer.get(f"/v1/orders/{order.order_id}{end}").body for end in ("", "/virtual", "/shipments")]
    for table in ("virtual", "orders", "stock", "shipments"):
        said.append(str(aws.call("dynamodb", "Scan", {"TableName": names.table_name(table)})["Items"]))
    assert not any("SECRET" in text for text in said)


def test_a_code_is_known_in_all_pools_of_its_merchant(noon: Any) -> None:
    counter = Counter.open()
    other = counter.shop.product(kind="virtual", stock=0, listed=False)
    counter.upload("ONE")
    put = call("PUT", f"/v1/merchant/pools/{other.sku_id}", {"form": "code"}, token=counter.shop.token)
    assert put.status == 200, put.body

    second = counter.shop.post(f"/v1/merchant/pools/{other.sku_id}/codes", {"codes": ["TWO", "ONE"]})
    by_another = Counter.open().upload("ONE")

    assert second.json == {"sku_id": other.sku_id, "accepted": 1, "refused": [{"position": 1, "why": "known"}]}
    assert by_another.json["accepted"] == 1
    order = counter.paid(2)
    counter.pump.drain()
    path = f"/v1/merchant/orders/{order.order_id}/virtual/1/deliver"
    known = counter.shop.post(path, {"form": "code", "text": "TWO"})
    assert (known.status, known.json["code"]) == (409, "code_known")


def test_what_the_pool_lacks_is_awaited_missed_and_given_once_codes_come(noon: Any) -> None:
    counter = Counter.open(within_minutes=60)
    counter.upload("ONLY")
    order = counter.paid(2)
    counter.pump.drain()
    [line] = counter.lines(order)
    assert (line["status"], line["delivered"], line["promised_at"]) == ("awaiting", 1, "2026-11-22T05:00:00.000Z")
    assert [item["code"] for item in counter.look(order).json["items"]] == ["ONLY"]
    assert [one["order_id"] for one in counter.shop.get("/v1/merchant/virtual-owed").json["items"]] == [order.order_id]

    counter.later(noon, timedelta(minutes=61))

    [line] = counter.lines(order)
    assert (line["status"], line["late"]) == ("overdue", True)
    counter.upload("LATER", to_stock=False)
    counter.pump.drain()
    [line] = counter.lines(order)
    assert (line["status"], line["delivered"], line["late"]) == ("delivered", 2, True)
    assert orders.load_order(order.order_id).status is OrderStatus.DELIVERED
    assert inventory.level(counter.sku_id).available == 1
    assert counter.shop.get("/v1/merchant/virtual-owed").json["items"] == []


def test_paid_back_codes_are_revoked_and_only_unseen_ones_are_sold_again(noon: Any) -> None:
    counter = Counter.open()
    counter.upload("ONE", "TWO", "THREE")
    first, second = counter.paid(1), counter.paid(1)
    counter.pump.drain()
    assert counter.look(first).status == 200

    for order in (first, second):
        counter.pay_back(order, 1)
        refused = counter.look(order)
        assert (refused.status, refused.json["why"]) == (409, "revoked")
        counter.pump.drain()
        assert counter.lines(order)[0]["status"] == "revoked"
    counter.pump.duplicate = 3
    counter.pump.drain()

    assert [counter.lines(order)[0]["returned_unseen"] for order in (first, second)] == [0, 1]
    assert counter.pool()["free"] == 2
    assert inventory.level(counter.sku_id).available == 4
    third = counter.paid(2)
    counter.pump.drain()
    assert [item["code"] for item in counter.look(third).json["items"]] == ["TWO", "THREE"]


def test_an_archive_hands_out_what_its_person_looked_at_and_nothing_unseen(noon: Any) -> None:
    counter = Counter.open()
    counter.upload("GIFT-AAAA-1", "GIFT-BBBB-2")
    looked = counter.paid()
    counter.pump.drain()
    assert counter.look(looked).status == 200
    counter.paid()
    counter.pump.drain()

    read = {section.name: section.read for section in sections.SECTIONS}["purchases"]
    records = read(counter.buyer.account_id, None).records
    goods = {order["order_id"]: order["virtual_goods"] for one in records for order in one["orders"]}

    assert len(goods) == 2
    assert [part["content"]["text"] for part in goods.pop(looked.order_id)[0]["parts"]] == ["GIFT-AAAA-1"]
    [[unseen]] = goods.values()
    assert [("code_number" in part, "content" in part) for part in unseen["parts"]] == [(True, False)]
    assert "confirmed_by" not in unseen
    assert {name for name in keys(records) if name not in ZH} == set(), "people read it in Chinese as well"


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in keys(one)}
    return {name for one in value for name in keys(one)} if isinstance(value, list) else set()


def test_a_refund_of_some_units_takes_the_unseen_and_calls_off_what_is_awaited(noon: Any) -> None:
    counter = Counter.open()
    counter.upload("ONE")
    order = counter.paid(3)
    counter.pump.drain()
    counter.look(order)
    counter.pay_back(order, 1, refund="ref_1")
    counter.pump.drain()
    assert [counter.lines(order)[0][name] for name in ("status", "delivered", "revoked")] == ["awaiting", 1, 0]
    counter.pay_back(order, 1, refund="ref_2")
    counter.pump.drain()
    assert [counter.lines(order)[0][name] for name in ("status", "delivered", "revoked")] == ["delivered", 1, 0]
    assert orders.load_order(order.order_id).unsent() == {}
    unserved = counter.paid(1)
    counter.pump.drain()
    counter.pay_back(unserved, 1)
    counter.pump.drain()
    assert counter.lines(unserved)[0]["status"] == "called_off"


def test_a_text_stands_ready_a_link_goes_by_hand_and_the_buyer_confirms(noon: Any) -> None:
    counter = Counter.open(form="text", text="Dear buyer: the licence is yours.")
    order = counter.paid(2)
    counter.pump.drain()
    [item] = counter.look(order).json["items"]
    assert (item["text"], item["units"]) == ("Dear buyer: the licence is yours.", 2)
    confirmed = counter.buyer.post(f"/v1/orders/{order.order_id}/virtual/1/confirm", key="confirm-it-1")
    again = counter.buyer.post(f"/v1/orders/{order.order_id}/virtual/1/confirm", key="confirm-it-1")
    assert (confirmed.json["status"], again.headers["idempotency-replayed"]) == ("confirmed", "true")
    assert orders.load_order(order.order_id).status is OrderStatus.COMPLETED

    by_hand = Counter.open(form="link")
    owed = by_hand.paid(1)
    by_hand.pump.drain()
    assert by_hand.lines(owed)[0]["status"] == "awaiting"
    path = f"/v1/merchant/orders/{owed.order_id}/virtual/1/deliver"
    body = {"form": "link", "link": "https://files.example/one"}
    given = by_hand.shop.post(path, body, key="by-hand-1")
    repeat = by_hand.shop.post(path, body, key="by-hand-1")
    more = by_hand.shop.post(path, body)
    assert (given.json["status"], repeat.headers["idempotency-replayed"]) == ("delivered", "true")
    assert (more.status, more.json["code"]) == (409, "not_owed")
    [item] = by_hand.look(owed).json["items"]
    assert item["link"] == "https://files.example/one"
    by_hand.later(noon, timedelta(days=7, minutes=1))
    assert by_hand.lines(owed)[0]["status"] == "confirmed"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"codes": []}, "too_short"),
        ({"codes": ["A\u2028B"]}, "not_a_code"),
        ({"codes": ["A" * 501]}, "string_too_long"),
        ({"codes": ["A"], "pool": "x"}, "extra_forbidden"),
    ],
)
def test_a_bad_upload_writes_nothing(noon: Any, body: dict[str, Any], code: str) -> None:
    counter = Counter.open()
    answer = counter.shop.post(f"/v1/merchant/pools/{counter.sku_id}/codes", body)
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, code)
    assert counter.pool()["free"] == 0


def test_what_it_asks_of_dynamodb(noon: Any) -> None:
    counter = Counter.open()

    def cost(action: Callable[[], object]) -> tuple[int, float, float]:
        with metering.measured() as meter:
            action()
        return meter.calls, meter.read_units, meter.write_units

    assert cost(lambda: counter.upload("ONE", "TWO", "THREE")) == (7, 8.0, 20.0)
    order = counter.paid(2)
    assert cost(lambda: virtual.serve(order.order_id)) == (6, 5.0, 16.0)
    assert cost(lambda: virtual.serve(order.order_id)) == (2, 2.0, 0.0)
    assert cost(lambda: counter.look(order)) == (5, 4.0, 6.0)
    assert cost(lambda: counter.lines(order)) == (2, 1.0, 0.0)
    second = counter.paid(1)
    virtual.serve(second.order_id)
    counter.pay_back(second, 1)
    assert cost(lambda: virtual.take_back(second.order_id)) == (7, 6.0, 13.0)
