"""Rows of keys, among the identities, and of the rings that know them by merchant, among the accounts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.keyrings import Former, Held, Key, Ring, Rotation
from chalicelib.kernel import clock, ids
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

_RING = "keys"
KEPT = timedelta(days=30)
"""How long the row of a key that counts no more is kept: a late repeat of what made it does not make it again."""


@dataclass(frozen=True, slots=True)
class _Former:
    digest: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class _Doc:
    name: str
    scopes: tuple[str, ...]
    digest: str
    by: str
    made_at: datetime
    expires_at: datetime
    fingerprint: str
    networks: tuple[str, ...] = ()
    former: _Former | None = None
    rotated_at: datetime | None = None
    rotations: tuple[Rotation, ...] = ()


class KeyRow(Row):
    """Key: the key's id, which stands in what a system shows: one read answers it. TTL collects what counts no more."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    doc = DocumentAttribute[_Doc](_Doc)
    used_hour = NumberAttribute(null=True)
    revoked_ms = NumberAttribute(null=True)
    former_ms = NumberAttribute(null=True)
    """Until when the secret from before the last rotation counts, which may be cut short."""
    expires = TTLAttribute()


class KeyRingRow(Row):
    """Key: merchant_id, ``keys``: which keys a merchant has, and who saw each."""

    class Meta:
        table_name = names.table_name("accounts")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    ring = DocumentAttribute[tuple[Held, ...]](tuple[Held, ...])


def load(key_id: str) -> Key | None:
    """Read one key as it is now: what was revoked a moment ago opens nothing."""
    if not ids.is_id("key", key_id):
        return None  # Rows of other kinds lie in this table.
    row = reads.get(KeyRow, key_id, consistent=True)
    return _key(row) if row is not None else None


def load_all(key_ids: Iterable[str]) -> list[Key]:
    """Read several keys as they are now; those that are not there are left out."""
    wanted = list(key_ids)
    found = reads.get_many([(KeyRow, one, None) for one in wanted], consistent=True) if wanted else {}
    keys = {key: _key(cast("KeyRow", row)) for (key, _), row in found.items()}
    return [keys[one] for one in wanted if one in keys]


def save(work: UnitOfWork, key: Key) -> None:
    """Write a key in the caller's work; a rival's write is a lost race."""
    work.save(_row(key), refuse=lost, label="key")


def revoke(work: UnitOfWork, key_id: str, now: datetime) -> None:
    """Let a key that is there open nothing any more, whatever its version."""
    actions = [KeyRow.revoked_ms.set(clock.epoch_ms(now)), KeyRow.expires.set(now + KEPT)]
    work.update(KeyRow(identity_id=key_id), actions, condition=KeyRow.merchant_id.exists(), refuse=lost, label="key")


def cut_former(work: UnitOfWork, key_id: str, now: datetime) -> None:
    """Let the secret from before a key's last rotation open nothing any more; the key itself goes on."""
    actions = [KeyRow.former_ms.set(clock.epoch_ms(now))]
    work.update(KeyRow(identity_id=key_id), actions, condition=KeyRow.merchant_id.exists(), refuse=lost, label="key")


def note_use(key_id: str, hour: int) -> None:
    """Write that a key was used in an hour, once, however many calls there are in it.

    Raises:
        ConcurrentUpdate: if somebody wrote it a moment ago.
        Busy: if the table is.
    """
    with UnitOfWork() as work:
        work.update(
            KeyRow(identity_id=key_id),
            [KeyRow.used_hour.set(hour)],
            condition=KeyRow.merchant_id.exists() & (KeyRow.used_hour.does_not_exist() | (KeyRow.used_hour < hour)),
            refuse=lost,
            guarded=True,
        )


def load_ring(merchant_id: str) -> Ring:
    """Read a merchant's ring as it is now; a merchant that never had a key has an empty one."""
    row = reads.get(KeyRingRow, merchant_id, _RING, consistent=True)
    return Ring(merchant_id) if row is None else Ring(merchant_id, row.ring, int(row.version))


def save_ring(work: UnitOfWork, ring: Ring) -> None:
    """Write a ring in the caller's work; a rival's write is a lost race."""
    row = KeyRingRow(account_id=ring.merchant_id, id=_RING, ring=ring.keys, version=ring.version)
    work.save(row, refuse=lost, label="keys")


def hold_ring(work: UnitOfWork, ring: Ring) -> None:
    """Demand that a ring is still as it was read."""
    row = KeyRingRow(account_id=ring.merchant_id, id=_RING)
    same = KeyRingRow.version == ring.version if ring.version else KeyRingRow.account_id.does_not_exist()
    work.check(row, same, refuse=lost, label="keys")


def _row(key: Key) -> KeyRow:
    return KeyRow(
        identity_id=key.key_id,
        merchant_id=key.merchant_id,
        doc=_Doc(
            name=key.name,
            scopes=key.scopes,
            digest=key.digest,
            by=key.by,
            made_at=key.made_at,
            expires_at=key.expires_at,
            fingerprint=key.fingerprint,
            networks=key.networks,
            former=_Former(key.former.digest, key.former.by) if key.former else None,
            rotated_at=key.rotated_at,
            rotations=key.rotations,
        ),
        used_hour=key.used_hour or None,
        revoked_ms=clock.epoch_ms_or_none(key.revoked_at),
        former_ms=clock.epoch_ms(key.former.until) if key.former else None,
        expires=key.expires_at + KEPT,
        version=key.version,
    )


def _key(row: KeyRow) -> Key:
    kept = row.doc
    return Key(
        key_id=row.identity_id,
        merchant_id=row.merchant_id,
        name=kept.name,
        scopes=kept.scopes,
        networks=kept.networks,
        digest=kept.digest,
        by=kept.by,
        made_at=kept.made_at,
        expires_at=kept.expires_at,
        fingerprint=kept.fingerprint,
        former=_former(kept.former, row.former_ms),
        rotated_at=kept.rotated_at,
        rotations=kept.rotations,
        used_hour=int(row.used_hour or 0),
        revoked_at=clock.from_epoch_ms_or_none(row.revoked_ms),
        version=int(row.version),
    )


def _former(kept: _Former | None, until_ms: float | None) -> Former | None:
    if kept is None or until_ms is None:
        return None
    return Former(kept.digest, kept.by, clock.from_epoch_ms(until_ms))
