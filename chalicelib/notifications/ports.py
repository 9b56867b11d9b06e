"""What a channel is: somebody who carries one message to one person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from chalicelib.notifications.domain import Kind, Outcome


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready to go."""

    message_id: str
    attempt: int
    """The same number again is the same attempt, of which nobody knows how it ended."""
    to: str = field(repr=False)
    """A mailbox, or a phone number in E.164."""
    language: str
    subject: str = field(repr=False)
    body: str = field(repr=False)
    short: str = field(repr=False)
    approved: str
    """The carriers' template."""
    values: tuple[tuple[str, str], ...] = field(repr=False)
    """Its parameters, in their order."""
    about: str = ""
    """The number of what it leads to."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a channel answered."""

    outcome: Outcome
    reason: str = ""
    """The carrier's code; no personal data."""
    reference: str = ""
    parts: int = 0
    """In how many parts the carrier says it went; 0 where it says nothing."""
    consent_gone: bool = False
    """The person takes no such message any more, as far as the platform knows."""


class Channel(Protocol):
    """One carrier."""

    name: str
    kind: Kind
    knows_repeats: bool
    """Whether the carrier takes a message once, however often the same is told: then what was not answered may be
    told again."""

    def send(self, message: Outgoing) -> Delivery:
        """Give the message to the carrier, once. Whatever it answers, or that it does not, is a :class:`Delivery`."""
        ...
