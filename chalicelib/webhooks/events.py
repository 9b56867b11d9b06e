"""Facts about webhooks: one is to be told, and an endpoint is told nothing more."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class WebhookAsked(Event, tag="webhook.asked", frozen=True):
    """An endpoint is to be told something; what, stands in the table."""

    webhook_id: str
    delivery_id: str
    round: int = 0

    @property
    def subject(self) -> str:
        """Return the delivery, and which time it is told by hand."""
        return f"{self.delivery_id}#{self.round}" if self.round else self.delivery_id


class WebhookEnded(Event, tag="webhook.ended", frozen=True):
    """An endpoint took nothing for days, or said that it is gone: it is told nothing until somebody switches it on."""

    merchant_id: str
    webhook_id: str
    status: str
    number: int
    """The version of its row: it may happen again."""

    @property
    def subject(self) -> str:
        """Return the endpoint, and which time."""
        return f"{self.webhook_id}#{self.number}"
