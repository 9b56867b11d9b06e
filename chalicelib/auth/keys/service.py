"""Making, listing, rotating and revoking a merchant's keys. A key is shown once, when it is made or rotated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from chalicelib.auth import in_office
from chalicelib.auth import keyring_store as store
from chalicelib.auth.keyrings import HOLDERS, Key, Rotation, TooManyKeys
from chalicelib.auth.keys import domain
from chalicelib.auth.keys.domain import DAYS, MOST_DAYS, MOST_NETWORKS, MOST_OVERLAP, OVERLAP, network
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.policy import SCOPES
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = [
    "DAYS",
    "MOST_DAYS",
    "MOST_NETWORKS",
    "MOST_OVERLAP",
    "OVERLAP",
    "SCOPES",
    "Key",
    "TooManyKeys",
    "Wanted",
    "last_used",
    "listed",
    "make",
    "network",
    "revoke",
    "rotate",
    "status",
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key is to be."""

    name: str
    scopes: tuple[str, ...]
    lasts: timedelta
    networks: tuple[str, ...] = ()


def listed(merchant_id: str) -> list[Key]:
    """Return a merchant's keys that were not revoked, those that ran out too until the next one is made."""
    return store.load_all(one.key_id for one in store.load_ring(merchant_id).keys)


def make(merchant_id: str, wanted: Wanted, *, by: str, intent: Intent) -> tuple[Key, str | None]:
    """Make a key. Returns it and what its merchant's system shows: none where this intent had made it.

    Raises:
        TooManyKeys: if the merchant has as many as it can.
        IdempotencyKeyReused: if the intent made another one.
        NotFound: if it made one that is revoked by now.
        Forbidden: if the maker lost their post a moment ago.
    """
    key_id, secret = intent.record_id("key"), ids.random_bytes(domain.SECRET_BYTES)

    def attempt() -> tuple[Key, str | None]:
        known = store.load(key_id)
        if known is not None:
            intent.check(known.fingerprint)
            return _held(known, merchant_id), None
        now, shown = clock.now(), domain.written(key_id, secret)
        made = Key(
            key_id=key_id,
            merchant_id=merchant_id,
            name=wanted.name,
            scopes=wanted.scopes,
            networks=wanted.networks,
            digest=domain.digest(shown),
            by=by,
            made_at=now,
            expires_at=now + wanted.lasts,
            fingerprint=intent.fingerprint,
        )
        with UnitOfWork() as work:
            store.save_ring(work, store.load_ring(merchant_id).having(made, now))
            store.save(work, made)
            in_office.hold(work, merchant_id, by, HOLDERS)
        log.info("key made", merchant_id=merchant_id, key_id=key_id, scopes=list(wanted.scopes), by=by)
        return made, shown

    return racing(attempt)


def rotate(
    merchant_id: str, key_id: str, *, overlap: timedelta, lasts: timedelta, by: str, intent: Intent
) -> tuple[Key, str | None]:
    """Give a key another secret; the one it has counts for the overlap. Returns as :func:`make`.

    Whoever rotates has seen it from then on, and its time begins anew.

    Raises:
        NotFound: if the merchant has no such key.
        IdempotencyKeyReused: if the intent rotated it otherwise.
        Forbidden: as :func:`make`.
    """
    secret = ids.random_bytes(domain.SECRET_BYTES)

    def attempt() -> tuple[Key, str | None]:
        known = _held(store.load(key_id), merchant_id)
        done = known.rotation(intent.token)
        if done is not None:
            intent.check(done.fingerprint)
            return known, None
        now, shown = clock.now(), domain.written(key_id, secret)
        rotated = known.rotated(
            domain.digest(shown),
            by=by,
            now=now,
            until=now + overlap,
            expires_at=now + lasts,
            rotation=Rotation(intent.token, intent.fingerprint),
        )
        with UnitOfWork() as work:
            store.save_ring(work, store.load_ring(merchant_id).without(key_id).having(rotated, now))
            store.save(work, rotated)
            in_office.hold(work, merchant_id, by, HOLDERS)
        log.info("key rotated", merchant_id=merchant_id, key_id=key_id, by=by)
        return rotated, shown

    return racing(attempt)


def revoke(merchant_id: str, key_id: str, *, by: str) -> None:
    """Let a key open nothing from this moment on.

    Raises:
        NotFound: if the merchant has no such key.
    """

    def attempt() -> None:
        ring = store.load_ring(merchant_id)
        if not ring.has(key_id):
            raise NotFound(what="key")
        with UnitOfWork() as work:
            store.save_ring(work, ring.without(key_id))
            if store.load(key_id) is not None:  # Collected a month after it ran out.
                store.revoke(work, key_id, clock.now())
        log.info("key revoked", merchant_id=merchant_id, key_id=key_id, by=by)

    racing(attempt)


def status(key: Key, now: datetime) -> Literal["active", "expired"]:
    """Return how a key that was not revoked stands."""
    return "active" if now < key.expires_at else "expired"


def last_used(key: Key) -> datetime | None:
    """Return the hour in which a key was used last, None if it was not yet."""
    return datetime.fromtimestamp(key.used_hour * 3600, UTC) if key.used_hour else None


def _held(key: Key | None, merchant_id: str) -> Key:
    if key is None or key.merchant_id != merchant_id or key.revoked_at is not None:
        raise NotFound(what="key")
    return key
