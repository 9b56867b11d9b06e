"""Rows of sessions."""

from __future__ import annotations

from typing import cast

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.domain import Account
from chalicelib.auth.sessions.domain import Client, Method, Session, SessionStatus
from chalicelib.auth.store import ACCOUNT, AccountRow, account_of_row
from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_ms
from chalicelib.kernel.pages import Page, Window
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
    salt = UnicodeAttribute(null=True)
    device_id = UnicodeAttribute(null=True)
    device_name = UnicodeAttribute(null=True)
    family = UnicodeAttribute(null=True)
    network = UnicodeAttribute(null=True)
    client_mark = UnicodeAttribute(null=True)


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
        salt=session.salt or None,
        device_id=session.device_id or None,
        device_name=session.device_name or None,
        family=session.client.family or None,
        network=session.client.network or None,
        client_mark=session.client.mark or None,
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
        salt=row.salt or "",
        device_id=row.device_id or "",
        device_name=row.device_name or "",
        client=Client(
            device_id=row.device_id or "",
            mark=row.client_mark or "",
            family=row.family or "",
            network=row.network or "",
        ),
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


def list_of(account_id: str, window: Window) -> Page[Session]:
    """Return one page of an account's sessions, also of those that are over; the latest first."""
    page = reads.windowed(SessionRow, account_id, window, descending=True)
    return Page([_session(SessionRow.from_raw_data(item)) for item in page.items], page.after)
