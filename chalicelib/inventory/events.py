"""Facts about stock. They are worked out from a stock row's images, because the row changes without being read."""

from __future__ import annotations

from typing import Any

from chalicelib.kernel.events import Event

Image = dict[str, Any]


class _Crossing(Event, frozen=True):
    """A bucket crossed zero. With several ``buckets`` the SKU itself may not have: re-read its level."""

    sku_id: str
    bucket: str
    buckets: int
    version: int

    @property
    def subject(self) -> str:
        """One change of one bucket."""
        return f"{self.sku_id}#{self.bucket}#{self.version}"


class StockDepleted(_Crossing, frozen=True, tag="stock.depleted"):
    """A bucket of the SKU has none left."""


class StockReplenished(_Crossing, frozen=True, tag="stock.replenished"):
    """A bucket of the SKU that had none has some."""


def crossings(old_image: Image | None, new_image: Image) -> list[Event]:
    """Return the fact that a change of a stock row tells: it crossed zero, or nothing."""
    if not new_image["bucket"]["S"].isdigit():
        return []  # A movement's record, not stock.
    before, after = _number(old_image, "available", 0), _number(new_image, "available", 0)
    if (before > 0) == (after > 0):
        return []
    kind = StockReplenished if after > 0 else StockDepleted
    return [
        kind(
            sku_id=new_image["sku_id"]["S"],
            bucket=new_image["bucket"]["S"],
            buckets=_number(new_image, "buckets", 1),
            version=_number(new_image, "version", 0),
        )
    ]


def _number(image: Image | None, name: str, absent: int) -> int:
    return int(image[name]["N"]) if image is not None and name in image else absent
