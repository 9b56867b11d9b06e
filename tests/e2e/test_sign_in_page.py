"""A person at the stand-in's page, in a real Chromium: out of a storefront of another origin, and back to its tokens.

The storefront runs the script of docs/sign-in.md, word for word.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import browser, driven
from tests.support.driven import Storefront, Tab
from tools.checks.version import ROOT
from tools.dev.server import DevServer

pytestmark = [pytest.mark.process, pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)]
DOMAIN, PAGE = "https://api.shop.example", "https://shop.example/signed-in"


class Shop:
    """A dev server, a storefront on another origin, and a tab that is open there."""

    def __init__(self, server: DevServer, storefront: Storefront, tab: Tab) -> None:
        assert server.stand_ins is not None
        self.api, self.url, self.tab = server.url, storefront.url, tab
        self.stand_in = server.stand_ins.sign_in

    def begin(self) -> None:
        """Press the storefront's button, and wait for the page of the stand-in."""
        self.tab.go(self.url + "/")
        self.tab.until("document.title === 'a shop' && typeof begin === 'function'")
        self.tab.ask("void setTimeout(begin)")
        self.tab.until("!!document.getElementById('cancel')")

    def complete(self) -> dict[str, Any]:
        """Wait for the way back, and complete."""
        self.tab.until(f"location.href.startsWith({self.url + '/signed-in?'!r}) && typeof complete === 'function'")
        found: dict[str, Any] = self.tab.ask("complete()")
        assert self.tab.ask("location.href") == self.url + "/signed-in", "the code does not stay in the address"
        return found

    def who(self, tokens: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.api}/v1/me", headers={"authorization": f"Bearer {tokens['access_token']}"}
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())


def script() -> str:
    """Return the storefront's script as the page of the documentation has it."""
    text = (ROOT / "docs" / "sign-in.md").read_text("utf-8")
    (found,) = re.findall(r"```js\n(.*?)```", text, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def shop(shared_cloud: str) -> Iterator[Shop]:
    path = browser.found()
    assert path is not None
    with DevServer(port=0, seed=False, engine_url=os.environ["AWS_ENDPOINT_URL"]) as server:
        made = script().replace(DOMAIN, server.url).replace(f'"{PAGE}"', 'location.origin + "/signed-in"')
        with Storefront(made) as storefront, driven.tab(path) as tab:
            yield Shop(server, storefront, tab)


def test_a_person_says_yes_and_the_storefront_has_tokens(shop: Shop) -> None:
    shop.begin()
    shop.tab.click("as-mei")
    mei = shop.complete()
    assert mei["token_type"] == "Bearer", mei
    assert shop.who(mei)["nickname"] == "梅子"
    shop.begin()
    shop.tab.click("as-mei")
    assert shop.complete()["account_id"] == mei["account_id"], "the same person again"


def test_another_person_is_another_account(shop: Shop) -> None:
    found = []
    for who in ("zoe", "kim"):
        shop.begin()
        shop.tab.ask(f"void (document.getElementById('other').value = {who!r})")
        shop.tab.click("as-other")
        found.append(shop.complete())
    assert found[0]["account_id"] != found[1]["account_id"]
    assert shop.who(found[0])["nickname"] == "zoe"


def test_a_person_says_no(shop: Shop) -> None:
    shop.begin()
    shop.tab.click("cancel")
    assert shop.complete()["code"] == "sign_in_cancelled"


def test_what_the_page_is_told_to_answer_the_storefront_hears_of(shop: Shop) -> None:
    shop.begin()
    shop.tab.ask(
        "(() => { const pick = document.getElementById('shape-me'); pick.value = 'jsonp_error'; pick.onchange(); })()"
    )
    shop.tab.until("state.steering.me && state.steering.me[0] === 'jsonp_error'")
    shop.tab.click("as-li")
    assert shop.complete()["code"] == "sign_in_code_refused"
    shop.begin()
    shop.tab.click("as-li")
    assert shop.complete()["token_type"] == "Bearer"


def test_a_name_that_is_none_is_said_on_the_page(shop: Shop) -> None:
    shop.begin()
    shop.tab.ask("void (document.getElementById('other').value = 'No <b>name</b>')")
    shop.tab.click("as-other")
    said = shop.tab.until("document.getElementById('oops').textContent")
    assert said == "a person is 1 to 20 of a-z, 0-9 and -"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_text_and_runs_nothing_of_a_request(shop: Shop, language: str) -> None:
    evil = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
    for wrong in (
        f"client_id={quote(evil)}&redirect_uri=https://shop.example/&state=1",
        f"client_id=101010101&redirect_uri={quote('https://shop.example/' + evil)}&state={quote(evil)}",
        f"client_id=101010101&redirect_uri={quote('javascript:window.hacked=1')}&state=1",
    ):
        query = f"response_type=code&scope=get_user_info&lang={language}&{wrong}"
        shop.tab.go(f"{shop.stand_in.base_url}/graph/oauth2.0/authorize?{query}")
        shop.tab.until("document.getElementById('ask') && document.getElementById('ask').childNodes.length > 0")
        assert shop.tab.ask("typeof window.hacked") == "undefined"
        assert shop.tab.ask("document.images.length") == 0
        assert shop.tab.ask("document.documentElement.lang") == language


def test_nobody_shows_the_page_in_a_frame_or_talks_to_it_from_elsewhere(shop: Shop) -> None:
    shop.tab.go(shop.url + "/")
    shop.tab.until("document.title === 'a shop'")
    asked = {"client_id": "101010101", "redirect_uri": "https://shop.example/", "state": "1", "person": "mei"}
    told = shop.tab.ask(
        f"""(async (there, asked) => {{
          const tried = async (path, options) => {{
            try {{ await fetch(there + path, options); return "done"; }} catch {{ return "refused"; }}
          }};
          const headers = {{"Content-Type": "application/json"}};
          const decided = await tried("/decide", {{method: "POST", headers, body: JSON.stringify(asked)}});
          return {{read: await tried("/state"), decide: decided}};
        }})({json.dumps(shop.stand_in.base_url)}, {json.dumps(asked)})"""
    )
    assert told == {"read": "refused", "decide": "refused"}
    with urllib.request.urlopen(shop.stand_in.base_url + "/") as page:
        assert page.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_the_pages_own_rules_stop_nothing_of_its_own(shop: Shop) -> None:
    """Behind all tests above: no page wrote of a script, style or call of its own that its policy refused."""
    assert [line for line in shop.tab.said if "Content Security Policy" in line] == []
