"""Somebody asks a shop, is answered, calls the service, and says how it was: in the shop's pages and the console's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faces.console import account, at, bought, enter, seller, signed_up
from tests.faces.shopper import Shopper
from tests.faces.test_storefront import BUILT
from tests.faces.visitor import PHONE, WIDE, Visitor
from tools.dev.server import DevServer

pytestmark = pytest.mark.skipif(not BUILT.is_file(), reason="the shop is not built: make web")


def test_somebody_asks_a_shop_calls_the_service_and_says_how_it_was(
    anyone: Visitor, visit: Callable[..., Visitor], server: DevServer
) -> None:
    buyer, name, password = signed_up(server)
    found = bought(server, buyer=buyer)
    her = Shopper(anyone)
    _enter(her, name, password, f"order/order?id={found.order['order_id']}")
    her.link("联系商家").click()
    her.field("想说什么？").fill("什么时候发货？")
    her.button("发送").click()
    her.page.get_by_text("等待商家回复").wait_for()
    her.looks("conversation")
    (talk,) = buyer.get("/v1/conversations")["items"]

    merchant = visit(anyone.size)
    desk = enter(merchant, seller(server, found))
    at(merchant, "/conversations").locator(f"a[href$='{talk['conversation_id']}']").first.click()
    desk.get_by_text("什么时候发货？").wait_for()
    desk.get_by_label("回复").fill("今天发货。")
    assert merchant.barriers() == []
    desk.get_by_role("button", name="发送").dblclick()  # A second click says nothing a second time.
    desk.locator("li", has_text="今天发货。").wait_for()
    assert desk.locator("li", has_text="今天发货。").count() == 1

    her.page.reload()
    her.page.get_by_text("今天发货。").wait_for()
    her.button("请平台客服介入").click()
    her.page.get_by_text("等待客服接入").first.wait_for()

    operator = visit(anyone.size)
    desk = enter(operator, account(server, "operator"))
    at(operator, f"/operator/conversations/{talk['conversation_id']}").get_by_role("button", name="接入").click()
    _agree(operator, "接入")
    desk.get_by_label("回复").fill("商家今天发货。")
    assert operator.barriers() == []
    desk.get_by_role("button", name="发送").click()
    desk.locator("li", has_text="商家今天发货。").wait_for()
    desk.get_by_role("button", name="标记为已解决").click()
    _agree(operator, "标记为已解决")
    desk.get_by_text("已解决").first.wait_for()
    assert buyer.get(f"/v1/conversations/{talk['conversation_id']}")["conversation"]["status"] == "solved"

    anyone.until(lambda: bool(buyer.get("/v1/satisfaction")["items"]))
    her.visitor.go("/shop/#/pages/feedback/feedback")
    her.button("5 分").click()
    her.button("5 分").wait_for(state="detached")
    her.field("请描述").fill("多上些绿茶。")
    her.button("发送").click()
    her.page.get_by_text("多上些绿茶。").last.wait_for()
    her.looks("feedback")
    (survey,) = buyer.get("/v1/satisfaction")["items"]
    assert survey["score"] == 5


def test_somebody_reads_what_was_told_and_chooses_what_is_brought(
    visit: Callable[..., Visitor], server: DevServer
) -> None:
    buyer, name, password = signed_up(server)
    her = Shopper(visit(PHONE))
    bought(server, buyer=buyer)
    her.visitor.until(lambda: bool(buyer.get("/v1/me/inbox")["items"]))
    _enter(her, name, password, "inbox/inbox")
    her.button("全部标为已读").click()
    her.button("全部标为已读").wait_for(state="detached")
    assert buyer.get("/v1/me/inbox/unread")["unread"] == 0
    her.looks("inbox")
    her.link("消息接收设置").click()
    her.page.get_by_role("checkbox", name="物流: 邮件").click()
    her.field("开始时间（时:分）").fill("21:30")
    her.looks("brought")
    her.button("保存").click()
    her.page.get_by_text("已保存。").wait_for()
    chosen = buyer.get("/v1/me/inbox/preferences")
    off = {(one["topic"], way) for one in chosen["topics"] for way, on in one["channels"].items() if not on}
    assert off == {("parcels", "email")}
    assert chosen["quiet_hours"]["begins"] == "21:30"


def test_an_operator_sorts_and_answers_what_somebody_told(visit: Callable[..., Visitor], server: DevServer) -> None:
    buyer, _, _ = signed_up(server)
    told = buyer.expect(201, "POST", "/v1/feedback", {"kind": "wish", "text": "想买白茶。"})
    operator = visit(WIDE)
    desk = enter(operator, account(server, "operator"))
    at(operator, "/operator/feedback")
    panel = desk.locator("section.panel", has_text="想买白茶。")
    panel.get_by_role("button", name="分类").click()
    sheet = desk.get_by_role("dialog", name="分类")
    sheet.get_by_label("归属").select_option("goods")
    assert operator.barriers() == []
    sheet.get_by_role("button", name="分类").click()
    desk.get_by_role("button", name="待答复").click()
    panel.get_by_role("button", name="答复").click()
    sheet = desk.get_by_role("dialog", name="答复")
    sheet.get_by_label("答复内容").fill("下周上架。")
    sheet.get_by_role("button", name="答复").click()
    panel.wait_for(state="detached")
    assert buyer.get(f"/v1/feedback/{told['feedback_id']}")["status"] == "answered"


def _enter(her: Shopper, name: str, password: str, place: str) -> None:
    """Come to a page of one's own by the sign-in that stands before it."""
    her.visitor.go(f"/shop/#/pages/{place}")
    her.page.get_by_role("radio", name="密码").and_(her.page.locator(":visible")).click()
    her.field("手机号或邮箱").fill(name)
    her.field("密码").fill(password)
    her.button("登录").click()


def _agree(person: Visitor, name: str) -> None:
    """Say yes in the sheet, and see it close: what lies under it takes no keys meanwhile."""
    sheet = person.page.get_by_role("dialog")
    sheet.get_by_role("button", name=name).click()
    sheet.wait_for(state="hidden")
