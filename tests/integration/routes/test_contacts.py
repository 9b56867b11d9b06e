"""A merchant is shown a contact while it is needed; who looked, and staff why, is told to its person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.logistics import domain as parcels
from chalicelib.logistics import store as shipments
from chalicelib.logistics.watch import Watch
from chalicelib.orders import store as orders
from chalicelib.orders.domain import OrderStatus, Sale
from chalicelib.orders.service import Contact
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Access
from tests.support import people, sales
from tests.support.entries import ENTRIES, World
from tests.support.http import call
from tools.generate.routing import declared

READS = {
    route.operation_id: route for _, route in declared() if route.access is Access.MERCHANT and route.method == "GET"
}
CONTACT = Contact("欧阳若曦", "+8613957180001", "CN", "浙江省", "杭州市", "西湖区", "翠苑九区七幢", "310012")
SIGNER = "签收人：欧阳若曦"
TELLING = ("欧阳若曦", "13957180001", "翠苑九区", "西湖区", "310012")


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


@pytest.fixture
def sale(world: World) -> Sale:
    """Return a sale that is under way, with a parcel that somebody signed for."""
    sale = sales.paid(world.buyer.account_id, (world.shop.merchant_id, (sales.line("1"),)), contact=CONTACT)
    [order] = sale.orders
    now = clock.now()
    parcel = parcels.Shipment(
        shipment_id=parcels.shipment_id(order.order_id, 1),
        order_id=order.order_id,
        merchant_id=order.merchant_id,
        lines=(("1", 1),),
        shipped_at=now,
        watch=Watch.FINISHED,
        since=now,
        carrier="zto",
        number="7301234567890",
        scans=(parcels.Scan(now, SIGNER, parcels.Status.DELIVERED, "杭州市"),),
    )
    with UnitOfWork() as work:
        shipments.save(work, parcel)
    return sale


def stand(sale: Sale, status: OrderStatus, ago: timedelta, **changes: Any) -> None:
    order = orders.load_order(sale.orders[0].order_id)
    with UnitOfWork() as work:
        orders.save_order(work, replace(order, status=status, since=clock.now() - ago, **changes))


def shown(world: World, sale: Sale) -> Iterator[tuple[str, str]]:
    """Yield what each of the merchant's routes answers, where it can of this order."""
    for name, route in READS.items():
        ask = ENTRIES[name](world)
        if "order_id" in ask.ids:
            ask = replace(ask, ids={**ask.ids, "order_id": sale.orders[0].order_id})
        answer = ask.send(route, world.shop.token)
        assert answer.status in (200, 302), (name, answer)
        yield name, answer.body


def telling(world: World, sale: Sale) -> dict[str, list[str]]:
    found = {name: [word for word in TELLING if word in body] for name, body in shown(world, sale)}
    return {name: words for name, words in found.items() if words}


def test_every_route_of_merchants_shows_it_while_it_is_needed_or_not_at_all(world: World, sale: Sale) -> None:
    assert len(READS) >= 10
    whole = {"get_merchant_order": list(TELLING), "list_merchant_shipments": [TELLING[0]]}
    assert telling(world, sale) == whole
    for status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
        stand(sale, status, timedelta(days=300))
        assert telling(world, sale) == whole
    stand(sale, OrderStatus.COMPLETED, timedelta(days=6, hours=23))
    assert telling(world, sale) == whole
    stand(sale, OrderStatus.COMPLETED, timedelta(days=7))
    assert telling(world, sale) == {}
    path = f"/v1/merchant/orders/{sale.orders[0].order_id}"
    left = call("GET", path, token=world.shop.token).json["contact"]
    assert (left["masked"], left["recipient"], left["phone"], left["city"]) == (True, "欧**", "****0001", "杭州市")
    mine = call("GET", f"/v1/purchases/{sale.purchase.purchase_id}", token=world.buyer.token).json["contact"]
    assert (mine["masked"], mine["street"]) == (False, CONTACT.street)  # Its buyer sees it always.

    filing = {"order_id": sale.orders[0].order_id, "line_id": "1", "reason": "quality", "text": "开线了"}
    filed = call("POST", "/v1/complaints", filing, token=world.buyer.token)
    assert filed.status == 201
    assert telling(world, sale) == whole  # A new need opens it again,
    call("POST", f"/v1/complaints/{filed.json['complaint_id']}/withdraw", {}, token=world.buyer.token)
    assert telling(world, sale) == {}  # as long as it lasts;
    stand(sale, OrderStatus.COMPLETED, timedelta(days=30), refunding=(("ref_1", 100),))
    assert telling(world, sale) == whole  # a return too.
    stand(sale, OrderStatus.CANCELLED, timedelta(0), refunding=())
    assert telling(world, sale) == {}


def calls_of(make: Any) -> list[str]:
    found: list[str] = []

    def listen(service: str, operation: str, params: Any, proceed: Any) -> Any:
        if service == "dynamodb":
            table = params.get("TableName") or next(iter(params.get("RequestItems", {"": 0})))
            found.append(f"{operation} {table.rsplit('-', 1)[-1]}")
        return proceed()

    with aws.hooked(listen):
        assert make().status == 200
    return found


def test_a_merchants_first_look_is_noted_by_one_write_and_no_later_one_costs_any(world: World, sale: Sale) -> None:
    path, token = f"/v1/merchant/orders/{sale.orders[0].order_id}", world.shop.token
    looks = "/v1/me/disclosures?by=merchants"

    def mine() -> list[Any]:
        items = call("GET", looks, token=world.buyer.token).json["items"]
        return [one for one in items if one["record_id"] == sale.orders[0].order_id]

    call("GET", "/v1/merchant/orders", token=token)
    assert mine() == []  # Lists show no contact.
    reads = ["Query orders", "GetItem orders"]
    first = calls_of(lambda: call("GET", path, token=token))
    assert [one for one in first if one.endswith("orders")] == [*reads, "PutItem orders"]
    [look] = mine()
    assert (look["to"], "reason" in look) == (world.shop.merchant_id, False)
    assert look["what"] == ["where a purchase goes: name, phone number, address"]
    again = calls_of(lambda: call("GET", path, token=token))
    assert [one for one in again if one.endswith("orders")] == reads
    assert mine() == [look]
    stand(sale, OrderStatus.COMPLETED, timedelta(days=30))
    assert [one for one in calls_of(lambda: call("GET", path, token=token)) if one.endswith("orders")] == reads
    other = call("GET", looks, token=world.other_buyer.token).json["items"]
    assert [one for one in other if one["record_id"] == sale.orders[0].order_id] == []


def test_a_masked_look_is_none(world: World, sale: Sale) -> None:
    stand(sale, OrderStatus.COMPLETED, timedelta(days=30))
    call("GET", f"/v1/merchant/orders/{sale.orders[0].order_id}", token=world.shop.token)
    assert orders.load_order(sale.orders[0].order_id).seen_at is None


def test_a_look_is_noted_though_the_order_changes_meanwhile_and_not_shown_if_it_cannot_be(
    world: World, sale: Sale
) -> None:
    path = f"/v1/merchant/orders/{sale.orders[0].order_id}"
    met: list[str] = []

    def rival(service: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation == "PutItem" and len(met) < 1:
            met.append(operation)
            stand(sale, OrderStatus.SHIPPED, timedelta(0))
        return proceed()

    with aws.hooked(rival):
        assert call("GET", path, token=world.shop.token).json["contact"]["street"] == CONTACT.street
    order = orders.load_order(sale.orders[0].order_id)
    assert (order.status, order.seen_at is not None) == (OrderStatus.SHIPPED, True)

    stand(sale, OrderStatus.SHIPPED, timedelta(0), seen_at=None)

    depth = [0]

    def always(service: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation == "PutItem" and not depth[0]:
            depth[0] = 1
            stand(sale, OrderStatus.SHIPPED, timedelta(0))
            depth[0] = 0
        return proceed()

    with aws.hooked(always):
        refused = call("GET", path, token=world.shop.token)
    assert (refused.status, refused.json["code"]) == (409, "concurrent_update")
    assert CONTACT.street not in refused.body


def test_a_look_of_staff_is_one_line_and_told_with_its_reason(world: World, sale: Sale) -> None:
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/contact"
    asked = call("GET", "/v1/me/disclosures", token=world.buyer.token).json["items"]
    made = calls_of(lambda: call("POST", path, {"reason": "包裹退回，联系收件人"}, token=world.operator.token))
    assert [one for one in made if not one.startswith(("GetItem", "Query", "BatchGet"))] == ["PutItem audit"]
    looks = call("GET", "/v1/me/disclosures", token=world.buyer.token, headers={"accept-language": "en"}).json["items"]
    [look] = looks[len(asked) :]
    assert (look["to"], look["reason"], look["record_id"]) == (
        "platform",
        "包裹退回，联系收件人",
        sale.purchase.purchase_id,
    )
    assert look["what"] == ["where a purchase goes: name, phone number, address"]
    assert world.operator.account_id not in str(look)
    assert call("POST", path, {}, token=world.operator.token).status == 422  # Without a reason nobody looks,
    assert call("POST", path, {"reason": "x" * 10}, token=people.buyer().token).status == 403
    after = call("GET", "/v1/me/disclosures", token=world.buyer.token).json["items"]
    assert len(after) == len(asked) + 1
    stranger = call("GET", "/v1/me/disclosures", token=world.other_buyer.token).json["items"]
    assert [one for one in stranger if one["record_id"] == sale.purchase.purchase_id] == []
