"""What accounts keep unreadable: AES-256-GCM under keys of their own, derived from the pepper.

What a text belongs to is authenticated with it: sealed for one account it does not open for another.
"""

from __future__ import annotations

import base64
import binascii

from chalicelib.auth import passwords
from chalicelib.kernel import ids

NONCE_BYTES = 12


def seal(text: str, *, purpose: str, belongs_to: str) -> str:
    """Return a text that only :func:`unseal` of the same purpose and owner reads."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = ids.random_bytes(NONCE_BYTES)
    made = AESGCM(passwords.keyed(purpose)).encrypt(nonce, text.encode(), belongs_to.encode())
    return _b64(nonce + made)


def unseal(sealed: str, *, purpose: str, belongs_to: str) -> str | None:
    """Return the text, or None if it was not sealed so."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = base64.urlsafe_b64decode(sealed.encode("ascii") + b"=" * (-len(sealed) % 4))
        if _b64(raw) != sealed:  # One spelling each: what counts once would count again, written differently.
            return None
        key = AESGCM(passwords.keyed(purpose))
        return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], belongs_to.encode()).decode()
    except (InvalidTag, ValueError, binascii.Error):
        return None


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
