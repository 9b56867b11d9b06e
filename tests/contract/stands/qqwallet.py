"""QQ Wallet's other end. It does not sign headers, has no time in its notices, and tells no refund by notice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from chalicelib.kernel import clock
from chalicelib.payments import ports
from chalicelib.payments.providers.qqwallet import adapter as qqwallet
from chalicelib.payments.providers.qqwallet import wire as qqwallet_wire
from tests.contract.stands import Sent, Wrong
from tests.contract.stands.steered import Steered
from tools.fakes.sandbox import mount
from tools.fakes.sandbox.qqwallet import HOSTS, QQWallet
from tools.fakes.sandbox.stand_in import Steering

ADAPTER: Final[ports.Adapter] = qqwallet


class QQWalletStand(Steered):
    """See ``Stand``."""

    sandbox: QQWallet
    parts: ClassVar = {"close": ("close", "query")}  # A close that got no answer asks what the order is.

    def __init__(self) -> None:
        self.sandbox = QQWallet(now=lambda: clock.now().timestamp())
        self.provider: ports.Provider = qqwallet.build(
            self.sandbox.configuration(keys=[self.sandbox.keys.key, "an-older-key"])
        )
        self.transport = mount.by_host(dict.fromkeys(HOSTS, self.sandbox))

    def outcomes(self) -> Sequence[str]:
        return ("succeeded", "pending", "failed", "abnormal")

    def _content(self, payment_id: str) -> dict[str, Any]:
        return dict(self.sandbox._view(self.sandbox.orders[payment_id]))

    def notice(self, payment_id: str) -> Sent:
        return self.sandbox.signed_notice(self._content(payment_id))

    def wrong(self, payment_id: str) -> Sequence[Wrong]:
        content = self._content(payment_id)
        sign = self.sandbox.signed_notice
        headers, body = sign(content)
        doctype = b"<!DOCTYPE xml [<!ENTITY a 'SUCCESS'>]>"
        return [
            Wrong("tampered", sign(content, Steering(tamper=True)), ports.BadSignature),
            Wrong("a key nobody holds", sign(content, Steering(unknown_key=True)), ports.BadSignature),
            Wrong("another merchant", sign(content, Steering(other_merchant=True)), ports.ForeignNotice),
            Wrong("another app", sign(content, Steering(other_app=True)), ports.ForeignNotice),
            Wrong("amount in yuan", sign({**content, "total_fee": "19.99"}), ports.UnreadableNotice),
            Wrong("amount with a sign", sign({**content, "total_fee": "+1999"}), ports.UnreadableNotice),
            Wrong("no amount", sign({**content, "total_fee": ""}), ports.UnreadableNotice),
            Wrong("no such time", sign({**content, "time_end": "20260230000000"}), ports.UnreadableNotice),
            Wrong("no such state", sign({**content, "trade_state": "MAYBE"}), ports.IgnoredNotice),
            Wrong("another way of signing", sign({**content, "sign_type": "HMAC-SHA256"}), ports.BadSignature),
            Wrong("an entity", (headers, body.replace(b"<xml>", doctype + b"<xml>")), ports.UnreadableNotice),
            Wrong(
                "an amount twice",
                (headers, body.replace(b"</xml>", b"<total_fee>1</total_fee></xml>")),
                ports.UnreadableNotice,
            ),
            Wrong("no signature", (headers, body.replace(b"sign>", b"sigh>")), ports.BadSignature),
        ]

    def acknowledged(self, reply: ports.Reply) -> bool:
        return reply[0] == 200 and qqwallet_wire.parse(reply[2].encode()).get("return_code") == "SUCCESS"


def stand() -> QQWalletStand:
    """Return a fresh stand-in."""
    return QQWalletStand()
