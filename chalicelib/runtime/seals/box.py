"""AES-256-GCM under a key at hand and a random nonce, for what is kept or handed out for a while (NIST SP 800-38D).

Rows that are kept for years are sealed by ``ring``. ``bound`` says what a text belongs to: elsewhere it does not open.
"""

from __future__ import annotations

from chalicelib.kernel import ids

NONCE_BYTES = 12


def seal(plain: bytes, *, key: bytes, bound: bytes) -> bytes:
    """Return the nonce and what it seals."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = ids.random_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def unseal(sealed: bytes, *, key: bytes, bound: bytes) -> bytes | None:
    """Return the text, or None if it was not sealed so."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):  # The latter where it is too short to hold anything.
        return None
