"""A merchant's keys: what its own systems show in place of a person's token. Pure."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.roles import Post

HOLDERS = frozenset({Post.OWNER})
"""At which posts somebody makes keys, and has to stay for them to count: whoever made one has seen it."""
MOST = 10
"""Keys of one merchant that have not run out."""
_ROTATIONS_KEPT = 10


class TooManyKeys(Conflict):
    """A merchant has as many keys as it can have."""

    code = "too_many_keys"
    en, zh = "A merchant has {most} keys at most: revoke one first.", "商家密钥最多 {most} 个，请先撤销其中一个。"
    shown = ("most",)


@dataclass(frozen=True, slots=True)
class Former:
    """The secret from before the last rotation, while it still counts."""

    digest: str
    by: str
    """Who was shown it."""
    until: datetime


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation that was done: a repeat of its intent is answered, and makes no other secret."""

    token: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Key:
    """One key. Of its secret only the digest is kept."""

    key_id: str
    merchant_id: str
    name: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    """From where it may come (CIDR); empty: from anywhere."""
    digest: str
    by: str
    """Who was shown the secret: whoever made the key, or rotated it last."""
    made_at: datetime
    expires_at: datetime
    fingerprint: str
    former: Former | None = None
    rotated_at: datetime | None = None
    rotations: tuple[Rotation, ...] = ()
    used_hour: int = 0
    """When it was last used, in hours since 1970; 0: not yet."""
    revoked_at: datetime | None = None
    version: int = 0

    def opens(self, digest: str, now: datetime) -> bool:
        """Say whether what was shown is this key's secret, and the key counts at this moment."""
        if self.revoked_at is not None or now >= self.expires_at:
            return False
        known = [self.digest]
        if self.former is not None and now < self.former.until:
            known.append(self.former.digest)
        return any(hmac.compare_digest(one, digest) for one in known)

    def rotation(self, token: str) -> Rotation | None:
        """Return the rotation that an intent did, or None."""
        return next((one for one in self.rotations if one.token == token), None)

    def rotated(
        self, digest: str, *, by: str, now: datetime, until: datetime, expires_at: datetime, rotation: Rotation
    ) -> Key:
        """Return the key under another secret; the one it has counts ``until`` then, and never longer than it would."""
        return replace(
            self,
            digest=digest,
            former=Former(self.digest, self.by, min(until, self.expires_at)),
            by=by,
            rotated_at=now,
            expires_at=expires_at,
            rotations=(*self.rotations, rotation)[-_ROTATIONS_KEPT:],
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A key as its merchant's ring knows it."""

    key_id: str
    by: str
    expires_at: datetime
    former_by: str = ""
    """Who was shown the secret from before, where one may still count."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Which keys a merchant has: one record, so that they are no more than they may be under any concurrency."""

    merchant_id: str
    keys: tuple[Held, ...] = ()
    version: int = 0

    def having(self, key: Key, now: datetime) -> Ring:
        """Return the ring with one more key; those that ran out go.

        Raises:
            TooManyKeys: if it has as many as it can.
        """
        counting = tuple(one for one in self.keys if now < one.expires_at and one.key_id != key.key_id)
        if len(counting) >= MOST:
            raise TooManyKeys(most=MOST)
        held = Held(key.key_id, key.by, key.expires_at, key.former.by if key.former else "")
        return replace(self, keys=(*counting, held))

    def without(self, *key_ids: str) -> Ring:
        """Return the ring without some keys."""
        return replace(self, keys=tuple(one for one in self.keys if one.key_id not in key_ids))

    def seen_by(self, account_id: str, now: datetime) -> tuple[str, ...]:
        """Return the keys that count and whose secrets somebody was shown."""
        return tuple(one.key_id for one in self.keys if one.by == account_id and now < one.expires_at)

    def seen_before_by(self, account_id: str, now: datetime) -> tuple[str, ...]:
        """Return the keys of others whose secret from before a rotation somebody was shown."""
        counting = [one for one in self.keys if now < one.expires_at]
        return tuple(one.key_id for one in counting if one.former_by == account_id != one.by)

    def has(self, key_id: str) -> bool:
        """Say whether a key is on it."""
        return any(one.key_id == key_id for one in self.keys)
