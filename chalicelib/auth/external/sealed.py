"""What is kept or handed out unreadable: session keys at rest, and the proof of a person who must first say something.

AES-256-GCM under keys of their own, derived from the pepper; what a text belongs to is authenticated with it.
"""

from __future__ import annotations

import base64
import binascii
import json

from chalicelib.auth import passwords
from chalicelib.auth.external.domain import PROOF_LIFE, Platform, Proof, SignInOver
from chalicelib.kernel import clock, ids

NONCE_BYTES = 12
_PREFIX = "bdx1."


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


def proof_token(proof: Proof) -> str:
    """Return a proof for its person to bring back within ten minutes."""
    until_s = clock.epoch_s(clock.now() + PROOF_LIFE)
    parts = [until_s, proof.provider, proof.platform, proof.appid, proof.openid, proof.unionid, proof.session_key]
    return _PREFIX + seal(json.dumps(parts, separators=(",", ":")), purpose="sign-in-proof", belongs_to=_PREFIX)


def open_proof(token: str) -> Proof:
    """Return the proof in a token.

    Raises:
        SignInOver: if we did not give it out, or not within the last ten minutes.
    """
    text = unseal(token.removeprefix(_PREFIX), purpose="sign-in-proof", belongs_to=_PREFIX)
    if text is None or not token.startswith(_PREFIX):
        raise SignInOver
    until_s, provider, platform, appid, openid, unionid, session_key = json.loads(text)
    if clock.epoch_s(clock.now()) >= until_s:
        raise SignInOver
    return Proof(provider, Platform(platform), appid, openid, unionid, session_key)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
