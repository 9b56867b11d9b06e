"""Rows of passkeys, in the identities table: each leads to its account, as an e-mail address does."""

from __future__ import annotations

from collections.abc import Iterable

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.auth.passkeys.domain import Passkey
from chalicelib.kernel import clock, ids
from chalicelib.kernel.clock import epoch_ms
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


class PasskeyRow(Row):
    """Key: ``pky_`` and a keyed digest of the credential's id. Account and row name each other, or it opens nothing."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()
    credential = UnicodeAttribute()
    public_key = UnicodeAttribute()
    signs = NumberAttribute()
    is_eligible = BooleanAttribute()
    is_backed_up = BooleanAttribute()
    sealed = UnicodeAttribute()
    transports = UnicodeAttribute(null=True)
    made_ms = NumberAttribute()
    used_ms = NumberAttribute(null=True)
    copied_ms = NumberAttribute(null=True)


def row(passkey: Passkey) -> PasskeyRow:
    """Return the row of a passkey."""
    return PasskeyRow(
        identity_id=passkey.passkey_id,
        account_id=passkey.account_id,
        credential=passkey.credential,
        public_key=passkey.public_key,
        signs=passkey.signs,
        is_eligible=passkey.is_eligible,
        is_backed_up=passkey.is_backed_up,
        sealed=passkey.sealed,
        transports=" ".join(passkey.transports) or None,
        made_ms=epoch_ms(passkey.made_at),
        used_ms=epoch_ms(passkey.used_at) if passkey.used_at else None,
        copied_ms=epoch_ms(passkey.copied_at) if passkey.copied_at else None,
        version=passkey.version,
    )


def load(passkey_id: str) -> Passkey | None:
    """Read one passkey as it is now."""
    if not ids.is_id("pky", passkey_id):
        return None  # Rows of other kinds lie in this table.
    found = reads.get(PasskeyRow, passkey_id, consistent=True)
    return _passkey(found) if found is not None else None


def load_all(passkey_ids: Iterable[str]) -> list[Passkey]:
    """Read those of these passkeys that are there, as they are now, in one call."""
    wanted = tuple(passkey_ids)
    found = reads.get_many([(PasskeyRow, one, None) for one in wanted], consistent=True) if wanted else {}
    rows = [found.get((one, None)) for one in wanted]
    return [_passkey(one) for one in rows if isinstance(one, PasskeyRow)]


def release(work: UnitOfWork, passkey_ids: Iterable[str], account_id: str) -> None:
    """Delete those of these passkeys that are there and the account's."""
    for passkey in load_all(passkey_ids):
        if passkey.account_id == account_id:
            work.delete(row(passkey), label="passkey")


def _passkey(found: PasskeyRow) -> Passkey:
    return Passkey(
        passkey_id=found.identity_id,
        account_id=found.account_id,
        credential=found.credential,
        public_key=found.public_key,
        signs=int(found.signs),
        is_eligible=bool(found.is_eligible),
        is_backed_up=bool(found.is_backed_up),
        sealed=found.sealed,
        transports=tuple((found.transports or "").split()),
        made_at=clock.from_epoch_ms(found.made_ms),
        used_at=clock.from_epoch_ms(found.used_ms) if found.used_ms is not None else None,
        copied_at=clock.from_epoch_ms(found.copied_ms) if found.copied_ms is not None else None,
        version=int(found.version),
    )
