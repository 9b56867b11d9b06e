"""The sandbox's other end is the sandbox itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.kernel import clock
from chalicelib.payments import ports
from chalicelib.payments.providers.sandbox import adapter as sandbox
from chalicelib.payments.providers.sandbox.wire import Configuration
from tests.contract.stands import Sent, Wrong
from tests.contract.stands.steered import Steered
from tools.fakes.sandbox.core import Sandbox, Steering
from tools.fakes.sandbox.mount import transport

ADAPTER: Final[ports.Adapter] = sandbox


class SandboxStand(Steered):
    """See ``Stand``."""

    sandbox: Sandbox

    def __init__(self) -> None:
        self.sandbox = Sandbox(now=lambda: clock.now().timestamp())
        keys = self.sandbox.keys
        self.provider: ports.Provider = sandbox.build(
            Configuration(self.sandbox.base_url, keys.merchant_id, keys.api_key, ("an-older-key", keys.webhook_key))
        )
        self.transport = transport(self.sandbox)

    def outcomes(self) -> Sequence[str]:
        return ("succeeded", "pending", "failed", "abnormal", "closed")

    def _content(self, payment_id: str) -> dict[str, object]:
        order = self.sandbox.orders[payment_id]
        return {"kind": "payment", "notice_id": "sbn00000001", "merchant_id": "local-merchant",
                **self.sandbox._order_view(order)}  # fmt: skip

    def notice(self, payment_id: str) -> Sent:
        return self.sandbox.signed_notice(self._content(payment_id))

    def wrong(self, payment_id: str) -> Sequence[Wrong]:
        content = self._content(payment_id)
        sign = self.sandbox.signed_notice
        headers, body = sign(content)
        return [
            Wrong("tampered", sign(content, Steering(tamper=True)), ports.BadSignature),
            Wrong("an hour old", sign(content, Steering(stale=True)), ports.StaleNotice),
            Wrong("another merchant", sign({**content, "merchant_id": "m2"}), ports.ForeignNotice),
            Wrong("another shop's number", sign({**content, "out_trade_no": "order_77"}), ports.ForeignNotice),
            Wrong("amount as text", sign({**content, "amount": "1999"}), ports.UnreadableNotice),
            Wrong("amount as float", sign({**content, "amount": 19.99}), ports.UnreadableNotice),
            Wrong("amount as boolean", sign({**content, "amount": True}), ports.UnreadableNotice),
            Wrong("no such state", sign({**content, "state": "maybe"}), ports.UnreadableNotice),
            Wrong("a field missing", sign({"merchant_id": "local-merchant"}), ports.UnreadableNotice),
            Wrong("unknown kind", sign({**content, "kind": "dispute"}), ports.IgnoredNotice),
            Wrong("no signature", ({k: v for k, v in headers.items() if "signature" not in k}, body),
                  ports.BadSignature),
            Wrong("upper-case signature",
                  ({**headers, "x-sandbox-signature": headers["x-sandbox-signature"].upper()}, body),
                  ports.BadSignature),
            Wrong("absurd time", ({**headers, "x-sandbox-timestamp": "9" * 13}, body), ports.BadSignature),
        ]  # fmt: skip

    def acknowledged(self, reply: ports.Reply) -> bool:
        return 200 <= reply[0] < 300


def stand() -> SandboxStand:
    """Return a fresh stand-in."""
    return SandboxStand()
