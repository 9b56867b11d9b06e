"""A suspended merchant: its staff ends what is open and nothing else, its goods are shown to nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import policy
from chalicelib.catalog import bulk
from chalicelib.catalog.jobs import JobKind, JobStatus
from chalicelib.inventory import service as inventory
from chalicelib.merchants import service as merchants
from chalicelib.merchants.service import Status
from chalicelib.runtime import aws
from chalicelib.runtime.http.access import Access
from tests.support import dump, goods, people
from tests.support import shop as shops
from tests.support.entries import ENTRIES, World
from tests.support.http import call
from tests.support.pump import Pump
from tools.bench import metering
from tools.generate.routing import declared

STAFF = {route.operation_id: route for _, route in declared() if route.access is Access.MERCHANT}
WHILE_SUSPENDED = {name for name, rule in policy.TABLE.items() if rule.while_suspended}
CLOSED = {name: route for name, route in STAFF.items() if route.method != "GET" and name not in WHILE_SUSPENDED}


def suspend(merchant_id: str) -> None:
    merchants.change(merchant_id, {"status": "suspended"})


def reinstate(merchant_id: str) -> None:
    merchants.change(merchant_id, {"status": "active"})


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


FOR_BUYERS = {
    "appeal_as_merchant",
    "approve_return",
    "ask_address",
    "ask_for_person_as_merchant",
    "begin_export",
    "begin_merchant_conversation",
    "call_service_as_merchant",
    "cancel_merchant_order",
    "correct_number",
    "decline_booking",
    "decline_request",
    "deliver_virtual",
    "draw_waybill",
    "inspect_return",
    "leave_return",
    "read_as_merchant",
    "redeem_code",
    "refuse_return",
    "reply_to_complaint",
    "report_lost",
    "say_as_merchant",
    "say_in_merchant_request",
    "send_replacement",
    "ship_order",
    "solve_as_merchant",
    "upload_codes",
    "upload_virtual_file",
}
"""Written out once more: whoever closes one of these leaves a buyer without his goods, his money or an answer."""
LETTING_GO = {"dismiss_person", "revoke_key", "take_back_invitation", "remove_webhook"}
"""Who should not be in, or hear of it, is let out at any time."""


def test_what_buyers_wait_for_is_open_by_name() -> None:
    assert WHILE_SUSPENDED == FOR_BUYERS | LETTING_GO


def test_the_table_names_routes_that_there_are() -> None:
    assert set(STAFF) >= WHILE_SUSPENDED
    assert {STAFF[name].method for name in FOR_BUYERS} == {"POST"}
    assert {"list_product", "create_product", "receive_stock", "start_import", "change_profile"} <= set(CLOSED)


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_a_suspended_merchants_staff_changes_nothing(world: World, name: str) -> None:
    route = CLOSED[name]
    ask = ENTRIES[name](world)
    suspend(world.shop.merchant_id)
    before, objects = dump.tables(), dump.objects()
    writes = dump.Writes()
    with aws.hooked(writes):
        refused = ask.send(route, world.shop.token, key=f"suspended-{name}")

    assert (refused.status, refused.json["code"]) == (403, "merchant_suspended"), refused.body
    assert (writes.seen, dump.differences(before, dump.tables()), dump.objects()) == ([], [], objects)
    reinstate(world.shop.merchant_id)
    assert ask.send(route, world.shop.token, key=f"suspended-{name}").status == route.status


@pytest.mark.parametrize("name", sorted(set(STAFF) - set(CLOSED)))
def test_what_buyers_wait_for_and_reading_stay_open(world: World, name: str) -> None:
    ask = ENTRIES[name](world)
    suspend(world.shop.merchant_id)
    try:
        done = ask.send(STAFF[name], world.shop.token)
    finally:
        reinstate(world.shop.merchant_id)

    assert done.status == STAFF[name].status, done.body


def test_another_merchants_staff_is_not_touched(world: World) -> None:
    suspend(world.shop.merchant_id)
    other = shops.shop()
    made = goods.product(other.merchant_id)
    path = f"/v1/merchant/products/{made.product_id}/unlist"
    assert call("POST", path, {}, token=other.token).status == 200
    reinstate(world.shop.merchant_id)


def test_an_import_that_runs_ends_at_its_next_step(cloud: str) -> None:
    shop = shops.shop()
    goods.categories()
    rows = "".join(f"cup-{n},Cup {n},9.90,tea\r\n" for n in range(bulk.PRODUCTS_A_STEP + 5))
    body = f"Handle,Title,Variant Price,Type\r\n{rows}".encode()
    began = call("POST", "/v1/merchant/imports/file", raw=body, token=shop.token, headers={"content-type": "text/csv"})
    assert began.status == 202, began.body
    import_id = began.json["import_id"]
    bulk.advance(shop.merchant_id, import_id, step=0)
    bulk.advance(shop.merchant_id, import_id, step=1)
    before = bulk.load(shop.merchant_id, import_id, JobKind.IMPORT)
    assert (before.status, before.progress.created) == (JobStatus.RUNNING, bulk.PRODUCTS_A_STEP)
    suspend(shop.merchant_id)

    Pump().drain()

    job = bulk.load(shop.merchant_id, import_id, JobKind.IMPORT)
    assert (job.status, job.progress.failure, job.progress.created) == (
        JobStatus.FAILED,
        "merchant_suspended",
        bulk.PRODUCTS_A_STEP,
    )
    shown = call("GET", f"/v1/merchant/imports/{import_id}", token=shop.token)
    assert (shown.status, shown.json["failure"]) == (200, "merchant_suspended")
    assert shown.json["failure_text"] == "The merchant was suspended meanwhile; what was imported before stays."


def lists(merchant_id: str, text: str) -> list[str]:
    return [
        "/v1/products",
        "/v1/products?sort=price_asc",
        f"/v1/products?merchant={merchant_id}",
        "/v1/products?category=tea",
        f"/v1/products?merchant={merchant_id}&category=tea",
        f"/v1/search?q={text}",
    ]


def shown(path: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = call("GET", path + (("&" if "?" in path else "?") + f"cursor={cursor}" if cursor else "")).json
        found += [one["product_id"] for one in page["items"]]
        cursor = page.get("next_cursor", "")
        if not cursor:
            return found


def test_its_goods_vanish_and_come_back(cloud: str) -> None:
    ours, others = shops.shop(), shops.shop()
    mine, theirs = (
        ours.product(title="Teapot red", category_id="tea"),
        others.product(title="Teapot blue", category_id="tea"),
    )
    buyer = shops.buyer()
    buyer.put(mine.sku_id)
    Pump().drain()
    paths = lists(ours.merchant_id, "teapot")
    assert all(mine.product_id in shown(path) for path in paths)

    suspend(ours.merchant_id)

    for path in paths:
        assert mine.product_id not in shown(path), path
    assert theirs.product_id in shown("/v1/products")
    assert theirs.product_id in shown("/v1/search?q=teapot")
    assert call("GET", f"/v1/products/{mine.product_id}").status == 404
    assert call("GET", f"/v1/products/{theirs.product_id}").status == 200
    refused = buyer.quote()
    assert refused.status == 409, refused.body
    assert inventory.level(mine.sku_id).available > 0
    reinstate(ours.merchant_id)
    assert all(mine.product_id in shown(path) for path in paths)
    assert call("GET", f"/v1/products/{mine.product_id}").status == 200
    assert buyer.quote().status == 200


def test_a_page_is_filled_from_behind_what_is_hidden(cloud: str) -> None:
    others, ours = shops.shop(), shops.shop()
    seen = [others.product(title=f"Cup {n}").product_id for n in range(3)]
    for number in range(9):
        ours.product(title=f"Pot {number}")
    suspend(ours.merchant_id)

    first = call("GET", "/v1/products?limit=3").json

    assert [one["product_id"] for one in first["items"]] == seen[::-1]
    assert shown("/v1/products?limit=2") == seen[::-1]


def test_other_processes_see_it_within_seconds(cloud: str, noon: Any) -> None:
    ours = shops.shop()
    mine = ours.product(title="Cup")
    path = f"/v1/products/{mine.product_id}"
    assert call("GET", path).status == 200
    elsewhere = merchants._terms.copy()
    suspend(ours.merchant_id)
    merchants._terms.update(elsewhere)  # As a process that did not make the change.

    noon.advance(timedelta(seconds=merchants.STANDING_KEEP_S))

    assert call("GET", path).status == 404


def test_what_the_check_costs(cloud: str) -> None:
    shop = shops.shop()
    product = goods.product(shop.merchant_id)
    merchants.forget()

    def cost(action: Callable[[], Any]) -> tuple[int, float]:
        with metering.measured() as meter:
            action()
        return meter.calls, meter.read_units

    path = f"/v1/products/{product.product_id}"
    assert cost(lambda: call("GET", path)) == (2, 1.0)
    assert cost(lambda: call("GET", path)) == (1, 0.5)
    assert cost(lambda: call("GET", "/v1/products")) == (1, 0.5)
    assert Status(merchants.load(shop.merchant_id).status) is Status.ACTIVE
    unlist = f"/v1/merchant/products/{product.product_id}/unlist"
    staff = people.staff(shop.merchant_id)
    with metering.measured() as meter:
        assert call("POST", unlist, {}, token=staff.token).status == 200
    assert [one for one in meter.operations() if "merchants" in one] == ["GetItem merchants"]
