"""Asking people of a mini program for the messages they may get there, and counting their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chalicelib.notifications import subscription_store
from chalicelib.notifications.domain import Kind
from chalicelib.notifications.providers import templates_there
from chalicelib.notifications.providers.templates_there import There
from chalicelib.notifications.subscribed import KINDS, Subscriptions
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody said when they were asked. Who they are there was compared by the caller."""

    provider: str
    openid: str = field(repr=False)
    said: Mapping[str, bool]
    """Template -> yes. Others than those we have there are no answers to anything."""


Template = There


def offered(provider: str) -> tuple[There, ...]:
    """Return what a mini program may ask its people for."""
    return templates_there.all_of(KINDS[provider])


def subscribe(account_id: str, answers: Answers, intent: Intent) -> tuple[Subscriptions, bool]:
    """Count somebody's answers; returns what is left, and whether this was the first time they came.

    Raises:
        IdempotencyKeyReused: if other answers came under the same key.
        ConcurrentUpdate: if they kept changing.
    """
    kind = KINDS[answers.provider]
    known = {one.name for one in templates_there.all_of(kind)}
    said = {name: yes for name, yes in answers.said.items() if name in known}

    def attempt() -> tuple[Subscriptions, bool]:
        before = subscription_store.load(account_id, kind)
        after = before.answered(answers.openid, said, intent.token, intent.fingerprint)
        if after is before:
            return before, False
        with UnitOfWork() as work:
            subscription_store.save(work, after)
        return replace(after, version=before.version + 1), True

    return racing(attempt)


def subscriptions(account_id: str, kind: Kind) -> Subscriptions:
    """Return what somebody said yes to, and how many messages of each are left."""
    return subscription_store.load(account_id, kind)
