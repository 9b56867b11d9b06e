"""Secrets and codes of authenticator apps, and recovery codes. pyotp is imported by the first of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

from chalicelib.auth import passwords, sealing
from chalicelib.auth.factors import domain
from chalicelib.auth.factors.domain import Totp
from chalicelib.kernel import ids

_SECRET_BYTES = 20
"""RFC 4226, section 4, R6: 160 bits."""
_RECOVERY_BYTES = 10
_PURPOSE = "totp"
_ISSUER = "Biandan"


def new_secret(account_id: str) -> tuple[str, str]:
    """Return a secret as an app takes it (Base32), and sealed as we keep it."""
    secret = base64.b32encode(ids.random_bytes(_SECRET_BYTES)).decode()
    return secret, sealing.seal(secret, purpose=_PURPOSE, belongs_to=account_id)


def uri(secret: str, *, name: str) -> str:
    """Return the address that a QR code holds for an app to read."""
    from pyotp.totp import TOTP

    made = TOTP(secret, digits=domain.DIGITS, interval=domain.STEP_S, name=name, issuer=_ISSUER)
    return str(made.provisioning_uri())


def step_of(totp: Totp, code: str, *, now: datetime) -> int | None:
    """Return the step that a code is of, or None if it is of none that counts."""
    from pyotp.hotp import HOTP

    secret = sealing.unseal(totp.sealed, purpose=_PURPOSE, belongs_to=totp.account_id)
    if secret is None:
        return None
    made = HOTP(secret, digits=domain.DIGITS)
    fits = [step for step in domain.steps(now, after=totp.last_step) if hmac.compare_digest(made.at(step), code)]
    return fits[0] if fits else None


def new_recovery(account_id: str) -> tuple[list[str], tuple[str, ...]]:
    """Return recovery codes as their owner keeps them, ``ABCDEFGH-IJKLMNOP``, and as we do."""
    made = [base64.b32encode(ids.random_bytes(_RECOVERY_BYTES)).decode() for _ in range(domain.RECOVERY_CODES)]
    return [f"{code[:8]}-{code[8:]}" for code in made], tuple(recovery_digest(account_id, code) for code in made)


def recovery_digest(account_id: str, code: str) -> str:
    """Return what is kept of a recovery code, however it was typed."""
    plain = code.replace("-", "").replace(" ", "").upper()
    return hmac.new(passwords.keyed("recovery"), f"{account_id}.{plain}".encode(), hashlib.sha256).hexdigest()
