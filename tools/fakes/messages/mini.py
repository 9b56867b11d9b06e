"""QQ's and WeChat's subscribe messages, as strict as they say they are: tokens, consent, keys, classes and lengths.

Whoever a person is there, ``accept`` says what they said yes to; what they said no to is refused as the platform does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tools.fakes.messages.mailbox import Mailbox
from tools.fakes.messages.steering import Answer, Silence, Steering

JSON = {"Content-Type": "application/json"}
TEMPLATES: dict[str, dict[str, dict[str, str]]] = {
    # Platform -> its number of a template -> its keys, and our fields.
    "wechat": {
        "WX-SHIPPED": {"character_string1": "order", "thing2": "shop"},
        "WX-REFUNDED": {"amount1": "amount", "character_string2": "order"},
    },
    "qq": {"qq-shipped": {"keyword1": "order", "keyword2": "shop"}},
}
LIVES = timedelta(hours=2)
_CLASSES = {
    "thing": r"[^\r\n]{1,20}",
    "character_string": r"[\x20-\x7e]{1,32}",
    "amount": r"[¥$€£]?[0-9]{1,10}(\.[0-9]{1,2})?元?",
    "keyword": r"[^\r\n]{1,200}",
}


def setting(platform: str) -> str:
    """Return what the shop's setting says of these templates."""
    parts = []
    for template_id, keys in TEMPLATES[platform].items():
        name = template_id.lower().partition("-")[2]
        parts.append("/".join([f"{name}:{template_id}", *(f"{key}={field}" for key, field in keys.items())]))
    return ",".join(parts)


class Platform:
    """One of both."""

    def __init__(self, name: str, secret: Mapping[str, Any], mailbox: Mailbox, now: Callable[[], datetime]) -> None:
        self.name = name
        self.steering = Steering()
        self.calls = 0
        self.tokens = 0
        """How often somebody fetched one."""
        self._secret, self._mailbox, self._now = secret, mailbox, now
        self._tokens: dict[str, datetime] = {}
        self._yes: dict[tuple[str, str], int] = {}

    def accept(self, openid: str, template_id: str, times: int = 1) -> None:
        """Say yes, as a person does on the platform's own sheet."""
        self._yes[openid, template_id] = self._yes.get((openid, template_id), 0) + times

    def end_tokens(self) -> None:
        """End all tokens before their time."""
        self._tokens.clear()

    def token(self, app: Mapping[str, Any]) -> Answer:
        """Answer whoever wants a token."""
        wanted = (app.get("grant_type"), app.get("appid"), app.get("secret"))
        if wanted != ("client_credential", self._secret["appid"], self._secret["app_secret"]):
            return _said({"errcode": 40001, "errmsg": "invalid credential"})
        self.tokens += 1
        token = f"{self.name}-token-{self.tokens}"
        self._tokens[token] = self._now() + LIVES
        return _said({"access_token": token, "expires_in": int(LIVES.total_seconds()), "errcode": 0})

    def send(self, target: str, body: bytes) -> Answer:
        """Take one message, or refuse it with the platform's code."""
        self.calls += 1
        (token,) = parse_qs(urlsplit(target).query).get("access_token", [""])
        if self._tokens.get(token, self._now()) <= self._now():
            return _said({"errcode": 40001 if self.name == "wechat" else 40014, "errmsg": "invalid token"})
        asked = json.loads(body)
        fate = self.steering.take()
        if fate == "silent":
            raise Silence
        if fate not in ("", "taken_silent"):
            return _said({"errcode": int(fate), "errmsg": "as told"})
        code = self._refusal(asked)
        if not code:
            self._take(asked)
        if fate:
            raise Silence
        return _said({"errcode": code, "errmsg": "ok" if not code else "refused"})

    def _refusal(self, asked: Mapping[str, Any]) -> int:
        keys = TEMPLATES[self.name].get(asked.get("template_id", ""))
        wechat = self.name == "wechat"
        if keys is None:
            return 40037
        data = asked.get("data")
        if not isinstance(data, dict) or set(data) != set(keys) or not all(_fits(*pair) for pair in data.items()):
            return 47003 if wechat else 40035
        if not str(asked.get("page", "")).startswith("pages/"):
            return 41030 if wechat else 40035
        if not self._yes.get((asked["touser"], asked["template_id"])):
            return 43101 if wechat else 46001
        return 0

    def _take(self, asked: Mapping[str, Any]) -> None:
        self._yes[asked["touser"], asked["template_id"]] -= 1
        said = " | ".join(part["value"] for part in asked["data"].values())
        self._mailbox.put(
            at=self._now(), carrier=self.name, to=asked["touser"], subject=asked["page"], text=said, message_id=""
        )


def _fits(key: str, part: Any) -> bool:
    if not isinstance(part, dict) or set(part) != {"value"} or not isinstance(part["value"], str):
        return False
    pattern = _CLASSES.get(key.rstrip("0123456789"))
    return pattern is not None and re.fullmatch(pattern, part["value"]) is not None


def _said(body: Mapping[str, Any]) -> Answer:
    return 200, JSON, json.dumps(body).encode()
