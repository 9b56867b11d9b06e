"""QQ's subscribe messages (``SendSubscriptionMessage``)."""

from __future__ import annotations

from chalicelib.notifications.domain import Kind, Outcome
from chalicelib.notifications.providers.mini import Codes, Mini
from chalicelib.runtime.config import setting

OFFICIAL_URL = "https://api.q.qq.com"

CODES = Codes(
    token=frozenset({40014}),
    gone=frozenset({46001, 46003}),
    outcomes={
        40036: Outcome.RETRY,
        41030: Outcome.RETRY,
        46002: Outcome.LIMIT,
        40015: Outcome.ALERT,
        40035: Outcome.ALERT,
        40037: Outcome.ALERT,
        47001: Outcome.ALERT,
    },
)
"""46004 (not following) and 46005 (not bound) are final. 41030 is "too fast for this person" here, not a page."""


def build() -> Mini:
    """Return the adapter."""
    return Mini(
        name="qq_mini",
        kind=Kind.QQ,
        url=setting("BIANDAN_QQ_MESSAGES_URL", OFFICIAL_URL).rstrip("/"),
        token_call=("GET", "/api/getToken"),
        send_path="/api/json/subscribe/SendSubscriptionMessage",
        codes=CODES,
        extra={},
    )
