"""What the contract test needs of each provider: a stand-in of its other end, one module per adapter, same name.

A stand's module has ``stand() -> Stand`` and names the module it is the other end of: ``ADAPTER: Final[Adapter]``.
Recorded vectors lie in ``tests/contract/vectors/<name>/*.json``, each ``{"at", "headers", "body", "expect"}``: a notice
as it came over the wire, when, and what it means or its refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.payments.ports import NoticeRefused, Provider
from chalicelib.runtime.outbound import Transport

Sent = tuple[Mapping[str, str], bytes]
"""Headers and body of a notice."""


@dataclass(frozen=True)
class Wrong:
    """A notice that must be refused, and how."""

    label: str
    sent: Sent
    refusal: type[NoticeRefused]


class Stand(Protocol):
    """The other end of one provider, steerable. Operations are create, query, close, refund, query_refund."""

    provider: Provider
    transport: Transport

    def pay(self, payment_id: str) -> None:
        """Let the buyer pay."""

    def silence(self, payment_id: str, operation: str, *, accepted: bool) -> None:
        """Give no answer to the next such call, which takes effect or not."""

    def unsign(self, payment_id: str, operation: str) -> None:
        """Answer the next such call with a wrong signature."""

    def refunds_come_to(self, payment_id: str, outcome: str) -> None:
        """Let refunds end as ``succeeded``, ``pending``, ``failed``, ``abnormal`` or ``closed``."""

    def outcomes(self) -> Sequence[str]:
        """Return which of those this provider knows."""

    def pay_during_close(self, payment_id: str) -> None:
        """Let the buyer pay while we close."""

    def refunded(self, payment_id: str) -> int:
        """Return how much went back, in minor units."""

    def notice(self, payment_id: str) -> Sent:
        """Return a genuine notice of what the order is now."""

    def wrong(self, payment_id: str) -> Sequence[Wrong]:
        """Return notices that must be refused: tampered, stale, of another merchant, probes, ..."""

    def acknowledged(self, reply: Any) -> bool:
        """Say whether the provider would take this reply as "accepted", by its own rules."""
