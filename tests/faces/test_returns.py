"""Goods go back, in a real browser: a buyer at a phone asks for it and sends it, a shop at a wide screen grades it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.scenario import STAGES, post
from tests.faces.console import Bought, at, bought, enter, seller, signed_up
from tests.faces.shopper import Shopper
from tests.faces.visitor import PHONE, WIDE, Visitor
from tools.dev.server import DevServer
from tools.shared.client import Client

BUILT = Path(__file__).resolve().parents[2] / "web" / "storefront" / "dist" / "h5" / "index.html"
pytestmark = pytest.mark.skipif(not BUILT.is_file(), reason="the shop is not built: make web")
WHERE = {"收件人": "退货组", "电话": "+86 571 8800 0000", "城市": "杭州市", "详细地址": "仓前路 8 号"}


def test_a_buyer_sends_units_back_and_the_shop_grades_them(visit: Callable[..., Visitor], server: DevServer) -> None:
    buyer, name, password = signed_up(server)
    found = bought(server, buyer=buyer)
    owner = Client(buyer.send)
    owner.sign_in(seller(server, found)["email"], seller(server, found)["password"])
    _ship(server, owner, found)

    her = Shopper(visit(PHONE))
    _sign_in(her, name, password, f"/pages/order/order?id={found.order['order_id']}")
    her.link("退货 / 换货").click()
    her.heading("退货 / 换货").wait_for()
    her.looks("send-back")
    her.button("查看可退金额").click()
    her.page.get_by_text("预计退款 ¥").wait_for()
    her.button("提交申请").click()
    her.heading("退货退款 · 七日无理由").wait_for()
    her.looks("return-asked")
    return_id = her.page.url.split("id=")[1]

    shop = visit(WIDE)
    desk = enter(shop, seller(server, found))
    at(shop, "/returns").locator(f"a[href*='{return_id}']").click()
    for label, value in WHERE.items():
        desk.get_by_label(label, exact=True).fill(value)
    assert shop.barriers() == []
    desk.get_by_role("button", name="同意退换").click()
    desk.get_by_role("button", name="同意退换").wait_for(state="detached")

    her.page.reload()
    her.page.get_by_text("请寄回：退货组").wait_for()
    number = _number()
    her.field("快递公司代码，如 yuantong").fill("yuantong")
    her.field("运单号").fill(number)
    her.looks("return-approved")
    her.button("已寄出").click()
    her.button("已寄出").wait_for(state="detached")
    _carry(server, number)
    _until(lambda: buyer.get(f"/v1/returns/{return_id}")["status"] == "received", "the parcel is back")

    at(shop, f"/returns/{return_id}")
    desk.reload()
    desk.get_by_role("heading", name="验货").wait_for()
    desk.get_by_label("如新", exact=True).fill("1")
    desk.get_by_label("如新", exact=True).press("Tab")
    assert shop.barriers() == []
    desk.get_by_role("button", name="提交验货结果").click()
    _until(lambda: buyer.get(f"/v1/returns/{return_id}")["status"] == "refunded", "the money is back")
    her.visitor.go("/shop/#/pages/returns/returns")
    her.heading("我的退换货").wait_for()
    her.link("退货退款 · 七日无理由").wait_for()
    her.looks("returns")


def _sign_in(her: Shopper, name: str, password: str, to: str) -> None:
    her.visitor.go(f"/shop/#/pages/sign-in/sign-in?to={to.replace('/', '%2F').replace('?', '%3F').replace('=', '%3D')}")
    her.page.get_by_role("radio", name="密码").click()
    her.field("手机号或邮箱").fill(name)
    her.field("密码").fill(password)
    her.button("登录").click()


def _ship(server: DevServer, owner: Client, found: Bought) -> None:
    number, order = _number(), found.order
    lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in order["lines"]]
    body: dict[str, Any] = {"lines": lines, "carrier": "yuantong", "tracking_number": number}
    owner.expect(201, "POST", f"/v1/merchant/orders/{order['order_id']}/shipments", body)
    _carry(server, number)
    _until(lambda: found.order_now()["status"] == "delivered", "the order is delivered")


def _number() -> str:
    return f"YT{uuid4().int % 10**13:013d}"


def _carry(server: DevServer, number: str) -> None:
    for stage in STAGES:
        _until(lambda stage=stage: _told(server, number, stage), f"the carrier tells {stage}")  # type: ignore[misc]


def _told(server: DevServer, number: str, stage: str) -> bool:
    try:
        post(f"{server.carrier_url}/command", {"number": number, "do": stage})
    except Exception:  # The hub hears of a parcel a moment after it was shipped.
        return False
    return True


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
