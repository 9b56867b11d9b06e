"""An authenticator app in software (RFC 6238), which shares no code with what checks it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from dataclasses import replace
from datetime import timedelta

from chalicelib.auth import sealing
from chalicelib.auth import store as accounts
from chalicelib.auth.factors import store
from chalicelib.auth.factors.domain import Totp
from chalicelib.kernel import clock
from chalicelib.runtime import aws
from chalicelib.runtime.db.rows import Row
from tests.support.people import Person

SECRET = base64.b32encode(b"12345678901234567890").decode()


def code(secret: str, *, later: timedelta = timedelta()) -> str:
    """Return the six digits that the app shows now, or at another time."""
    step = int((clock.now() + later).timestamp()) // 30
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def set_up(person: Person, *, confirmed: bool = True) -> str:
    """Give a person an authenticator app, without the calls that set one up; returns its secret."""
    now = clock.now()
    sealed = sealing.seal(SECRET, purpose="totp", belongs_to=person.account_id)
    _put(store.row(Totp(person.account_id, sealed, now, confirmed_at=now if confirmed else None, version=1)))
    account = accounts.load_account(person.account_id, consistent=True)
    assert account is not None
    if confirmed:
        _put(accounts.account_row(replace(account, second_factor=store.TOTP)))
    return SECRET


def _put(row: Row) -> None:
    aws.call("dynamodb", "PutItem", {"TableName": row.Meta.table_name, "Item": row.serialize()})
