"""What all stands ask of their stand-ins in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Steered:
    """The part of ``Stand`` that steers."""

    sandbox: Any
    parts: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The calls that an operation consists of, where it is not just one of its name."""

    def pay(self, payment_id: str) -> None:
        self.sandbox.pay(payment_id)

    def silence(self, payment_id: str, operation: str, *, accepted: bool) -> None:
        calls = self.parts.get(operation, (operation,))
        self.sandbox.steer(payment_id, **{"silent_after" if accepted else "silent_before": calls})

    def unsign(self, payment_id: str, operation: str) -> None:
        self.sandbox.steer(payment_id, unsigned=(operation,))

    def refunds_come_to(self, payment_id: str, outcome: str) -> None:
        self.sandbox.steer(payment_id, refund=outcome)

    def pay_during_close(self, payment_id: str) -> None:
        self.sandbox.steer(payment_id, pay_during_close=True)

    def refunded(self, payment_id: str) -> int:
        return int(self.sandbox.orders[payment_id].refunded)
