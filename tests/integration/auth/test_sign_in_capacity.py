"""What signing in by QQ and WeChat costs, exactly: a change that adds a call or a unit must say why, here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.auth.test_linked_identities import registered, unlink
from tests.support.elsewhere import Browser, by_mini, by_web, link_mini, links, offered
from tests.support.http import Answer, call
from tools.bench import metering
from tools.fakes.sign_in.stand_in import SignInHost


@pytest.fixture
def host(cloud: str) -> Iterator[SignInHost]:
    with offered() as found:
        by_web(found, "warm-up")
        by_mini(found, "warm-up-too")
        yield found


def cost(status: int, use: Callable[..., Answer], *arguments: Any, **options: Any) -> tuple[int, float, float]:
    with metering.measured() as meter:
        answer = use(*arguments, **options)
    assert answer.status == status, answer.body
    return meter.figures


def returned(host: SignInHost, person: str | None, token: str | None = None) -> tuple[Browser, dict[str, str]]:
    browser = Browser(host, token=token)
    return browser, browser.come_back(person)


def test_signing_in_on_the_web(host: SignInHost) -> None:
    assert cost(200, Browser(host).begin) == (0, 0, 0)
    browser, back = returned(host, "mei")
    # The count of refusals, the state used up, whose both names are; account, two names and session in one transaction.
    assert cost(200, browser.complete, back) == (4, 9, 2.5)
    browser, back = returned(host, "mei")
    # As above, and the account; the session alone.
    assert cost(200, browser.complete, back) == (5, 2, 3.5)
    assert cost(422, browser.complete, back) == (3, 2, 0.5), "a replay: the count, the refused use, one more counted"
    stolen, _ = returned(host, "li")
    assert cost(422, stolen.complete, back) == (2, 1, 0.5), "somebody else's state costs the count of it"
    browser, back = returned(host, None)
    assert cost(422, browser.complete, back) == (2, 1, 0.5)


def test_signing_in_by_a_mini_program(host: SignInHost) -> None:
    # The session key is one row more.
    assert cost(200, by_mini, host, "mei") == (3, 10, 2.5)
    assert cost(200, by_mini, host, "mei") == (4, 4, 3.5)
    wrong = {"js_code": "invented"}
    assert cost(422, call, "POST", "/v1/auth/mini/qq_mini/sign-in", wrong) == (2, 1, 0.5)


def test_an_accounts_identities(host: SignInHost) -> None:
    token = registered()
    browser, back = returned(host, "mei", token)
    assert cost(201, browser.complete, back) == (6, 7, 4.5)
    assert cost(201, browser.complete, back) == (1, 0, 1), "a repeat"
    # A second identity makes the account's row longer than a kilobyte.
    assert cost(201, link_mini, host, token, "mei") == (5, 8, 4.5)
    assert cost(409, link_mini, host, registered(), "mei") == (4, 0, 4.5)
    found = links(token)
    assert cost(200, call, "GET", "/v1/me/identities", token=token) == (1, 0, 1)
    assert cost(204, unlink, token, found["qq"]) == (3, 6, 2)
    assert link_mini(host, token, "mei", "qq_mini").status == 201, "a fresh session key"
    said = host.profile("qq_mini", "mei")
    body = {"raw_data": said["raw_data"], "signature": said["signature"]}
    assert cost(200, call, "POST", "/v1/me/mini/qq_mini/data", body, token=token) == (3, 1, 2)


def test_proving_once_more(host: SignInHost) -> None:
    token = by_mini(host, "mei").json["access_token"]
    body = {"js_code": host.login("qq_mini", "mei")["js_code"]}
    # The count of refusals, the account, session and account together, the session.
    assert cost(200, call, "POST", "/v1/auth/prove/qq_mini", body, token=token) == (4, 1, 3.5)


def test_one_person_by_another_app(host: SignInHost) -> None:
    by_web(host, "mei")
    assert cost(409, by_mini, host, "mei") == (2, 0, 2.5), "nothing is written"
    proof = {"proof": by_mini(host, "mei").json["proof"]}
    assert cost(200, call, "POST", "/v1/auth/apart", proof) == (2, 10, 2)
