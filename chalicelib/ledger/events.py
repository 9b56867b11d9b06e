"""What the ledger tells: entries that do not say when they were written, which only a release before ours makes.

All others are found by the balances' readers. The event, its queue and its consumer can go a release after this one
(docs/upgrading.md).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.kernel.clock import from_epoch_s
from chalicelib.kernel.events import Event


class LedgerPosted(Event, frozen=True, tag="ledger.posted"):
    """An entry was written that does not say when."""

    entry_id: str
    purchase_id: str
    at: datetime
    postings: tuple[tuple[str, int, str], ...]
    """Account, minor units, currency."""

    @property
    def subject(self) -> str:
        """The entry, which is the fact it books."""
        return self.entry_id


_postings = msgspec.json.Decoder(tuple[tuple[str, int, str], ...])


def posted(old: dict[str, Any] | None, new: dict[str, Any]) -> list[Event]:
    """Return the event of a new entry that no reader can find; entries never change."""
    if old is not None or "postings" not in new or "written_on" in new:
        return []
    return [
        LedgerPosted(
            entry_id=new["id"]["S"],
            purchase_id=new["purchase_id"]["S"],
            at=from_epoch_s(int(new["at_ms"]["N"]) / 1000),
            postings=_postings.decode(new["postings"]["S"]),
        )
    ]
