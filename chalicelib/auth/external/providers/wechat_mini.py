"""WeChat's mini programs (api.weixin.qq.com)."""

from __future__ import annotations

from chalicelib.auth.external.domain import PersonBlocked, Platform
from chalicelib.auth.external.providers._shared import asking
from chalicelib.auth.external.providers._shared.code2session import BOTH, Code2Session

OFFICIAL_URL = "https://api.weixin.qq.com"
ERRORS = {**BOTH, 40226: PersonBlocked}


def build() -> Code2Session:
    """Return the provider."""
    url = asking.base("BIANDAN_WECHAT_MINI_URL", OFFICIAL_URL)
    return Code2Session("wechat_mini", Platform.WECHAT, url, ERRORS)
