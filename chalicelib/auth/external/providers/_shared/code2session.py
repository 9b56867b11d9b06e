"""``jscode2session``, which QQ's mini programs have of WeChat's: the same words, each platform's own errors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.auth.external import answers
from chalicelib.auth.external.domain import (
    CodeRefused,
    Platform,
    Proof,
    ProviderBusy,
    ProviderLimited,
    Unreadable,
    WayBroken,
)
from chalicelib.auth.external.providers._shared import asking
from chalicelib.kernel.errors import ShopError
from chalicelib.runtime import log, metrics

PATH = "/sns/jscode2session"
KEY_BYTES = 16
BOTH: Mapping[int, type[ShopError]] = {-1: ProviderBusy, 40029: CodeRefused, 45011: ProviderLimited}
"""What an error number of either platform means for the person."""


@dataclass(frozen=True, slots=True)
class Code2Session:
    """One platform's mini program."""

    name: str
    platform: Platform
    url: str
    errors: Mapping[int, type[ShopError]] = field(default_factory=lambda: BOTH)

    @property
    def appid(self) -> str:
        """Return the number of our mini program there."""
        return asking.app(self.name).appid

    def prove(self, js_code: str) -> Proof:
        """Return whom a code stands for, with the session key.

        Raises:
            as ``ports.MiniProvider``.
        """
        app = asking.app(self.name)
        query = {
            "appid": app.appid,
            "secret": app.secret,
            "js_code": js_code,
            "grant_type": "authorization_code",
        }
        found = answers.parse_json(asking.get(self.name, self.url + PATH, query))
        number = answers.number(found, "errcode")
        if number:
            log.warning("sign-in refused", provider=self.name, errcode=number)
            metrics.count("external_sign_ins_refused")
            raise self.errors.get(number, WayBroken)
        openid = answers.name(found, "openid")
        if not openid:
            raise Unreadable(why="no openid")
        return Proof(
            provider=self.name,
            platform=self.platform,
            appid=app.appid,
            openid=openid,
            unionid=answers.name(found, "unionid"),
            session_key=_session_key(found.get("session_key")),
        )


def _session_key(value: object) -> str:
    try:
        sound = isinstance(value, str) and len(base64.b64decode(value, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        sound = False
    if not sound:
        raise Unreadable(why="no session key")
    return str(value)
