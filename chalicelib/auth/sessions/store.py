"""Rows of sessions."""

from __future__ import annotations

from typing import cast

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.domain import Account
from chalicelib.auth.sessions.domain import Method, Session, SessionStatus
from chalicelib.auth.store import ACCOUNT, AccountRow, account_of_row
from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_ms
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row, region


class SessionRow(Row):
    """Key: account_id, session_id. Times in milliseconds; ``expires`` is compared, TTL only collects."""

    class Meta:
        table_name = names.table_name("sessions")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    session_id = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    epoch = NumberAttribute()
    current = UnicodeAttribute()
    previous = UnicodeAttribute(null=True)
    rotated_ms = NumberAttribute()
    created_ms = NumberAttribute()
    expires = TTLAttribute()
    proved_ms = NumberAttribute(null=True)
    methods = UnicodeAttribute(null=True)


def session_row(session: Session) -> SessionRow:
    """Return the row of a session."""
    return SessionRow(
        account_id=session.account_id,
        session_id=session.session_id,
        status=session.status.value,
        epoch=session.epoch,
        current=session.current,
        previous=session.previous,
        rotated_ms=epoch_ms(session.rotated_at),
        created_ms=epoch_ms(session.created_at),
        expires=session.expires_at,
        proved_ms=epoch_ms(session.proved_at),
        methods=" ".join(session.methods) or None,
        version=session.version,
    )


def _session(row: SessionRow) -> Session:
    return Session(
        account_id=row.account_id,
        session_id=row.session_id,
        status=SessionStatus(row.status),
        epoch=int(row.epoch),
        current=row.current,
        previous=row.previous,
        rotated_at=clock.from_epoch_ms(row.rotated_ms),
        created_at=clock.from_epoch_ms(row.created_ms),
        expires_at=row.expires,
        # Rows of before these two were kept are of sign-ins with a password.
        proved_at=clock.from_epoch_ms(row.created_ms if row.proved_ms is None else row.proved_ms),
        methods=tuple((Method.PASSWORD.value if row.methods is None else row.methods).split()),
        version=int(row.version),
    )


def load_session(account_id: str, session_id: str) -> Session | None:
    """Read one session as it is now."""
    row = reads.get(SessionRow, account_id, session_id, consistent=True)
    return _session(row) if row is not None else None


def load_session_and_account(account_id: str, session_id: str) -> tuple[Session, Account] | None:
    """Read a session and its account as they are now, in one call; None unless both are there."""
    found = reads.get_many([(SessionRow, account_id, session_id), (AccountRow, account_id, ACCOUNT)], consistent=True)
    session, account = found.get((account_id, session_id)), found.get((account_id, ACCOUNT))
    if session is None or account is None:
        return None
    return _session(cast("SessionRow", session)), account_of_row(cast("AccountRow", account))
