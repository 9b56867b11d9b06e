"""What a mini program sends of its person, checked with the session key: signatures, encryption, owner, age.

Sources: the platforms' pages on signatures and decryption of open data, which QQ's has of WeChat's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from chalicelib.auth.external.domain import FRESH, DataRefused, MiniData, Told, nickname_of

BLOCK = 16
CAP_BYTES = 8 * 1024


def raw_data_signature(raw_data: str, session_key: str) -> str:
    """Return the signature that a mini program's ``rawData`` carries."""
    return hashlib.sha1((raw_data + session_key).encode(), usedforsecurity=False).hexdigest()


def login_state_signature(post_data: bytes, session_key: str) -> str:
    """Return the signature by which a call of the platform's API shows that its person is signed in."""
    return hmac.new(session_key.encode(), post_data, hashlib.sha256).hexdigest()


def told(data: MiniData, *, session_key: str, appid: str, openid_fits: Any, now: datetime) -> Told:
    """Return what the data says.

    ``openid_fits`` says whether an openid is the person's.

    Raises:
        DataRefused: if any of it is not sound, ours, the person's and of this moment.
    """
    said: dict[str, Any] = {}
    if data.raw_data or data.signature:
        said |= _signed(data, session_key)
    if data.encrypted_data or data.iv:
        opened_ = opened(data.encrypted_data, data.iv, session_key=session_key, appid=appid, now=now)
        owner = opened_.get("openId")
        if owner is not None and not (isinstance(owner, str) and openid_fits(owner)):
            raise DataRefused
        said |= opened_
    unionid = said.get("unionId") if data.encrypted_data else None
    return Told(nickname_of(said.get("nickName")), unionid if isinstance(unionid, str) else "")


def _signed(data: MiniData, session_key: str) -> dict[str, Any]:
    wanted = raw_data_signature(data.raw_data, session_key)
    if not hmac.compare_digest(wanted.encode(), data.signature.encode()):
        raise DataRefused
    return _object(data.raw_data.encode())


def opened(encrypted_data: str, iv: str, *, session_key: str, appid: str, now: datetime) -> dict[str, Any]:
    """Decrypt (AES-128-CBC, PKCS#7), and check for whom and when it was made.

    Raises:
        DataRefused: for every failure, the same: what padding was wrong would tell an attacker the text.
    """
    try:
        key, start, sealed = (_decoded(text) for text in (session_key, iv, encrypted_data))
        if len(key) != BLOCK or len(start) != BLOCK or not sealed or len(sealed) % BLOCK or len(sealed) > CAP_BYTES:
            raise DataRefused
        content = _object(_decrypted(sealed, key, start))
        mark = content.get("watermark")
        if not isinstance(mark, dict) or not isinstance(mark.get("appid"), str):
            raise DataRefused
        at = mark.get("timestamp")
        if type(at) is not int or abs(now.timestamp() - at) > FRESH.total_seconds():
            raise DataRefused
        if not hmac.compare_digest(mark["appid"].encode(), appid.encode()):
            raise DataRefused
    except (ValueError, OverflowError, binascii.Error):
        raise DataRefused from None
    return content


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii"), validate=True)


def _decrypted(sealed: bytes, key: bytes, start: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    decryptor = Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    unpadder = PKCS7(BLOCK * 8).unpadder()  # Looks at every byte of it, in one time.
    return unpadder.update(padded) + unpadder.finalize()


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise DataRefused from None
    if not isinstance(found, dict):
        raise DataRefused
    return found
