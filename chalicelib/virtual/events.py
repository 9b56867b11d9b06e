"""Facts about virtual goods. No code is in any of them."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class DeliveryEvent(Event, frozen=True, kw_only=True):
    """Base: a fact about what is delivered of one line of an order; ``part`` tells one time from the next."""

    order_id: str
    line_id: str
    part: int = 0

    @property
    def subject(self) -> str:
        """The order's line, and which time."""
        return f"{self.order_id}#{self.line_id}#{self.part}"


class VirtualDelivered(DeliveryEvent, frozen=True, tag="virtual.delivered"):
    """Something is there for the buyer to look at."""


class VirtualAwaited(DeliveryEvent, frozen=True, tag="virtual.awaited"):
    """It is paid and nothing is there to deliver: the merchant has until the agreed time."""


class VirtualMissed(DeliveryEvent, frozen=True, tag="virtual.missed"):
    """The agreed time is over and not all is there: the buyer may complain."""


class VirtualRevoked(DeliveryEvent, frozen=True, tag="virtual.revoked"):
    """Units whose money goes back were taken back; ``seen`` of them the buyer had looked at, so they are spent."""

    units: int = 0
    seen: int = 0


class PoolEvent(Event, frozen=True, kw_only=True):
    """Base: a fact about a pool; ``number`` is the version of its row."""

    sku_id: str
    merchant_id: str
    number: int

    @property
    def subject(self) -> str:
        """The pool, and which change of it."""
        return f"{self.sku_id}#{self.number}"


class PoolFilled(PoolEvent, frozen=True, tag="pool.filled"):
    """There is something to deliver for those who wait."""


class PoolRanLow(PoolEvent, frozen=True, tag="pool.ran_low"):
    """Few codes are left, or none: told once, until the merchant adds some."""

    free: int
