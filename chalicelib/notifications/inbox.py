"""A person's inbox: one entry for each fact they were told, kept for half a year. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chalicelib.kernel import ids
from chalicelib.notifications.topics import Topic

KEPT = timedelta(days=183)
"""How long an entry is shown."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody was told of one fact."""

    account_id: str
    entry_id: str
    template: str
    topic: Topic
    at: datetime
    """When the fact was."""
    values: dict[str, str] = field(default_factory=dict)
    about: str = ""
    """The number of what it leads to: an order, a purchase, a complaint."""
    read_at: datetime | None = None
    version: int = 0

    def read(self, now: datetime) -> Entry:
        """Return the entry as its reader has seen it; again changes nothing."""
        return self if self.read_at else replace(self, read_at=now)


def entry_id_of(account_id: str, fact_id: str) -> str:
    """Return the number of the one entry that a person has about a fact."""
    return ids.derived_id("ntc", account_id, fact_id)
