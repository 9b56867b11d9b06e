"""Setting up an authenticator app, signing in and proving with it, and doing without it by a recovery code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.auth import open_steps, throttles
from chalicelib.auth import store as account_store
from chalicelib.auth.domain import Account
from chalicelib.auth.factors import codes, store
from chalicelib.auth.factors.domain import Totp, TotpEnrolled, TotpMissing
from chalicelib.auth.open_step import ChallengeOver
from chalicelib.auth.passkeys import service as passkeys
from chalicelib.auth.passkeys.domain import Signed
from chalicelib.auth.sessions import second_step
from chalicelib.auth.sessions.domain import Device, Method, WrongProof
from chalicelib.auth.sessions.service import Tokens, complete
from chalicelib.auth.sessions.step_up import proved
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app is told once."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Recovery codes, shown once, and an access token that says what was just proved."""

    recovery_codes: list[str] = field(repr=False)
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Factors:
    """How an account proves itself beside its first way in."""

    totp_since: datetime | None
    recovery_codes_left: int


def factors(account_id: str) -> Factors:
    """Return what an account has set up."""
    totp = store.load(account_id)
    if totp is None or totp.confirmed_at is None:
        return Factors(None, 0)
    return Factors(totp.confirmed_at, len(totp.recovery))


# --- setting up -------------------------------------------------------------------------------------------------------


def begin_totp(account_id: str) -> Enrolment:
    """Make a secret for an authenticator app. It counts once :func:`confirm_totp` saw a code of it.

    Raises:
        TotpEnrolled: if the account has one that counts.
        Unauthenticated: if the account is gone.
    """

    def attempt() -> Enrolment:
        before = store.load(account_id)
        if before is not None and before.confirmed_at is not None:
            raise TotpEnrolled
        secret, sealed = codes.new_secret(account_id)
        made = Totp(account_id, sealed, clock.now(), version=before.version if before else 0)
        with UnitOfWork() as work:
            work.save(store.row(made), label="totp")
        account = _account(account_id)
        name = account.email or account.phone or account.nickname or account_id
        return Enrolment(secret, codes.uri(secret, name=name))

    return racing(attempt)


def confirm_totp(caller: Caller, code: str) -> Confirmed:
    """Let a secret count from now on: its app shows the right code. Returns the recovery codes, this once.

    Raises:
        TotpEnrolled, TotpMissing: if it counts already, or there is none that waits.
        WrongProof: if the code is another one.
        Throttled: after too many of them.
    """
    now = clock.now()
    with throttles.proving(caller.session_id, caller.account_id) as attempt:
        totp = store.load(caller.account_id)
        if totp is not None and totp.confirmed_at is not None:
            raise TotpEnrolled
        if totp is None or not totp.may_confirm(now):
            raise TotpMissing
        step = codes.step_of(totp, code, now=now)
        if step is None:
            raise WrongProof
        attempt.succeeded()
    shown, kept = codes.new_recovery(caller.account_id)
    account = _account(caller.account_id)
    with UnitOfWork() as work:
        work.save(store.row(replace(totp, confirmed_at=now, last_step=step, recovery=kept)), label="totp")
        work.save(account_store.account_row(replace(account, second_factor=store.TOTP)), label="account")
    log.info("second factor set up", account_id=caller.account_id)
    metrics.count("second_factors_added")
    return Confirmed(shown, proved(caller, Method.TOTP))


def remove_totp(account_id: str) -> None:
    """Do without the authenticator app from now on; what waits for its first code goes too.

    Raises:
        TotpMissing: if there is none.
    """

    def attempt() -> None:
        totp, account = store.load(account_id), _account(account_id)
        if totp is None:
            raise TotpMissing
        with UnitOfWork() as work:
            work.delete(store.row(totp), label="totp")
            if account.second_factor:
                work.save(account_store.account_row(replace(account, second_factor="")), label="account")
        log.info("second factor removed", account_id=account_id)
        metrics.count("second_factors_removed")

    racing(attempt)


def without_younger(work: UnitOfWork, account: Account, *, since: datetime) -> Account:
    """Return the account without an authenticator app that was set up since then; its row goes in ``work``."""
    totp = store.load(account.account_id)
    if totp is None or (totp.confirmed_at or totp.begun_at) < since:
        return account
    work.delete(store.row(totp), label="totp")
    return replace(account, second_factor="")


def renew_recovery(account_id: str) -> list[str]:
    """Return new recovery codes, this once; the ones from before count no more.

    Raises:
        TotpMissing: if there is no authenticator app.
    """

    def attempt() -> list[str]:
        totp = _confirmed(account_id)
        if totp is None:
            raise TotpMissing
        shown, kept = codes.new_recovery(account_id)
        with UnitOfWork() as work:
            work.save(store.row(replace(totp, recovery=kept)), label="totp")
        return shown

    return racing(attempt)


# --- using ------------------------------------------------------------------------------------------------------------


def finish_sign_in(
    challenge_token: str,
    *,
    code: str = "",
    recovery_code: str = "",
    signed: Signed | None = None,
    device: Device,
    source_ip: str,
) -> Tokens:
    """Take the second step of a sign-in: the session begins, and what was shown and the challenge count no more.

    Raises:
        ChallengeOver: if the first step was too long ago, or something ended it since.
        WrongProof: if the code is another one, or was used, or the passkey is another's or did not sign this step.
        Throttled: after too many of them for this account.
    """
    challenge = open_steps.attempt(challenge_token, second_step.PURPOSE)
    account = account_store.load_account(challenge.account_id, consistent=True)
    if account is None or str(account.epoch) != challenge.said["epoch"] or not account.second_factor:
        raise ChallengeOver
    with throttles.second_step(account.account_id, device.token) as attempt:
        try:
            second, use = _second(account, challenge_token, code, recovery_code, signed)
        except WrongProof:
            metrics.count("second_steps_refused")
            raise
        attempt.succeeded()
    methods = [Method(challenge.said["method"]), *second]
    with UnitOfWork() as work:
        answer = complete(account, device=device, source_ip=source_ip, methods=methods, work=work)
        use(work)
        open_steps.spend(work, challenge)
    return answer


def _second(
    account: Account, token: str, code: str, recovery_code: str, signed: Signed | None
) -> tuple[tuple[Method, ...], Callable[[UnitOfWork], None]]:
    """Return what a second step proves, and how its use is written."""
    if signed is not None:
        shown = passkeys.of_account(account.account_id, token, signed)
        return shown.methods, lambda work: passkeys.use(work, shown)
    totp = _confirmed(account.account_id)
    used = _used(totp, code=code, recovery_code=recovery_code) if totp else None
    if used is None:
        raise WrongProof
    methods = (Method.TOTP if code else Method.RECOVERY,)
    return methods, lambda work: work.save(store.row(used), refuse=_used_meanwhile, label="totp")


def prove_by_totp(caller: Caller, code: str) -> str:
    """Check a code of the account's authenticator app; returns the new access token.

    Raises:
        WrongProof: if it is another one, was used, or the account has no app.
        Throttled: after too many of them.
        Unauthenticated: if the session is over.
    """
    with throttles.proving(caller.session_id, caller.account_id) as attempt:
        totp = _confirmed(caller.account_id)
        used = _used(totp, code=code) if totp else None
        if used is None:
            raise WrongProof
        attempt.succeeded()
    with UnitOfWork() as work:
        work.save(store.row(used), refuse=_used_meanwhile, label="totp")
    return proved(caller, Method.TOTP)


def _used(totp: Totp, *, code: str = "", recovery_code: str = "") -> Totp | None:
    """Return the app after one of its codes was used, or None if it is none of them."""
    if code:
        step = codes.step_of(totp, code, now=clock.now())
        return replace(totp, last_step=step) if step is not None else None
    digest = codes.recovery_digest(totp.account_id, recovery_code)
    left = tuple(one for one in totp.recovery if one != digest)
    return replace(totp, recovery=left) if len(left) < len(totp.recovery) else None


def _used_meanwhile(_: object) -> Exception:
    """Of two who use one code at the same moment, one is late."""
    return WrongProof()


def _confirmed(account_id: str) -> Totp | None:
    totp = store.load(account_id)
    return totp if totp is not None and totp.confirmed_at is not None else None


def _account(account_id: str) -> Account:
    found = account_store.load_account(account_id, consistent=True)
    if found is None:
        raise Unauthenticated
    return found
