"""Rows of the ``stock`` table: a SKU's buckets (range key ``00`` to ``19``) and its movements (``mov_…``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.inventory.domain import Bucket, Kind, Movement, bucket_name
from chalicelib.kernel import clock
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.lookups import Found, Lookup
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import Refusal, UnitOfWork

_FIRST, _LAST = bucket_name(0), bucket_name(99)
_MOVEMENTS = "mov_"


class StockRow(Row):
    """Key: sku_id, bucket. ``buckets`` is how many the SKU is spread over; ``layout`` counts the rebalancings.

    ``ordered`` is what orders have; ``counted`` on bucket 00 says that it was counted from the first unit on.
    """

    class Meta:
        """Table."""

        table_name = names.table_name("stock")
        region = region()

    sku_id = UnicodeAttribute(hash_key=True)
    bucket = UnicodeAttribute(range_key=True)
    available = NumberAttribute(default=0)
    received = NumberAttribute(default=0)
    written_off = NumberAttribute(default=0)
    buckets = NumberAttribute(null=True)
    layout = NumberAttribute(null=True)
    ordered = NumberAttribute(null=True)
    counted = NumberAttribute(null=True)


class MovementRow(Row):
    """Key: sku_id, movement id. Written once, in the transaction that changes the stock."""

    class Meta:
        """Table."""

        table_name = names.table_name("stock")
        region = region()

    sku_id = UnicodeAttribute(hash_key=True)
    bucket = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    quantity = NumberAttribute()
    reason = UnicodeAttribute(null=True)
    at_ms = NumberAttribute()
    fingerprint = UnicodeAttribute()


def bucket_of(row: StockRow) -> Bucket:
    """Return the domain's view of a row."""
    return Bucket(
        number=row.bucket,
        available=int(row.available or 0),
        received=int(row.received or 0),
        written_off=int(row.written_off or 0),
        buckets=int(row.buckets or 1),
        layout=int(row.layout or 0),
        version=int(row.version or 0),
        ordered=int(row.ordered or 0),
        is_counted=bool(row.counted),
    )


def bucket_of_raw(item: reads.Raw | None) -> Bucket | None:
    """Return the domain's view of a raw item."""
    return bucket_of(StockRow.from_raw_data(item)) if item is not None else None


def buckets(sku_id: str) -> tuple[Bucket, ...]:
    """Read all buckets of a SKU, empty ones too, with one consistent Query."""
    rows = reads.query_rows(StockRow, sku_id, range_condition=StockRow.bucket.between(_FIRST, _LAST), consistent=True)
    return tuple(bucket_of(row) for row in rows)


def first_buckets(sku_ids: Iterable[str]) -> dict[str, Bucket]:
    """Read bucket 00 of many SKUs at once. ``Bucket.buckets`` says who has more."""
    found = reads.get_many(((StockRow, sku_id, _FIRST) for sku_id in sku_ids), consistent=True)
    return {key[0]: bucket_of(row) for key, row in found.items() if isinstance(row, StockRow)}


def available(keys: Iterable[tuple[str, str]]) -> Lookup[dict[tuple[str, str], int]]:
    """Say how the units in buckets of many SKUs are read; those that are not there are absent."""
    wanted = tuple(keys)

    def make(found: Found) -> dict[tuple[str, str], int]:
        items = {key: found.raw(StockRow, *key) for key in wanted}
        return {key: int(item.get("available", {"N": "0"})["N"]) for key, item in items.items() if item is not None}

    return Lookup.of([(StockRow, sku_id, bucket) for sku_id, bucket in wanted], make)


def add_take(work: UnitOfWork, sku_id: str, bucket: str, quantity: int, refuse: Refusal) -> None:
    """Take from a bucket if it has enough."""
    _change(
        work,
        StockRow(sku_id=sku_id, bucket=bucket),
        [StockRow.available.add(-quantity), StockRow.ordered.add(quantity)],
        StockRow.available >= quantity,
        refuse,
    )


def add_put_back(work: UnitOfWork, sku_id: str, bucket: str, quantity: int, refuse: Refusal) -> None:
    """Put units back; refused where a rebalancing has removed the bucket. The first one is made anew."""
    there = _always() if bucket == _FIRST else StockRow.version.exists()
    actions = [StockRow.available.add(quantity), StockRow.ordered.add(-quantity)]
    _change(work, StockRow(sku_id=sku_id, bucket=bucket), actions, there, refuse)


def add_receive(work: UnitOfWork, sku_id: str, bucket: str, quantity: int, *, is_first: bool) -> None:
    """Add received units; from the first ones of a SKU on its orders are counted."""
    actions: list[Action] = [StockRow.available.add(quantity), StockRow.received.add(quantity)]
    if is_first:
        actions.append(StockRow.counted.set(1))
    _change(work, StockRow(sku_id=sku_id, bucket=bucket), actions, _always(), _never)


def add_write_off(work: UnitOfWork, sku_id: str, bucket: str, quantity: int, refuse: Refusal) -> None:
    """Write units off if the bucket has them."""
    actions = [StockRow.available.add(-quantity), StockRow.written_off.add(quantity)]
    _change(work, StockRow(sku_id=sku_id, bucket=bucket), actions, StockRow.available >= quantity, refuse)


def add_adjustment(work: UnitOfWork, sku_id: str, bucket: Bucket, change: int, refuse: Refusal) -> None:
    """Receive (or write off) exactly on the version of the bucket that was read."""
    counter = StockRow.received if change > 0 else StockRow.written_off
    condition = StockRow.version == bucket.version if bucket.version else StockRow.version.does_not_exist()
    actions: list[Action] = [StockRow.available.add(change), counter.add(abs(change))]
    if not bucket.version:
        actions.append(StockRow.counted.set(1))
    _change(work, StockRow(sku_id=sku_id, bucket=bucket.number), actions, condition, refuse)


def _change(work: UnitOfWork, key: StockRow, actions: Sequence[Action], condition: Condition, refuse: Refusal) -> None:
    work.update(key, actions, condition=condition, refuse=refuse, label=f"stock {key.sku_id}")


def _always() -> Condition:
    condition: Condition = StockRow.version.does_not_exist() | (StockRow.version >= 0)
    return condition


def _never(_: reads.Raw | None) -> Exception:
    raise AssertionError("a condition that always holds was refused")


def add_layout(work: UnitOfWork, sku_id: str, before: Sequence[Bucket], after: Sequence[Bucket]) -> None:
    """Replace a SKU's buckets, each exactly as it was read; those no longer wanted are removed."""
    versions = {bucket.number: bucket.version for bucket in before}
    for bucket in after:
        row = StockRow(
            sku_id=sku_id,
            bucket=bucket.number,
            available=bucket.available,
            received=bucket.received,
            written_off=bucket.written_off,
            buckets=bucket.buckets,
            layout=bucket.layout,
            ordered=bucket.ordered,
            counted=1 if bucket.is_counted else None,
            version=versions.pop(bucket.number, 0),
        )
        work.save(row, label=f"stock {sku_id}")
    for number, version in versions.items():
        work.delete(StockRow(sku_id=sku_id, bucket=number, version=version), label=f"stock {sku_id}")


def add_movement(work: UnitOfWork, movement: Movement) -> None:
    """Record a movement; refused as ``AlreadyExists`` if the intent was carried out before."""
    row = MovementRow(
        sku_id=movement.sku_id,
        bucket=movement.movement_id,
        kind=movement.kind.value,
        quantity=movement.quantity,
        reason=movement.reason or None,
        at_ms=int(movement.at.timestamp() * 1000),
        fingerprint=movement.fingerprint,
    )
    work.save(row, label=f"movement {movement.sku_id}")


def movement(sku_id: str, movement_id: str) -> Movement | None:
    """Read one movement."""
    row = reads.get(MovementRow, sku_id, movement_id, consistent=True)
    return _movement(row) if row is not None else None


def movements(sku_id: str, window: Window) -> Page[Movement]:
    """Read one page of a SKU's movements in key order (which is not that of time: ids derive from intents)."""
    start = {"sku_id": {"S": sku_id}, "bucket": {"S": window.after["at"]}} if window.after else None
    page = reads.query(
        MovementRow,
        sku_id,
        range_condition=MovementRow.bucket.startswith(_MOVEMENTS),
        limit=window.limit,
        start_key=start,
    )
    after = {"at": page.after["bucket"]["S"]} if page.after else None
    return Page([_movement(MovementRow.from_raw_data(item)) for item in page.items], after)


def _movement(row: MovementRow) -> Movement:
    at: datetime = clock.from_epoch_s(row.at_ms / 1000)
    return Movement(
        movement_id=row.bucket,
        sku_id=row.sku_id,
        kind=Kind(row.kind),
        quantity=int(row.quantity),
        reason=row.reason or "",
        at=at,
        fingerprint=row.fingerprint,
    )
