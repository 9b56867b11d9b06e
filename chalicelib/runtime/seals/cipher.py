"""AES-256-GCM over one value, bound to its place: table, key and attribute. Moved anywhere else it does not open.

Kept are a byte that says how (1), the data key's number (2 bytes), the nonce (12), the sealed text and its tag (16).
The nonce is a keyed digest of place and text, so equal text at one place is sealed alike: a row that is saved unchanged
does not change, a repeated write is the same write, and no nonce is ever used for two texts. Who reads the table
learns no more than that a value is what it was. NIST SP 800-38D; RFC 5297 has the idea.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Any

from chalicelib.kernel.errors import ShopError

HEAD, NONCE, TAG = 3, 12, 16
OVERHEAD = HEAD + NONCE + TAG
_FORM = 1


class NotSealedHere(ShopError):
    """A sealed value does not open: it was changed, or stands where it was not sealed."""

    code, status = "not_sealed_here", 500
    en, zh = "A stored value cannot be read.", "存储的数据无法读取。"


def seal(plain: bytes, place: str, *, key: bytes, number: int) -> bytes:
    """Return the sealed value."""
    cipher, nonce_key = _parts(key)
    head = bytes([_FORM]) + number.to_bytes(2, "big")
    bound = head + place.encode()
    nonce = hmac.digest(nonce_key, len(bound).to_bytes(4, "big") + bound + plain, "sha256")[:NONCE]
    return head + nonce + bytes(cipher.encrypt(nonce, plain, bound))


def number_of(sealed: bytes) -> int:
    """Return the number of the data key.

    Raises:
        NotSealedHere: if it is no sealed value of a form that this release knows.
    """
    if len(sealed) < OVERHEAD or sealed[0] != _FORM:
        raise NotSealedHere
    return int.from_bytes(sealed[1:HEAD], "big")


def unseal(sealed: bytes, place: str, *, key: bytes) -> bytes:
    """Return the text.

    Raises:
        NotSealedHere: if it was changed, or sealed under another key or for another place.
    """
    from cryptography.exceptions import InvalidTag

    cipher, _ = _parts(key)
    try:
        opened: bytes = cipher.decrypt(
            sealed[HEAD : HEAD + NONCE], sealed[HEAD + NONCE :], sealed[:HEAD] + place.encode()
        )
    except InvalidTag:
        raise NotSealedHere from None
    return opened


@lru_cache(maxsize=8)
def _parts(key: bytes) -> tuple[Any, bytes]:
    """Return the cipher and the nonces' key, each under a key of its own that follows from the data key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derived(key, b"seal")), _derived(key, b"nonce")


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"biandan rows\n" + purpose, hashlib.sha256)
