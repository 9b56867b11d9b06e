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


class ProductStockTurned(Event, frozen=True, tag="product.stock_turned"):
    """One of a listed product's SKUs sold out, or came back."""

    product_id: str
    merchant_id: str
    change: int
    """Version of the product's row: a revision is a merchant's change, which this is not."""

    @property
    def subject(self) -> str:
        """One change of one product's row."""
        return f"{self.product_id}#{self.change}"


class CategoriesChanged(Event, frozen=True, tag="categories.changed"):
    """The tree of categories is another one."""

    change: int
    """Version of the tree."""

    @property
    def subject(self) -> str:
        """One version of the tree."""
        return f"categories#{self.change}"


class BulkAdvanced(Event, frozen=True, tag="bulk.advanced"):
    """An import or export has come to a step, which is now to be done."""

    merchant_id: str
    job_id: str
    step: int

    @property
    def subject(self) -> str:
        """One step of one job."""
        return f"{self.job_id}#{self.step}"
