"""Sending a message that was asked for, once; and what other rooms call."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.consents import service as consents
from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, RetryLater
from chalicelib.notifications import domain, providers, sealing, store, templates
from chalicelib.notifications.asking import Asked, ask, check_reaches, message_id_of
from chalicelib.notifications.domain import Cause, ChannelMissing, Kind, Message, NotAgreed, Outcome
from chalicelib.notifications.facts import Audience
from chalicelib.notifications.facts import Row as FactRow
from chalicelib.notifications.noticing import Notice, kinds_of_facts, note, rows_of
from chalicelib.notifications.ports import Channel, Delivery, Outgoing
from chalicelib.notifications.preferences import AlwaysTold, Preferences, Quiet
from chalicelib.notifications.reading import (
    MOST_COUNTED,
    choose,
    forget,
    inbox,
    preferences,
    read_all,
    read_one,
    shown,
    unread,
)
from chalicelib.notifications.topics import TOPICS, Topic
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork

__all__ = [
    "MOST_COUNTED",
    "TOPICS",
    "AlwaysTold",
    "Asked",
    "Audience",
    "ChannelMissing",
    "FactRow",
    "Kind",
    "NotAgreed",
    "Notice",
    "Preferences",
    "Quiet",
    "Topic",
    "ask",
    "check_reaches",
    "choose",
    "forget",
    "inbox",
    "kinds_of_facts",
    "message_id_of",
    "note",
    "preferences",
    "read_all",
    "read_one",
    "rows_of",
    "shown",
    "unread",
]


COUNTED: dict[Outcome, str] = {
    Outcome.SENT: "sent",
    Outcome.LIMIT: "limited",
    Outcome.FINAL: "refused",
    Outcome.ALERT: "failed",
    Outcome.UNKNOWN: "unclear",
    Outcome.RETRY: "put_back",
}
"""What is counted of a channel's answers, behind ``messages_``."""


def send(message_id: str) -> None:
    """Send a message that waits. A repeat, or one that is over, changes nothing.

    It is marked before the carrier hears of it: whoever finds the mark and no end of it does not know whether the
    carrier took it. Where the carrier knows repeats it is told again, else it is left at that.

    Raises:
        RetryLater: if the carrier certainly did not take it, or somebody else is sending it now.
    """
    message = store.load(message_id)
    if message is None or domain.MESSAGES.is_terminal(message.status):
        return
    now = clock.now()
    if message.is_held(now):
        raise RetryLater("being sent", delay_s=int(domain.LEASE.total_seconds()))
    try:
        _send(message, now)
    except ConcurrentUpdate:
        raise RetryLater("being sent", delay_s=int(domain.LEASE.total_seconds())) from None


def _send(message: Message, now: datetime) -> None:
    waiting = message.status is domain.Status.WAITING
    channel = providers.load(message.kind)
    if waiting and message.consent is not None and not consents.may(*message.consent):
        log.info("message is not agreed to any more", message_id=message.message_id)
        _end(message, Cause.WITHDRAWN)
    elif waiting and now >= message.useless_at:
        _end(message, Cause.TOO_LATE)
    elif waiting and channel is None:
        log.error("message has no channel", message_id=message.message_id, kind=message.kind.value)
        metrics.count("messages_failed")
        _end(message, Cause.REFUSED, Delivery(Outcome.ALERT, "no_channel"))
    elif channel is not None and (waiting or (channel.knows_repeats and channel.name == message.channel)):
        _tell(message.begin(channel.name, now) if waiting else message.again(now), channel)
    else:
        log.warning("message unclear", message_id=message.message_id, channel=message.channel)
        metrics.count("messages_unclear")
        _end(message, Cause.UNANSWERED, Delivery(Outcome.UNKNOWN, "never_answered"))


def _tell(message: Message, channel: Channel) -> None:
    begun = _save(message)
    delivery = channel.send(_outgoing(begun))
    outcome = delivery.outcome
    if outcome is Outcome.UNKNOWN and channel.knows_repeats:
        raise RetryLater(delivery.reason, delay_s=int(domain.LEASE.total_seconds()))
    log.info(
        "message told",
        message_id=begun.message_id,
        channel=channel.name,
        outcome=outcome.value,
        reason=delivery.reason,
    )
    _end(begun, domain.CAUSES[outcome], delivery)
    metrics.count(f"messages_{COUNTED[outcome]}")
    if outcome is Outcome.RETRY:
        raise RetryLater(delivery.reason, delay_s=domain.RETRY_S)


def _outgoing(message: Message) -> Outgoing:
    content = sealing.unseal(message.message_id, message.sealed)
    said = templates.fill(message.template, message.language, content.values)
    template = templates.TEMPLATES[message.template]
    return Outgoing(
        message_id=message.message_id,
        attempt=message.attempt,
        to=content.to,
        language=message.language,
        subject=said.subject,
        body=said.body,
        short=said.short,
        approved=template.approved,
        values=tuple((field, content.values[field]) for field in template.fields),
    )


def _end(message: Message, cause: Cause, delivery: Delivery | None = None) -> None:
    over = message.end(
        cause,
        reference=delivery.reference if delivery else "",
        reason=delivery.reason if delivery else "",
    )
    _save(over)


def _save(message: Message) -> Message:
    with UnitOfWork() as work:
        store.save(work, message)
    return replace(message, version=message.version + 1)
