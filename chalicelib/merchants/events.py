"""Facts about merchants."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class MerchantCreated(Event, tag="merchant.created", frozen=True):
    """A merchant may sell here."""

    merchant_id: str

    @property
    def subject(self) -> str:
        """Return the merchant's id."""
        return self.merchant_id


class MerchantChanged(Event, tag="merchant.changed", frozen=True):
    """The merchant says something else of itself, or sells on other terms."""

    merchant_id: str
    change: int
    """Version of the merchant's row."""

    @property
    def subject(self) -> str:
        """Return merchant and version."""
        return f"{self.merchant_id}#{self.change}"


class _StatusChanged(Event, frozen=True):
    merchant_id: str
    change: int
    """Number of the change: a merchant may be suspended more than once."""

    @property
    def subject(self) -> str:
        """Return merchant and number of the change."""
        return f"{self.merchant_id}.{self.change}"


class MerchantSuspended(_StatusChanged, tag="merchant.suspended", frozen=True):
    """The merchant may not sell for now."""


class MerchantReinstated(_StatusChanged, tag="merchant.reinstated", frozen=True):
    """The merchant may sell again."""
