"""Challenges: what somebody has to answer within minutes, with few attempts and once. Only digests of them are kept."""

from __future__ import annotations

import hashlib
import re

from chalicelib.auth import open_step_store as store
from chalicelib.auth.open_step import LIFE, MOST_ATTEMPTS, Challenge, ChallengeOver
from chalicelib.kernel import base64url, clock, ids
from chalicelib.runtime.db.work import UnitOfWork

_TOKEN = re.compile(r"bdc1\.[A-Za-z0-9_-]{43}")


def begin(
    purpose: str, *, account_id: str = "", said: dict[str, str] | None = None, work: UnitOfWork | None = None
) -> str:
    """Begin a challenge, in ``work`` or in a unit of its own; returns what its answer comes with."""
    token = "bdc1." + base64url.encode(ids.random_bytes(32))
    made = Challenge(_id(token), purpose, account_id, clock.now() + LIFE, said or {})
    if work is not None:
        work.save(store.row(made), label="challenge")
        return token
    with UnitOfWork() as own:
        own.save(store.row(made), label="challenge")
    return token


def attempt(token: str, purpose: str) -> Challenge:
    """Return the challenge that an answer comes with, with the attempt counted: before anything is compared.

    Raises:
        ChallengeOver: if it is none, or not of this purpose, or there were too many attempts.
    """
    found = store.load(_id(token)) if _TOKEN.fullmatch(token) else None
    if found is None or found.purpose != purpose or clock.now() >= found.expires_at:
        raise ChallengeOver
    if found.attempts >= MOST_ATTEMPTS:
        raise ChallengeOver
    return store.count(found, refuse=lambda _: ChallengeOver())


def spend(work: UnitOfWork, challenge: Challenge) -> None:
    """Let a challenge count no more, in the work of what it was for: refused as over if somebody was faster."""
    work.delete(store.row(challenge), refuse=lambda _: ChallengeOver(), label="challenge")


def _id(token: str) -> str:
    return "chl_" + hashlib.sha256(token.encode()).hexdigest()[:40]
