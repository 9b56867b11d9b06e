"""What is kept of a passkey, how its counter is judged, and what may be refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from chalicelib.auth.domain import Limit
from chalicelib.kernel.errors import Conflict, Invalid, Unauthenticated

MOST_PASSKEYS: Final = 10
"""Of one account."""
REFUSED: Final = Limit("passkey.refused", attempts=300, window_s=600)
"""Refused sign-ins with passkeys, of one network or one known device: nobody guesses a signature, but each costs us."""


class PasskeyRefused(Unauthenticated):
    """Unknown, removed, another's, or what it signed is not what was asked for: nobody is told which."""

    code = "passkey_refused"
    en, zh = "This passkey does not open an account here.", "该通行密钥无法登录。"


class PasskeyUnusable(Invalid):
    """What the authenticator made is not what was asked for."""

    code = "passkey_unusable"
    en, zh = "This passkey cannot be used here; begin again.", "无法使用该通行密钥，请重新开始。"


class PasskeyKnown(Conflict):
    """The passkey belongs to an account already."""

    code = "passkey_known"
    en, zh = "This passkey has been added before.", "该通行密钥已被添加。"


class TooManyPasskeys(Conflict):
    """The account has as many as it can."""

    code = "too_many_passkeys"
    en, zh = "An account has {cap} passkeys at most; remove one first.", "每个账号最多 {cap} 个通行密钥，请先移除一个。"
    shown = ("cap",)


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey of an account: its public half."""

    passkey_id: str
    account_id: str
    credential: str = field(repr=False)
    """What its authenticator calls it, as base64url."""
    public_key: str = field(repr=False)
    """As its authenticator wrote it (COSE), as base64url."""
    signs: int
    """How often it says it has signed; 0 for ever for those that do not count."""
    is_eligible: bool
    """Whether its authenticator may copy it to the person's other devices; it never changes."""
    is_backed_up: bool
    """Whether that has happened."""
    sealed: str = field(repr=False)
    """What its owner calls it, sealed."""
    made_at: datetime
    transports: tuple[str, ...] = ()
    used_at: datetime | None = None
    copied_at: datetime | None = None
    """When its counter last went back: somebody may have a copy of it."""
    version: int = 0

    def went_back(self, signs: int) -> bool:
        """Say whether a counter shows that the passkey signed less often than it had: there are two of it."""
        return (signs > 0 or self.signs > 0) and signs <= self.signs

    def used(self, *, signs: int, is_backed_up: bool, now: datetime) -> Passkey:
        """Return the passkey after it was used."""
        return replace(self, signs=signs, is_backed_up=is_backed_up, used_at=now)


@dataclass(frozen=True, slots=True)
class Made:
    """What an authenticator made, as its browser sends it: all base64url."""

    credential: str
    client_data: str = field(repr=False)
    attestation: str = field(repr=False)
    transports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """What an authenticator signed, as its browser sends it: all base64url."""

    credential: str
    client_data: str = field(repr=False)
    authenticator_data: str = field(repr=False)
    signature: str = field(repr=False)
    user: str = field(default="", repr=False)
    """Whose the authenticator says it is."""
