"""What both platforms of mini programs have in common: a token, one call, an ``errcode``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.kernel.errors import ShopError
from chalicelib.notifications import tokens
from chalicelib.notifications.domain import Kind, Outcome
from chalicelib.notifications.ports import Delivery, Outgoing
from chalicelib.notifications.providers import templates_there
from chalicelib.notifications.subscribed import PROVIDERS, fitted
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.outbound import OutboundFailed, OutboundTimeout

PAGES = {
    "ord": "pages/order/order?id=",
    "cmp": "pages/complaint/complaint?id=",
    "req": "pages/request/request?id=",
    "rtn": "pages/return/return?id=",
}
"""Where a message leads, by the number it is about."""
ELSEWHERE = "pages/orders/orders"


class NoToken(ShopError):
    """The platform gives us no token: the message was not sent."""

    code, status = "no_token", 502
    en, zh = "The platform gives us no token.", "平台未返回调用凭证。"


@dataclass(frozen=True, slots=True)
class Codes:
    """What a platform's ``errcode`` means."""

    token: frozenset[int]
    """The token is not good any more: another one, once."""
    gone: frozenset[int]
    """The person said no, or no yes is left."""
    outcomes: Mapping[int, Outcome]
    """Of the others; one that nobody wrote down is final."""


@dataclass(frozen=True, slots=True)
class Mini:
    """The adapter of one platform."""

    name: str
    kind: Kind
    url: str
    token_call: tuple[str, str]
    """Method and path."""
    send_path: str
    codes: Codes
    extra: Mapping[str, Any]
    """What else a message says there."""
    knows_repeats: bool = False

    def send(self, message: Outgoing) -> Delivery:
        """See ``ports.Channel``."""
        there = templates_there.template_of(self.kind, message.approved)
        if there is None:
            return Delivery(Outcome.ALERT, "template_without_number")
        values = dict(message.values)
        data = {key: {"value": fitted(key, values.get(field, ""))} for key, field in there.keys}
        asked = {"touser": message.to, "template_id": there.template_id, "page": page_of(message.about), "data": data}
        body = json.dumps({**asked, **self.extra}, ensure_ascii=False).encode()
        try:
            return self._told(body)
        except NoToken as error:
            return Delivery(Outcome.RETRY, error.code)

    def _told(self, body: bytes) -> Delivery:
        token = self._token()
        delivery, code = self._call(token, body)
        if code in self.codes.token:
            delivery, code = self._call(self._token(refused=token), body)
        return delivery

    def _call(self, token: str, body: bytes) -> tuple[Delivery, int]:
        url = f"{self.url}{self.send_path}?{urlencode({'access_token': token})}"
        try:
            answer = outbound.request("POST", url, headers={"Content-Type": "application/json"}, body=body)
        except OutboundTimeout as error:
            return Delivery(Outcome.UNKNOWN, error.code), 0
        except OutboundFailed as error:
            return Delivery(Outcome.RETRY, error.code), 0
        try:
            told = json.loads(answer.body)
            code = int(told["errcode"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return Delivery(Outcome.UNKNOWN, f"unreadable_{answer.status}"), 0
        return self.read(code, str(told.get("msgid", ""))), code

    def read(self, code: int, reference: str = "") -> Delivery:
        """Return what a platform's code means."""
        if code == 0:
            return Delivery(Outcome.SENT, reference=reference[:100])
        if code in self.codes.token:  # Also with a new token: the message was not taken.
            return Delivery(Outcome.RETRY, str(code))
        if code in self.codes.gone:
            return Delivery(Outcome.FINAL, str(code), consent_gone=True)
        return Delivery(self.codes.outcomes.get(code, Outcome.FINAL), str(code))

    def _token(self, *, refused: str = "") -> str:
        return tokens.token(PROVIDERS[self.kind], self._fetched, refused=refused)

    def _fetched(self) -> tuple[str, timedelta]:
        secret = f"sign-in-{self.name.replace('_', '-')}"
        app = {
            "grant_type": "client_credential",
            "appid": secrets.text(secret, "appid"),
            "secret": secrets.text(secret, "app_secret"),
        }
        method, path = self.token_call
        url, body = f"{self.url}{path}", b""
        if method == "GET":
            url = f"{url}?{urlencode(app, quote_via=quote)}"
        else:
            body = json.dumps(app).encode()
        try:
            answer = outbound.request(method, url, headers={"Content-Type": "application/json"}, body=body)
            told = json.loads(answer.body)
            token, lives = str(told["access_token"]), int(told["expires_in"])
        except (OutboundTimeout, OutboundFailed, ValueError, KeyError, TypeError, RecursionError):
            raise NoToken from None
        if not re.fullmatch(r"[\x21-\x7e]{1,1024}", token):
            raise NoToken
        return token, timedelta(seconds=max(0, min(lives, 7200)))


def page_of(about: str) -> str:
    """Return the page of our mini program that shows a record."""
    path = PAGES.get(about.partition("_")[0])
    return f"{path}{about}" if path else ELSEWHERE
