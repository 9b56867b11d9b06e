"""Codes of an authenticator app (TOTP, RFC 6238) and recovery codes: what is kept, and which step counts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from chalicelib.kernel.errors import Conflict, Forbidden

STEP_S: Final = 30
DRIFT: Final = 1
"""Steps that a phone's clock may be behind or ahead."""
DIGITS: Final = 6
ENROLLING: Final = timedelta(minutes=15)
"""How long a secret may wait for its first code."""
RECOVERY_CODES: Final = 10


class TotpEnrolled(Conflict):
    """There is one; it is taken away first."""

    code = "totp_enrolled"
    en, zh = "An authenticator app is set up already; remove it first.", "已绑定身份验证器，请先解除绑定。"


class TotpMissing(Conflict):
    """Nothing to confirm, to renew or to remove."""

    code = "totp_missing"
    en, zh = "No authenticator app is set up, or its set-up took too long.", "尚未绑定身份验证器，或绑定已超时。"


class SecondFactorRequired(Forbidden):
    """The installation wants a second factor for this role; without one an account can only set it up."""

    code = "second_factor_required"
    en = "This role needs a second factor: set up an authenticator app or a passkey and sign in with it."
    zh = "该角色必须启用两步验证：请绑定身份验证器或通行密钥后重新登录。"


@dataclass(frozen=True, slots=True)
class Totp:
    """An account's authenticator app: its secret sealed, its recovery codes as keyed digests."""

    account_id: str
    sealed: str = field(repr=False)
    begun_at: datetime
    confirmed_at: datetime | None = None
    last_step: int = 0
    """The latest step whose code was used: no code counts twice, nor one from before it."""
    recovery: tuple[str, ...] = field(default=(), repr=False)
    version: int = 0

    def may_confirm(self, now: datetime) -> bool:
        """Say whether it still waits for its first code."""
        return self.confirmed_at is None and now < self.begun_at + ENROLLING


def steps(now: datetime, *, after: int) -> range:
    """Return the steps whose codes count at a moment: those around it that are later than the last one used."""
    step = int(now.timestamp()) // STEP_S
    return range(max(step - DRIFT, after + 1), step + DRIFT + 1)
