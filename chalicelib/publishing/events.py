"""What publishing tells itself: a shard waits for its next pass."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class ShardMarked(Event, frozen=True, tag="shard.marked"):
    """Something of a shard has changed since it was published."""

    shard: str
    number: int
    """Version of the shard's row."""

    @property
    def subject(self) -> str:
        """One change of one shard's row."""
        return f"{self.shard}#{self.number}"
