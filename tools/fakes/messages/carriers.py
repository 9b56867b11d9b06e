"""All carriers behind one address: told apart by the headers of their calls; and how people and tests steer them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime

from tools.fakes import resources
from tools.fakes.messages import aliyun, ses, tencent, texts
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
        self.ses = ses.Ses(lambda: os.environ.get("AWS_SECRET_ACCESS_KEY", ""), self.mailbox, now)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call of the shop.

        Raises:
            Silence: if the carrier was told to give no answer.
        """
        if method == "POST" and target == "/command":
            return self._command(body)
        if method == "POST" and "x-tc-action" in headers:
            return self.tencent.handle(headers, body)
        if method == "POST" and "x-acs-action" in headers:
            return self.aliyun.handle(target, headers, body)
        if method == "POST" and target.startswith("/v2/"):
            return self.ses.handle(target, headers, body)
        return 404, {"Content-Type": "text/plain"}, b'POST /command {"carrier": "tencent", "then": ["<code>"]}\n'

    def _command(self, body: bytes) -> Answer:
        try:
            told = json.loads(body)
            steered = {"tencent": self.tencent.steering, "aliyun": self.aliyun.steering, "ses": self.ses.steering}
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
        "AWS_ENDPOINT_URL_SESV2": url,
    }
