"""Counting what somebody of a mini program said yes to, once it is sure that they are who they say they are there."""

from __future__ import annotations

from chalicelib.auth import service as auth
from chalicelib.notifications import service as notifications
from chalicelib.notifications.service import Answers, NotThatPerson, Subscriptions
from chalicelib.runtime.intents import Intent


def subscribe(account_id: str, answers: Answers, intent: Intent) -> tuple[Subscriptions, bool]:
    """Count answers; returns what is left, and whether they came for the first time.

    Raises:
        NotThatPerson: if nobody signs in to the account as this person of the mini program.
        IdempotencyKeyReused: if other answers came under the same key.
        ConcurrentUpdate: if they kept changing.
    """
    if not auth.external.is_opened_by(account_id, answers.provider, answers.openid):
        raise NotThatPerson
    return notifications.subscribe(account_id, answers, intent)
