"""WeChat Pay's other end, in both modes at once: a public key and a platform certificate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.payments import ports
from chalicelib.payments.providers.wechatpay import adapter as wechatpay
from tests.contract.stands import Wrong
from tests.contract.stands.real import RealStand, now
from tools.fakes.sandbox.stand_in import Steering
from tools.fakes.sandbox.wechatpay import WechatPay, certificate, public_key

ADAPTER: Final[ports.Adapter] = wechatpay


class WechatPayStand(RealStand):
    """See ``Stand``."""

    def __init__(self) -> None:
        super().__init__(WechatPay(now=now, platform=[public_key(), certificate()]), wechatpay.build)

    def outcomes(self) -> Sequence[str]:
        return ("succeeded", "pending", "abnormal", "closed")

    def wrong(self, payment_id: str) -> Sequence[Wrong]:
        content = self.content(payment_id)
        headers, body = self.sign(content)
        self.sandbox.steer(payment_id, probe=("notice",))
        probe = self.sign(content, self.sandbox.steering(payment_id))
        return [
            Wrong("tampered", self.sign(content, Steering(tamper=True)), ports.BadSignature),
            Wrong("an hour old", self.sign(content, Steering(stale=True)), ports.StaleNotice),
            Wrong("another merchant", self.sign({**content, "merchant_id": "1900000110"}), ports.ForeignNotice),
            Wrong("another app", self.sign(content, Steering(other_app=True)), ports.ForeignNotice),
            Wrong("a key nobody published", self.sign(content, Steering(unknown_key=True)), ports.UnknownKey),
            Wrong("a probe", probe, ports.BadSignature),
            Wrong("amount as text", self.sign({**content, "amount": "1999"}), ports.UnreadableNotice),
            Wrong("amount as float", self.sign({**content, "amount": 19.99}), ports.UnreadableNotice),
            Wrong("amount as boolean", self.sign({**content, "amount": True}), ports.UnreadableNotice),
            Wrong(
                "SM2", ({**headers, "wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}, body), ports.BadSignature
            ),
            *(
                Wrong(f"no {name}", ({k: v for k, v in headers.items() if k != name}, body), ports.BadSignature)
                for name in headers
                if name.startswith("wechatpay-")
            ),
        ]

    def acknowledged(self, reply: ports.Reply) -> bool:
        return reply[0] in (200, 204)


def stand() -> WechatPayStand:
    """Return a fresh stand-in."""
    return WechatPayStand()
