"""Use cases of slots: a merchant offers times of a service, everybody sees what is left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.bookings import domain, store
from chalicelib.bookings.domain import NotAService, Slot
from chalicelib.catalog import service as catalog
from chalicelib.catalog.service import Kind, Product, ProductNotFound
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

MOST_SHOWN = 200
"""Slots of one answer; whoever offers more of them asks by the week."""


def offer(merchant_id: str, product_id: str, sku_id: str, wanted: Sequence[Slot]) -> list[Slot]:
    """Offer times of a service, or change how many may come to them; all or none. What is booked stays booked.

    Raises:
        ProductNotFound: if it is no SKU of this merchant's.
        NotAService: if it is none.
        SlotInUse: if a change takes from those who booked.
        Busy: if they kept being booked meanwhile.
    """
    check_service(catalog.own(merchant_id, product_id), sku_id)

    def write() -> list[Slot]:
        before = store.slots_at(sku_id, [one.starts_at for one in wanted])
        offered = [domain.offered(before.get(one.starts_at), one) for one in wanted]
        with UnitOfWork() as work:
            for one in offered:
                if one != before.get(one.starts_at):
                    store.save_slot(work, one)
        return [replace(one, version=one.version + 1) for one in offered]

    return racing(write, otherwise=Busy)


def check_service(product: Product, sku_id: str) -> None:
    """Refuse what has no times.

    Raises:
        ProductNotFound: if the product has no such SKU.
        NotAService: if it is no service.
    """
    if product.sku(sku_id) is None:
        raise ProductNotFound
    if product.kind is not Kind.SERVICE:
        raise NotAService


def own(merchant_id: str, product_id: str, sku_id: str, since: datetime, until: datetime) -> list[Slot]:
    """Return a merchant's own slots of a SKU, past and full ones too.

    Raises:
        ProductNotFound: if it is no SKU of this merchant's.
    """
    if catalog.own(merchant_id, product_id).sku(sku_id) is None:
        raise ProductNotFound
    return store.slots(sku_id, since, until, limit=MOST_SHOWN)


def shown(product_id: str, sku_id: str, since: datetime, until: datetime) -> list[Slot]:
    """Return the slots of a listed SKU that have not begun, full ones too, perhaps some seconds stale.

    Raises:
        ProductNotFound: if it is not listed.
    """
    if catalog.read(product_id).sku(sku_id) is None:
        raise ProductNotFound
    first = max(since, clock.up_to_second(clock.now()))
    if first >= until:
        return []
    return [one for one in store.slots(sku_id, first, until, limit=MOST_SHOWN) if one.capacity]
