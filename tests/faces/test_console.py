"""The console in a real browser: a merchant ships and answers, an operator decides, two operators give money back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from playwright.sync_api import FilePayload

from chalicelib.kernel import clock
from tests.faces.console import account, at, bought, enter, seller, signed_up
from tests.faces.visitor import WIDE, Visitor
from tools.dev.server import DevServer

ABOVE_ONE_PERSONS_LIMIT = 110_000

MERCHANT = (
    "/",
    "/orders",
    "/goods",
    "/goods/new",
    "/imports",
    "/complaints",
    "/returns",
    "/conversations",
    "/sales",
    "/shop",
    "/staff",
    "/keys",
    "/webhooks",
    "/me",
)
OPERATOR = (
    "/",
    "/operator/complaints",
    "/operator/returns",
    "/operator/conversations",
    "/operator/feedback",
    "/operator/payments",
    "/operator/cases",
    "/operator/reconciliations",
    "/operator/ledger",
    "/operator/merchants",
    "/operator/categories",
    "/operator/tracking-numbers",
    "/operator/roles",
    "/operator/audit",
    "/security",
)


def test_a_wrong_password_is_told_and_the_right_one_opens_what_the_post_opens(
    anyone: Visitor, server: DevServer
) -> None:
    anyone.allow("401")
    who = account(server, "clerk")
    page = anyone.go("/console/#/sign-in")
    assert anyone.barriers() == []
    page.get_by_label("邮箱或手机号").fill(who["email"])
    page.get_by_label("密码", exact=True).fill("not-this-one")
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("alert").get_by_text("账号或密码错误").wait_for()

    enter(anyone, who)
    if anyone.size.is_phone:
        page.get_by_role("button", name="菜单").click()
    menu = page.get_by_role("navigation", name="菜单")
    menu.get_by_role("link", name="订单与发货").wait_for()
    assert menu.get_by_role("link", name="人员与邀请").count() == 0
    assert menu.get_by_role("link", name="支付队列").count() == 0
    at(anyone, "/staff").get_by_role("heading", name="您的职位或岗位没有此页面的权限").wait_for()


def test_a_merchant_ships_an_order(anyone: Visitor, server: DevServer) -> None:
    found = bought(server)
    page = enter(anyone, seller(server, found))
    at(anyone, "/orders").get_by_role("link", name=found.order["number"]).click()
    page.get_by_role("heading", name=f"订单 {found.order['number']}").wait_for()
    page.get_by_text("文三路 1 号").wait_for()
    assert anyone.barriers() == []
    anyone.picture("console-order")

    page.get_by_label("快递公司").select_option("yuantong")
    page.get_by_role("textbox", name="运单号").fill("no")
    anyone.allow("422")
    page.get_by_role("button", name="确认发货").click()
    page.locator(".el-input:has(#ship-number) + .el-form-item__error").wait_for()  # What is wrong stands at its field.
    page.locator("#ship-number").fill(f"YT{abs(hash(found.purchase_id)) % 10**13:013d}")
    page.get_by_role("button", name="确认发货").dblclick()  # A second click ships nothing a second time.
    page.get_by_text("已发货。").first.wait_for()
    page.get_by_role("button", name="更正运单号").wait_for()
    assert found.order_now()["status"] == "shipped"
    assert len(found.order_now()["parcels"]) == 1
    assert anyone.barriers() == []

    at(anyone, f"/orders/packing?orders={found.order['order_id']}").get_by_text(found.order["number"]).wait_for()
    assert anyone.barriers() == []


def test_a_merchant_answers_a_complaint_and_an_operator_decides(
    anyone: Visitor, visit: Callable[..., Visitor], server: DevServer
) -> None:
    found = bought(server)
    complaint_id = found.complain("壶嘴有一处裂纹。")
    page = enter(anyone, seller(server, found))
    at(anyone, f"/complaints/{complaint_id}").get_by_text("壶嘴有一处裂纹。").wait_for()
    assert page.get_by_text("剩").first.is_visible()  # How long there is to answer.
    assert anyone.barriers() == []
    page.get_by_text("拒绝", exact=True).click()
    page.get_by_label("说明（买家可见）").fill("我们检查过，没有问题。")
    page.get_by_role("button", name="发送回复").click()
    page.get_by_role("button", name="发送回复").wait_for(state="detached")
    path = f"/v1/complaints/{complaint_id}"
    assert found.buyer.get(path)["turn"] == "buyer"
    found.buyer.expect(200, "POST", f"{path}/escalate", {"text": "请平台裁决。"})

    operator = visit(anyone.size)
    desk = enter(operator, account(server, "operator"))
    at(operator, "/operator/complaints").wait_for_load_state("networkidle")
    assert operator.barriers() == []
    at(operator, f"/operator/complaints/{complaint_id}").get_by_text("请平台裁决。").wait_for()
    desk.get_by_label("退款金额").fill("12.50")
    desk.get_by_label("说明（买家可见）").fill("双方各担一半。")
    desk.get_by_label("认定事实").fill("壶嘴有裂纹，何时产生无法查明。")
    assert operator.barriers() == []
    operator.picture("console-complaint")
    desk.get_by_role("button", name="作出裁决").click()
    desk.get_by_role("dialog").get_by_text("¥12.50").wait_for()
    desk.get_by_role("button", name="确认裁决").click()
    desk.get_by_role("button", name="作出裁决").wait_for(state="detached")
    assert found.buyer.get(path)["refund"] == {"minor": 1250, "currency": "CNY"}


def test_two_operators_make_a_refund(anyone: Visitor, visit: Callable[..., Visitor], server: DevServer) -> None:
    found = bought(server, least_minor=ABOVE_ONE_PERSONS_LIMIT)
    anyone.allow("409")
    page = enter(anyone, account(server, "operator"))
    place = f"/operator/purchases/{found.purchase_id}"
    at(anyone, place).get_by_role("button", name="发起退款").click()
    form = page.get_by_role("dialog", name="发起退款")
    form.get_by_label("金额", exact=True).fill("1050.00")
    form.get_by_label("原因").fill("全部退回")
    form.get_by_role("button", name="立即退款").click()
    form.get_by_text("此退款需要第二人").wait_for()  # Why it was refused, and the way that is open.
    assert anyone.barriers() == []
    form.get_by_role("button", name="提交第二人审批").click()
    page.get_by_text("您是申请人，须由另一位运营人员批准。").wait_for()
    assert found.order_now()["refunding"]["minor"] + found.order_now()["refunded"]["minor"] == 0

    colleague = visit(anyone.size)
    desk = enter(colleague, account(server, "colleague"))
    at(colleague, "/operator/payments?queue=approval").get_by_role("link", name=found.purchase_id).click()
    desk.get_by_role("button", name="批准 ¥1,050.00").click()
    desk.get_by_role("dialog").get_by_text("批准后立即退款 ¥1,050.00").wait_for()
    desk.get_by_role("dialog").get_by_role("button", name="批准").click()
    desk.get_by_role("heading", name="退款", exact=True).wait_for()
    order = found.order_now()
    assert order["refunding"]["minor"] + order["refunded"]["minor"] == 105_000
    assert colleague.barriers() == []
    colleague.picture("console-purchase")

    at(colleague, f"/operator/orders/{found.order['order_id']}").get_by_role("button", name="说明此订单").click()
    desk.get_by_label("原因").fill("买家来电询问")
    desk.get_by_role("dialog").get_by_role("button", name="说明此订单").click()
    desk.get_by_text("买家下单").first.wait_for()
    assert colleague.barriers() == []


@pytest.mark.parametrize(("who", "places"), [("tea", MERCHANT), ("operator", OPERATOR)])
def test_no_page_keeps_anybody_out(anyone: Visitor, server: DevServer, who: str, places: tuple[str, ...]) -> None:
    page = enter(anyone, account(server, who))
    barriers = {}
    for place in places:
        at(anyone, place).locator("#page-title").wait_for()
        barriers[place] = anyone.barriers()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{place} is wider than the screen"
    assert {place: found for place, found in barriers.items() if found} == {}


def test_the_same_page_in_english(visit: Callable[..., Visitor], server: DevServer) -> None:
    person = visit(WIDE)
    page = enter(person, account(server, "tea"))
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="Overview").wait_for()
    at(person, "/orders").get_by_role("button", name="To ship").wait_for()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert person.barriers() == []


def test_a_file_is_imported_with_its_refused_line(visit: Callable[..., Visitor], server: DevServer) -> None:
    person = visit(WIDE)
    page = enter(person, account(server, "tea"))
    at(person, "/imports").get_by_label("默认分类").select_option("tea-ware")
    lines = "Handle,Title,Variant Price\nconsole-good,好壶,88.00\nconsole-bad,坏壶,none\n"
    content: FilePayload = {"name": "goods.csv", "mimeType": "text/csv", "buffer": lines.encode()}
    page.get_by_label("CSV 文件").set_input_files(files=[content])
    page.get_by_role("button", name="开始导入").click()
    page.get_by_text("已完成").first.wait_for()
    page.get_by_role("cell", name="Variant Price").first.wait_for()
    assert person.barriers() == []


def test_a_second_factor_is_set_up_and_asked_for(visit: Callable[..., Visitor], server: DevServer) -> None:
    person = visit(WIDE)
    person.allow("401")
    _, name, password = signed_up(server)
    page = enter(person, {"email": name, "password": password})
    server.advance(timedelta(minutes=6))  # What was proved at the sign-in is too long ago by now.
    at(person, "/security").get_by_role("button", name="绑定身份验证器").click()
    asked = page.get_by_role("dialog", name="请再次验证身份")
    asked.get_by_label("密码", exact=True).fill(password)
    asked.get_by_role("button", name="确认").click()
    page.get_by_role("img", name="二维码").wait_for()
    app = pyotp.TOTP(page.locator("[data-test=totp-secret]").inner_text())
    page.get_by_label("动态码", exact=True).fill(app.at(clock.now()))
    assert person.barriers() == []
    page.get_by_role("button", name="启用").click()
    page.get_by_text("备用码只显示这一次").wait_for()

    page.get_by_role("button", name="退出登录").click()
    server.advance(timedelta(seconds=31))  # A code counts once.
    page.get_by_label("邮箱或手机号").fill(name)
    page.get_by_label("密码", exact=True).fill(password)
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_label("身份验证器上的 6 位动态码").fill(app.at(clock.now()))
    assert person.barriers() == []
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("heading", name="概览").wait_for()
