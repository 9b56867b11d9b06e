"""The ``catalog`` queue: sold-out flags follow the stock, the search index follows the products."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.catalog import search, service
from chalicelib.catalog.events import ProductChanged, ProductListed, ProductUnlisted
from chalicelib.inventory.events import StockDepleted, StockReplenished
from chalicelib.kernel.events import Envelope
from chalicelib.runtime.consume import Consumer

consumer = Consumer("catalog")
functions = Blueprint(__name__)


@consumer.on(StockDepleted)
@consumer.on(StockReplenished)
def on_crossing(event: StockDepleted | StockReplenished, _: Envelope) -> None:
    """Re-read the SKU's level: the fact is about one bucket, and others may have come since."""
    service.refresh_sold_out(event.sku_id)


@consumer.on(ProductListed)
@consumer.on(ProductChanged)
@consumer.on(ProductUnlisted)
def on_product(event: ProductListed | ProductChanged | ProductUnlisted, _: Envelope) -> None:
    """Bring the search index in line with the product as it is now."""
    search.reindex(event.product_id)


@functions.on_sqs_message(queue=topology.queue_reference("catalog"), batch_size=10, name="catalog")
def catalog(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the catalog queue."""
    return consumer.handle(event.to_dict(), event.context)
