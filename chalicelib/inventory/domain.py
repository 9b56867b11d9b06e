"""Stock as numbers: levels, movements, and how a quantity is spread over the buckets of a hot SKU. Pure.

The oracle: available + held + sold = received - written off, per SKU, summed over its buckets. Orders count held and
sold together as ``ordered``, in the very updates that take units and put them back; which of them are unpaid the orders
say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from chalicelib.kernel.errors import Busy, Conflict, ShopError

MAX_BUCKETS: Final = 20
"""A transaction takes 100 rows and 20 buckets already stand for about 1,000 orders a second of one SKU."""
MAX_QUANTITY: Final = 10_000_000


class OutOfStock(Conflict):
    """Fewer units are left than wanted: the sum over all buckets, confirmed by the store."""

    code = "out_of_stock"
    en = "Only {available} of {sku_id} are left; {wanted} were wanted."
    zh = "{sku_id} 库存不足：需要 {wanted} 件，剩余 {available} 件。"
    shown = ("sku_id", "wanted", "available")

    def members(self) -> dict[str, Any]:
        """Return the first shortage, and all of them as ``items``."""
        return {**super().members(), "items": [error.params for error in shortages(self)]}


class BucketContended(Busy):
    """A bucket was emptied between our look and our write though the sum may still suffice: look again, try again.

    Never told to a buyer: :func:`chalicelib.inventory.service.placing` catches it and rebuilds the unit of work.
    """

    code = "stock_contended"


class NotEnoughToWriteOff(Conflict):
    """More was to be written off than is available: units promised to buyers cannot be written off."""

    code = "not_enough_to_write_off"
    en = "Only {available} of {sku_id} are available; {wanted} cannot be written off."
    zh = "{sku_id} 可用库存仅 {available} 件，无法核销 {wanted} 件。"
    shown = ("sku_id", "wanted", "available")


class BadQuantity(ShopError):
    """A quantity or a number of buckets outside its limits."""

    code, status = "bad_quantity", 422
    en, zh = "The number must be between {least} and {most}.", "数量必须在 {least} 到 {most} 之间。"
    shown = ("least", "most")


class Kind(StrEnum):
    """Why stock changed by a merchant's hand."""

    RECEIVE = "receive"
    WRITE_OFF = "write_off"


@dataclass(frozen=True, slots=True)
class Level:
    """What a SKU has, summed over its buckets."""

    available: int = 0
    received: int = 0
    written_off: int = 0
    buckets: int = 1
    ordered: int = 0
    """In orders, unpaid and paid, less what they gave back."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One receipt or write-off. ``quantity`` is positive; ``kind`` says the direction."""

    movement_id: str
    sku_id: str
    kind: Kind
    quantity: int
    reason: str
    at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One row of a SKU's stock. ``layout`` counts the rebalancings; buckets of one reading agree in it."""

    number: str
    available: int
    received: int = 0
    written_off: int = 0
    buckets: int = 1
    layout: int = 0
    version: int = 0
    ordered: int = 0
    """Below zero where units came back to another bucket than they were taken from: only the sum tells something."""
    is_counted: bool = False
    """Of the first bucket: whether ``ordered`` counts all orders there ever were. Rows of old began without it."""


def bucket_name(number: int) -> str:
    """Return the range key of a bucket."""
    return f"{number:02d}"


def total(buckets: Sequence[Bucket]) -> Level:
    """Sum a SKU's buckets."""
    return Level(
        available=sum(bucket.available for bucket in buckets),
        received=sum(bucket.received for bucket in buckets),
        written_off=sum(bucket.written_off for bucket in buckets),
        buckets=max((bucket.buckets for bucket in buckets), default=1),
        ordered=ordered(buckets),
    )


def ordered(buckets: Sequence[Bucket]) -> int:
    """Return how many units orders have; where not all of them were counted, what neither is there nor written off."""
    if is_counted(buckets):
        return sum(bucket.ordered for bucket in buckets)
    return sum(bucket.received - bucket.written_off - bucket.available for bucket in buckets)


def is_counted(buckets: Sequence[Bucket]) -> bool:
    """Say whether all orders of a SKU are counted in its buckets."""
    return not buckets or any(bucket.is_counted for bucket in buckets)


def laid_out(level: Level, available: Sequence[int], layout: int) -> tuple[Bucket, ...]:
    """Return a SKU's buckets with so many available units each; what was counted goes to the first one."""
    return tuple(
        Bucket(
            number=bucket_name(number),
            available=units,
            received=0 if number else level.received,
            written_off=0 if number else level.written_off,
            buckets=len(available),
            layout=layout,
            ordered=0 if number else level.ordered,
            is_counted=not number,
        )
        for number, units in enumerate(available)
    )


def is_whole(buckets: Sequence[Bucket]) -> bool:
    """Say whether one reading of a SKU's buckets shows one layout, and all of it, not a rebalancing half done.

    A bucket of layout 0 was never rebalanced, or was made anew by units coming back to one that had been removed.
    """
    layouts = {bucket.layout for bucket in buckets} - {0}
    if not layouts:
        return True
    latest = [bucket for bucket in buckets if bucket.layout in layouts]
    return len(layouts) == 1 and len(latest) == latest[0].buckets


def plan(buckets: Sequence[Bucket], wanted: int, *, choose: Callable[[int], int]) -> dict[str, int] | None:
    """Say how much to take from which bucket; None if the sum is short.

    One bucket at random (``choose(n)`` picks below n) among those that can serve alone, so that rivals spread; else
    the fullest ones together, so that as few rows as possible are touched.
    """
    able = [bucket for bucket in buckets if bucket.available >= wanted]
    if able:
        return {able[choose(len(able))].number: wanted}
    if sum(bucket.available for bucket in buckets) < wanted:
        return None
    parts: dict[str, int] = {}
    for bucket in sorted(buckets, key=lambda one: (-one.available, one.number)):
        part = min(bucket.available, wanted)
        parts[bucket.number] = part
        wanted -= part
        if not wanted:
            break
    return parts


def gathered(buckets: Sequence[Bucket], wanted: int) -> tuple[Bucket, ...]:
    """Return the buckets with so many units in one of them that it alone can serve; the others give what it lacks.

    The sum must suffice.
    """
    level = total(buckets)
    count, layout = level.buckets, max(bucket.layout for bucket in buckets) + 1
    available = [0] * count
    stray = 0
    for bucket in buckets:
        if int(bucket.number) < count:
            available[int(bucket.number)] = bucket.available
        else:
            stray += bucket.available
    fullest = max(range(count), key=lambda number: (available[number], -number))
    available[fullest] += stray
    for number in sorted(range(count), key=lambda number: (-available[number], number)):
        if number != fullest and available[fullest] < wanted:
            moved = min(available[number], wanted - available[fullest])
            available[number] -= moved
            available[fullest] += moved
    return laid_out(level, available, layout)


def spread(quantity: int, count: int) -> tuple[int, ...]:
    """Share a quantity over buckets as evenly as whole units allow, the first ones getting the rest."""
    share, rest = divmod(quantity, count)
    return tuple(share + (number < rest) for number in range(count))


def shortages(error: Exception) -> tuple[OutOfStock, ...]:
    """Return every SKU that a refused placing was short of: the error's own and those beside it."""
    found = (error, *getattr(error, "others", ()))
    return tuple(one for one in found if isinstance(one, OutOfStock))


def checked(quantities: Mapping[str, int]) -> Mapping[str, int]:
    """Return the quantities.

    Raises:
        BadQuantity: if one is below 1 or beyond reason.
    """
    for quantity in quantities.values():
        if not 1 <= quantity <= MAX_QUANTITY:
            raise BadQuantity(least=1, most=MAX_QUANTITY)
    return quantities
