"""QQ's mini programs (q.qq.com)."""

from __future__ import annotations

from chalicelib.auth.external.domain import Platform
from chalicelib.auth.external.providers._shared import asking
from chalicelib.auth.external.providers._shared.code2session import Code2Session

OFFICIAL_URL = "https://api.q.qq.com"


def build() -> Code2Session:
    """Return the provider."""
    return Code2Session("qq_mini", Platform.QQ, asking.base("BIANDAN_QQ_MINI_URL", OFFICIAL_URL))
