"""The state of a sign-in on the web: 128 random bits and a time under a MAC, so that beginning one costs no row.

It is bound to what it was begun for: our app, the purpose, the page to return to and the storefront's challenge, the
SHA-256 of a verifier that only the browser which began knows (as PKCE's, RFC 7636). Whoever brings it back shows the
verifier; that it is used once, the row of its use says (``store.used``).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.auth import passwords
from chalicelib.auth.external.domain import STATE_LIFE, ReturnNotAllowed, SignInOver
from chalicelib.kernel import base64url, clock, ids
from chalicelib.runtime.config import config, setting

RANDOM_BYTES, TIME_BYTES, TAG_BYTES = 16, 4, 16
CHALLENGE = r"^[A-Za-z0-9_-]{43}$"
VERIFIER = r"^[A-Za-z0-9._~-]{43,128}$"
RETURNS = "BIANDAN_SIGN_IN_RETURNS"
"""Addresses of pages that sign-in may return to, separated by commas; each counts exactly as it stands there."""
SIGN_IN = "sign-in"
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?/[\x21-\x7e]{0,200}")


@dataclass(frozen=True, slots=True)
class Begun:
    """What a sign-in was begun for. Whoever completes it says the same again."""

    provider: str
    appid: str
    purpose: str
    """:data:`SIGN_IN`, the account that wants the identity added, or the session that proves once more whose it is."""
    return_url: str
    challenge: str = field(repr=False)


def challenge_of(verifier: str) -> str:
    """Return a verifier's challenge (S256)."""
    return base64url.encode(hashlib.sha256(verifier.encode()).digest())


def begin(begun: Begun) -> str:
    """Return a fresh state.

    Raises:
        ReturnNotAllowed: if the page is none that the installation names.
    """
    if not may_return(begun.return_url):
        raise ReturnNotAllowed
    head = ids.random_bytes(RANDOM_BYTES) + clock.epoch_s(clock.now()).to_bytes(TIME_BYTES)
    return base64url.encode(head + _tag(head, begun))


def check(state: str, begun: Begun) -> datetime:
    """Return until when the state counts.

    Raises:
        SignInOver: if it was not begun so, by us, and within the last ten minutes.
    """
    try:
        raw = base64url.decode(state)
    except ValueError:
        raise SignInOver from None
    head, tag = raw[: RANDOM_BYTES + TIME_BYTES], raw[RANDOM_BYTES + TIME_BYTES :]
    if not hmac.compare_digest(_tag(head, begun), tag):
        raise SignInOver
    until = clock.from_epoch_s(int.from_bytes(head[RANDOM_BYTES:])) + STATE_LIFE
    if clock.now() >= until:
        raise SignInOver
    return until


def may_return(url: str) -> bool:
    """Say whether sign-in may return to a page: one that is named, or on a laptop any page of the same machine."""
    if url in [part.strip() for part in setting(RETURNS).split(",") if part.strip()]:
        return True
    return config().is_local and _LOOPBACK.fullmatch(url) is not None


def _tag(head: bytes, begun: Begun) -> bytes:
    parts = (begun.provider, begun.appid, begun.purpose, begun.return_url, begun.challenge)
    message = head + "\n".join(parts).encode()
    return hmac.new(passwords.keyed("sign-in-state"), message, hashlib.sha256).digest()[:TAG_BYTES]
