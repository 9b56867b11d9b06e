"""Our side of a provider as its own test needs it: an adapter over the stand-in, the webhook, and what goes there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import (
    Ack,
    Attempt,
    IgnoredNotice,
    Notice,
    NoticeRefused,
    Outcome,
    PaymentOrder,
    RefundOrder,
)
from chalicelib.runtime import outbound
from tools.fakes.sandbox.mount import transport


class Counter:
    """An adapter that talks to the stand-in and takes its notices as the webhook does."""

    hook: ClassVar[str]
    wanted: ClassVar[dict[str, Any]]
    """What an order of this provider says beside what all say."""
    reason = "不合适"
    sandbox: Any
    adapter: Any

    def __init__(self, sandbox: Any, adapter: Any) -> None:
        self.sandbox, self.adapter = sandbox, adapter
        self.requests: list[outbound.Request] = []
        self.heard: list[Notice] = []
        self.refused: list[NoticeRefused] = []
        self._send = transport(sandbox)
        outbound.install(self.send)

    def send(self, request: outbound.Request) -> outbound.Response:
        self.requests.append(request)
        return self._send(request)

    def webhook(self, url: str, headers: dict[str, str], body: bytes) -> int:
        assert url == self.hook
        try:
            self.heard.append(self.adapter.verify(headers, body))
        except IgnoredNotice:
            return self._reply(Ack.ACCEPTED)
        except NoticeRefused as refusal:
            self.refused.append(refusal)
            return self._reply(Ack.REFUSED)
        return self._reply(Ack.ACCEPTED)

    def _reply(self, ack: Ack) -> int:
        return int(self.adapter.acknowledge(ack)[0])

    def order(self, number: int = 1, **changes: Any) -> PaymentOrder:
        now = clock.now()
        known: dict[str, Any] = {
            "payment_id": ids.child_id("pay", "pur_" + ids.digest(self.adapter.name), number),
            "amount": Money(8800),
            "created_at": now,
            "expires_at": now + timedelta(minutes=30),
            "notify_url": self.hook,
            "return_url": "https://shop.example/done?a=1&b=2",
        }
        return PaymentOrder(**known | self.wanted | changes)

    def created(self, number: int = 1) -> Attempt:
        wanted = self.order(number)
        assert self.adapter.create(wanted).outcome is Outcome.PENDING
        return Attempt(wanted.payment_id, wanted.amount, wanted.created_at)

    def paid(self, number: int = 1) -> Attempt:
        attempt = self.created(number)
        self.sandbox.pay(attempt.payment_id)
        return attempt

    def refund(self, attempt: Attempt, minor: int, number: int = 1, *, before: int = 0) -> RefundOrder:
        refund_id = ids.child_id("ref", attempt.payment_id, number)
        return RefundOrder(refund_id, attempt, Money(minor), attempt.amount, Money(before), self.reason, self.hook)

    def deliver(self) -> int:
        return int(self.sandbox.tick(self.webhook))

    def trade(self, noon: clock.Fixed) -> None:
        """Two payments and two refunds on the 22nd of November in China; a third payment just after its midnight."""
        first, second = self.paid(1), self.paid(2)
        noon.moment = datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
        self.adapter.refund(self.refund(first, 100))
        self.adapter.refund(self.refund(second, 8800, 2))
        noon.advance(timedelta(seconds=1))
        self.paid(3)

    def traffic(self) -> list[tuple[dict[str, str], bytes]]:
        """Pay and refund five orders; return the notices that the stand-in sends of them."""
        sent: list[tuple[dict[str, str], bytes]] = []
        for number in range(1, 6):
            attempt = self.paid(number)
            self.adapter.refund(self.refund(attempt, 10, number))

        def take(url: str, headers: dict[str, str], body: bytes) -> int:
            sent.append((headers, body))
            return 200

        self.sandbox.tick(take)
        outbound.install(None)
        return sent
