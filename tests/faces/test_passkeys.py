"""Passkeys in a real browser that has an authenticator: made, used and removed in the shop and in the console."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from chalicelib.kernel import clock
from tests.faces.console import at, enter, signed_up
from tests.faces.shopper import Shopper
from tests.faces.visitor import PHONE, WIDE, Visitor
from tools.dev.server import DevServer

WEB = Path(__file__).resolve().parents[2] / "web"
BUILT = [WEB / "storefront" / "dist" / "h5" / "index.html", WEB / "console" / "dist" / "index.html"]
pytestmark = pytest.mark.skipif(not all(one.is_file() for one in BUILT), reason="the pages are not built: make web")

STALE = timedelta(minutes=11)
"""A proof from so long ago is fresh no more."""
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def at_localhost(person: Visitor) -> Visitor:
    """Open the shop by a name: an address in numbers is none that a passkey could be bound to."""
    person.base = person.base.replace("127.0.0.1", "localhost")
    return person


def with_authenticator(person: Visitor) -> Visitor:
    """Give the browser a device that holds passkeys, and says yes."""
    session = person.context.new_cdp_session(person.page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return person


def test_somebody_adds_a_passkey_in_the_shop_and_signs_in_with_it(
    visit: Callable[..., Visitor], server: DevServer
) -> None:
    client, name, password = signed_up(server)
    her = Shopper(with_authenticator(at_localhost(visit(PHONE))))
    her.visitor.allow("401|409")
    _by_password(her, name, password)
    her.heading("通行密钥").wait_for()
    her.looks("passkeys-none")
    her.field("新通行密钥的名称").fill("我的手机")
    her.button("添加通行密钥").click()
    her.button("改名: 我的手机").wait_for()
    her.button("添加通行密钥").click()
    her.page.get_by_text("此设备上已有您账号的通行密钥。").wait_for()
    her.button("改名: 我的手机").click()
    her.field("名称").fill("口袋里的")
    her.button("保存").click()
    her.page.get_by_text("口袋里的").and_(her.page.locator(":visible")).first.wait_for()
    her.looks("passkeys")

    _sign_out(her)
    _at_sign_in(her)
    her.looks("sign-in-passkey")
    her.button("通行密钥登录").click()
    her.page.get_by_text("最近使用").wait_for()

    app = pyotp.TOTP(client.expect(201, "POST", "/v1/me/factors/totp")["secret"])
    client.expect(200, "POST", "/v1/me/factors/totp/confirm", {"code": app.at(clock.now())})
    _sign_out(her)
    _by_password(her, name, password, second_step=True)
    her.heading("通行密钥").wait_for()

    server.advance(STALE)
    her.button("移除: 口袋里的").click()
    her.confirm("移除通行密钥“口袋里的”？")
    her.button("用通行密钥验证").click()
    her.button("移除: 口袋里的").wait_for(state="detached")


def _at_sign_in(her: Shopper) -> None:
    her.visitor.go("/shop/#/pages/sign-in/sign-in?to=%2Fpages%2Fprivacy%2Fprivacy")
    her.heading("登录").wait_for()


def _by_password(her: Shopper, name: str, password: str, *, second_step: bool = False) -> None:
    _at_sign_in(her)
    her.page.get_by_role("radio", name="密码").and_(her.page.locator(":visible")).click()
    her.field("手机号或邮箱").fill(name)
    her.field("密码").fill(password)
    her.button("登录").click()
    if second_step:
        her.button("改用通行密钥").click()


def _sign_out(her: Shopper) -> None:
    her.visitor.go("/shop/#/pages/me/me")
    her.button("退出登录").click()
    her.button("登录").wait_for()


def test_at_an_address_in_numbers_the_shop_says_that_no_passkey_works(visit: Callable[..., Visitor]) -> None:
    her = Shopper(with_authenticator(visit(WIDE)))
    _at_sign_in(her)
    her.button("通行密钥登录").click()
    her.page.get_by_text(re.compile("通行密钥不适用于当前网址")).wait_for()


def test_somebody_adds_a_passkey_in_the_console_and_signs_in_with_it(
    visit: Callable[..., Visitor], server: DevServer
) -> None:
    client, name, password = signed_up(server)
    person = with_authenticator(at_localhost(visit(WIDE)))
    person.allow("401")
    page = enter(person, {"email": name, "password": password})
    server.advance(STALE)
    at(person, "/security").get_by_label("新通行密钥的名称").fill("工作电脑")
    page.get_by_role("button", name="添加通行密钥").click()
    asked = page.get_by_role("dialog", name="请再次验证身份")
    asked.get_by_label("密码", exact=True).fill(password)
    asked.get_by_role("button", name="确认").click()
    page.get_by_role("button", name="改名: 工作电脑").click()
    page.get_by_label("名称", exact=True).fill("台式机")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="移除: 台式机").wait_for()
    assert person.barriers() == []
    person.picture("console-passkeys")

    page.get_by_role("button", name="退出登录").click()
    page.get_by_role("button", name="通行密钥登录").wait_for()
    assert person.barriers() == []
    page.get_by_role("button", name="通行密钥登录").click()
    page.get_by_role("heading", name="概览").wait_for()

    client.sign_in(name, password)
    app = pyotp.TOTP(client.expect(201, "POST", "/v1/me/factors/totp")["secret"])
    client.expect(200, "POST", "/v1/me/factors/totp/confirm", {"code": app.at(clock.now())})
    page.get_by_role("button", name="退出登录").click()
    page.get_by_label("邮箱或手机号").fill(name)
    page.get_by_label("密码", exact=True).fill(password)
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("button", name="改用通行密钥").wait_for()
    assert person.barriers() == []
    page.get_by_role("button", name="改用通行密钥").click()
    page.get_by_role("heading", name="概览").wait_for()

    server.advance(STALE)
    at(person, "/security").get_by_role("button", name="移除: 台式机").click()
    page.get_by_role("dialog").get_by_role("button", name="确认").click()
    page.get_by_role("button", name="用通行密钥验证").click()
    page.get_by_text("尚未添加。").wait_for()
