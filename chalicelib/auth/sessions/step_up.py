"""Fresh proof: before what a thief of a session would do first, its person proves once more who they are.

A line of the policy table that wants it (``fresh``) asks :func:`require_fresh`. Each method of proving ends in
:func:`proved`, which writes the moment into the session and answers an access token that says so (``auth_time`` and
``amr``, as OpenID Connect Core names them).
"""

from __future__ import annotations

from chalicelib.auth import passwords, throttles, tokens
from chalicelib.auth import store as account_store
from chalicelib.auth.domain import Account, spelled
from chalicelib.auth.sessions import domain, store
from chalicelib.auth.sessions.domain import FreshProofNeeded, Method, WrongProof
from chalicelib.auth.sessions.service import caller_as
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller

FRESH_S = 300
"""How long a proof counts as fresh, unless who asks for it says otherwise."""
STRONG = frozenset({Method.TOTP, Method.RECOVERY, Method.PASSKEY})
"""What proves it for an account that has a second factor."""


def require_fresh(caller: Caller, within_s: float = FRESH_S) -> None:
    """Return if the caller proved who they are within so many seconds. A good token costs nothing to ask.

    Raises:
        FreshProofNeeded: if not; it names the methods that the account can do it by.
        Unauthenticated: if the account is gone.
    """
    if clock.now().timestamp() - caller.auth_time <= within_s:
        return
    account = account_store.load_account(caller.account_id)
    if account is None:
        raise Unauthenticated
    raise FreshProofNeeded(methods=ways(account), within_s=int(within_s))


def ways(account: Account) -> list[str]:
    """Return by which methods an account can prove who it is: the last word of the route that takes it."""
    passkey = ["passkey"] if account.passkeys else []
    if account.second_factor:  # Who has a second factor proves it by that: a password is what a thief may know.
        return ["totp", *passkey]
    verified = account.email_verified_at or account.phone_verified_at
    elsewhere = dict.fromkeys(link.provider for link in account.links)
    return [*(["password"] if account.password_hash else []), *(["code"] if verified else []), *elsewhere, *passkey]


def prove_by_password(caller: Caller, password: str) -> str:
    """Check the account's password; returns the new access token.

    Raises:
        WrongProof: if it is another one, or the account has none.
        FreshProofNeeded: if the account has a second factor: it names that one.
        Throttled: after too many failures.
        Unauthenticated: if the session is over.
    """
    account = account_store.load_account(caller.account_id, consistent=True)
    if account is not None and account.second_factor:
        raise FreshProofNeeded(methods=ways(account), within_s=FRESH_S)
    encoded = (account.password_hash if account else "") or passwords.NOBODY
    with throttles.proving(caller.session_id, caller.account_id) as attempt:
        if not passwords.matches(encoded, spelled(password)):
            raise WrongProof
        attempt.succeeded()
    return proved(caller, Method.PASSWORD)


def proved(caller: Caller, *methods: Method) -> str:
    """Write into the caller's session that its person has just proved who they are; returns a new access token.

    Raises:
        Unauthenticated: if the session is over.
        FreshProofNeeded: if the account has a second factor, and this was none.
    """

    def attempt() -> str:
        now = clock.now()
        found = store.load_session_and_account(caller.account_id, caller.session_id)
        if found is None or not domain.is_alive(found[0], epoch=found[1].epoch, now=now):
            raise Unauthenticated
        if found[1].second_factor and not STRONG & set(methods):
            raise FreshProofNeeded(methods=ways(found[1]), within_s=FRESH_S)
        session = domain.proved(found[0], methods, now=now)
        with UnitOfWork() as work:
            work.save(store.session_row(session), label="session")
        return tokens.access_token(caller_as(found[1], session), at=now)

    return racing(attempt)
