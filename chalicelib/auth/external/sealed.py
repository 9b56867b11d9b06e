"""What is kept or handed out unreadable: session keys at rest, and the proof of a person who must first say something.

AES-256-GCM under keys of their own, derived from the pepper; what a text belongs to is authenticated with it.
"""

from __future__ import annotations

import json

from chalicelib.auth.external.domain import PROOF_LIFE, Platform, Proof, SignInOver
from chalicelib.auth.sealing import seal, unseal
from chalicelib.kernel import clock

__all__ = ["open_proof", "proof_token", "seal", "unseal"]

_PREFIX = "bdx1."


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
