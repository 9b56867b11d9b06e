"""What somebody does in the shop, by what they see: no step knows an address or an id that is not on the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import uuid4

from playwright.sync_api import Locator, Page

from tests.faces.visitor import Visitor

NO_ADDRESS_YET = r"422.*/v1/quotes"
"""The first quote of somebody without an address is refused, and the browser says so: the page then asks for one."""


@dataclass
class Shopper:
    """Somebody in the shop. Everything is looked for on the page that is shown: those before it stay, hidden."""

    visitor: Visitor

    @property
    def page(self) -> Page:
        return self.visitor.page

    def heading(self, name: str | re.Pattern[str]) -> Locator:
        """Return a heading that is seen."""
        return self.page.get_by_role("heading", name=name).and_(self.page.locator(":visible"))

    def button(self, name: str | re.Pattern[str], *, exact: bool = True) -> Locator:
        """Return a button that is seen."""
        return self.page.get_by_role("button", name=name, exact=exact).and_(self.page.locator(":visible"))

    def link(self, name: str | re.Pattern[str]) -> Locator:
        """Return a link that is seen."""
        return self.page.get_by_role("link", name=name).and_(self.page.locator(":visible"))

    def field(self, label: str) -> Locator:
        """Return a field that is seen."""
        return self.page.get_by_label(label, exact=True).and_(self.page.locator(":visible"))

    def looks(self, name: str) -> None:
        """Nothing here keeps anybody out; a picture is kept when pictures are wanted."""
        self.page.wait_for_timeout(300)  # What moves has come to rest.
        assert self.visitor.barriers() == [], name
        self.visitor.picture(f"shop-{name}")

    def enter(self) -> None:
        """Come to the shop."""
        self.visitor.go("/")
        self.heading("新品上架").wait_for()
        self.page.locator(".card:visible").first.wait_for()

    def search(self, words: str) -> None:
        """Search goods from the head of the page."""
        self.field("搜索商品").fill(words)
        self.page.keyboard.press("Enter")
        self.page.locator(".card:visible").first.wait_for()

    def browse(self, *, category: str, inside: str) -> None:
        """Go to a category by the menu."""
        self.link("分类").first.click()
        self.heading("全部分类").wait_for()
        self.link(inside).first.click()
        self.heading(inside).wait_for()
        self.page.locator(".card:visible").first.wait_for()

    def put_in(self) -> str:
        """Put the first of the goods that are shown into the cart, and return its name."""
        self.page.locator(".card:visible").first.click()
        self.button("加入购物车").wait_for()
        title: str = self.page.locator("h1:visible").inner_text()
        self.button("加入购物车").click()
        self.page.get_by_text("已加入购物车。").and_(self.page.locator(":visible")).wait_for()
        return title

    def open_cart(self) -> None:
        """Open the cart by the menu."""
        self.link(re.compile("^购物车")).first.click()
        self.heading("购物车").wait_for()
        self.button("去结算").wait_for()

    def sign_in_with_qq(self) -> None:
        """Sign in on QQ's page, as somebody whom the shop has not seen."""
        self.button("QQ 登录").click()
        self.page.get_by_role("button", name="其他人").wait_for()
        self.page.locator("input").first.fill(f"p-{uuid4().hex[:12]}")
        self.page.get_by_role("button", name="其他人").click()

    def add_address(self) -> None:
        """Fill in where it goes."""
        self.link("新增地址").click()
        known = {"收件人": "王梅", "手机号": "13800138000", "省 / 直辖市": "浙江省", "城市": "杭州市"}
        for label, value in {**known, "区 / 县": "西湖区", "详细地址": "龙井路 1 号"}.items():
            self.field(label).fill(value)
        self.looks("address")
        self.button("保存").click()
        self.heading("确认订单").wait_for()
        self.page.get_by_text("小计").and_(self.page.locator(":visible")).first.wait_for()

    def pay_by_wechat(self) -> None:
        """Pay at the stand-in's cashier: scanned from a wide screen, gone to from a phone."""
        self.page.get_by_role("radio", name=re.compile("微信")).and_(self.page.locator(":visible")).click()
        self.button(re.compile("^支付 ¥")).click()
        if self.visitor.size.is_phone:
            self.page.wait_for_url(lambda url: not url.startswith(self.visitor.base))
            self._press_pay(self.page)
            self.page.go_back()
            return
        self.link("打开收银台").wait_for()
        self.looks("pay")
        with self.visitor.context.expect_page() as opened:
            self.link("打开收银台").click()
        self._press_pay(opened.value)
        opened.value.close()

    def _press_pay(self, cashier: Page) -> None:
        cashier.locator("#pay-now").wait_for()
        with cashier.expect_response(lambda answer: "/pay/" in answer.url):
            cashier.locator("#pay-now").dispatch_event("click")  # The stand-in's page is no work of art on a phone.

    def confirm(self, question: str) -> None:
        """Say yes to what is asked."""
        self.page.get_by_text(question).wait_for()
        self.page.get_by_text("确定", exact=True).click()
