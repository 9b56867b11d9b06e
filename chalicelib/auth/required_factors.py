"""For whom an installation wants a second factor: a setting; in ``prod``, where it says nothing, for operators."""

from __future__ import annotations

from typing import Final

from chalicelib.auth.domain import Account
from chalicelib.auth.factors.domain import SecondFactorRequired
from chalicelib.auth.sessions.domain import SEVERAL
from chalicelib.kernel.roles import Role
from chalicelib.runtime.config import config, setting
from chalicelib.runtime.http.access import Caller

SETTING: Final = "BIANDAN_SECOND_FACTOR"
NOBODY: Final = "nobody"


def check(caller: Caller, account: Account, role: Role) -> None:
    """Return if the caller may act in a role: it needs no second factor, or the session was begun with the account's.

    Raises:
        SecondFactorRequired: if not; setting one up is open to everybody who is signed in.
    """
    if role.value in _roles() and (SEVERAL not in caller.amr or not has_one(account)):
        raise SecondFactorRequired


def has_one(account: Account) -> bool:
    """Say whether an account has a second factor, or a passkey, which is two where its person is known again."""
    return bool(account.second_factor or account.passkeys)


def _roles() -> frozenset[str]:
    default = Role.OPERATOR.value if config().stage == "prod" else NOBODY
    return frozenset(part.strip() for part in setting(SETTING, default).split(","))
