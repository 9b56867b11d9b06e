"""Facts about products, and the steps of bulk work."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class _Product(Event, frozen=True):
    """A fact about a product's revision."""

    product_id: str
    merchant_id: str
    revision: int

    @property
    def subject(self) -> str:
        """One revision of one product."""
        return f"{self.product_id}#{self.revision}"


class ProductListed(_Product, frozen=True, tag="product.listed"):
    """Buyers can see it from now on."""


class ProductChanged(_Product, frozen=True, tag="product.changed"):
    """A listed product looks different."""


class ProductUnlisted(_Product, frozen=True, tag="product.unlisted"):
    """Buyers cannot see it any more."""


class BulkAdvanced(Event, frozen=True, tag="bulk.advanced"):
    """An import or export has come to a step, which is now to be done."""

    merchant_id: str
    job_id: str
    step: int

    @property
    def subject(self) -> str:
        """One step of one job."""
        return f"{self.job_id}#{self.step}"
