"""A refund whose card is dead goes to another one: what an operator says of that card, and what is kept of it. Pure."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SENDING = timedelta(seconds=60)
"""How long whoever sends a refund to a card may take: longer than any request lives. Nobody else disposes of it."""
STARTING = timedelta(seconds=25)
"""How long after it was written the call may begin: it is over before the others' turn."""


@dataclass(frozen=True, slots=True)
class Card:
    """The buyer's other card. Its number and holder go to the provider, sealed, and are neither kept nor logged."""

    bank_type: str
    number: str = field(repr=False)
    holder: str = field(repr=False)

    @property
    def payee(self) -> str:
        """Return what is kept of it: enough to tell it from the buyer's others."""
        return f"{self.bank_type} **{self.number[-4:]}"

    def mark(self, refund_id: str, key: bytes) -> str:
        """Return what tells whether it is the same card again, for this refund; without the key it betrays nothing."""
        said = f"{refund_id}\n{self.bank_type}\n{self.number}\n{self.holder}"
        return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Redirect:
    """That a refund was sent to another card."""

    payee: str
    by: str
    at: datetime
    approved_by: str = ""
    """The second person, above the limit."""
    intent: str = ""
    fingerprint: str = ""
    over: bool = False
    """The provider answered that it does not take it: what was sent does not come later."""

    def under_way(self, now: datetime) -> bool:
        """Say whether the call that tells the provider of the card may still come."""
        return not self.over and now - self.at < SENDING

    def may_start(self, written: Redirect | None, now: datetime) -> bool:
        """Say whether the provider may be told of this card, given what is written now."""
        return written is not None and written.intent == self.intent and now - self.at < STARTING
