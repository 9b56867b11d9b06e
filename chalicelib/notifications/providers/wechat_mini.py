"""WeChat's subscribe messages (``message/subscribe/send``), by a ``stable_token``, which ends no other one."""

from __future__ import annotations

from chalicelib.notifications.domain import Kind, Outcome
from chalicelib.notifications.providers.mini import Codes, Mini
from chalicelib.runtime.config import setting

OFFICIAL_URL = "https://api.weixin.qq.com"

CODES = Codes(
    token=frozenset({40001, 40014, 42001}),
    gone=frozenset({43101}),
    outcomes={
        -1: Outcome.RETRY,
        43108: Outcome.RETRY,
        45009: Outcome.LIMIT,
        40037: Outcome.ALERT,
        41030: Outcome.ALERT,
        43107: Outcome.ALERT,
        43116: Outcome.ALERT,
        45168: Outcome.ALERT,
        47003: Outcome.ALERT,
        48001: Outcome.ALERT,
    },
)
"""40003 (no such person) is final. What only we can mend: template, page, values, permission."""


def build() -> Mini:
    """Return the adapter."""
    return Mini(
        name="wechat_mini",
        kind=Kind.WECHAT,
        url=setting("BIANDAN_WECHAT_MESSAGES_URL", OFFICIAL_URL).rstrip("/"),
        token_call=("POST", "/cgi-bin/stable_token"),
        send_path="/cgi-bin/message/subscribe/send",
        codes=CODES,
        extra={"miniprogram_state": "formal", "lang": "zh_CN"},
    )
