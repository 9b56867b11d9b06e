"""Signing in by QQ and WeChat in tests: the stand-in in process, and a browser's and a mini program's part."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from chalicelib.auth import store
from chalicelib.kernel import clock
from chalicelib.runtime import outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support.http import Answer, call
from tools.fakes.sign_in import mount
from tools.fakes.sign_in.stand_in import SignInHost

PAGE = "https://shop.example/signed-in"
SETTINGS = {"BIANDAN_SIGN_IN": "qq,qq_mini,wechat_mini", "BIANDAN_SIGN_IN_RETURNS": PAGE}


@contextmanager
def offered() -> Iterator[SignInHost]:
    """Offer every way, with the stand-in in the platforms' place."""
    before = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    otherwise = outbound._transport
    host = SignInHost(now=lambda: clock.now().timestamp())
    outbound.install(mount.transport(host, otherwise))
    try:
        yield host
    finally:
        outbound.install(otherwise)
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@dataclass
class Browser:
    """One browser on the storefront's page: it keeps the verifier of what it began."""

    host: SignInHost
    token: str | None = None
    """Of whoever is signed in, who wants an identity added."""
    page: str = PAGE
    proves: bool = False
    """Whoever is signed in wants to prove it once more instead."""
    verifier: str = field(default_factory=lambda: base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="))
    url: str = ""

    @property
    def challenge(self) -> str:
        """Return what is told of the verifier."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")

    def begin(self, **changes: Any) -> Answer:
        """Ask where to go."""
        path = "/v1/me/identities/web/qq/begin" if self.token else "/v1/auth/web/qq/begin"
        path = "/v1/auth/prove/qq/begin" if self.proves else path
        body = {"return_url": self.page, "challenge": self.challenge, **changes}
        answer = call("POST", path, body, token=self.token)
        self.url = answer.json.get("url", "")
        return answer

    def asked(self) -> dict[str, str]:
        """Return what the platform's page is asked for."""
        return dict(parse_qsl(urlsplit(self.url).query))

    def come_back(self, person: str | None) -> dict[str, str]:
        """Begin, let a person say yes (or nobody: no), and return what comes back in the page's query."""
        assert self.begin().status == 200
        return self.decided(person)

    def decided(self, person: str | None) -> dict[str, str]:
        """Return what comes back when a person has decided."""
        return dict(parse_qsl(urlsplit(self.host.decide(self.asked(), person)).query))

    def complete(self, back: dict[str, str], **changes: Any) -> Answer:
        """Show what came back."""
        path = "/v1/me/identities/web/qq" if self.token else "/v1/auth/web/qq/complete"
        body = {**back, "verifier": self.verifier, "return_url": self.page, **changes}
        if self.proves:
            return call("POST", "/v1/auth/prove/qq", {"web": body}, token=self.token)
        return call("POST", path, body, token=self.token)


def by_web(host: SignInHost, person: str, **changes: Any) -> Answer:
    """Sign in with QQ on the web."""
    browser = Browser(host)
    return browser.complete(browser.come_back(person), **changes)


def by_mini(host: SignInHost, person: str, provider: str = "qq_mini", **changes: Any) -> Answer:
    """Sign in with a mini program's code."""
    body = {"js_code": host.login(provider, person)["js_code"], **changes}
    return call("POST", f"/v1/auth/mini/{provider}/sign-in", body)


def link_mini(host: SignInHost, token: str, person: str, provider: str = "qq_mini") -> Answer:
    """Add a mini program's person to an account."""
    body = {"js_code": host.login(provider, person)["js_code"]}
    return call("POST", f"/v1/me/identities/mini/{provider}", body, token=token)


def links(token: str) -> dict[str, str]:
    """Return the identities of an account: provider -> link."""
    answer = call("GET", "/v1/me/identities", token=token)
    assert answer.status == 200, answer.body
    return {item["provider"]: item["link_id"] for item in answer.json["items"]}


def forget_links(account_id: str) -> None:
    """Take many identities from an account, though nobody could sign in any more: tests have other tokens."""
    account = store.load_account(account_id, consistent=True)
    if account is not None and len(account.links) > 8:
        with UnitOfWork() as work:
            work.save(store.account_row(replace(account, links=())))


def somebody() -> str:
    """Return a person that no other test plays."""
    return uuid4().hex[:12]
