"""The ``publishing`` queue: facts about what is shown, and the passes that follow from them."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.catalog.events import (
    CategoriesChanged,
    ProductChanged,
    ProductListed,
    ProductStockTurned,
    ProductUnlisted,
)
from chalicelib.kernel.events import Envelope
from chalicelib.merchants.events import MerchantChanged, MerchantCreated, MerchantReinstated, MerchantSuspended
from chalicelib.publishing import service
from chalicelib.publishing.events import ShardMarked
from chalicelib.runtime.consume import Consumer

consumer = Consumer("publishing")
functions = Blueprint(__name__)


@consumer.on(ProductListed)
@consumer.on(ProductChanged)
@consumer.on(ProductUnlisted)
@consumer.on(ProductStockTurned)
def on_product(event: ProductListed | ProductChanged | ProductUnlisted | ProductStockTurned, _: Envelope) -> None:
    """Have the product published as it is now."""
    service.product_changed(event.product_id)


@consumer.on(CategoriesChanged)
def on_categories(event: CategoriesChanged, _: Envelope) -> None:
    """Have the tree and its lists published."""
    service.categories_changed()


@consumer.on(MerchantCreated)
@consumer.on(MerchantChanged)
def on_merchant(event: MerchantCreated | MerchantChanged, _: Envelope) -> None:
    """Have the merchant's page published."""
    service.merchant_changed(event.merchant_id)


@consumer.on(MerchantSuspended)
@consumer.on(MerchantReinstated)
def on_standing(event: MerchantSuspended | MerchantReinstated, _: Envelope) -> None:
    """Take away, or bring back, all that the merchant sells."""
    service.standing_changed(event.merchant_id)


@consumer.on(ShardMarked)
def on_marked(event: ShardMarked, _: Envelope) -> None:
    """Do one pass; what it leaves tells its own event."""
    service.advance(event.shard)


@functions.on_sqs_message(queue=topology.queue_reference("publishing"), batch_size=5, name="publishing")
def publishing(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the publishing queue."""
    return consumer.handle(event.to_dict(), event.context)
