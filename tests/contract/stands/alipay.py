"""Alipay's other end; buyers scan QR codes at once. Its genuine key of 2019 is configured beside the stand-in's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chalicelib.payments import ports
from chalicelib.payments.providers.alipay import adapter as alipay
from tests.contract.stands import Wrong
from tests.contract.stands.real import RealStand, now
from tools.fakes.sandbox.alipay import Alipay
from tools.fakes.sandbox.stand_in import Steering

RECORDED = Path(__file__).parent.parent / "vectors" / "alipay_public.json"

ADAPTER: Final[ports.Adapter] = alipay


class AlipayStand(RealStand):
    """See ``Stand``."""

    def __init__(self) -> None:
        sandbox = Alipay(now=now, scanned_at_once=True)
        super().__init__(sandbox, alipay.build)
        genuine = json.loads(RECORDED.read_text("utf-8"))["vectors"][0]["public_key_pem"]
        keys = [*sandbox.configuration()["alipay_keys"], {"pem": genuine}]
        self.provider = alipay.build(sandbox.configuration(alipay_keys=keys))

    def outcomes(self) -> Sequence[str]:
        return ("succeeded",)  # A pending one is told as not known, a failed one as a refused call.

    def wrong(self, payment_id: str) -> Sequence[Wrong]:
        content = self.content(payment_id)
        headers, body = self.sign(content)
        return [
            Wrong("tampered", self.sign(content, Steering(tamper=True)), ports.BadSignature),
            Wrong("another seller", self.sign({**content, "merchant_id": "2088000000000000"}), ports.ForeignNotice),
            Wrong("another app", self.sign(content, Steering(other_app=True)), ports.ForeignNotice),
            Wrong("a key nobody published", self.sign(content, Steering(unknown_key=True)), ports.BadSignature),
            Wrong("repeated field", (headers, body + b"&total_amount=0.01"), ports.UnreadableNotice),
            Wrong("another signature type", (headers, body.replace(b"=RSA2", b"=RSA")), ports.BadSignature),
            Wrong(
                "another charset", (headers, body.replace(b"charset=utf-8", b"charset=utf-7")), ports.UnreadableNotice
            ),
            Wrong("no signature", (headers, body.partition(b"&sign=")[0]), ports.BadSignature),
        ]

    def acknowledged(self, reply: ports.Reply) -> bool:
        return reply[0] == 200 and reply[2] == "success"


def stand() -> AlipayStand:
    """Return a fresh stand-in."""
    return AlipayStand()
