"""Facts about messages: that one is to be sent. To whom and what it says stays in the table."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class MessageAsked(Event, tag="message.asked", frozen=True):
    """Somebody is to be told something."""

    message_id: str

    @property
    def subject(self) -> str:
        """Return the message's id."""
        return self.message_id
