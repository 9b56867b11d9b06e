"""Rows of sign-in elsewhere, in the identities table: whose an identity is, what was used once, mini programs' keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.external.domain import SignInOver
from chalicelib.auth.store import IdentityRow
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import Refusal, UnitOfWork


class UsedRow(Row):
    """Key: ``use_`` and the digest of what counts once. DynamoDB's TTL collects it when that is over anyway."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    expires = TTLAttribute()


class SessionKeyRow(Row):
    """Key: ``msk_`` and the body of the identity's id. The last session key, sealed; the next sign-in replaces it."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    sealed = UnicodeAttribute()
    expires = TTLAttribute()


def holders(identity_ids: Iterable[str]) -> dict[str, str]:
    """Return whose each of these identities is, as it is now, in one call; those of nobody are absent."""
    found = reads.get_many([(IdentityRow, one, None) for one in identity_ids if one], consistent=True)
    return {key: row.account_id for (key, _), row in found.items() if isinstance(row, IdentityRow)}


def bind(work: UnitOfWork, identity_id: str, account_id: str, *, refuse: Refusal | None = None) -> None:
    """Bind an identity that nobody has to an account."""
    work.save(IdentityRow(identity_id=identity_id, account_id=account_id), refuse=refuse, label="identity")


def release(work: UnitOfWork, identity_ids: Iterable[str], account_id: str) -> None:
    """Take identities from an account; what is not bound, or not to it, stays as it is."""
    wanted = [(IdentityRow, one, None) for one in identity_ids if one]
    for row in reads.get_many(wanted, consistent=True).values():
        if isinstance(row, IdentityRow) and row.account_id == account_id:
            work.delete(row, label="identity")


def use(work: UnitOfWork, used_id: str, *, until: datetime) -> None:
    """Use up what counts once."""
    work.save(UsedRow(identity_id=used_id, expires=until), refuse=lambda _: SignInOver(), label="used")


def keep_session_key(work: UnitOfWork, key_id: str, sealed: str, *, until: datetime) -> None:
    """Keep an identity's session key in place of the one before."""
    work.update(
        SessionKeyRow(identity_id=key_id),
        [SessionKeyRow.sealed.set(sealed), SessionKeyRow.expires.set(until)],
        condition=SessionKeyRow.sealed.does_not_exist() | (SessionKeyRow.sealed != sealed),
        refuse=lambda _: SignInOver(),
        label="session_key",
        guarded=True,
    )


def session_key(key_id: str, *, now: datetime) -> str | None:
    """Return an identity's session key, sealed as it is kept."""
    row = reads.get(SessionKeyRow, key_id, consistent=True)
    return row.sealed if row is not None and row.expires > now else None
