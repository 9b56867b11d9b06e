"""What the stands of real providers share: their stand-ins are ``tools.fakes.sandbox.dialect.Dialect``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.kernel import clock
from chalicelib.payments.ports import Provider, Reply
from chalicelib.runtime.outbound import Transport
from tests.contract.stands import Sent, Wrong
from tests.contract.stands.steered import Steered
from tools.fakes.sandbox.core import Steering
from tools.fakes.sandbox.dialect import Dialect
from tools.fakes.sandbox.mount import transport


def now() -> float:
    return clock.now().timestamp()


class RealStand(Steered):
    """See ``Stand``; what is left to say is which notices are wrong and which replies count."""

    sandbox: Dialect
    provider: Provider
    transport: Transport

    def __init__(self, sandbox: Any, build: Callable[[Mapping[str, Any]], Provider]) -> None:
        self.sandbox = sandbox
        self.provider = build(sandbox.configuration())
        self.transport = transport(sandbox)

    def outcomes(self) -> Sequence[str]:
        raise NotImplementedError

    def content(self, payment_id: str) -> dict[str, Any]:
        view = self.sandbox._order_view(self.sandbox.orders[payment_id])
        merchant = self.sandbox.keys.merchant_id
        return {"kind": "payment", "notice_id": "sbn00000001", "merchant_id": merchant, **view}

    def sign(self, content: dict[str, Any], steering: Steering | None = None) -> Sent:
        headers, body = self.sandbox.signed_notice(content, steering or Steering())
        lowered = {name.lower(): value for name, value in headers.items()}
        lowered.pop("wechatpay-signature-type", None)  # It may be missing, so dropping it is no change.
        return lowered, body

    def notice(self, payment_id: str) -> Sent:
        return self.sign(self.content(payment_id))

    def wrong(self, payment_id: str) -> Sequence[Wrong]:
        raise NotImplementedError

    def acknowledged(self, reply: Reply) -> bool:
        raise NotImplementedError
