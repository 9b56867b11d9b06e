"""The second step of a sign-in: who has a second factor gets no session for the first one alone, but a challenge."""

from __future__ import annotations

from typing import Final

from chalicelib.auth import open_steps
from chalicelib.auth.domain import Account
from chalicelib.auth.open_step import LIFE
from chalicelib.auth.sessions.domain import Method, SecondFactorNeeded

PURPOSE: Final = "second-step"


def require(account: Account, method: Method) -> None:
    """Return if a sign-in by this method is enough: the account has no second factor.

    Raises:
        SecondFactorNeeded: if not, with the challenge that the second step comes with.
    """
    if not account.second_factor:
        return
    said = {"method": method.value, "epoch": str(account.epoch)}
    raise SecondFactorNeeded(
        challenge=open_steps.begin(PURPOSE, account_id=account.account_id, said=said),
        methods=["totp", "recovery_code"],
        expires_in=int(LIFE.total_seconds()),
    )
