"""The shop in a real browser, at a phone and at a wide screen: from looking around to a complaint that is settled."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.scenario import STAGES, png, post
from tests.faces.console import account, bought, signed_up
from tests.faces.shopper import NO_ADDRESS_YET, Shopper
from tests.faces.visitor import PHONE, WIDE, Visitor
from tools.dev.server import DevServer
from tools.shared.client import Client, Network

BUILT = Path(__file__).resolve().parents[2] / "web" / "storefront" / "dist" / "h5" / "index.html"
FREE_CODES = 4
"""So many of them one network may ask for one contact before it costs work."""
A_CODES_WORK_MS = 90_000
pytestmark = pytest.mark.skipif(not BUILT.is_file(), reason="the shop is not built: make web")


@pytest.fixture
def merchant(server: DevServer) -> Iterator[Callable[[str], Client]]:
    """Sign in somebody who works for a merchant, named as buyers see it."""
    network = Network(server.url)

    def working_for(name: str) -> Client:
        client = Client(network)
        for one in server.accounts:
            if "merchant_id" in one:
                client.sign_in(one["email"], one["password"])
                if client.get("/v1/merchant/profile")["name"] == name:
                    return client
        raise LookupError(name)

    yield working_for
    network.close()


def test_somebody_buys_from_two_merchants_follows_and_complains(
    anyone: Visitor, server: DevServer, merchant: Callable[[str], Client]
) -> None:
    anyone.allow(NO_ADDRESS_YET)
    her = Shopper(anyone)
    her.enter()
    her.looks("home")
    her.search("杯")
    her.looks("search")
    her.put_in()
    her.looks("product")
    her.browse(category="家居", inside="厨具")
    her.looks("list")
    her.put_in()
    her.open_cart()
    assert her.page.locator("section.panel:visible").count() == 2, "a pile for each merchant"
    her.looks("cart")

    her.button("去结算").click()
    her.button("QQ 登录").wait_for()
    her.looks("sign-in")
    her.sign_in_with_qq()
    her.heading("确认订单").wait_for()
    her.page.get_by_text("请先填写收货地址。").wait_for()
    her.add_address()
    her.looks("confirm")
    her.button("提交订单").click()
    her.page.get_by_text("选择支付方式").wait_for()
    her.pay_by_wechat()
    her.heading("已付款").wait_for()
    her.looks("paid")

    her.page.locator("main:visible a.list-row").first.click()
    her.button("取消订单").wait_for()
    shop = her.page.locator("h1:visible").inner_text()
    number = re.findall(r"订单号 (\S+)", her.page.locator("main:visible").inner_text())[0]
    seller = merchant(shop)
    order = _order(seller, number)
    _ship(server, seller, order)
    her.page.reload()
    her.page.get_by_text("已签收").first.wait_for()
    assert her.page.locator("section.panel:visible .moment").count() > len(STAGES)
    her.looks("order")
    her.button("确认收货").click()
    her.confirm("确认已收到全部商品？")
    her.page.get_by_text("已完成").first.wait_for()

    her.link("投诉").click()
    her.page.get_by_role("radio", name="破损").and_(her.page.locator(":visible")).click()
    her.field("请说明情况").fill("到货时有一处裂纹。")
    her.page.locator("input[type=file]").last.set_input_files(
        {"name": "crack.png", "mimeType": "image/png", "buffer": png()}
    )
    her.page.get_by_role("img", name="图片 1").wait_for()
    her.looks("complain")
    her.button("提交投诉").click()
    her.page.get_by_text("等待商家处理，剩余").wait_for()
    her.looks("complaint")
    complaint = seller.get("/v1/merchant/complaints?view=waiting")["items"][0]
    offer = {"answer": "refund", "amount": order["lines"][0]["total"], "text": "抱歉，全额退款。"}
    seller.expect(200, "POST", f"/v1/merchant/complaints/{complaint['complaint_id']}/reply", offer)
    her.page.reload()
    her.page.get_by_text("商家提出退款 ¥").wait_for()
    her.button("接受").click()
    her.confirm("接受商家的处理方案？")
    her.page.get_by_text("抱歉，全额退款。").wait_for()
    her.button("接受").wait_for(state="detached")


def _order(seller: Client, number: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = seller.get("/v1/merchant/orders?view=to_ship")["items"]
    return next(order for order in listed if order["number"] == number)


def _ship(server: DevServer, seller: Client, order: dict[str, Any]) -> None:
    """Ship an order, and let the carrier bring it."""
    number = f"YT{time.time_ns() % 10**13:013d}"
    lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in order["lines"]]
    body = {"lines": lines, "carrier": "yuantong", "tracking_number": number}
    path = f"/v1/merchant/orders/{order['order_id']}/shipments"
    seller.expect(201, "POST", path, body)
    for stage in STAGES:
        _until(lambda stage=stage: _told(server, number, stage), f"the carrier tells {stage}")  # type: ignore[misc]
    _until(lambda: seller.get(path)["items"][0]["status"] == "delivered", "the parcel has arrived")


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


def test_a_changed_price_is_shown_before_anything_is_ordered(
    visit: Callable[..., Visitor], merchant: Callable[[str], Client]
) -> None:
    her = Shopper(visit(WIDE))
    her.visitor.allow(NO_ADDRESS_YET)
    her.visitor.allow(r"409.*/v1/purchases")
    her.enter()
    her.search("碗")
    title = her.put_in()
    her.open_cart()
    her.button("去结算").click()
    her.sign_in_with_qq()
    her.page.get_by_text("请先填写收货地址。").wait_for()
    her.add_address()
    shop = her.page.locator("section.panel:visible h2").nth(1).inner_text()
    seller = merchant(shop)
    product = next(each for each in _products(seller) if each["titles"]["zh"] == title)
    path = f"/v1/merchant/products/{product['product_id']}"
    before = seller.get(path)
    skus = [{**_kept(sku), "price": {**sku["price"], "minor": sku["price"]["minor"] + 100}} for sku in before["skus"]]
    _change(seller, path, skus)
    try:
        her.button("提交订单").click()
        her.heading("有变动，请核对").wait_for()
        her.looks("changed")
        her.button("提交订单").click()
        her.page.get_by_text("选择支付方式").wait_for()
    finally:
        _change(seller, path, [_kept(sku) for sku in before["skus"]])


def _products(seller: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = seller.get("/v1/merchant/products?limit=100")["items"]
    return found


def _kept(sku: dict[str, Any]) -> dict[str, Any]:
    return {name: sku[name] for name in ("sku_id", "options", "price", "compare_at", "weight_g") if name in sku}


def _change(seller: Client, path: str, skus: list[dict[str, Any]]) -> None:
    tag = seller.call("GET", path).headers["etag"]
    seller.expect(200, "PATCH", path, {"skus": skus}, headers={"If-Match": tag})


def test_what_was_seen_is_there_without_a_network(visit: Callable[..., Visitor]) -> None:
    her = Shopper(visit(PHONE))
    her.visitor.allow("ERR_INTERNET_DISCONNECTED")
    her.visitor.allow("ERR_FAILED")
    her.enter()
    her.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    her.page.reload()  # From here on the worker sees what is asked.
    her.page.locator(".card:visible").first.wait_for()
    her.page.locator(".card:visible").first.click()
    her.button("加入购物车").wait_for()
    title = her.page.locator("h1:visible").inner_text()
    kept = her.page.evaluate("caches.open('biandan-1').then((c) => c.keys()).then((all) => all.map((one) => one.url))")
    assert not [url for url in kept if re.search(r"/v1/(me|cart|orders|purchases|auth|complaints)", url)]
    her.visitor.context.set_offline(True)
    her.page.reload()
    her.heading(title).wait_for()
    her.visitor.context.set_offline(False)


def test_keys_alone_lead_through_the_shop(visit: Callable[..., Visitor]) -> None:
    her = Shopper(visit(WIDE))
    her.enter()
    her.page.keyboard.press("Tab")
    assert her.page.evaluate("document.activeElement.textContent") == "跳到正文"
    her.page.keyboard.press("Enter")
    assert her.page.evaluate("document.activeElement.id") == "main"
    her.search("龙井")  # Of these one chooses a weight; what others have listed meanwhile may have nothing to choose.
    her.page.locator(".card:visible", has_text="龙井").first.focus()
    her.page.keyboard.press("Enter")
    her.button("加入购物车").wait_for()
    chosen = her.page.locator("[role=radio][aria-checked=true]:visible").first
    before = chosen.inner_text()
    chosen.focus()
    her.page.keyboard.press("ArrowRight")
    after = her.page.locator("[role=radio][aria-checked=true]:visible").first
    assert after.inner_text() != before
    assert after.evaluate("(one) => one === document.activeElement")
    her.button("加入购物车").focus()
    her.page.keyboard.press("Enter")
    her.page.get_by_text("已加入购物车。").wait_for()


def test_in_english_and_in_the_dark_nobody_is_kept_out(visit: Callable[..., Visitor]) -> None:
    someone = visit(WIDE, language="en")
    someone.page.emulate_media(color_scheme="dark")
    someone.go("/")
    someone.page.get_by_role("heading", name="Just in").wait_for()
    someone.page.locator(".card:visible").first.wait_for()
    assert someone.barriers() == []
    assert someone.page.evaluate("document.documentElement.lang") == "en"
    someone.picture("shop-home-dark")
    someone.page.locator(".card:visible").first.click()
    someone.page.get_by_role("button", name="Add to cart").wait_for()
    assert someone.barriers() == []
    background = someone.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(18, 21, 23)"


def test_what_is_held_of_a_person_is_theirs_to_see(anyone: Visitor) -> None:
    her = Shopper(anyone)
    anyone.go("/shop/#/pages/sign-in/sign-in?to=%2Fpages%2Fprivacy%2Fprivacy")
    her.sign_in_with_qq()
    her.heading("登录设备").wait_for()
    her.page.get_by_text("本机").wait_for()
    consent = her.page.get_by_role("checkbox").and_(her.page.locator(":visible")).first
    assert consent.get_attribute("aria-checked") == "false"
    consent.click()
    her.page.locator("[role=checkbox][aria-checked=true]:visible").first.wait_for()
    her.button("申请副本").click()
    her.page.get_by_text("正在准备，完成后会通知您").or_(her.page.get_by_text("已准备好")).wait_for()
    her.looks("privacy")


def test_whoever_used_up_the_free_codes_gets_one_by_their_devices_work(
    visit: Callable[..., Visitor], server: DevServer
) -> None:
    contact = f"worked-{uuid4().hex[:12]}@example.com"
    her = Shopper(visit(PHONE))
    her.visitor.allow(r"429.*/v1/auth/codes")
    with closing(Network(server.url)) as network:
        others = Client(network)
        for _ in range(FREE_CODES):
            others.expect(202, "POST", "/v1/auth/codes", {"contact": contact, "purpose": "sign_in"})
        her.visitor.go("/shop/#/pages/sign-in/sign-in")
        her.field("手机号或邮箱").fill(contact)
        her.button("获取验证码").click()
        her.page.get_by_text("正在完成安全验证").wait_for()
        her.page.locator("[aria-busy=true]:visible").first.wait_for()
        her.page.get_by_text("验证码已发送").wait_for(timeout=A_CODES_WORK_MS)
        assert her.page.get_by_text("正在完成安全验证").count() == 0
        her.field("六位验证码").fill(others.code_in_mailbox(contact))
    her.button("登录").click()
    her.heading("新品上架").wait_for()


def test_somebody_sees_who_was_shown_where_their_parcels_go(
    visit: Callable[..., Visitor], server: DevServer, merchant: Callable[[str], Client]
) -> None:
    buyer, name, password = signed_up(server)
    found = bought(server, buyer=buyer)
    shop = found.order["merchant_name"]
    merchant(shop).get(f"/v1/merchant/orders/{found.order['order_id']}")
    with closing(Network(server.url)) as network:
        operator = Client(network)
        who = account(server, "operator")
        operator.sign_in(who["email"], who["password"])
        reason = {"reason": "核对收货地址"}
        operator.expect(200, "POST", f"/v1/operator/purchases/{found.purchase_id}/contact", reason)
    her = Shopper(visit(PHONE))
    her.visitor.go("/shop/#/pages/sign-in/sign-in?to=%2Fpages%2Fprivacy%2Fprivacy")
    her.page.get_by_role("radio", name="密码").and_(her.page.locator(":visible")).click()
    her.field("手机号或邮箱").fill(name)
    her.field("密码").fill(password)
    her.button("登录").click()
    her.link("谁查看过我的信息").click()
    her.page.get_by_text("理由：核对收货地址").wait_for()
    her.page.get_by_text(re.compile(f"^{re.escape(shop)}: ")).wait_for()
    her.looks("disclosures")
    her.link(f"查看订单: {shop}").click()
    her.heading(shop).wait_for()
