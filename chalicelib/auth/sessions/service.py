"""Starting a session, the one way for every method of signing in; refreshing it and ending it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.auth import accounts, devices, events, living, tokens
from chalicelib.auth import store as account_store
from chalicelib.auth.domain import Account
from chalicelib.auth.sessions import domain, second_step, store
from chalicelib.auth.sessions.clients import client_of
from chalicelib.auth.sessions.domain import Client, Device, Method, SecondFactorNeeded, Session
from chalicelib.kernel import clock, context, ids
from chalicelib.kernel.errors import NotFound, Unauthenticated
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller

_DROPPED_AT_ONCE = 100


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
    account: Account, *, device: Device, source_ip: str, method: Method, work: UnitOfWork
) -> Tokens | SecondFactorNeeded:
    """Start a session of somebody who has just proved by ``method`` who they are, in ``work``.

    If the account has a second factor and this is but one, the second step begins in its place: what the first used up
    is used up all the same. :func:`given` tells the two apart, once ``work`` is through.
    """
    stopped = second_step.begin(account, method, work)
    if stopped is not None:
        return stopped
    return complete(account, device=device, source_ip=source_ip, methods=[method], work=work)


def given(answer: Tokens | SecondFactorNeeded) -> Tokens:
    """Return the tokens of a sign-in that was enough.

    Raises:
        SecondFactorNeeded: if it takes a second step.
    """
    if isinstance(answer, SecondFactorNeeded):
        raise answer
    return answer


def complete(
    account: Account, *, device: Device, source_ip: str, methods: Sequence[Method], work: UnitOfWork
) -> Tokens:
    """Start a session of somebody who has proved by all that it takes who they are."""
    context.set_actor(account.account_id)
    now = clock.now()
    token, kept = tokens.new_refresh(account.account_id, ids.new_id("ses"))
    known = devices.known(device.token)
    device_token = devices.remembered(account.account_id, known)
    client = client_of(replace(device, token=device_token), source_ip, account_id=account.account_id)
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
        methods=domain.references(methods),
        device_id=client.device_id,
        device_name=device.name,
        client=client,
    )
    work.save(store.session_row(session), events=_shared(account, known), label="session")
    return replace(_tokens(account, session, token, now), device_token=device_token)


def _shared(account: Account, known: devices.Device | None) -> list[events.DeviceShared]:
    """Return the fact that the device is another account's too, if its token says so."""
    if known is None or known.account_id == account.account_id:
        return []
    return [
        events.DeviceShared(
            account_id=account.account_id, beside=known.account_id, device=ids.digest("device", known.device_id)
        )
    ]


def keep(work: UnitOfWork, caller: Caller, account: Account, *, before: int) -> Tokens:
    """Carry the caller's session over into the account's new epoch, which ends all others; with new tokens.

    Raises:
        Unauthenticated: if the session is over.
    """
    now = clock.now()
    session = store.load_session(caller.account_id, caller.session_id)
    if session is None or not domain.is_alive(session, epoch=before, now=now):
        raise Unauthenticated
    token, kept = tokens.new_refresh(account.account_id, session.session_id)
    rotated = domain.rotate(
        session,
        presented=session.current,
        successor=kept.digest,
        salt=tokens.new_salt(),  # Of the token before nobody is told a successor: it went with the password.
        client=session.client,
        now=now,
    )
    carried = replace(rotated, epoch=account.epoch)
    work.save(store.session_row(carried), label="session")
    return _tokens(account, carried, token, now)


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


def _tokens(account: Account, session: Session, refresh_token: str, now: datetime) -> Tokens:
    return Tokens(
        account_id=account.account_id,
        session_id=session.session_id,
        access_token=tokens.access_token(caller_as(account, session), at=now),
        access_seconds=int(tokens.LIFE.total_seconds()),
        refresh_token=refresh_token,
        refresh_seconds=int((session.expires_at - now).total_seconds()),
    )


def refresh(token: str, *, device: Device | None = None, source_ip: str = "") -> Tokens:
    """Exchange a refresh token for new tokens, with the account's roles of this moment.

    Raises:
        BadRefreshToken: if it is not the session's living token. If it once was, the session ends for everybody
            who holds a token of it, and ``session.reused`` tells.
    """
    presented = tokens.open_refresh(token)
    if presented is None:
        raise domain.BadRefreshToken
    client = client_of(device or Device(), source_ip, account_id=presented.account_id)
    return racing(lambda: _refresh(presented, client))


def _refresh(presented: tokens.Refresh, client: Client) -> Tokens:
    now = clock.now()  # Before reading: what is read here counts for ten minutes from here, however long it takes.
    found = store.load_session_and_account(presented.account_id, presented.session_id)
    if found is None:
        raise domain.BadRefreshToken
    session, account = found
    match domain.judge(session, presented=presented.digest, epoch=account.epoch, client=client, now=now):
        case domain.Verdict.OVER:
            raise domain.BadRefreshToken
        case domain.Verdict.REUSED:
            _end(session, account, domain.SessionCause.DETECT_REUSE)
            log.warning("refresh token reused", account_id=session.account_id, session_id=session.session_id)
            metrics.count("sessions_reused")
            raise domain.BadRefreshToken
        case domain.Verdict.REPEAT:
            successor, kept = tokens.next_refresh(presented, session.salt)
            if kept.digest != session.current:  # Rotated by a release from before successors could be told again.
                raise domain.BadRefreshToken
            return _tokens(account, session, successor, now)
    salt = tokens.new_salt()
    successor, kept = tokens.next_refresh(presented, salt)
    rotated = domain.rotate(
        session, presented=presented.digest, successor=kept.digest, salt=salt, client=client, now=now
    )
    with UnitOfWork() as work:
        work.save(store.session_row(rotated), label="session")
    return _tokens(account, rotated, successor, now)


def _end(session: Session, account: Account, cause: domain.SessionCause) -> None:
    over = replace(session, status=domain.SESSIONS.next(session.status, cause))
    reused = over.status is domain.SessionStatus.COMPROMISED
    told = [events.SessionReused(account_id=session.account_id, session_id=session.session_id)] if reused else []
    knowing = living.without_session(account, session.session_id, now=clock.now())
    with UnitOfWork() as work:
        work.save(store.session_row(over), events=told, label="session")
        if knowing is not account:
            work.save(account_store.account_row(knowing), label="account")


def sign_out(caller: Caller) -> None:
    """End the caller's session. A session that is over already stays as it is."""
    racing(lambda: _end_one(caller.account_id, caller.session_id, domain.SessionCause.SIGN_OUT))


def revoke(account_id: str, session_id: str) -> None:
    """End one of an account's sessions, from another one. One that is over already stays as it is.

    Raises:
        NotFound: if it has no such session.
    """
    if not racing(lambda: _end_one(account_id, session_id, domain.SessionCause.REVOKE)):
        raise NotFound(what="session")


def _end_one(account_id: str, session_id: str, cause: domain.SessionCause) -> bool:
    found = store.load_session_and_account(account_id, session_id)
    if found is not None and not domain.SESSIONS.is_terminal(found[0].status):
        _end(*found, cause)
    return found is not None


def sign_out_everywhere(account_id: str) -> None:
    """End every session of the account with one write: those of an earlier epoch are over."""
    accounts.change(account_id, lambda account: replace(account, epoch=account.epoch + 1, ended={}))


def drop_all(account_id: str) -> None:
    """Delete what is kept of all sessions of an account, which are over by its epoch. Again changes nothing."""
    while (page := store.list_of(account_id, Window(limit=_DROPPED_AT_ONCE))).items:
        with UnitOfWork() as work:
            for session in page.items:
                work.delete(store.session_row(session), label="session")


def all_sessions(account_id: str, window: Window) -> Page[Session]:
    """Return one page of the account's sessions, also of those that are over, the latest first."""
    return store.list_of(account_id, window)


def sessions(account_id: str, window: Window) -> Page[Session]:
    """Return one page of the account's sessions that go on, the latest first; a page may hold fewer than asked for."""
    account = account_store.load_account(account_id)
    page = store.list_of(account_id, window)
    epoch, now = account.epoch if account else 0, clock.now()
    return Page([one for one in page.items if domain.is_alive(one, epoch=epoch, now=now)], page.after)
