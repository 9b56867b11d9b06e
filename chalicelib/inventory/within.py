"""Stock that changes with something else: units received, or written off, in the caller's own work."""

from __future__ import annotations

from chalicelib.inventory import domain, store
from chalicelib.inventory.domain import Kind, Movement
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.runtime.db.work import Raw, UnitOfWork


def receive(work: UnitOfWork, sku_id: str, quantity: int, *, cause: str, reason: str) -> None:
    """Add the receipt of units, and its record, to the work: into the first bucket, where every placing looks.

    ``cause`` names it once and for all; the caller's own rows make it happen once.
    """
    domain.checked({sku_id: quantity})
    first = store.first_buckets([sku_id]).get(sku_id)
    store.add_movement(work, _movement(sku_id, quantity, Kind.RECEIVE, cause, reason))
    store.add_receive(work, sku_id, domain.bucket_name(0), quantity, is_first=first is None)


def write_off(work: UnitOfWork, sku_id: str, quantity: int, *, cause: str, reason: str) -> int:
    """Add the write-off of at most so many units to the work; returns how many: what the first bucket has.

    What buyers hold already is not written off. Refused as ``ConcurrentUpdate`` where a sale was faster.
    """
    first = store.first_buckets([sku_id]).get(sku_id)
    units = min(quantity, first.available if first is not None else 0)
    if units < 1:
        return 0
    store.add_movement(work, _movement(sku_id, units, Kind.WRITE_OFF, cause, reason))
    store.add_write_off(work, sku_id, domain.bucket_name(0), units, _sold)
    return units


def _sold(_: Raw | None) -> Exception:
    return ConcurrentUpdate()


def _movement(sku_id: str, quantity: int, kind: Kind, cause: str, reason: str) -> Movement:
    return Movement(
        movement_id=ids.derived_id("mov", "within", cause),
        sku_id=sku_id,
        kind=kind,
        quantity=quantity,
        reason=reason,
        at=clock.now(),
        fingerprint=ids.digest(cause),
    )
