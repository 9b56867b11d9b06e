"""Facts about conversations. None holds a word of what was said."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class ConversationEvent(Event, frozen=True):
    """Base: a fact about one conversation; ``number`` is that of the entry."""

    conversation_id: str
    buyer_id: str
    merchant_id: str
    number: int

    @property
    def subject(self) -> str:
        """The conversation and the entry."""
        return f"{self.conversation_id}#{self.number}"


class ConversationUnread(ConversationEvent, frozen=True, tag="conversation.unread"):
    """A side that had read everything has something to read; what comes after it is told once it has read again."""

    side: str

    @property
    def subject(self) -> str:
        """The entry, and who has to read it."""
        return f"{self.conversation_id}#{self.number}#{self.side}"


class ConversationCalled(ConversationEvent, frozen=True, tag="conversation.called"):
    """Somebody called the service, or the merchant was silent for too long."""

    why: str


class ConversationSolved(ConversationEvent, frozen=True, tag="conversation.solved"):
    """It is over: somebody said so, or nobody went on with it."""

    how: str
