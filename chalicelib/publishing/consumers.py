"""The ``publishing`` queue: facts about what is shown, and the passes that follow from them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.catalog.events import (
    CategoriesChanged,
    ProductChanged,
    ProductListed,
    ProductStockTurned,
    ProductUnlisted,
)
from chalicelib.kernel import context, events
from chalicelib.kernel.events import Envelope
from chalicelib.merchants.events import MerchantChanged, MerchantCreated, MerchantReinstated, MerchantSuspended
from chalicelib.publishing import service
from chalicelib.publishing.events import ShardMarked
from chalicelib.runtime import lifetime, log
from chalicelib.runtime.consume import REPORT_S, Consumer, times_received

AT_ONCE: Final = 250
"""Messages of one batch: a burst of changes is a few passes, each of which writes a list once."""
TOGETHER: Final = 4
"""What was received more often is handled by itself: whatever ends the function must not take the others with it."""
GATHERED_S: Final = 1
"""So long a batch is gathered."""
consumer = Consumer("publishing")
functions = Blueprint(__name__)
_Product = ProductListed | ProductChanged | ProductUnlisted | ProductStockTurned
_PRODUCTS: Final[dict[str, type[_Product]]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (ProductListed, ProductChanged, ProductUnlisted, ProductStockTurned)
}


@consumer.on(ProductListed)
@consumer.on(ProductChanged)
@consumer.on(ProductUnlisted)
@consumer.on(ProductStockTurned)
def on_product(event: _Product, _: Envelope) -> None:
    """Have the product published as it is now."""
    service.products_changed([event.product_id])


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


def _gathered(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Publish the products of a whole batch in one pass; returns what is left to be handled one by one.

    That is all of it where the pass failed, whatever the reason: one bad message must not hold up the others.
    """
    about: list[str] = []
    rest: list[dict[str, Any]] = []
    for record in records:
        product_id = _product_of(record)
        if product_id is None or times_received(record) > TOGETHER:
            rest.append(record)
        else:
            about.append(product_id)
    if len(about) < 2:
        return records
    with context.use(context.Context(request_id="batch", cause_id="batch", actor="queue:publishing")):
        try:
            with lifetime.keeping(REPORT_S):
                service.products_changed(about)
        except Exception as error:
            log.warning(
                "batch could not be published at once; publishing one by one",
                kind=type(error).__name__,
                messages=len(about),
            )
            return records
        log.info("batch published", messages=len(about))
    return rest


def _product_of(record: dict[str, Any]) -> str | None:
    try:
        envelope = events.decode(record["body"])
        if envelope.type not in _PRODUCTS:
            return None
        return str(envelope.event(_PRODUCTS[envelope.type]).product_id)
    except msgspec.DecodeError:
        return None


@functions.on_sqs_message(
    queue=topology.queue_reference("publishing"),
    batch_size=AT_ONCE,
    maximum_batching_window_in_seconds=GATHERED_S,
    name="publishing",
)
def publishing(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the publishing queue: its products in one pass, the rest message by message."""
    raw = event.to_dict()
    with lifetime.of(event.context):
        return consumer.handle({"Records": _gathered(raw["Records"])}, event.context)
