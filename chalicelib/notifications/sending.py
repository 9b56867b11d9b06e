"""Sending a message that was asked for, once, by the first of its ways that takes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.consents import service as consents
from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, RetryLater
from chalicelib.notifications import domain, prices, providers, sealing, store, subscription_store, templates
from chalicelib.notifications.domain import Cause, Content, Kind, Message, Outcome
from chalicelib.notifications.ports import Channel, Delivery, Outgoing
from chalicelib.notifications.providers import approved
from chalicelib.notifications.subscribed import PROVIDERS, NoneLeft
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork

COUNTED: dict[Outcome, str] = {
    Outcome.SENT: "sent",
    Outcome.LIMIT: "limited",
    Outcome.FINAL: "refused",
    Outcome.ALERT: "failed",
    Outcome.UNKNOWN: "unclear",
    Outcome.RETRY: "put_back",
}
"""What is counted of a channel's answers, behind ``messages_``."""

_REFUSED = (Outcome.FINAL, Outcome.LIMIT, Outcome.ALERT)
"""What certainly did not reach anybody this way."""


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
    if waiting and message.is_early(now):
        return  # The deadline job tells it when quiet hours are over.
    if waiting and message.consent is not None and not consents.may(*message.consent):
        log.info("message is not agreed to any more", message_id=message.message_id)
        _end(message, Cause.WITHDRAWN)
    elif waiting and now >= message.useless_at:
        _end(message, Cause.TOO_LATE)
    elif waiting and channel is None:
        log.error("message has no channel", message_id=message.message_id, kind=message.kind.value)
        metrics.count("messages_failed")
        _refused(message, Delivery(Outcome.ALERT, "no_channel"))
    elif channel is not None and (waiting or (channel.knows_repeats and channel.name == message.channel)):
        _tell(message.begin(channel.name, now) if waiting else message.again(now), channel)
    else:
        log.warning("message unclear", message_id=message.message_id, channel=message.channel)
        metrics.count("messages_unclear")
        _end(message, Cause.UNANSWERED, Delivery(Outcome.UNKNOWN, "never_answered"))


def _tell(message: Message, channel: Channel) -> None:
    try:
        begun = _begin(message)
    except NoneLeft as none:
        waits = replace(message, status=domain.Status.WAITING, attempt=message.attempt - 1)
        _refused(waits, Delivery(Outcome.FINAL, none.code))
        return
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
    metrics.count(f"messages_{COUNTED[outcome]}")
    if outcome in _REFUSED:
        _refused(begun, delivery)
        return
    if outcome in (Outcome.SENT, Outcome.UNKNOWN):
        begun = _with_cost(begun, delivery)
    _end(begun, domain.CAUSES[outcome], delivery)
    if outcome is Outcome.RETRY:
        raise RetryLater(delivery.reason, delay_s=domain.RETRY_S)


def _begin(message: Message) -> Message:
    """Mark a message before its carrier hears of it; of a subscribe message the yes is spent in the same transaction.

    Raises:
        NoneLeft: if its reader says yes no more.
    """
    with UnitOfWork() as work:
        store.save(work, message)
        if message.kind in PROVIDERS:
            content = sealing.unseal(message.message_id, message.sealed)
            held = subscription_store.load(content.reader, message.kind)
            if held.openid != content.to:
                raise NoneLeft
            subscription_store.save(work, held.spent(templates.TEMPLATES[message.template].approved))
    return replace(message, version=message.version + 1)


def _refused(message: Message, delivery: Delivery) -> None:
    """Go the next way, or end where there is none."""
    content = sealing.unseal(message.message_id, message.sealed)
    if not content.others:
        _end(message, Cause.REFUSED, delivery)
        return
    (kind, to), *others = content.others
    following = replace(content, to=to, others=tuple(others))
    passed = message.pass_on(Kind(kind), sealing.seal(message.message_id, following), reason=delivery.reason)
    with UnitOfWork() as work:
        store.save(work, passed)
        _settle_yes(work, message, content, delivery)
    metrics.count("messages_passed_on")
    _send(replace(passed, version=passed.version + 1), clock.now())


def _settle_yes(work: UnitOfWork, message: Message, content: Content, delivery: Delivery) -> None:
    """Bring our count of a mini program's yeses in line with what its platform answered."""
    if message.kind not in PROVIDERS or message.status is not domain.Status.SENDING:
        return
    template = templates.TEMPLATES[message.template].approved
    held = subscription_store.load(content.reader, message.kind)
    if delivery.consent_gone:
        subscription_store.save(work, held.used_up(template))
    elif delivery.outcome in (Outcome.RETRY, Outcome.LIMIT, Outcome.ALERT):
        subscription_store.save(work, held.given_back(template))


def _with_cost(message: Message, delivery: Delivery) -> Message:
    price = prices.price_of(message.kind)
    if price is None:
        return message
    parts = delivery.parts or prices.parts_of(message.kind, _outgoing(message).short, approved.sign_name())
    return replace(message, cost=message.cost + parts * price.millionths, currency=price.currency)


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
        about=content.about,
    )


def _end(message: Message, cause: Cause, delivery: Delivery | None = None) -> None:
    over = message.end(
        cause,
        reference=delivery.reference if delivery else "",
        reason=delivery.reason if delivery else "",
    )
    with UnitOfWork() as work:
        store.save(work, over)
        if delivery is not None and message.sealed:
            _settle_yes(work, message, sealing.unseal(message.message_id, message.sealed), delivery)
