"""The second step of a sign-in: who has a second factor gets no session for the first one alone, but a challenge."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.auth import open_steps, relying_party
from chalicelib.auth.domain import Account
from chalicelib.auth.open_step import LIFE
from chalicelib.auth.sessions.domain import Method, SecondFactorNeeded
from chalicelib.runtime.db.work import UnitOfWork

PURPOSE: Final = "second-step"


def begin(account: Account, method: Method, work: UnitOfWork) -> SecondFactorNeeded | None:
    """Return None if a sign-in by this method is enough, else the refusal to raise once ``work`` is through.

    Its challenge is written in ``work``, with what the first step uses up: that counts for one second step, as it would
    for one session.
    """
    if not account.second_factor:
        return None
    said = {"method": method.value, "epoch": str(account.epoch)}
    seconds = int(LIFE.total_seconds())
    token = open_steps.begin(PURPOSE, account_id=account.account_id, said=said, work=work)
    methods, passkey = ["totp", "recovery_code"], _passkey(account, token, seconds)
    return SecondFactorNeeded(
        challenge=token, methods=[*methods, *(["passkey"] if passkey else [])], expires_in=seconds, **passkey
    )


def _passkey(account: Account, token: str, seconds: int) -> dict[str, Any]:
    """Return what a browser is to ask a passkey for, where the account has one."""
    if not account.passkeys or not relying_party.is_offered():
        return {}
    return {"public_key": relying_party.asking(token, verifies=False, seconds=seconds)}
