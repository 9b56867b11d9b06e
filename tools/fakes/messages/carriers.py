"""All carriers behind one address: told apart by the headers of their calls; and how people and tests steer them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from tools.fakes import resources
from tools.fakes.messages import aliyun, mini, ses, tencent, texts
from tools.fakes.messages.mailbox import Mailbox
from tools.fakes.messages.steering import Answer

HOSTS = (tencent.HOST, aliyun.HOST)
SENDER = "shop@biandan.example"


class Carriers:
    """Tencent, Aliyun and SES, with one mailbox for what they took."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        secrets = resources.local_secrets()
        self.mailbox = Mailbox()
        self.tencent = tencent.Tencent(secrets["messages-tencent"], self.mailbox, now)
        self.aliyun = aliyun.Aliyun(secrets["messages-aliyun"], self.mailbox, now)
        self.wechat = mini.Platform("wechat", secrets["sign-in-wechat-mini"], self.mailbox, now)
        self.qq = mini.Platform("qq", secrets["sign-in-qq-mini"], self.mailbox, now)
        self.ses = ses.Ses(lambda: os.environ.get("AWS_SECRET_ACCESS_KEY", ""), self.mailbox, now)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call of the shop.

        Raises:
            Silence: if the carrier was told to give no answer.
        """
        if method == "POST" and target == "/command":
            return self._command(body)
        platform = self._platform(method, target, body)
        if platform is not None:
            return platform
        if method == "POST" and "x-tc-action" in headers:
            return self.tencent.handle(headers, body)
        if method == "POST" and "x-acs-action" in headers:
            return self.aliyun.handle(target, headers, body)
        if method == "POST" and target.startswith("/v2/"):
            return self.ses.handle(target, headers, body)
        return 404, {"Content-Type": "text/plain"}, b'POST /command {"carrier": "tencent", "then": ["<code>"]}\n'

    def _platform(self, method: str, target: str, body: bytes) -> Answer | None:
        """Answer a call to one of the mini programs' platforms."""
        parts = urlsplit(target)
        if (method, parts.path) == ("POST", "/cgi-bin/stable_token"):
            return self.wechat.token(json.loads(body))
        if (method, parts.path) == ("POST", "/cgi-bin/message/subscribe/send"):
            return self.wechat.send(target, body)
        if (method, parts.path) == ("GET", "/api/getToken"):
            return self.qq.token(dict(parse_qsl(parts.query)))
        if (method, parts.path) == ("POST", "/api/json/subscribe/SendSubscriptionMessage"):
            return self.qq.send(target, body)
        return None

    def _command(self, body: bytes) -> Answer:
        try:
            told = json.loads(body)
            if "accept" in told:  # As a person does on the platform's own sheet.
                {"wechat": self.wechat, "qq": self.qq}[told["platform"]].accept(told["accept"], told["template_id"])
                return 200, {"Content-Type": "application/json"}, b'{"accepted": true}\n'
            steered = {"tencent": self.tencent.steering, "aliyun": self.aliyun.steering, "ses": self.ses.steering}
            steered |= {"wechat": self.wechat.steering, "qq": self.qq.steering}
            steered[told["carrier"]].then(*map(str, told["then"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return 422, {"Content-Type": "text/plain"}, b"no such carrier, or no list of codes\n"
        return 200, {"Content-Type": "application/json"}, b'{"steered": true}\n'


def settings(url: str, sms: str = "tencent") -> dict[str, str]:
    """Return the settings by which the shop finds them."""
    return {
        "BIANDAN_EMAIL": "ses",
        "BIANDAN_EMAIL_FROM": SENDER,
        "BIANDAN_SMS": sms,
        "BIANDAN_SMS_SIGN": texts.SIGN,
        "BIANDAN_SMS_TEMPLATES": texts.setting() if sms == "tencent" else texts.aliyun_setting(),
        "BIANDAN_TENCENT_SMS_URL": url,
        "BIANDAN_ALIYUN_SMS_URL": url,
        "BIANDAN_WECHAT_TEMPLATES": mini.setting("wechat"),
        "BIANDAN_QQ_TEMPLATES": mini.setting("qq"),
        "BIANDAN_WECHAT_MESSAGES_URL": url,
        "BIANDAN_QQ_MESSAGES_URL": url,
        "BIANDAN_MESSAGE_PRICES": "sms:CNY:45000,email:CNY:700",
        "AWS_ENDPOINT_URL_SESV2": url,
    }
