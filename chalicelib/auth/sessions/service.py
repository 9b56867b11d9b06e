"""Starting a session, the one way for every method of signing in; refreshing it and ending it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.auth import accounts, devices, events, tokens
from chalicelib.auth.domain import Account
from chalicelib.auth.sessions import domain, store
from chalicelib.auth.sessions.domain import Device, Method, Session
from chalicelib.kernel import clock, context, ids
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a signed-in device holds."""

    account_id: str
    session_id: str
    access_token: str
    access_seconds: int
    refresh_token: str
    refresh_seconds: int
    device_token: str | None = None
    """For the device to keep and to send with its next sign-in."""


def start(
    account: Account, *, device: Device, source_ip: str, method: Method, work: UnitOfWork | None = None
) -> Tokens:
    """Start a session of somebody who has just proved by ``method`` who they are.

    It is written in ``work`` where there is one, with what else the sign-in writes, else in a unit of its own.
    """
    context.set_actor(account.account_id)
    if work is None:
        with UnitOfWork() as own:
            return start(account, device=device, source_ip=source_ip, method=method, work=own)
    now = clock.now()
    token, kept = tokens.new_refresh(account.account_id, ids.new_id("ses"))
    session = Session(
        account_id=account.account_id,
        session_id=kept.session_id,
        status=domain.SESSIONS.initial,
        epoch=account.epoch,
        current=kept.digest,
        previous=None,
        rotated_at=now,
        created_at=now,
        expires_at=now + domain.IDLE,
        proved_at=now,
        methods=domain.references([method]),
    )
    work.save(store.session_row(session), label="session")
    answer = _tokens(account, session, token)
    return replace(answer, device_token=devices.remembered(account.account_id, devices.known(device.token)))


def caller_as(account: Account, session: Session) -> Caller:
    """Return what a token says of an account in one session."""
    return Caller(
        account_id=account.account_id,
        roles=frozenset(role.value for role in account.roles),
        merchant_id=account.merchant_id,
        session_id=session.session_id,
        epoch=account.epoch,
        auth_time=clock.epoch_s(session.proved_at),
        amr=session.methods,
    )


def _tokens(account: Account, session: Session, refresh_token: str) -> Tokens:
    caller = caller_as(account, session)
    return Tokens(
        account_id=account.account_id,
        session_id=session.session_id,
        access_token=tokens.access_token(caller),
        access_seconds=int(tokens.LIFE.total_seconds()),
        refresh_token=refresh_token,
        refresh_seconds=int((session.expires_at - clock.now()).total_seconds()),
    )


def refresh(token: str) -> Tokens:
    """Exchange a refresh token for new tokens, with the account's roles of this moment.

    Raises:
        BadRefreshToken: if it is not the session's living token. If it once was, the session ends for everybody
            who holds a token of it, and ``session.reused`` tells.
    """
    presented = tokens.open_refresh(token)
    if presented is None:
        raise domain.BadRefreshToken
    return racing(lambda: _refresh(presented))


def _refresh(presented: tokens.Refresh) -> Tokens:
    found = store.load_session_and_account(presented.account_id, presented.session_id)
    if found is None:
        raise domain.BadRefreshToken
    session, account = found
    now = clock.now()
    match domain.judge(session, presented=presented.digest, epoch=account.epoch, now=now):
        case domain.Verdict.OVER:
            raise domain.BadRefreshToken
        case domain.Verdict.REUSED:
            _end(session, domain.SessionCause.DETECT_REUSE)
            log.warning("refresh token reused", account_id=session.account_id, session_id=session.session_id)
            metrics.count("sessions_reused")
            raise domain.BadRefreshToken
    successor, kept = tokens.new_refresh(session.account_id, session.session_id)
    rotated = domain.rotate(session, presented=presented.digest, successor=kept.digest, now=now)
    with UnitOfWork() as work:
        work.save(store.session_row(rotated), label="session")
    return _tokens(account, rotated, successor)


def _end(session: Session, cause: domain.SessionCause) -> None:
    over = replace(session, status=domain.SESSIONS.next(session.status, cause))
    reused = over.status is domain.SessionStatus.COMPROMISED
    told = [events.SessionReused(account_id=session.account_id, session_id=session.session_id)] if reused else []
    with UnitOfWork() as work:
        work.save(store.session_row(over), events=told, label="session")


def sign_out(caller: Caller) -> None:
    """End the caller's session. A session that is over already stays as it is."""

    def attempt() -> None:
        session = store.load_session(caller.account_id, caller.session_id)
        if session is not None and not domain.SESSIONS.is_terminal(session.status):
            _end(session, domain.SessionCause.SIGN_OUT)

    racing(attempt)


def sign_out_everywhere(account_id: str) -> None:
    """End every session of the account with one write: those of an earlier epoch are over."""
    accounts.change(account_id, lambda account: replace(account, epoch=account.epoch + 1))
