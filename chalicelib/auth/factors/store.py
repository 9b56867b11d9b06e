"""Rows of authenticator apps, in the accounts table beside the account."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from chalicelib.auth.factors.domain import Totp
from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_ms
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region

TOTP = "totp"


class TotpRow(Row):
    """Key: account_id, ``totp``."""

    class Meta:
        table_name = names.table_name("accounts")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    sealed = UnicodeAttribute()
    begun_ms = NumberAttribute()
    confirmed_ms = NumberAttribute(null=True)
    last_step = NumberAttribute()
    recovery = DocumentAttribute[tuple[str, ...]](tuple[str, ...], null=True)


def row(totp: Totp) -> TotpRow:
    """Return the row of an authenticator app."""
    return TotpRow(
        account_id=totp.account_id,
        id=TOTP,
        sealed=totp.sealed,
        begun_ms=epoch_ms(totp.begun_at),
        confirmed_ms=epoch_ms(totp.confirmed_at) if totp.confirmed_at else None,
        last_step=totp.last_step,
        recovery=totp.recovery or None,
        version=totp.version,
    )


def load(account_id: str) -> Totp | None:
    """Read an account's authenticator app as it is now."""
    found = reads.get(TotpRow, account_id, TOTP, consistent=True)
    if found is None:
        return None
    return Totp(
        account_id=found.account_id,
        sealed=found.sealed,
        begun_at=clock.from_epoch_ms(found.begun_ms),
        confirmed_at=clock.from_epoch_ms(found.confirmed_ms) if found.confirmed_ms is not None else None,
        last_step=int(found.last_step),
        recovery=found.recovery or (),
        version=int(found.version),
    )
